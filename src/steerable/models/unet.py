"""The way of a field through a U-Net, for steerable and for plain layers, on any domain."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UNet(nn.Module):
    """Down, across and up again; what is kept on the way down joins on the way up.

    Args:
        down: a block for each resolution, from the full one.
        shrink: to the next resolution; one less than blocks.
        grow: back, from the bottom: ``grow(x, shape)`` to samples of that shape.
        up: a block for each resolution but the lowest, from the bottom; it takes both channels together.
        read: from the channels at full resolution to logits.
    """

    def __init__(
        self,
        down: list[nn.Module],
        shrink: list[nn.Module],
        grow: list[nn.Module],
        up: list[nn.Module],
        read: nn.Module,
    ) -> None:
        super().__init__()
        self.down, self.shrink, self.up = nn.ModuleList(down), nn.ModuleList(shrink), nn.ModuleList(up)
        self.grow, self.read = nn.ModuleList(grow), read

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, ...]`` to logits ``[B, num_classes, ...]`` at the same samples."""
        kept = []
        for layer, shrink in zip(self.down, self.shrink, strict=False):
            x = layer(x)
            kept.append(x)
            x = shrink(x)
        x = self.down[-1](x)
        for grow, layer in zip(self.grow, self.up, strict=True):
            skip = kept.pop()
            x = layer(torch.cat([grow(x, skip.shape[2:]), skip], 1))
        return self.read(x)


class Interpolate(nn.Module):
    """Linear interpolation that keeps the outermost samples where they are."""

    def __init__(self, mode: str = "trilinear") -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x: Tensor, shape: torch.Size) -> Tensor:
        """``[B, C, ...]`` to ``[B, C, *shape]``."""
        return nn.functional.interpolate(x, size=shape, mode=self.mode, align_corners=True)


class ByLayer(nn.Module):
    """A layer that knows the shape it leads to."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, shape: torch.Size) -> Tensor:
        """The layer of ``x``."""
        return self.layer(x)
