"""Invariants of permuted fields: the largest, or the mean, of the values that the group permutes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from steerable.aggregate.paths import accumulation_dtype, choose_path, runs_eagerly
from steerable.nn.functional.tiles import Planes, Tiling


def _check(name: str, x: Tensor) -> None:
    if x.dim() < 3:
        raise ValueError(
            f"{name}: x has shape {tuple(x.shape)}; expected [B, m, n, *S] with n permuted values per field."
        )


def group_max_pool(x: Tensor) -> Tensor:
    """The largest of the permuted values of each field.

    Where several values tie the gradient is shared evenly among them, so that the gradient is equivariant too
    (a choice of the first one would depend on the order of the group's elements).

    Args:
        x: ``[B, m, n, *S]``.

    Returns:
        ``[B, m, *S]``.

    Source: Cohen and Welling, "Group Equivariant Convolutional Networks", ICML 2016, section 6.3.
    """
    _check("group_max_pool", x)
    return _EagerGroupMax.apply(x) if choose_path(x) == "eager" else x.amax(dim=2)


def group_mean_pool(x: Tensor) -> Tensor:
    """The mean of the permuted values of each field: ``[B, m, n, *S] -> [B, m, *S]``."""
    _check("group_mean_pool", x)
    return x.mean(dim=2)


class _EagerGroupMax(torch.autograd.Function):
    """``amax`` with its own gradient in tiles: the library's counts ties in 64-bit integers, three times the work."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = x.amax(dim=2)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        x, y = ctx.saved_tensors
        if torch.is_grad_enabled() or not runs_eagerly(x, grad):
            return formula_backward(x, y, grad)
        return lean_backward(x, y, grad)


def formula_backward(x: Tensor, y: Tensor, grad: Tensor) -> Tensor:
    """Gradient ``[B, m, n, *S]``: `grad` shared evenly by the values that equal the largest, by plain operators."""
    ties = (x == y.unsqueeze(2)).to(grad.dtype)
    return ties * (grad / ties.sum(2, dtype=accumulation_dtype(grad))).to(grad.dtype).unsqueeze(2)


def lean_backward(x: Tensor, y: Tensor, grad: Tensor) -> Tensor:
    """`formula_backward` in tiles, without a graph."""
    flat, (m, n) = x.flatten(1, 2), x.shape[1:3]
    planes = Planes(flat)
    out = planes.empty_like(flat)
    source, target = planes(flat).unflatten(1, (m, n)), planes(out).unflatten(1, (m, n))
    largest, incoming = planes(y).unsqueeze(2), planes(grad).unsqueeze(2)
    tiling = Tiling.of(tuple(source.shape), planes.rows, x.device)
    cuts = (tiling.cut(t) for t in (source, target, largest, incoming))
    for values, into, top, slope in zip(*cuts, strict=True):
        ties = torch.eq(values, top, out=into)
        share = slope / ties.sum(2, keepdim=True, dtype=accumulation_dtype(x))
        ties.mul_(share.to(ties.dtype))
    return out.unflatten(1, (m, n))
