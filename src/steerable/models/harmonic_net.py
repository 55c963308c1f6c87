"""Harmonic networks: complex fields of circular harmonics, invariant magnitudes at the end."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

import steerable.nn as snn
from steerable.fields.type import FieldType
from steerable.groups import Group, parse_group
from steerable.kernels.complex_linear import ComplexLinear
from steerable.kernels.rings import GaussianRings

#: filters of the rotated-digits network (Worrall et al., 2017)
FIELDS = (8, 8, 16, 16, 32, 32)


class HarmonicNet(nn.Module):
    """Complex convolutions in pairs, mean pooling between them, magnitudes averaged over the image at the end.

    The published layout for rotated digits: 8, 8 | 16, 16 | 32, 32 | classes, 5x5, mean pooling by 2 between blocks,
    streams of order 0 and 1; within a block first the C-ReLU ``relu(|z| + b) z / |z|``, then the batch norm of
    magnitudes with its ReLU. Exactly invariant under quarter turns on sides divisible by 2 for each pooling, and nearly
    under all rotations of smooth images.

    Args:
        in_channels: channels of the image.
        num_classes: number of outputs.
        group: SO2, or C(n).
        fields: complex fields of each convolution; each holds one number of every order.
        orders: rotation orders of the streams.
        kernel_size: odd side of the filters.
        pool_after: convolutions (from 1) followed by a mean over windows of 2.
        pool_input: windows of the image that are averaged before the first convolution; 1 for none.
        share: one filter for all pairs of orders of one difference, as published.
        head: ``"magnitude"``: a last convolution to ``num_classes`` fields, their magnitudes averaged and a bias, as
            published; ``"linear"``: its magnitudes of ``fields[-1]`` fields, a dense layer on their means. By default
            the first, but the second for one output, which must take either sign.
        dropout: probability of dropping a field before the last convolution.
        fit: ``"resample"`` or ``"pad"`` the image to the next exact side, see :class:`steerable.nn.FitSide2d`.

    Raises:
        ValueError: for a group with reflections, an unknown head, or without fields.

    Source: Worrall et al., "Harmonic Networks", CVPR 2017, arXiv 1612.04642, section 5.1.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        group: str | Group = "SO2",
        fields: Sequence[int] = FIELDS,
        orders: Sequence[int] = (0, 1),
        kernel_size: int = 5,
        pool_after: Sequence[int] = (2, 4),
        pool_input: int = 1,
        share: bool = True,
        head: str | None = None,
        dropout: float = 0.0,
        fit: str | None = None,
    ) -> None:
        super().__init__()
        head = head or ("linear" if num_classes == 1 else "magnitude")
        if head not in ("magnitude", "linear"):
            raise ValueError(f"HarmonicNet: got head={head!r}; expected 'magnitude' or 'linear'")
        if not len(fields):
            raise ValueError(f"HarmonicNet: got fields {tuple(fields)}; expected a number for each convolution")
        group = group if isinstance(group, Group) else parse_group(group)
        filters = ComplexLinear(GaussianRings.for_size(kernel_size), share)
        pad = kernel_size // 2

        def conv(before: FieldType, after: FieldType) -> snn.Conv2d:
            return snn.Conv2d(before, after, kernel_size, padding=pad, bias=False, filters=filters)

        current: FieldType = in_channels * group.trivial
        layers: list[nn.Module] = []
        if fit is not None:
            layers.append(snn.FitSide2d(current, pool_input * 2 ** len(pool_after), 0, fit))
        if pool_input > 1:
            layers.append(snn.AvgPool2d(current, pool_input))
        for i, count in enumerate(fields, 1):
            wide = snn.harmonic_type(count, orders, group)
            act = snn.NormAct(wide, pairs=True) if i % 2 else snn.MagnitudeNorm(wide, pairs=True)
            layers += [conv(current, wide), act]
            if i in pool_after:
                layers.append(snn.AvgPool2d(wide, 2))
            current = wide
        if dropout:
            layers.append(snn.FieldDropout(current, dropout))
        last = snn.harmonic_type(num_classes if head == "magnitude" else fields[-1], orders, group)
        self.features = snn.Sequential(*layers, conv(current, last), snn.NormPool(last, 1e-4, pairs=True))
        self.orders = len(orders)
        self.head = _Bias(num_classes) if head == "magnitude" else nn.Linear(fields[-1] * len(orders), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to logits ``[B, num_classes]``."""
        magnitudes = self.features(x).mean((-2, -1))
        if isinstance(self.head, _Bias):
            magnitudes = magnitudes.unflatten(1, (-1, self.orders)).mean(2)
        return self.head(magnitudes)


class _Bias(nn.Module):
    """One number added to each output."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.full((count,), 0.01))

    def forward(self, x: Tensor) -> Tensor:
        """``x + bias``."""
        return x + self.bias
