"""Whatever answers to images: a folder of trained networks, a program of torch, an ONNX file."""

from __future__ import annotations

from steerable.run.answer.answerer import Answerer as Answerer
from steerable.run.answer.device import find_device as find_device
from steerable.run.answer.folder import Folder as Folder
from steerable.run.answer.onnx_file import OnnxFile as OnnxFile
from steerable.run.answer.opening import open_answerer as open_answerer
from steerable.run.answer.program import Program as Program
