"""Integer networks that keep their symmetry: calibrate, train, save, write as ONNX."""

from steerable.quant.fake import FakeQuantModel as FakeQuantModel
from steerable.quant.integer import QuantizedModel as QuantizedModel
from steerable.quant.integer import load as load
from steerable.quant.integer import save as save
from steerable.quant.onnx_file import export_onnx_int8 as export_onnx_int8
from steerable.quant.quantize import quantize as quantize
