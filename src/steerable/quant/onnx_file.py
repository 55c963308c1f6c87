"""The integer network as an ONNX file that any runtime computes to the same integers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from steerable.quant.affine import TOP
from steerable.quant.integer import FORMAT, QuantizedModel
from steerable.quant.moves import Cat, Gather, IntMax, IntMaxPool, Mask, Pad, Reshape
from steerable.quant.requant import Dequantise, IntAdd, IntMean, Quantise, Rescale, Table
from steerable.quant.step import Step
from steerable.quant.sums import IntConv, IntHead

OPSET = 18


def export_onnx_int8(model: QuantizedModel, example: Tensor, path: str | Path) -> Path:
    """Write an integer network as ONNX: int8 weights, int32 sums, uint8 maps; any batch size.

    Convolutions are ``QLinearConv`` with one weight scale a channel; the last map is ``MatMulInteger``; sums and means
    are spelled out in whole numbers and float32, halves to even, so that no optimiser may round them otherwise. The
    output ``logits`` is that of ``model(x)`` to the last bit (ONNX Runtime, processor).

    Args:
        model: from :func:`~steerable.quant.quantize`.
        example: images ``[B, C, H, W]`` of the right size.
        path: file to write; nothing is left there if writing fails.

    Raises:
        TypeError: for another kind of model.
        ValueError: for an example of another size.
        ImportError: if onnx is not installed.
    """
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError as problem:
        raise ImportError(f"export_onnx_int8 needs onnx ({problem}); pip install 'steerable[export]'") from problem
    if not isinstance(model, QuantizedModel):
        raise TypeError(
            f"export_onnx_int8: got {type(model).__name__}; expected a QuantizedModel, from quantize(...) or "
            f"the convert() of a trained one"
        )
    classes = model(example[:1]).shape[1:]
    graph = _Graph()
    for name, step, sources in zip(model.names, model.steps, model.sources, strict=True):
        _WRITERS[type(step)](graph, step, ["logits" if name == model.names[-1] else name, *sources])
    made = helper.make_graph(
        graph.nodes,
        "steerable",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", *model.shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", *classes])],
        graph.tensors,
    )
    file = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="steerable")
    file.ir_version = 9
    helper.set_model_props(file, {"format": FORMAT})
    onnx.checker.check_model(file, full_check=True)
    target = Path(path)
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(file.SerializeToString())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


class _Graph:
    """Nodes and constants in the making."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self._constants: dict[tuple[str, bytes, tuple[int, ...]], str] = {}

    def constant(self, value: Any, kind: str) -> str:
        """Name of a constant; equal ones are held once."""
        from onnx import numpy_helper

        array = np.ascontiguousarray(value, dtype=kind)
        key = (kind, array.tobytes(), array.shape)
        if key not in self._constants:
            self._constants[key] = f"c{len(self.tensors)}"
            self.tensors.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def add(self, kind: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Append a node and return the name of its result."""
        from onnx import helper

        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def cast(self, source: str, kind: str, output: str | None = None) -> str:
        """Append a change of type."""
        from onnx import TensorProto

        return self.add("Cast", [source], output, to=getattr(TensorProto, kind))

    def centred(self, source: str, zero: int) -> str:
        """float32 of ``q - zero``."""
        return self.add("Sub", [self.cast(source, "FLOAT"), self.constant(zero, "float32")])

    def rounded(self, source: str, zero: int, output: str) -> None:
        """uint8 of ``round(x) + zero``."""
        low, high = self.constant(-zero, "float32"), self.constant(TOP - zero, "float32")
        cut = self.add("Clip", [self.add("Round", [source]), low, high])
        self.cast(self.add("Add", [cut, self.constant(zero, "float32")]), "UINT8", output)

    def scaled(self, source: str, factor: float) -> str:
        """Product with a float32 number."""
        return self.add("Mul", [source, self.constant(factor, "float32")])


def _quantise(g: _Graph, s: Quantise, names: list[str]) -> None:
    g.add("QuantizeLinear", [names[1], g.constant(s.scale, "float32"), g.constant(s.zero, "uint8")], names[0])


def _dequantise(g: _Graph, s: Dequantise, names: list[str]) -> None:
    g.add("Mul", [g.centred(names[1], s.zero), g.constant(s.scale, "float32")], names[0])


def _conv(g: _Graph, s: IntConv, names: list[str]) -> None:
    scale, weight = s.scale.numpy(), s.weight.numpy()
    inputs = [
        names[1],
        g.constant(s.in_scale, "float32"),
        g.constant(s.in_zero, "uint8"),
        g.constant(weight, "int8"),
        g.constant(scale, "float32"),
        g.constant(np.zeros(len(scale)), "int8"),
        g.constant(s.out_scale, "float32"),
        g.constant(s.out_zero, "uint8"),
        g.constant(s.bias.numpy(), "int32"),
    ]
    (top, left), kernel = s.padding, list(weight.shape[2:])
    window = {"kernel_shape": kernel, "strides": list(s.stride), "dilations": list(s.dilation), "group": s.groups}
    g.add("QLinearConv", inputs, names[0], pads=[top, left, top, left], **window)


def _head(g: _Graph, s: IntHead, names: list[str]) -> None:
    weight = g.constant(s.weight.numpy().T, "int8")
    sums = g.add("MatMulInteger", [names[1], weight, g.constant(s.in_zero, "uint8"), g.constant(0, "int8")])
    whole = g.add("Add", [sums, g.constant(s.bias.numpy(), "int32")])
    g.add("Mul", [g.cast(whole, "FLOAT"), g.constant(s.factor.numpy(), "float32")], names[0])


def _add(g: _Graph, s: IntAdd, names: list[str]) -> None:
    first = g.scaled(g.centred(names[1], s.first_zero), s.first)
    second = g.scaled(g.centred(names[2], s.second_zero), s.second)
    g.rounded(g.add("Add", [first, second]), s.out_zero, names[0])


def _rescale(g: _Graph, s: Rescale, names: list[str]) -> None:
    g.rounded(g.scaled(g.centred(names[1], s.in_zero), s.factor), s.out_zero, names[0])


def _mean(g: _Graph, s: IntMean, names: list[str]) -> None:
    axes = g.constant(s.dims, "int64")
    total = g.add("ReduceSum", [g.cast(names[1], "INT32"), axes], keepdims=int(s.keepdim))
    whole = g.add("Sub", [total, g.constant(s.count * s.in_zero, "int32")])
    g.rounded(g.scaled(g.cast(whole, "FLOAT"), s.factor), s.out_zero, names[0])


def _max(g: _Graph, s: IntMax, names: list[str]) -> None:
    g.add("ReduceMax", [names[1], g.constant(s.dims, "int64")], names[0], keepdims=int(s.keepdim))


def _max_pool(g: _Graph, s: IntMaxPool, names: list[str]) -> None:
    top, left = s.padding
    g.add("MaxPool", [names[1]], names[0], kernel_shape=s.kernel, strides=s.stride, pads=[top, left, top, left])


def _table(g: _Graph, s: Table, names: list[str]) -> None:
    g.add("Gather", [g.constant(s.table.numpy(), "uint8"), g.cast(names[1], "INT32")], names[0])


def _reshape(g: _Graph, s: Reshape, names: list[str]) -> None:
    g.add("Reshape", [names[1], g.constant([0, *s.shape], "int64")], names[0])


def _gather(g: _Graph, s: Gather, names: list[str]) -> None:
    g.add("Gather", [names[1], g.constant(s.order.numpy(), "int64")], names[0], axis=1)


def _pad(g: _Graph, s: Pad, names: list[str]) -> None:
    left, right, top, bottom = s.amount
    amounts = g.constant([0, 0, top, left, 0, 0, bottom, right], "int64")
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}[s.mode]
    g.add("Pad", [names[1], amounts, g.constant(s.value, "uint8")], names[0], mode=mode)


def _mask(g: _Graph, s: Mask, names: list[str]) -> None:
    g.add("Where", [g.constant(s.inside.numpy(), "bool"), names[1], g.constant(s.zero, "uint8")], names[0])


def _cat(g: _Graph, s: Cat, names: list[str]) -> None:
    g.add("Concat", names[1:], names[0], axis=s.dim)


_WRITERS: dict[type[Step], Callable[[_Graph, Any, list[str]], None]] = {
    Quantise: _quantise, Dequantise: _dequantise, IntConv: _conv, IntHead: _head, IntAdd: _add, Rescale: _rescale,
    IntMean: _mean, IntMax: _max, IntMaxPool: _max_pool, Table: _table, Reshape: _reshape, Gather: _gather, Pad: _pad,
    Mask: _mask, Cat: _cat,
}  # fmt: skip
