"""A graph into a file: as a program of torch, or as ONNX."""

from __future__ import annotations

import importlib
import inspect
import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from steerable.data.errors import InputError
from steerable.run.answer.program import quiet
from steerable.run.export.graph import Graph
from steerable.run.export.header import ENTRY
from steerable.run.export.operators import onnx_operators, program_operators

MOST_BYTES = 2**31 - 1  # of a protocol buffer
MOST_IMAGES = 2**20
INPUT = "image"


@contextmanager
def silent() -> Iterator[None]:
    """The exporters call parts of torch that are announced to go, and log what they skip."""
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)
        yield


def trace(graph: Graph, example: Tensor, batch: int | None) -> torch.export.ExportedProgram:
    """Return the program of a graph.

    Args:
        graph: in eval mode, in the precision of the example.
        example: ``[N, C, H, W]``; with a free batch it needs N above 1.
        batch: images at a time, the N of the example; None: any number.

    Raises:
        InputError: the exporter refuses the network.
    """
    shapes = ({0: torch.export.Dim("batch", min=1, max=MOST_IMAGES)},) if batch is None else None
    try:
        with silent(), torch.no_grad():
            return torch.export.export(graph, (example,), dynamic_shapes=shapes)
    except Exception as e:  # the exporter lets through whatever its parts raise
        raise InputError(
            f"torch.export refuses the network: {_line(e)}; expected a forward that looks at shapes only"
            f"{'' if batch else '. Say --batch 1 if it cannot take a batch of any size'}."
        ) from None


def write_program(program: torch.export.ExportedProgram, header: dict[str, Any], path: Path) -> None:
    """Write a program and its header into one `.pt2` file, whatever its name ends in."""
    header = {**header, "operators": program_operators(program)}
    buffer = io.BytesIO()
    with silent():
        torch.export.save(program, buffer, extra_files={ENTRY: json.dumps(header)})
    path.write_bytes(buffer.getvalue())


def to_onnx(
    module: torch.export.ExportedProgram | nn.Module,
    example: tuple[Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    opset: int | None = None,
    batch: int | None = None,
) -> Any:
    """Return the `onnx.ModelProto` of a program, or of a module in eval mode.

    Args:
        module: what to convert.
        example: its arguments; empty for a program.
        inputs, outputs: names.
        opset: of the standard operators; None: that of the converter.
        batch: the length of the first axis of each argument; None: any.

    Raises:
        InputError: the converter refuses the network, or the file would be too large.
        ModuleNotFoundError: without the extra ``steerable[export]``.
    """
    for package in ("onnx", "onnxscript"):  # the converter names neither of them when they are missing
        importlib.import_module(package)
    shapes = tuple({0: torch.export.Dim("batch", min=1, max=MOST_IMAGES)} for _ in example) if batch is None else None
    if isinstance(module, nn.Module):
        kinds = [p.kind for p in inspect.signature(module.forward).parameters.values()]
        if inspect.Parameter.VAR_POSITIONAL in kinds and shapes is not None:
            shapes = (shapes,)
    try:
        with silent():
            found = torch.onnx.export(
                module, example, dynamo=True, verbose=False, input_names=inputs, output_names=outputs,
                opset_version=opset, dynamic_shapes=shapes if example else None,
            )  # fmt: skip
    except Exception as e:  # the converter lets through whatever its parts raise
        raise InputError(
            f"the converter to ONNX refuses the network: {_line(e)}. Say --format program instead."
        ) from None
    if found is None:
        raise InputError(f"the converter to ONNX returned {found}; expected a model. Say --format program instead.")
    model = found.model_proto
    if model.ByteSize() > MOST_BYTES:
        raise InputError(
            f"the network has {model.ByteSize():,} bytes; expected at most {MOST_BYTES:,} in one ONNX file. Say "
            "--format program, or --seed K for one seed."
        )
    return model


def fix_batch(model: Any, batch: int | None) -> None:
    """Write a fixed number of images into the inputs and outputs of an `onnx.ModelProto`, in place; None: any."""
    if batch is not None:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = batch


def write_onnx(model: Any, header: dict[str, Any], path: Path) -> None:
    """Write an `onnx.ModelProto` and its header into one file."""
    header = {**header, "operators": onnx_operators(model)}
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = ENTRY, json.dumps(header)
    model.producer_name, model.producer_version = "steerable", header["versions"]["steerable"]
    path.write_bytes(model.SerializeToString())


def _line(e: BaseException) -> str:
    """The first line of what is at the bottom of an error."""
    while e.__cause__ is not None:
        e = e.__cause__
    lines = [line for line in str(e).splitlines() if line.strip()]
    return (lines or [type(e).__name__])[0][:300]
