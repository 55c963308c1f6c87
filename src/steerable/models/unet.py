"""The way of a volume through a U-Net, for steerable and for plain layers alike."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UNet(nn.Module):
    """Down, across and up again; what is kept on the way down joins on the way up.

    Args:
        down: a block for each resolution, from the full one.
        shrink: halve the sides; one less than blocks.
        up: a block for each resolution but the lowest, from the bottom; it takes both channels together.
        read: from the channels at full resolution to logits.
    """

    def __init__(self, down: list[nn.Module], shrink: list[nn.Module], up: list[nn.Module], read: nn.Module) -> None:
        super().__init__()
        self.down, self.shrink, self.up = nn.ModuleList(down), nn.ModuleList(shrink), nn.ModuleList(up)
        self.read = read

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, D, H, W]`` to logits ``[B, num_classes, D, H, W]``."""
        kept = []
        for layer, shrink in zip(self.down, self.shrink, strict=False):
            x = layer(x)
            kept.append(x)
            x = shrink(x)
        x = self.down[-1](x)
        for layer in self.up:
            skip = kept.pop()
            x = nn.functional.interpolate(x, size=skip.shape[2:], mode="trilinear", align_corners=True)
            x = layer(torch.cat([x, skip], 1))
        return self.read(x)
