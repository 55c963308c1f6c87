"""What one image costs: multiplications of the baked network."""

from __future__ import annotations

import torch
from torch import nn

from steerable.models.macs import count_macs


def multiplications(model: nn.Module, channels: int, size: tuple[int, int]) -> int:
    """Return the multiply-adds of convolutions and matrix products for one image.

    Args:
        model: ``[B, C, H, W] -> [B, K]``; it is baked first, as it would be for use.
        channels: C.
        size: H and W.
    """
    like = next(model.parameters(), torch.zeros(()))
    return count_macs(model.eval(), torch.zeros(1, channels, *size).to(like))
