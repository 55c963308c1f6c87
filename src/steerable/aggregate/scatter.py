"""The contraction of point clouds: scalar functions of the offsets, gathered over the neighbours of each point."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Order = Literal["gather", "project"]


def point_conv(
    values: Tensor, x: Tensor, filter: Tensor, target: Tensor, source: Tensor, count: int, order: Order | None = None
) -> Tensor:
    """``out_i = sum_(j -> i) sum_F Y_F(x_ij) T_F x_j``.

    The filter does not depend on the pair, so it never meets the pairs: either their neighbours are gathered first,
    ``S_i = sum_j Y(x_ij) (x) x_j``, and one matrix product follows for each point, or the product comes first.

    Args:
        values: scalar functions of the offsets, ``[E, F]``.
        x: features, ``[M, C_in]``.
        filter: ``[C_out, C_in, F]``.
        target: point i of each pair, ``[E]``.
        source: point j of each pair, ``[E]``.
        count: number N of points i.
        order: ``"gather"`` or ``"project"`` first; by default whichever moves fewer numbers for each pair.

    Returns:
        ``[N, C_out]``.
    """
    c_out, c_in, functions = filter.shape
    if order is None:
        order = "gather" if c_in <= c_out else "project"
    if order == "gather":
        moved = values[:, :, None] * x.index_select(0, source)[:, None, :]  # [E, F, C_in]
        sums = x.new_zeros(count, functions * c_in).index_add(0, target, moved.flatten(1))
        return sums @ filter.permute(2, 1, 0).reshape(functions * c_in, c_out)
    projected = (x @ filter.permute(1, 2, 0).reshape(c_in, functions * c_out)).view(-1, functions, c_out)
    moved = torch.bmm(values[:, None, :], projected.index_select(0, source))[:, 0]  # [E, C_out]
    return x.new_zeros(count, c_out).index_add(0, target, moved)


def matrix_conv(matrices: Tensor, x: Tensor, target: Tensor, source: Tensor, count: int) -> Tensor:
    """``out_i = sum_(j -> i) K_ij x_j`` with a matrix of its own for each pair.

    Args:
        matrices: ``[E, C_out, C_in]``.
        x: ``[M, C_in]``.
        target: point i of each pair, ``[E]``.
        source: point j of each pair, ``[E]``.
        count: number N of points i.

    Returns:
        ``[N, C_out]``.
    """
    moved = torch.bmm(matrices, x.index_select(0, source)[:, :, None])[:, :, 0]
    return x.new_zeros(count, matrices.shape[1]).index_add(0, target, moved)
