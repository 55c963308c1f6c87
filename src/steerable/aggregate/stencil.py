"""The contraction of the plane: weights to filter, filter over pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class _Rows(torch.autograd.Function):
    """A permutation of rows whose gradient is the inverse permutation: a gather both ways, where autograd would scatter."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
        return x.index_select(0, index)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        _, index, inverse = inputs
        ctx.save_for_backward(index, inverse)
        ctx.save_for_forward(index, inverse)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        index, inverse = ctx.saved_tensors
        return _Rows.apply(grad, inverse, index), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:  # type: ignore[override]
        index, _inverse = ctx.saved_tensors
        return tangent.index_select(0, index)


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
    area = shape[2:].numel() if isinstance(shape, torch.Size) else _product(shape[2:])
    if len(banks) == 1:
        rows = (weight.view(counts[0], -1) @ banks[0]).view(-1, area)
    elif banks:
        parts = weight.split([n * b.shape[0] for n, b in zip(counts, banks, strict=True)])
        rows = torch.cat([(w.view(n, -1) @ b).view(-1, area) for w, n, b in zip(parts, counts, banks, strict=True)])
    else:
        return weight.new_zeros(shape) + weight.sum()  # no pair of irreps meets: the map is zero
    if index is None:
        return rows.view(shape)
    if holes:
        return F.pad(rows, (0, 0, 0, 1)).index_select(0, index).view(shape)
    if torch.compiler.is_compiling():
        return rows.index_select(0, index).view(shape)
    return _Rows.apply(rows, index, inverse).view(shape)


def _product(sizes: Sequence[int]) -> int:
    result = 1
    for s in sizes:
        result *= s
    return result


def pad2d(x: Tensor, padding: int, mode: str) -> Tensor:
    """Pad the two last axes; ``mode`` as in ``torch.nn.Conv2d``."""
    return F.pad(x, (padding,) * 4, mode="constant" if mode == "zeros" else mode)
