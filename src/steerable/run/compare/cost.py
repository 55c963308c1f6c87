"""What one image costs: multiplications of the baked network."""

from __future__ import annotations

import torch
from torch import nn

from steerable.nn.bake import bake


def multiplications(model: nn.Module, channels: int, size: tuple[int, int]) -> int:
    """Return the multiply-adds of convolutions and matrix products for one image.

    Args:
        model: ``[B, C, H, W] -> [B, K]``; it is baked first, as it would be for use.
        channels: C.
        size: H and W.
    """
    from torch.utils.flop_counter import FlopCounterMode

    baked = bake(model.eval())
    like = next(baked.parameters(), torch.zeros(()))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        baked(torch.zeros(1, channels, *size).to(like))
    return counter.get_total_flops() // 2
