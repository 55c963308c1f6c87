"""The piece with weights: a convolution or linear map, the batch norm after it and the cut of a ReLU, as one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.nn.module import EquivariantModule, field_of_channel
from steerable.nn.norm import BatchNorm
from steerable.nn.steerable_map import SteerableMap
from steerable.quant.affine import Affine
from steerable.quant.moves import Reshape
from steerable.quant.step import Step
from steerable.quant.sums import IntConv, IntHead
from steerable.quant.units import Unit
from steerable.quant.weights import group_index, integer_weights, shared_scales


@dataclass(frozen=True)
class Geometry:
    """Window of a convolution; pairs, as `torch.nn.Conv2d` has them."""

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


class LinearUnit(Unit):
    """``clamp(norm(linear(x)), low, high)`` with the norm folded into the weights.

    The layers stay alive: their parameters learn, and an equivariant layer expands its filter at every call, so what is
    quantised is equivariant before and after training.

    Args:
        linear: a convolution, a linear map, or ``None`` for the identity (a batch norm on its own).
        norm: the batch norm after it, or ``None``; its statistics are fixed.
        geometry: window, or ``None`` for maps of vectors ``[B, C]``.
        fixed: the filter itself ``[C_out, C_in / groups, k, k]``, in place of ``linear``.
    """

    def __init__(
        self,
        linear: nn.Module | None,
        norm: nn.Module | None,
        geometry: Geometry | None,
        fixed: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.linear, self.norm, self.geometry = linear, norm, geometry
        self.register_buffer("fixed", fixed, persistent=False)
        self.low, self.high = -math.inf, math.inf
        self.last = False
        self.share, self.bits, self.faked = "field", 8, False
        self.register_buffer("fields", self._fields(), persistent=False)

    def _fields(self) -> Tensor:
        """``[C_out]``: number of the field of each output channel; channels of plain layers stand for themselves."""
        for layer in (self.norm, self.linear):
            if isinstance(layer, EquivariantModule):
                return torch.from_numpy(field_of_channel(layer.out_type))
            shapes = getattr(layer, "fields", None)
            if shapes is not None:
                sizes = [d for m, d in shapes for _ in range(m)]
                return torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        return torch.arange(len(self.weights()[0]))

    @property
    def precision(self) -> torch.dtype:
        """In which precision entries that symmetry makes equal were rounded.

        An equivariant layer expands its filter when it is lowered, in float64. The weights of any other layer came as
        they are, in float32 at best: that they are float64 by then says nothing about their last bits.
        """
        return torch.float64 if isinstance(self.linear, SteerableMap) else torch.float32

    @property
    def has_fields(self) -> bool:
        """Whether several output channels are orientations of one field."""
        return len(self.fields) > 0 and int(self.fields.max()) + 1 < len(self.fields)

    def weights(self) -> tuple[Tensor, Tensor | None]:
        """Filter ``[C_out, ...]`` and bias ``[C_out]`` with the norm folded; differentiable."""
        layer = self.linear
        if self.fixed is not None:
            weight, bias = self.fixed, None
        elif isinstance(layer, SteerableMap):
            weight, bias = layer.filter(), layer.expanded_bias()
        elif layer is not None:
            weight, bias = layer.weight, layer.bias
        else:
            weight, bias = None, None
        if self.norm is None:
            return weight, bias  # type: ignore[return-value]
        factor, shift = norm_factors(self.norm)
        if weight is None:
            return factor.view(-1, 1, 1, 1), shift
        folded = weight * factor.view(-1, *[1] * (weight.dim() - 1))
        return folded, shift if bias is None else shift + bias * factor

    def forward(self, x: Tensor) -> Tensor:
        """The map on numbers; with `faked`, by weights rounded to their integers (straight-through gradient)."""
        weight, bias = self.weights()
        if self.faked:
            scale = shared_scales(weight, group_index(self.fields, self.share), 2 ** (self.bits - 1) - 1)
            steps = scale.view(-1, *[1] * (weight.dim() - 1))
            weight = weight + (torch.round(weight / steps) * steps - weight).detach()
        if self.geometry is None:
            y = F.linear(x, weight, bias)
        else:
            g = self.geometry
            y = F.conv2d(x, weight, bias, g.stride, g.padding, g.dilation, g.groups)
        return y.clamp(self.low, self.high) if math.isfinite(self.low) or math.isfinite(self.high) else y

    def lower(self, inputs: list[Affine], out: Affine) -> list[Step]:
        """An integer convolution; the last linear map keeps its sums."""
        weight, bias = self.weights()
        index = group_index(self.fields, self.share)
        found = integer_weights(weight, bias, index, inputs[0].scale, self.bits, self.precision)
        a = inputs[0]
        if self.last:
            return [IntHead(found.weight, found.bias, found.scale, a.scale, a.zero)]
        g = self.geometry or Geometry()
        flat = self.geometry is None
        conv = IntConv(
            found.weight[:, :, None, None] if flat else found.weight,
            found.bias,
            found.scale,
            a.scale,
            a.zero,
            out.scale,
            out.zero,
            list(g.stride),
            list(g.padding),
            list(g.dilation),
            g.groups,
        )
        return [Reshape([weight.shape[1], 1, 1]), conv, Reshape([len(weight)])] if flat else [conv]


def norm_factors(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Factor and shift ``[C]`` of a batch norm in eval."""
    if isinstance(norm, BatchNorm):
        mean, var, weight, bias = norm.affine_per_channel()
    else:
        mean, var = norm.running_mean, norm.running_var
        weight = torch.ones_like(mean) if norm.weight is None else norm.weight
        bias = torch.zeros_like(mean) if norm.bias is None else norm.bias
    factor = weight / torch.sqrt(var + norm.eps)  # type: ignore[operator]
    return factor, bias - mean * factor
