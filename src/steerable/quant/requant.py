"""Integers in other steps: to and from numbers, sums of maps, means, functions by table."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.quant.affine import to_uint8
from steerable.quant.step import Step, number


class Quantise(Step):
    """Numbers to integers: ``[B, ...]`` float to uint8."""

    fixed = ("scale", "zero")

    def __init__(self, scale: float, zero: int) -> None:
        super().__init__()
        self.scale, self.zero = scale, zero

    def forward(self, x: Tensor) -> Tensor:
        """Divide, round, shift, cut."""
        return to_uint8(torch.round(x.float() / number(self.scale, x)), self.zero)


class Dequantise(Step):
    """Integers to float32 numbers."""

    fixed = ("scale", "zero")

    def __init__(self, scale: float, zero: int) -> None:
        super().__init__()
        self.scale, self.zero = scale, zero

    def forward(self, q: Tensor) -> Tensor:
        """``scale (q - zero)``."""
        return (q.float() - self.zero) * self.scale


class IntAdd(Step):
    """Sum of two maps of different steps."""

    fixed = ("first", "first_zero", "second", "second_zero", "out_zero")

    def __init__(self, first: float, first_zero: int, second: float, second_zero: int, out_zero: int) -> None:
        super().__init__()
        self.first, self.first_zero, self.second, self.second_zero = first, first_zero, second, second_zero
        self.out_zero = out_zero

    def forward(self, p: Tensor, q: Tensor) -> Tensor:
        """uint8 from two uint8; ``first`` and ``second`` are steps of the inputs in steps of the output."""
        total = (p.float() - self.first_zero) * self.first + (q.float() - self.second_zero) * self.second
        return to_uint8(torch.round(total), self.out_zero)


class Rescale(Step):
    """The same numbers in other steps."""

    fixed = ("factor", "in_zero", "out_zero")

    def __init__(self, factor: float, in_zero: int, out_zero: int) -> None:
        super().__init__()
        self.factor, self.in_zero, self.out_zero = factor, in_zero, out_zero

    def forward(self, q: Tensor) -> Tensor:
        """uint8 to uint8; ``factor`` is the step of the input in steps of the output."""
        return to_uint8(torch.round((q.float() - self.in_zero) * self.factor), self.out_zero)


class IntMean(Step):
    """Mean over some axes: an integer sum, then requantised."""

    fixed = ("dims", "keepdim", "count", "factor", "in_zero", "out_zero")

    def __init__(self, dims: list[int], keepdim: bool, count: int, factor: float, in_zero: int, out_zero: int) -> None:
        super().__init__()
        self.dims, self.keepdim, self.count = dims, keepdim, count
        self.factor, self.in_zero, self.out_zero = factor, in_zero, out_zero

    def forward(self, q: Tensor) -> Tensor:
        """uint8 to uint8; ``factor`` is the input step over (count times the output step)."""
        total = q.to(torch.int64).sum(self.dims, self.keepdim) - self.count * self.in_zero
        return to_uint8(torch.round(total.float() * self.factor), self.out_zero)


class Table(Step):
    """Any function of one variable: 256 integers, looked up."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.hold(table=table)

    def forward(self, q: Tensor) -> Tensor:
        """uint8 to uint8."""
        return self.table[q.long()]
