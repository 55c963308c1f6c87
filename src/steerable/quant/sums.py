"""Exact sums of integer products: convolutions and the last linear map.

A sum of products of integers is the same number however it is arranged, so turning an image turns every map to the last
bit. Requantisation multiplies the sum, as float32, by one float32 number a channel and rounds halves to even: a fixed
function of the integer, and what ONNX Runtime computes.
"""

from __future__ import annotations

import platform

import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.quant.affine import TOP, to_uint8
from steerable.quant.step import Step

#: float32 holds every whole number up to here
EXACT = 2**24
#: where oneDNN adds up plain products; elsewhere a library may take Winograd's way, whose fractions float32 rounds
_PLAIN_PRODUCTS = platform.machine().lower() in ("x86_64", "amd64")


class _Sums(Step):
    """What convolutions and the head share: exact sums of integer products."""

    weight: Tensor
    bias: Tensor
    scale: Tensor

    def _keep(self, weight: Tensor, bias: Tensor, scale: Tensor) -> None:
        self.hold(weight=weight, bias=bias, scale=scale)
        self.reach = int((weight.long().abs().flatten(1).sum(1) * TOP).max()) if weight.numel() else 0

    def _float(self, q: Tensor) -> torch.dtype:
        """The fastest floating type in which every partial sum is exact."""
        plain = q.device.type == "cpu" and _PLAIN_PRODUCTS and torch._C._get_mkldnn_enabled()
        plain = plain and torch.backends.mkldnn.is_available()
        return torch.float32 if self.reach < EXACT and plain else torch.float64


class IntConv(_Sums):
    """Convolution of uint8 by int8 into int32, then requantised to uint8. A ReLU is the cut at ``zero``.

    Args:
        weight: ``int8 [C_out, C_in / groups, k, k]``.
        bias: ``int32 [C_out]``.
        scale: ``float32 [C_out]`` of the weights.
        in_scale, in_zero, out_scale, out_zero: of both activations.
        stride, padding, dilation: pairs; ``padding`` stands for the number 0, the integer ``in_zero``.
        groups: as in ``torch.nn.Conv2d``.
    """

    fixed = ("in_scale", "in_zero", "out_scale", "out_zero", "stride", "padding", "dilation", "groups")

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        scale: Tensor,
        in_scale: float,
        in_zero: int,
        out_scale: float,
        out_zero: int,
        stride: list[int],
        padding: list[int],
        dilation: list[int],
        groups: int,
    ) -> None:
        super().__init__()
        self._keep(weight, bias, scale)
        self.in_scale, self.in_zero, self.out_scale, self.out_zero = in_scale, in_zero, out_scale, out_zero
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        # float32, in the order of operations of the runtime
        self.register_buffer("factor", scale * in_scale / out_scale, persistent=False)

    def sums(self, q: Tensor) -> Tensor:
        """``int64 [B, C_out, H', W']``: the sums before requantisation."""
        kind = self._float(q)
        x, w = q.to(kind) - self.in_zero, self.weight.to(kind)
        y = F.conv2d(x, w, None, self.stride, self.padding, self.dilation, self.groups)
        return y.to(torch.int64) + self.bias.view(-1, 1, 1)

    def forward(self, q: Tensor) -> Tensor:
        """uint8 to uint8."""
        return to_uint8(torch.round(self.sums(q).float() * self.factor.view(-1, 1, 1)), self.out_zero)


class IntHead(_Sums):
    """The last linear map: ``uint8 [B, n]`` to sums ``int64 [B, classes]``, which 8 bits would tie."""

    fixed = ("in_scale", "in_zero")

    def __init__(self, weight: Tensor, bias: Tensor, scale: Tensor, in_scale: float, in_zero: int) -> None:
        super().__init__()
        self._keep(weight, bias, scale)
        self.in_scale, self.in_zero = in_scale, in_zero
        self.register_buffer("factor", scale * in_scale, persistent=False)

    def forward(self, q: Tensor) -> Tensor:
        """Integer logits."""
        kind = self._float(q)
        return F.linear(q.to(kind) - self.in_zero, self.weight.to(kind)).to(torch.int64) + self.bias

    def logits(self, sums: Tensor) -> Tensor:
        """float32 logits of integer ones."""
        return sums.float() * self.factor
