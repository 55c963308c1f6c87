"""The eager training path of batch norm by field: library kernels on the whole tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from steerable.nn.norm import BatchNorm


class EagerFieldNorm(torch.autograd.Function):
    """``BatchNorm.by_blocks`` for eager training: library kernels on the whole tensor, no block is ever copied.

    Statistics are taken per channel and pooled per field; the result is one scale and one shift a channel. The second
    derivative goes through the definition.
    """

    @staticmethod
    def forward(
        x: Tensor, weight: Tensor | None, bias: Tensor | None, norm: BatchNorm
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised ``x``, means along invariant vectors, variances per field."""
        scratch = x.new_zeros(2, x.shape[1])
        mean_c, var_c = torch.batch_norm_update_stats(x, scratch[0], scratch[1], 0.0)
        mean = norm.moments(mean_c) / norm.lengths
        var = norm.per_field(var_c + (mean_c - norm.channels(mean)).square()) / norm.sizes
        return norm.normalise_by(x, mean, var, weight, bias), mean, var

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        """Keep the input and the small statistics."""
        x, weight, bias, norm = inputs
        ctx.norm = norm
        ctx.save_for_backward(x, weight, bias, output[1].detach(), output[2].detach())
        ctx.mark_non_differentiable(output[1], output[2])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Two passes over the tensor; under ``create_graph`` the derivative of the definition."""
        x, weight, bias, mean, var = ctx.saved_tensors
        norm, g = ctx.norm, grads[0]
        if torch.is_grad_enabled():
            wanted = [t for t in (x, weight, bias) if t is not None and t.requires_grad]
            found = iter(torch.autograd.grad(norm.by_blocks(x, weight, bias)[0], wanted, g, create_graph=True))
            given = (t is not None and t.requires_grad for t in (x, weight, bias))
            return *(next(found) if wants else None for wants in given), None
        mean_c, var_c, count = norm.channels(mean), var[norm.field], x.numel() // x.shape[1]
        _, slope, total = torch.ops.aten.native_batch_norm_backward(
            g, x, torch.ones_like(mean_c), mean_c, var_c, None, None, False, norm.eps, [False, True, True]
        )
        scale = torch.rsqrt(var + norm.eps) if weight is None else weight * torch.rsqrt(var + norm.eps)
        slope, along, scale_c = norm.per_field(slope), norm.moments(total), scale[norm.field]
        # through the variance: - scale slope xhat / values; through the mean: - scale times the invariant part of g
        through_mean = norm.channels(along / norm.lengths) * scale_c / -count
        through_var = (scale * slope / norm.sizes / -count)[norm.field]
        gx = F.batch_norm(x, mean_c, var_c, through_var, through_mean, False, 0.0, norm.eps)
        gx = gx.addcmul_(g, scale_c.reshape(-1, *(1,) * (x.dim() - 2)))
        return gx, None if weight is None else slope, None if bias is None else along, None
