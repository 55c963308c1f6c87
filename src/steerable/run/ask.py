"""How a network is asked: images as one tensor, point sets as features, positions and batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from steerable.data import Clouds

# numbers of input in one batch, where nothing is learned
NUMBERS = 1 << 21


def ask(model: nn.Module, x: Tensor | Clouds) -> Tensor:
    """Return what a network answers to images ``[B, C, H, W]``, volumes ``[B, C, D, H, W]`` or point sets."""
    return model(*x.inputs()) if isinstance(x, Clouds) else model(x)


def like(model: nn.Module, x: Any) -> Any:
    """Return the input in the precision of a network, where the network is."""
    return x.to(next(model.parameters(), torch.zeros(())))


def batch_of(x: Tensor | Clouds, most: int = 256) -> int:
    """Return how many samples are looked at together, where nothing is learned."""
    total = x.numel() if isinstance(x, Tensor) else x.positions.numel() * 64
    return max(1, min(most, NUMBERS * len(x) // max(total, 1)))
