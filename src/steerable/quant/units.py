"""The pieces of a network before it is quantised: functions of numbers that know their integer form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.quant.affine import TOP, Affine
from steerable.quant.moves import Cat, Gather, IntMax, IntMaxPool, Mask, Pad, Reshape
from steerable.quant.requant import IntAdd, IntMean, Rescale, Table
from steerable.quant.step import Step


class Unit(nn.Module):
    """One piece: `forward` on numbers, `lower` to integers.

    Attributes:
        keeps: whether the integers of the result mean what those of the input mean.
    """

    keeps = False

    def lower(self, inputs: list[Affine], out: Affine) -> list[Step]:
        """The steps, in a chain, that do on integers what `forward` does on numbers."""
        raise NotImplementedError(f"{type(self).__name__} defines no lower(): return a list of steps")


class Sum(Unit):
    """``clamp(x + y)``; the bounds are the ends of the range of the result."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Add and cut."""
        return (x + y).clamp(self.low, self.high)

    def lower(self, inputs: list[Affine], out: Affine) -> list[Step]:
        """An integer sum."""
        a, b = inputs
        return [IntAdd(ratio(a, out), a.zero, ratio(b, out), b.zero, out.zero)]


class Function(Unit):
    """Any function of one variable."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """The function of every value."""
        return self.function(x.clone())

    def lower(self, inputs: list[Affine], out: Affine) -> list[Step]:
        """A table of 256 integers."""
        values = inputs[0].dequantise(torch.arange(TOP + 1)).double()
        with torch.no_grad():
            return [Table(out.quantise(self.function(values)))]


class Mean(Unit):
    """Mean over some axes."""

    def __init__(self, dims: list[int], keepdim: bool, count: int) -> None:
        super().__init__()
        self.dims, self.keepdim, self.count = dims, keepdim, count

    def forward(self, x: Tensor) -> Tensor:
        """Average."""
        return x.mean(self.dims, self.keepdim)

    def lower(self, inputs: list[Affine], out: Affine) -> list[Step]:
        """An integer sum, requantised."""
        factor = float(np.float32(inputs[0].scale) / np.float32(self.count) / np.float32(out.scale))
        return [IntMean(self.dims, self.keepdim, self.count, factor, inputs[0].zero, out.zero)]


class Join(Unit):
    """Channels of several maps side by side, all in the steps of the result."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *x: Tensor) -> Tensor:
        """Concatenate."""
        return torch.cat(x, self.dim)

    def lower(self, inputs: list[Affine], out: Affine) -> list[Step]:
        """Concatenation; the program puts a `Rescale` before each input whose steps differ."""
        return [Cat(self.dim)]


class Largest(Unit):
    """Maximum over some axes."""

    keeps = True

    def __init__(self, dims: list[int], keepdim: bool) -> None:
        super().__init__()
        self.dims, self.keepdim = dims, keepdim

    def forward(self, x: Tensor) -> Tensor:
        """Maximum."""
        return x.amax(self.dims, self.keepdim)

    def lower(self, inputs: list[Affine], out: Affine) -> list[Step]:
        """Maximum of integers."""
        return [IntMax(self.dims, self.keepdim)]


class LargestInWindow(Unit):
    """Maximum pooling."""

    keeps = True

    def __init__(self, kernel: list[int], stride: list[int], padding: list[int]) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """Maximum of each window."""
        return F.max_pool2d(x, self.kernel, self.stride, self.padding)

    def lower(self, inputs: list[Affine], out: Affine) -> list[Step]:
        """Maximum of integers."""
        return [IntMaxPool(self.kernel, self.stride, self.padding)]


class LargestOfField(Unit):
    """Maximum over the channels of each field: what `GroupPool` does.

    Args:
        shapes: ``(multiplicity, dimension)`` of each block.
        space: shape of the axes after the channels.
    """

    keeps = True

    def __init__(self, shapes: tuple[tuple[int, int], ...], space: list[int]) -> None:
        super().__init__()
        widest, start, rows = max(d for _, d in shapes), 0, []
        for m, d in shapes:  # smaller fields are filled up with copies of their first channel
            fields = start + d * np.arange(m)[:, None]
            rows.append(fields + np.where(np.arange(widest) < d, np.arange(widest), 0))
            start += m * d
        order = np.concatenate(rows)
        self.fields, self.widest, self.space = len(order), widest, space
        flat = order.reshape(-1)
        still = len(flat) == start and bool((flat == np.arange(start)).all())
        self.register_buffer("order", None if still else torch.from_numpy(flat.copy()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, ...]`` to ``[B, fields, ...]``."""
        x = x if self.order is None else x.index_select(1, self.order)
        return x.unflatten(1, (self.fields, self.widest)).amax(2)

    def lower(self, inputs: list[Affine], out: Affine) -> list[Step]:
        """Gather, reshape, maximum of integers."""
        first = () if self.order is None else (Gather(self.order),)
        return [*first, Reshape([self.fields, self.widest, *self.space]), IntMax([2], False)]


class Move(Unit):
    """The same values elsewhere: a shape, an order of channels, a border, a mask. Built from its integer step."""

    keeps = True

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        """What the step does to integers, on numbers."""
        s = self.step
        if isinstance(s, Pad):
            return F.pad(x, s.amount, s.mode) if s.mode != "constant" else F.pad(x, s.amount)
        return x * s.inside.to(x.dtype) if isinstance(s, Mask) else s(x)

    def lower(self, inputs: list[Affine], out: Affine) -> list[Step]:
        """The step, told the integer of zero."""
        s = self.step
        if isinstance(s, Pad):
            return [Pad(s.amount, s.mode, inputs[0].zero)]
        moved: Step = Mask(s.inside, inputs[0].zero) if isinstance(s, Mask) else s
        return [moved]


def ratio(a: Affine, b: Affine) -> float:
    """Steps of ``a`` in steps of ``b``, a float32 number."""
    return float(np.float32(a.scale) / np.float32(b.scale))


def rescale(a: Affine, b: Affine) -> Step:
    """From the steps of ``a`` to those of ``b``."""
    return Rescale(ratio(a, b), a.zero, b.zero)
