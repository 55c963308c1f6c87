"""One format of a run, written and read back."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from steerable.data import Recipe
from steerable.data.errors import InputError
from steerable.run.answer import Folder, OnnxFile, Program
from steerable.run.export.fourier import Matrices
from steerable.run.export.graph import Graph
from steerable.run.export.header import make_header
from steerable.run.export.images import Images
from steerable.run.export.int8 import assemble, quantise, same_integers
from steerable.run.export.probe import answer, probe_images
from steerable.run.export.write import INPUT, fix_batch, to_onnx, trace, write_onnx, write_program
from steerable.run.floors import FILE as FLOORS
from steerable.run.outputs import read_json


@dataclass(frozen=True)
class Wish:
    """What to write.

    Attributes:
        batch: images at a time; None: any number.
        double: a program in float64.
        inside: the preparation of the images is part of the graph.
        weight_bits: of integers: 8 or 7.
    """

    batch: int | None = None
    double: bool = False
    inside: bool = True
    weight_bits: int = 8


def write(
    kind: str, eager: Folder, images: Images, wish: Wish, path: Path, bound: float
) -> tuple[Program | OnnxFile, float | None]:
    """Write one format and read it back.

    Args:
        kind: ``program``, ``onnx`` or ``int8``.
        eager: the networks, in the precision that is wished.
        images: to calibrate integers on.
        wish: what to write.
        path: the file.
        bound: the largest difference from eager, for the header.

    Returns:
        The file, read back; of integers also the share of images for which it says what the integer network of torch
        says.

    Raises:
        InputError: a network that cannot be baked, exported or brought to integers, or a file that cannot be read.
    """
    record = eager.record
    dtype = torch.float64 if wish.double else torch.float32
    recipe = eager.recipe if wish.inside else Recipe()
    header = make_header(
        record, eager.seeds, kind, wish.batch, str(dtype).removeprefix("torch."), wish.inside, bound,
        answer(eager).tolist(), floors=read_floors(eager.folders[0]),
    )  # fmt: skip
    example = probe_images(record, prepared=not wish.inside).to(dtype)
    if kind == "int8":
        return write_int8(eager, images, wish, header, path, example)
    try:
        graph = Graph(eager.models, recipe, eager.is_regression)
    except NotImplementedError as e:
        raise InputError(f"'{eager.source}' cannot be baked: {e}.") from None
    count = wish.batch or 2
    example = example.repeat(count, *[1] * (example.ndim - 1))[:count]
    with nullcontext() if kind == "program" else Matrices():
        program = trace(graph, example, wish.batch)
    if kind == "program":
        write_program(program, header, path)
        return Program.load(path), None
    write_onnx(to_onnx(program, (), [INPUT], header["outputs"]), header, path)
    return OnnxFile.load(path), None


def write_int8(
    eager: Folder, images: Images, wish: Wish, header: dict[str, Any], path: Path, example: torch.Tensor
) -> tuple[OnnxFile, float]:
    """Calibrate, write and read back a file of integers; see :func:`write`."""
    recipe = eager.recipe if wish.inside else Recipe()
    networks = quantise(eager.models, eager.recipe, images, wish.weight_bits)
    model = assemble(networks, eager.models, recipe, example, eager.is_regression, header["outputs"])
    fix_batch(model, wish.batch)
    write_onnx(model, header, path)
    # integers answer otherwise than the network: the probe of this file is what it says itself
    write_onnx(model, {**header, "probe": answer(OnnxFile.load(path, probe=False)).tolist()}, path)
    written = OnnxFile.load(path)
    return written, same_integers(networks, eager, written, images.check)


def read_floors(folder: Path) -> dict[str, Any] | None:
    """Return the floors of a run, so that a file can be scored beside them; None where it has none."""
    return read_json(folder / FLOORS, "floors") if (folder / FLOORS).is_file() else None
