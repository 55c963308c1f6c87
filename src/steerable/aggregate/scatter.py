"""The contraction of point clouds: scalar functions of the offsets, gathered over the neighbours of each point."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from steerable.aggregate.paths import runs_eagerly

Order = Literal["gather", "project", "padded"]


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
        order: ``"gather"`` or ``"project"`` first, or ``"padded"``: neighbours gathered by batched matrix products,
            which never holds ``E F C`` numbers. By default padded where sizes may be looked at, else whichever of the
            other two moves fewer numbers for each pair (compilers and transforms).

    Returns:
        ``[N, C_out]``.
    """
    c_out, c_in, functions = filter.shape
    if order is None:
        order = "gather" if c_in <= c_out else "project"
        if not torch.compiler.is_compiling() and runs_eagerly(values, x) and len(target):
            order = "padded"
    if order == "padded":
        return padded_sums(values, x, target, source, count) @ _flat(filter)
    if order == "gather":
        moved = values[:, :, None] * x.index_select(0, source)[:, None, :]  # [E, F, C_in]
        sums = moved.new_zeros(count, functions * c_in).index_add(0, target, moved.flatten(1))
        return sums @ _flat(filter)
    projected = (x @ filter.permute(1, 2, 0).reshape(c_in, functions * c_out)).view(-1, functions, c_out)
    moved = torch.bmm(values[:, None, :], projected.index_select(0, source))[:, 0]  # [E, C_out]
    return moved.new_zeros(count, c_out).index_add(0, target, moved)


def _flat(filter: Tensor) -> Tensor:
    """``[C_out, C_in, F]`` as one matrix ``[F C_in, C_out]``."""
    return filter.permute(2, 1, 0).flatten(0, 1)


def padded_sums(values: Tensor, x: Tensor, target: Tensor, source: Tensor, count: int) -> Tensor:
    """``S_i = sum_(j -> i) Y(x_ij) (x) x_j``, ``[N, F C_in]``, by one batched product for points of like degrees.

    Points are gathered by the number of their neighbours, up to a factor of two in padding: arguments as in
    :func:`point_conv`. Looks at the pairs, so it is for eager mode.
    """
    degree = torch.bincount(target, minlength=count)
    most = int(degree.max())
    slot = torch.arange(len(target), device=target.device)
    order = torch.arange(count, device=target.device)
    if not bool((target[1:] >= target[:-1]).all()):
        by_target = torch.argsort(target, stable=True)
        values, source, target = values[by_target], source[by_target], target[by_target]
    slot = slot - (degree.cumsum(0) - degree)[target]
    whole = count * most <= 2 * len(target)
    if whole:
        classes = [(order, torch.ones_like(target, dtype=torch.bool), most)]
    else:
        size = torch.ceil(torch.log2(degree.clamp_min(1).double())).long()
        found = [int(k) for k in size[degree > 0].unique()]
        classes = [((size == k) & (degree > 0), (size == k)[target], min(1 << k, most)) for k in found]
        classes = [(members.nonzero()[:, 0], pairs, width) for members, pairs, width in classes]
    functions, channels = values.shape[1], x.shape[1]
    sums = []
    for members, pairs, width in classes:
        t, s, v = (target, source, values) if whole else (target[pairs], source[pairs], values[pairs])
        rank = order if whole else torch.zeros_like(order).index_copy(0, members, order[: len(members)])
        place = rank[t] * width + (slot if whole else slot[pairs])
        rows = len(members) * width
        padded = v.new_zeros(rows, functions).index_copy(0, place, v).view(len(members), width, functions)
        sender = torch.zeros(rows, dtype=torch.int64, device=s.device).index_copy(0, place, s)
        near = x.index_select(0, sender).view(len(members), width, channels)
        sums.append(torch.bmm(padded.transpose(1, 2), near).flatten(1))
    if whole:
        return sums[0]
    return x.new_zeros(count, functions * channels).index_copy(0, torch.cat([c[0] for c in classes]), torch.cat(sums))


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
    return moved.new_zeros(count, matrices.shape[1]).index_add(0, target, moved)
