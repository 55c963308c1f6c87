"""The contraction of the plane: weights to filter, filter over pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class _Expand(torch.autograd.Function):
    """The linear map from weights to filter, with its adjoint as gradient.

    A gather both ways: autograd would scatter, which costs ten times as much, and would make a node of every product.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(weight: Tensor, index: Tensor | None, inverse: Tensor, counts: tuple[int, ...], holes: bool,
                area: int, *banks: Tensor) -> Tensor:
        return _expand(weight, index, counts, holes, area, banks)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        _, index, inverse, ctx.counts, ctx.holes, ctx.area, *banks = inputs
        ctx.save_for_backward(index, inverse, *banks)
        ctx.save_for_forward(index, inverse, *banks)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        index, inverse, *banks = ctx.saved_tensors
        rows = grad if index is None else grad.index_select(0, inverse)
        if len(banks) == 1:
            result = (rows.view(ctx.counts[0], -1) @ banks[0].T).view(-1)
        else:
            sizes = [n * b.shape[1] // ctx.area for n, b in zip(ctx.counts, banks, strict=True)]
            parts = rows.split(sizes)
            result = torch.cat([(r.reshape(n, -1) @ b.T).view(-1)
                                for r, n, b in zip(parts, ctx.counts, banks, strict=True)])
        return (result, *[None] * (5 + len(banks)))

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:  # type: ignore[override]
        index, _inverse, *banks = ctx.saved_tensors
        return _expand(tangent, index, ctx.counts, ctx.holes, ctx.area, banks)


def _expand(weight: Tensor, index: Tensor | None, counts: Sequence[int], holes: bool, area: int,
            banks: Sequence[Tensor]) -> Tensor:
    """Rows ``[C_out * C_in, area]`` of the filter, by plain operators."""
    if len(banks) == 1:
        rows = (weight.view(counts[0], -1) @ banks[0]).view(-1, area)
    else:
        parts = weight.split([n * b.shape[0] for n, b in zip(counts, banks, strict=True)])
        rows = torch.cat([(w.view(n, -1) @ b).view(-1, area) for w, n, b in zip(parts, counts, banks, strict=True)])
    if index is None:
        return rows
    return (F.pad(rows, (0, 0, 0, 1)) if holes else rows).index_select(0, index)


def expand_filter(weight: Tensor, banks: Sequence[Tensor], counts: Sequence[int], index: Tensor | None, inverse: Tensor,
                  holes: bool, shape: tuple[int, ...]) -> Tensor:
    """Filter of a layer from its weights: one matrix product a pair of parts, and one permutation of rows.

    Args:
        weight: ``[num_weights]``.
        banks: ``[K, rows * area]`` for each segment.
        counts: rows of weights in each segment.
        index: ``[C_out * C_in]`` row that each entry takes, or ``None``.
        inverse: where each row goes.
        holes: whether some entries are zero.
        shape: of the filter, ``(C_out, C_in, *kernel)``.

    Returns:
        ``shape``.
    """
    if not banks:  # no pair of irreps meets: the map is zero, and still depends on the (empty) weights
        return weight.new_zeros(shape) + weight.sum()
    area = math.prod(shape[2:])
    if torch.is_autocast_enabled(weight.device.type):  # the filter keeps the accuracy of its weights; the contraction casts
        with torch.autocast(weight.device.type, enabled=False):
            return expand_filter(weight, banks, counts, index, inverse, holes, shape)
    if torch.compiler.is_compiling():
        return _expand(weight, index, counts, holes, area, banks).view(shape)
    return _Expand.apply(weight, index, inverse, tuple(counts), holes, area, *banks).view(shape)


def pad2d(x: Tensor, padding: int, mode: str) -> Tensor:
    """Pad the two last axes; ``mode`` as in ``torch.nn.Conv2d``."""
    return F.pad(x, (padding,) * 4, mode="constant" if mode == "zeros" else mode)
