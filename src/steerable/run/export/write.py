"""A graph into a file: as a program of torch, or as ONNX."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.run.answer.program import quiet
from steerable.run.export.graph import Graph
from steerable.run.export.header import ENTRY
from steerable.run.export.operators import onnx_operators, program_operators

MOST_BYTES = 2**31 - 1  # of a protocol buffer
INPUT = "image"


@contextmanager
def silent() -> Iterator[None]:
    """The exporters call parts of torch that are announced to go, and log what they skip."""
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
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
    shapes = ({0: torch.export.Dim("batch", min=1, max=2**20)},) if batch is None else None
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


def convert(program: torch.export.ExportedProgram, names: list[str], batch: int | None) -> Any:
    """Return the `onnx.ModelProto` of a program.

    Args:
        program: of :func:`trace`.
        names: of the two outputs.
        batch: as of :func:`trace`.

    Raises:
        InputError: the converter refuses the network, or the file would be too large.
        ModuleNotFoundError: without the extra ``steerable[export]``.
    """
    import onnx  # noqa: F401  what is missing is told by its name
    import onnxscript  # noqa: F401

    shapes = ({0: "batch"},) if batch is None else None
    try:
        with silent():
            found = torch.onnx.export(
                program, dynamo=True, verbose=False, input_names=[INPUT], output_names=names, dynamic_shapes=shapes,
                optimize=True,
            )  # fmt: skip
    except Exception as e:
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


def write_onnx(model: Any, header: dict[str, Any], path: Path) -> None:
    """Write an `onnx.ModelProto` and its header into one file."""
    header = {**header, "operators": onnx_operators(model)}
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = ENTRY, json.dumps(header)
    model.producer_name, model.producer_version = "steerable", header["versions"]["steerable"]
    path.write_bytes(model.SerializeToString())


def _line(e: Exception) -> str:
    lines = [line for line in str(e).splitlines() if line.strip()]
    return (lines or [type(e).__name__])[0][:300]
