"""A small network in log-polar coordinates: turning and scaling are shifts of its maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from steerable import nn as snn
from steerable.domains.warp import Warp

#: output channels of the convolutions, and their kernels; a pooling by two follows the first two
WIDTHS = (16, 32, 48, 48)
KERNELS = (5, 3, 3, 3)


class WarpedFeatures(nn.Module):
    """Four convolutions in canonical coordinates, with two average poolings by 2.

    Args:
        warp: the coordinates.
        in_channels: of the resampled image.
        widths, kernels: of the convolutions, of equal number.
    """

    def __init__(
        self, warp: Warp, in_channels: int, widths: Sequence[int] = WIDTHS, kernels: Sequence[int] = KERNELS
    ) -> None:
        super().__init__()
        if len(widths) != len(kernels):
            raise ValueError(f"WarpedFeatures: got {len(widths)} widths and {len(kernels)} kernels; expected as many")
        layers: list[nn.Module] = []
        for i, (start, end, kernel) in enumerate(zip((in_channels, *widths), widths, kernels, strict=False)):
            layers.append(snn.WarpedConv2d(warp, start, end, kernel, bias=False, padding_mode="replicate"))
            layers += [nn.BatchNorm2d(end), nn.ReLU()]
            if i < 2:
                layers.append(nn.AvgPool2d(2))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, rows, columns]`` to ``[B, widths[-1], rows / 4, columns / 4]``."""
        return self.layers(x)


class RingHead(nn.Module):
    """Mean and maximum over the angle within each of ``rings`` parts of the radius, then a linear map.

    With one ring, shifts along both axes change nothing (but at the ends of the radius).

    Args:
        channels: of the maps ``[B, channels, radius, angle]``.
        rings: parts of the radius that stay apart.
        num_classes: outputs.
    """

    def __init__(self, channels: int, rings: int, num_classes: int) -> None:
        super().__init__()
        self.rings = rings
        self.linear = nn.Linear(2 * channels * rings, num_classes)

    def forward(self, maps: Tensor) -> Tensor:
        """``[B, channels, radius, angle]`` to ``[B, num_classes]``."""
        if maps.shape[-2] % self.rings:
            raise ValueError(f"RingHead: got {maps.shape[-2]} radii; expected a multiple of its {self.rings} rings")
        parts = maps.unflatten(-2, (self.rings, -1))
        return self.linear(torch.cat((parts.mean((-2, -1)), parts.amax((-2, -1))), 1).flatten(1))
