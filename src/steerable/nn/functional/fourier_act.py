"""Fourier activations: fields are sampled on the group, a function acts on the samples, the band is taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from steerable.aggregate.paths import accumulation_dtype, choose_path, runs_eagerly
from steerable.groups.eager import full_precision
from steerable.nn.functional.pointwise_functions import pointwise_function
from steerable.nn.functional.tiles import Planes, Scratch, Tiling

Function = Callable[[Tensor], Tensor]


def fourier_act(x: Tensor, sample: Tensor, project: Tensor, function: str | Function = "relu") -> Tensor:
    """``project @ f(sample @ v)`` for the coefficients v of every field at every point.

    Args:
        x: ``[B, m, d, *S]``, coefficients of m fields.
        sample: ``[N, d]``, values at N elements of the group.
        project: ``[d, N]``, back to coefficients (the pseudo-inverse of `sample`).
        function: a name (relu, elu, leaky_relu, silu, gelu, softplus, sigmoid, tanh), or a callable (slower).

    Returns:
        ``[B, m, d, *S]``, dtype of `x`; the products are taken in float32 at least, also under autocast.

    Raises:
        ValueError: for shapes or a name that do not fit.

    Source: Cesa, Lang and Weiler, "A Program to Build E(N)-Equivariant Steerable CNNs", ICLR 2022, section 4;
    de Haan et al., "Gauge Equivariant Mesh CNNs", ICLR 2021, section 5.
    """
    n, d = sample.shape if sample.dim() == 2 else (0, 0)
    if sample.dim() != 2 or tuple(project.shape) != (d, n):
        raise ValueError(
            f"fourier_act: sample has shape {tuple(sample.shape)} and project {tuple(project.shape)}; expected [N, d] "
            f"and [d, N]."
        )
    if x.dim() < 3 or x.shape[2] != d:
        raise ValueError(
            f"fourier_act: x has shape {tuple(x.shape)}; expected [B, m, {d}, *S], as sample is {tuple(sample.shape)}."
        )
    if not isinstance(function, str):
        return plain_fourier_act(x, sample, project, function)
    pointwise_function(function)
    path = "plain" if sample.requires_grad or project.requires_grad else choose_path(x, sample, project)
    if path == "plain":
        return plain_fourier_act(x, sample, project, function)
    if path == "trace":
        return _traced_forward(x, sample, project, function)
    return _EagerFourierAct.apply(x, sample, project, function)


def _product(matrix: Tensor, x: Tensor) -> Tensor:
    """``[a, b] x [n, b, P] -> [n, a, P]``: one thin product per field (never a 1x1 convolution)."""
    return torch.bmm(matrix.unsqueeze(0).expand(x.shape[0], -1, -1), x)


def plain_fourier_act(x: Tensor, sample: Tensor, project: Tensor, function: str | Function) -> Tensor:
    """The definition, in ordinary operators; shapes as in `fourier_act`."""
    f = pointwise_function(function).value if isinstance(function, str) else function
    dtype = accumulation_dtype(x)
    with full_precision(x):
        fields = _fields(x).to(dtype)
        y = _product(project.to(dtype), f(_product(sample.to(dtype), fields)))
    return y.to(x.dtype).reshape(x.shape)


def _fields(x: Tensor) -> Tensor:
    """``[B, m, d, *S] -> [B m, d, P]``; sizes are spelled out because an empty batch leaves -1 undetermined."""
    return x.reshape(x.shape[0] * x.shape[1], x.shape[2], x.shape[3:].numel())


def formula_backward(x: Tensor, sample: Tensor, project: Tensor, grad: Tensor, function: str) -> Tensor:
    """Gradient with respect to `x`, ``sample^T (f'(sample v) * project^T grad)``, as differentiable operators."""
    dtype = accumulation_dtype(x)
    with full_precision(x):
        samples = _product(sample.to(dtype), _fields(x).to(dtype))
        back = pointwise_function(function).backward(_product(project.to(dtype).t(), _fields(grad).to(dtype)), samples)
        y = _product(sample.to(dtype).t(), back)
    return y.to(x.dtype).reshape(x.shape)


class _EagerFourierAct(torch.autograd.Function):
    """The lean eager form: saves the input only and samples again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sample: Tensor, project: Tensor, function: str) -> Tensor:
        ctx.save_for_backward(x, sample, project)
        ctx.function = function
        return lean_forward(x, sample, project, function)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, sample, project = ctx.saved_tensors
        lean = not torch.is_grad_enabled() and runs_eagerly(x, grad)
        return (lean_backward if lean else formula_backward)(x, sample, project, grad, ctx.function), None, None, None


def lean_forward(x: Tensor, sample: Tensor, project: Tensor, function: str) -> Tensor:
    """`plain_fourier_act` in tiles, without a graph."""
    f, flat, m, (n, d) = pointwise_function(function).value, x.flatten(1, 2), x.shape[1], sample.shape
    planes, work = Planes(flat), Scratch(accumulation_dtype(x), x.device)
    out = planes.empty_like(flat)
    there, back = sample.to(work.dtype), project.to(work.dtype)
    source, target = planes(flat).unflatten(1, (m, d)), planes(out).unflatten(1, (m, d))
    tiling = Tiling.of((source.shape[0], m, 2 * n, source.shape[3]), planes.rows, x.device)
    for tile, into in zip(tiling.cut(source), tiling.cut(target), strict=True):
        v = _stack(work.staged("v", tile))
        samples = _product_out(there, v, work.buffer("samples", (v.shape[0], n, v.shape[2])))
        _write(back, samples.relu_() if function == "relu" else f(samples), into)
    return out.unflatten(1, (m, d))


def lean_backward(x: Tensor, sample: Tensor, project: Tensor, grad: Tensor, function: str) -> Tensor:
    """`formula_backward` in tiles, without a graph."""
    backward, flat, m, (n, d) = pointwise_function(function).backward, x.flatten(1, 2), x.shape[1], sample.shape
    planes, work = Planes(flat), Scratch(accumulation_dtype(x), x.device)
    out = planes.empty_like(flat)
    there, back = sample.to(work.dtype), project.to(work.dtype).t().contiguous()
    home = there.t().contiguous()
    source, incoming, target = (planes(t).unflatten(1, (m, d)) for t in (flat, grad.flatten(1, 2), out))
    tiling = Tiling.of((source.shape[0], m, 2 * n, source.shape[3]), planes.rows, x.device)
    for tile, slope, into in zip(*(tiling.cut(t) for t in (source, incoming, target)), strict=True):
        v, w = _stack(work.staged("v", tile)), _stack(work.staged("w", slope))
        shape = (v.shape[0], n, v.shape[2])
        samples = _product_out(there, v, work.buffer("samples", shape))
        slopes = _product_out(back, w, work.buffer("slopes", shape))
        _write(home, backward(slopes, samples, grad_input=slopes), into)
    return out.unflatten(1, (m, d))


def _stack(tile: Tensor) -> Tensor:
    """``[b, m, d, p] -> [b m, d, p]``, a view where strides allow one."""
    return tile.reshape(-1, *tile.shape[2:])


def _product_out(matrix: Tensor, x: Tensor, out: Tensor) -> Tensor:
    """`_product` into a buffer."""
    return torch.bmm(matrix.unsqueeze(0).expand(x.shape[0], -1, -1), x, out=out)


def _write(matrix: Tensor, values: Tensor, into: Tensor) -> None:
    """``into[b, m, d, p] = matrix @ values``, in place if `into` is one piece of memory of the same dtype."""
    if into.dtype == values.dtype and into.is_contiguous():
        _product_out(matrix, values, into.view(-1, *into.shape[2:]))
    else:
        into.copy_(_product(matrix, values).view(into.shape))


# For compilers both passes are opaque operators: inside a compiled loop the comparison that relu leaves behind is kept
# as a boolean tensor, which costs several times the whole activation (measured on a CPU: 29 ms against 3.5 ms).
@torch.library.custom_op("steerable::fourier_act", mutates_args=())
def _traced_forward(x: Tensor, sample: Tensor, project: Tensor, function: str) -> Tensor:
    return lean_forward(x, sample, project, function)


@torch.library.custom_op("steerable::fourier_act_backward", mutates_args=())
def _traced_backward(x: Tensor, sample: Tensor, project: Tensor, grad: Tensor, function: str) -> Tensor:
    return lean_backward(x, sample, project, grad, function)


@_traced_forward.register_fake
def _(x: Tensor, sample: Tensor, project: Tensor, function: str) -> Tensor:
    return Planes(x.flatten(1, 2)).empty_like(x.flatten(1, 2)).unflatten(1, x.shape[1:3])


@_traced_backward.register_fake
def _(x: Tensor, sample: Tensor, project: Tensor, grad: Tensor, function: str) -> Tensor:
    return Planes(x.flatten(1, 2)).empty_like(x.flatten(1, 2)).unflatten(1, x.shape[1:3])


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:3])
    ctx.function = inputs[3]


def _traced_gradient(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, sample, project = ctx.saved_tensors
    return _traced_backward(x, sample, project, grad, ctx.function), None, None, None


_traced_forward.register_autograd(_traced_gradient, setup_context=_remember)
