"""A `.pt2` file that `steerable export` wrote: a program of `torch.export`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.run.answer.answerer import Answerer
from steerable.run.answer.archive import inspect_archive
from steerable.run.answer.batch import by_batches
from steerable.run.export.header import MEND, outside_recipe
from steerable.run.export.operators import program_operators
from steerable.run.export.probe import check_probe


class Program(Answerer):
    """An exported program.

    Args:
        module: what `torch.export.load(...).module()` returns.
        header: see :mod:`steerable.run.export.header`.
        source: the file.
        device: where it runs.
    """

    def __init__(self, module: torch.nn.Module, header: dict[str, Any], source: Path, device: str = "cpu") -> None:
        self.module, self.header, self.source, self.device = module, header, source, device
        self.record, self.seeds, self.recipe = header["record"], header["seeds"], outside_recipe(header)
        self.dtype = torch.float64 if header["dtype"] == "float64" else torch.float32

    @staticmethod
    def load(path: str | Path, device: str = "cpu") -> Program:
        """Read a file. What it is called does not matter.

        Raises:
            InputError: no such file, a broken file, a program that is not ours, or one that answers otherwise here.
        """
        path = Path(path)
        header = inspect_archive(path)
        try:
            with quiet(), path.open("rb") as file:
                program = torch.export.load(file)
        except Exception as e:  # the reader of torch has no error of its own
            raise InputError(
                f"'{path}' cannot be read by torch {torch.__version__} ({_line(e)}); it was written with torch "
                f"{header['versions'].get('torch')}. {MEND}"
            ) from None
        program_operators(program)  # the reader takes any function of torch for an operator
        if device != "cpu":
            from torch.export.passes import move_to_device_pass

            program = move_to_device_pass(program, device)
        found = Program(program.module(), header, path, device)
        check_probe(found)
        return found

    @torch.no_grad()
    def each(self, x: Tensor) -> Tensor:
        """Return what each network says; see :meth:`Answerer.each`."""

        def call(part: Tensor) -> Tensor:
            return self.module(part.to(self.device, self.dtype))[1].cpu().double()

        return by_batches(call, x, self.header["batch"]).transpose(0, 1)


def _line(e: Exception) -> str:
    return (str(e).splitlines() or [type(e).__name__])[0][:200]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what torch logs while it reads and writes programs away from the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch._export", "torch.export", "torch.onnx", "onnxscript")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
