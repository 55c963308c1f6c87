"""What an inference costs, in multiplications."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from steerable.nn.bake import bake


def count_macs(model: nn.Module, example: Tensor) -> int:
    """Multiply-accumulates of convolutions and matrix products of the baked model on ``example``.

    Args:
        model: any module, equivariant or plain; it is baked first, since that is what is shipped, and not changed.
        example: its input, ``[B, C, H, W]``; give one image for the cost of one.
    """
    baked = bake(model)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        baked(example)
    return counter.get_total_flops() // 2
