"""Norm activations: the length of each irreducible field passes through a function, its direction stays."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from steerable.aggregate.paths import accumulation_dtype, choose_path, runs_eagerly
from steerable.nn.functional.layout import Layout, Run, blocks, channels, join_blocks, merge_dims, norms, runs
from steerable.nn.functional.norm_act_eager import norm_act_backward, norm_act_forward
from steerable.nn.functional.norm_functions import norm_function

EPS = 1e-5


def norm_act(x: Tensor, bias: Tensor | None = None, function: str = "relu", eps: float = EPS) -> Tensor:
    """``v * f(n + b) / n`` with ``n = sqrt(|v|^2 + eps)``, for fields of one irrep each.

    Args:
        x: ``[B, m, d, *S]``.
        bias: ``[m]`` or None for zero (with ``"relu"`` and no bias the map is the identity).
        function: ``"relu"``, ``"elu"``, ``"sigmoid"``, ``"softplus"`` or ``"squash"``.
        eps: added to the squared norm; the slope at v = 0 is at most f(b)/sqrt(eps).

    Returns:
        ``[B, m, d, *S]``, dtype of `x`.

    Raises:
        ValueError: for a shape or a function that does not fit.

    Source: Worrall et al., CVPR 2017, eq. 11; Weiler and Cesa, NeurIPS 2019, section 2.6.
    """
    if x.dim() < 3:
        raise ValueError(f"norm_act: x has shape {tuple(x.shape)}; expected [B, m, d, *S]. Use x.unflatten(1, (m, d)).")
    return norm_act_irreps(x, (x.shape[2],), None if bias is None else bias.unsqueeze(1), function, eps)


def norm_act_irreps(
    x: Tensor, dims: tuple[int, ...], bias: Tensor | None = None, function: str = "relu", eps: float = EPS
) -> Tensor:
    """`norm_act` for fields that are sums of several irreps, each with its own norm and bias.

    Args:
        x: ``[B, m, D, *S]`` with ``D = sum(dims)``.
        dims: dimensions of the irreps of one field, in order.
        bias: ``[m, len(dims)]`` or None.
        function: as in `norm_act`.
        eps: as in `norm_act`.

    Returns:
        ``[B, m, D, *S]``.
    """
    if x.dim() < 3 or x.shape[2] != sum(dims):
        raise ValueError(
            f"norm_act_irreps: x has shape {tuple(x.shape)}; expected [B, m, {sum(dims)}, *S] for irreps of dimensions "
            f"{dims}."
        )
    m = x.shape[1]
    if bias is not None and tuple(bias.shape) != (m, len(dims)):
        raise ValueError(
            f"norm_act_irreps: bias has shape {tuple(bias.shape)}; expected {(m, len(dims))}: one per field and irrep."
        )
    flat = None if bias is None else bias.reshape(-1)
    return norm_act_blocks(merge_dims(x, 1), ((m, tuple(dims)),), flat, function, eps).view(x.shape)


def norm_act_blocks(
    x: Tensor, layout: Layout, bias: Tensor | None = None, function: str = "relu", eps: float = EPS
) -> Tensor:
    """`norm_act` on a whole field-major tensor of several blocks, in one call.

    Args:
        x: ``[B, C, *S]``.
        layout: ``((m, dims), ...)``, one entry per block; channels add up to C.
        bias: flat, one per irrep of each field in order (``[sum m * len(dims)]``), or None.
        function: as in `norm_act`.
        eps: as in `norm_act`.

    Returns:
        ``[B, C, *S]``.
    """
    if x.dim() < 2 or x.shape[1] != channels(layout):
        raise ValueError(
            f"norm_act_blocks: x has shape {tuple(x.shape)}; expected [B, {channels(layout)}, *S] for {layout}."
        )
    if bias is not None and tuple(bias.shape) != (norms(layout),):
        raise ValueError(
            f"norm_act_blocks: bias has shape {tuple(bias.shape)}; expected {(norms(layout),)}: one per irrep of each "
            f"field."
        )
    norm_function(function)
    if bias is None:
        if function == "relu":
            return x.clone()
        bias = x.new_zeros(norms(layout), dtype=accumulation_dtype(x))
    path = choose_path(x, bias)
    if path == "plain":
        return plain_norm_act(x, bias, layout, function, eps)
    return (_EagerNormAct if path == "eager" else _TracedNormAct).apply(x, bias, layout, function, eps)


def _squared_norm(v: Tensor) -> Tensor:
    """``[B, m, count, dim, *S] -> [B, m, count, *S]``, by components while they are few: pointwise for compilers."""
    if v.shape[3] > 16:
        return (v * v).sum(3)
    return sum((c * c for c in v.unbind(3)[1:]), v.select(3, 0).square())


def _dot(v: Tensor, w: Tensor) -> Tensor:
    if v.shape[3] > 16:
        return (v * w).sum(3)
    return sum((a * b for a, b in zip(v.unbind(3)[1:], w.unbind(3)[1:], strict=True)), v.select(3, 0) * w.select(3, 0))


def _spread(bias: Tensor, run: Run, like: Tensor, dtype: torch.dtype) -> Tensor:
    """``[m, K] -> [1, m, count, 1, ...]`` to broadcast over norms ``[B, m, count, *S]``."""
    b = bias[:, run.first : run.last].to(dtype)
    return b.reshape(1, *b.shape, *(1,) * (like.dim() - 3))


def plain_norm_act(x: Tensor, bias: Tensor, layout: Layout, function: str, eps: float) -> Tensor:
    """The definition, in ordinary operators; shapes as in `norm_act_blocks`."""
    gate, dtype = norm_function(function).gate, accumulation_dtype(x)
    parts = []
    for block in blocks(layout):
        fields, b = block.fields(x), block.bias(bias)
        for run in runs(block.dims):
            v = run.split(fields).to(dtype)
            u = _squared_norm(v) + eps
            parts.append(merge_dims(v * gate(u, _spread(b, run, u, dtype)).unsqueeze(3), 2).to(x.dtype))
    return _join(parts, layout)


def formula_backward(
    x: Tensor, bias: Tensor, grad: Tensor, layout: Layout, function: str, eps: float
) -> tuple[Tensor, Tensor]:
    """Gradients with respect to `x` and `bias`, as differentiable operators.

    With gate = g(n, b) and s = <v, grad>: ``grad_x = g grad + (dg/dn / n) s v`` and ``grad_b = sum of (dg/db) s``.
    """
    terms, dtype = norm_function(function).terms, accumulation_dtype(x)
    parts, biases = [], []
    for block in blocks(layout):
        fields, grads, b = block.fields(x), block.fields(grad), block.bias(bias)
        by_run = []
        for run in runs(block.dims):
            v, w = run.split(fields).to(dtype), run.split(grads).to(dtype)
            u = _squared_norm(v) + eps
            gate, radial, slope = terms(u, _spread(b, run, u, dtype))
            s = _dot(v, w)
            parts.append(merge_dims(w * gate.unsqueeze(3) + v * (radial * s).unsqueeze(3), 2).to(x.dtype))
            slopes = slope * s
            if s.dim() > 3:  # points first, then the batch: compilers make better loops of it
                slopes = slopes.sum(list(range(3, s.dim())))
            by_run.append(slopes.sum(0))
        biases.append(merge_dims(torch.cat(by_run, 1), 0))
    return _join(parts, layout), torch.cat(biases).to(bias.dtype)


def _join(parts: list[Tensor], layout: Layout) -> Tensor:
    """Runs ``[B, m, d, *S]`` of all blocks, in order, to ``[B, C, *S]``."""
    joined, at = [], 0
    for block in blocks(layout):
        count = len(runs(block.dims))
        pieces = parts[at : at + count]
        joined.append(merge_dims(pieces[0] if count == 1 else torch.cat(pieces, 2), 1))
        at += count
    return join_blocks(joined)


class _TracedNormAct(torch.autograd.Function):
    """Both passes as ordinary operators, for compilers: each becomes one loop, and only the input is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, layout: Layout, function: str, eps: float) -> Tensor:
        ctx.save_for_backward(x, bias)
        ctx.options = (layout, function, eps)
        return plain_norm_act(x, bias, layout, function, eps)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, bias = ctx.saved_tensors
        return *formula_backward(x, bias, grad, *ctx.options), None, None, None


class _EagerNormAct(torch.autograd.Function):
    """The lean eager form: saves the input only, walks over tiles; higher derivatives re-enter the formula."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, layout: Layout, function: str, eps: float) -> Tensor:
        ctx.save_for_backward(x, bias)
        ctx.options = (layout, function, eps)
        return norm_act_forward(x, bias, layout, function, eps)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, bias = ctx.saved_tensors
        # create_graph=True, or a batched gradient: the formula is made of differentiable operators.
        lean = not torch.is_grad_enabled() and runs_eagerly(x, bias, grad)
        gradients = (norm_act_backward if lean else formula_backward)(x, bias, grad, *ctx.options)
        return *gradients, None, None, None
