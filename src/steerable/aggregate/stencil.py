"""The contraction of grids: weights to filter, filter over pixels."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.aggregate.paths import runs_eagerly
from steerable.groups.eager import autocasts


class Expansion(NamedTuple):
    """The linear map from the weights of a layer to its filter: one matrix product a pair of parts, one permutation.

    Attributes:
        banks: ``[K, rows * area]`` for each segment of the weights.
        counts: rows of weights in each segment.
        index: ``[C_out * C_in]`` row of the stacked products that each entry of the filter takes, ``None`` for all in
            turn.
        inverse: where each row goes.
        holes: whether some entries are zero.
        shape: of the filter, ``(C_out, C_in, *kernel)``.
    """

    banks: list[Tensor]
    counts: list[int]
    index: Tensor | None
    inverse: Tensor
    holes: bool
    shape: tuple[int, ...]

    def expand(self, weight: Tensor) -> Tensor:
        """Filter from ``weight [num_weights]``, by plain operators."""
        area = math.prod(self.shape[2:])
        if len(self.banks) == 1:
            rows = (weight.view(self.counts[0], -1) @ self.banks[0]).view(-1, area)
        else:
            parts = weight.split([n * b.shape[0] for n, b in zip(self.counts, self.banks, strict=True)])
            rows = torch.cat(
                [(w.view(n, -1) @ b).view(-1, area) for w, n, b in zip(parts, self.counts, self.banks, strict=True)]
            )
        if self.index is not None:
            rows = (F.pad(rows, (0, 0, 0, 1)) if self.holes else rows).index_select(0, self.index)
        return rows.view(self.shape)

    def adjoint(self, grad: Tensor) -> Tensor:
        """Gradient of the weights from that of the filter: a gather again, where autograd would scatter."""
        area = math.prod(self.shape[2:])
        rows = grad.reshape(-1, area)
        if self.index is not None:
            rows = rows.index_select(0, self.inverse)
        if len(self.banks) == 1:
            return (rows.view(self.counts[0], -1) @ self.banks[0].T).view(-1)
        parts = rows.split([n * b.shape[1] // area for n, b in zip(self.counts, self.banks, strict=True)])
        return torch.cat(
            [(r.reshape(n, -1) @ b.T).view(-1) for r, n, b in zip(parts, self.counts, self.banks, strict=True)]
        )


class _Expand(torch.autograd.Function):
    """One node of the graph. Its gradient is made of differentiable operators, so second derivatives need no more."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, expansion: Expansion) -> Tensor:  # type: ignore[override]
        ctx.expansion = expansion
        return expansion.expand(weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        return ctx.expansion.adjoint(grad), None


def expand_filter(weight: Tensor, expansion: Expansion) -> Tensor:
    """Filter of a layer from its weights ``[num_weights]``; differentiable.

    Compilers and function transforms see plain operators, eager mode one node with a lean gradient.
    """
    if not expansion.banks:  # no pair of irreps meets: the map is zero, and still depends on the (empty) weights
        return weight.new_zeros(expansion.shape) + weight.sum()
    if autocasts(weight):  # the filter keeps the accuracy of its weights
        with torch.autocast(weight.device.type, enabled=False):
            return expand_filter(weight, expansion)
    if torch.is_grad_enabled() and not torch.compiler.is_compiling() and runs_eagerly(weight):
        return _Expand.apply(weight, expansion)
    return expansion.expand(weight)


def pad(x: Tensor, padding: int, mode: str) -> Tensor:
    """Pad the axes of ``x [B, C, *sides]``; ``mode`` as in ``torch.nn.Conv2d``."""
    return F.pad(x, (padding,) * 2 * (x.dim() - 2), mode="constant" if mode == "zeros" else mode)
