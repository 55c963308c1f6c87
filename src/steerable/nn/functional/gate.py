"""Gated fields: every field is multiplied by the sigmoid of a scalar."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from steerable.aggregate.paths import accumulation_dtype, choose_path, runs_eagerly
from steerable.nn.functional.tiles import Planes, Scratch, Tiling


def gate(scalars: Tensor, v: Tensor) -> Tensor:
    """``sigmoid(s) v``, one scalar per field and point.

    Args:
        scalars: ``[B, m, 1, *S]``, an invariant field per gated field.
        v: ``[B, m, d, *S]``.

    Returns:
        ``[B, m, d, *S]``, dtype of `v`.

    Raises:
        ValueError: if the shapes do not fit.

    Source: Weiler et al., "3D Steerable CNNs", NeurIPS 2018, section 4.2; Weiler and Cesa, NeurIPS 2019, section 2.6.
    """
    if v.dim() < 3 or tuple(scalars.shape) != (*v.shape[:2], 1, *v.shape[3:]):
        raise ValueError(
            f"gate: scalars have shape {tuple(scalars.shape)} and fields {tuple(v.shape)}; expected [B, m, 1, *S] and "
            "[B, m, d, *S]: one gate per field. Gate.gated_type(t) gives the type that holds both."
        )
    if choose_path(v, scalars) == "eager":
        return _EagerGate.apply(scalars, v)
    return plain_gate(scalars, v)


def plain_gate(scalars: Tensor, v: Tensor) -> Tensor:
    """The definition, in ordinary operators."""
    dtype = accumulation_dtype(v)
    return (v.to(dtype) * torch.sigmoid(scalars.to(dtype))).to(v.dtype)


def formula_backward(scalars: Tensor, v: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients with respect to `scalars` and `v`, as differentiable operators."""
    dtype = accumulation_dtype(v)
    sigma, w = torch.sigmoid(scalars.to(dtype)), grad.to(dtype)
    slope = (v.to(dtype) * w).sum(2, keepdim=True) * (sigma * (1 - sigma))
    return slope.to(scalars.dtype), (w * sigma).to(v.dtype)


class _EagerGate(torch.autograd.Function):
    """The lean eager form: saves the inputs only and takes the sigmoid again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, scalars: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(scalars, v)
        return _lean_forward(scalars, v)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        scalars, v = ctx.saved_tensors
        lean = not torch.is_grad_enabled() and runs_eagerly(scalars, v, grad)
        return (_lean_backward if lean else formula_backward)(scalars, v, grad)


def _view(planes: Planes, x: Tensor) -> Tensor:
    """``[B, m, d, *S] -> [B', m, d, P]``."""
    return planes(x.flatten(1, 2)).unflatten(1, x.shape[1:3])


def _lean_forward(scalars: Tensor, v: Tensor) -> Tensor:
    """`plain_gate` in tiles, without a graph."""
    planes, work = Planes(v.flatten(1, 2)), Scratch(accumulation_dtype(v), v.device)
    out = planes.empty_like(v.flatten(1, 2)).unflatten(1, v.shape[1:3])
    source, gates, target = _view(planes, v), _view(planes, scalars), _view(planes, out)
    tiling = Tiling.of(source.shape, planes.rows, v.device)
    for x, s, into in zip(*(tiling.cut(t) for t in (source, gates, target)), strict=True):
        _multiply(work, work.staged("v", x), torch.sigmoid(work.staged("s", s)), into)
    return out


def _lean_backward(scalars: Tensor, v: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """`formula_backward` in tiles, without a graph."""
    planes, work = Planes(v.flatten(1, 2)), Scratch(accumulation_dtype(v), v.device)
    grad_v = planes.empty_like(v.flatten(1, 2)).unflatten(1, v.shape[1:3])
    grad_s = planes.empty_like(scalars.flatten(1, 2)).unflatten(1, scalars.shape[1:3])
    views = [_view(planes, t) for t in (v, scalars, grad, grad_v, grad_s)]
    tiling = Tiling.of(views[0].shape, planes.rows, v.device)
    for x, s, w, to_v, to_s in zip(*(tiling.cut(t) for t in views), strict=True):
        x, w = work.staged("v", x), work.staged("w", w)
        sigma = torch.sigmoid(work.staged("s", s))
        _multiply(work, w, sigma, to_v)
        dot = torch.mul(x[:, :, :1], w[:, :, :1], out=work.buffer("dot", sigma.shape))
        for i in range(1, x.shape[2]):
            dot.addcmul_(x[:, :, i : i + 1], w[:, :, i : i + 1])
        to_s.copy_(torch.ops.aten.sigmoid_backward(dot, sigma))
    return grad_s, grad_v


def _multiply(work: Scratch, x: Tensor, sigma: Tensor, into: Tensor) -> None:
    """``into = x sigma``, in place where dtypes agree."""
    if into.dtype == work.dtype:
        torch.mul(x, sigma, out=into)
    else:
        into.copy_(torch.mul(x, sigma, out=work.buffer("out", x.shape)))
