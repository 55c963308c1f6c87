"""The static layout of a field-major tensor: blocks of fields, each field a row of irreps with their dimensions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Layout = tuple[tuple[int, tuple[int, ...]], ...]
"""One entry ``(multiplicity, dimensions of the irreps of one field)`` per block, say ``((16, (1, 2, 2, 2)),)``."""


def split_dim(x: Tensor, dim: int, sizes: tuple[int, ...]) -> Tensor:
    """A view with dimension `dim` split into `sizes`. (`Tensor.unflatten` has no rule for batched gradients.)"""
    return x.view(*x.shape[:dim], *sizes, *x.shape[dim + 1 :])


def merge_dims(x: Tensor, dim: int) -> Tensor:
    """Dimensions `dim` and `dim + 1` made one; a view where strides allow. Holds for empty batches too."""
    return x.reshape(*x.shape[:dim], x.shape[dim] * x.shape[dim + 1], *x.shape[dim + 2 :])


def split_blocks(x: Tensor, sizes: Sequence[int]) -> Sequence[Tensor]:
    """Channels ``[B, C, ...]`` cut into blocks. One block is the tensor itself: a cut would copy its gradient."""
    return (x,) if len(sizes) == 1 else x.split(list(sizes), 1)


def join_blocks(parts: Sequence[Tensor]) -> Tensor:
    """Blocks side by side: the inverse of `split_blocks`."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), 1)


class Run(NamedTuple):
    """`count` neighbouring irreps of dimension `dim`: channels ``start:stop`` of the field, norms ``first:last``."""

    start: int
    stop: int
    dim: int
    count: int
    first: int
    last: int

    def split(self, fields: Tensor) -> Tensor:
        """``[B, m, D, ...] -> [B, m, count, dim, ...]``, a view."""
        return split_dim(fields.narrow(2, self.start, self.stop - self.start), 2, (self.count, self.dim))


def runs(dims: tuple[int, ...]) -> tuple[Run, ...]:
    """Adjacent equal dimensions gathered, so that one operator serves them all."""
    found: list[Run] = []
    start = 0
    for index, dim in enumerate(dims):
        if found and found[-1].dim == dim:
            last = found[-1]
            found[-1] = last._replace(stop=last.stop + dim, count=last.count + 1, last=index + 1)
        else:
            found.append(Run(start, start + dim, dim, 1, index, index + 1))
        start += dim
    return tuple(found)


class BlockView(NamedTuple):
    """Where a block lies: channels ``start:stop`` of the tensor, biases ``first:last`` of the flat bias."""

    multiplicity: int
    dims: tuple[int, ...]
    start: int
    stop: int
    first: int
    last: int

    def fields(self, x: Tensor) -> Tensor:
        """``[B, C, ...] -> [B, m, D, ...]``, a view of this block."""
        return split_dim(x.narrow(1, self.start, self.stop - self.start), 1, (self.multiplicity, sum(self.dims)))

    def bias(self, bias: Tensor) -> Tensor:
        """``[sum m K] -> [m, K]``, the biases of this block."""
        return split_dim(bias[self.first : self.last], 0, (self.multiplicity, len(self.dims)))


def blocks(layout: Layout) -> Iterator[BlockView]:
    """The blocks of a layout with their offsets."""
    start = first = 0
    for multiplicity, dims in layout:
        stop, last = start + multiplicity * sum(dims), first + multiplicity * len(dims)
        yield BlockView(multiplicity, dims, start, stop, first, last)
        start, first = stop, last


def channels(layout: Layout) -> int:
    """Number of channels of a tensor with this layout."""
    return sum(multiplicity * sum(dims) for multiplicity, dims in layout)


def norms(layout: Layout) -> int:
    """Number of irreps, and so of norms and biases, of a tensor with this layout."""
    return sum(multiplicity * len(dims) for multiplicity, dims in layout)
