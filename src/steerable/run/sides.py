"""Which sides of images a network takes without breaking its symmetry, found by asking it."""

from __future__ import annotations

import torch
from torch import nn

from steerable.nn.module import EquivariantModule

REACH = 32  # how far from the side at hand to look


def is_equivariant(model: nn.Module) -> bool:
    """Whether a network has layers whose symmetry a size can break."""
    return any(isinstance(m, EquivariantModule) for m in model.modules())


def takes(model: nn.Module, channels: int, side: int, axes: int = 2) -> bool:
    """Whether a network takes square images or cubes of this side, exactly where it is equivariant.

    Args:
        model: in eval mode.
        channels: of the images.
        side: in pixels.
        axes: 2 of images, 3 of volumes.
    """
    from steerable.laws import size_violations

    parameter = next(model.parameters(), torch.zeros(()))
    x = torch.zeros(1, channels, *[side] * axes, dtype=parameter.dtype, device=parameter.device)
    try:
        with torch.no_grad():
            return not (size_violations(model, x) if is_equivariant(model) else model(x) is None)
    except (ValueError, RuntimeError, TypeError):
        return False


def nearest_side(model: nn.Module, channels: int, side: int, prefer: int | None = None, axes: int = 2) -> int | None:
    """Return the side nearest to `side` that a network takes; None where there is none within 32 pixels.

    Args:
        model: the network.
        channels: of the images.
        side: in pixels.
        prefer: of two sides equally near, this one; else the larger one.
        axes: 2 of images, 3 of volumes.
    """
    was = model.training
    model.eval()
    try:
        near = range(max(1, side - REACH), side + REACH + 1)
        for found in sorted(near, key=lambda s: (abs(s - side), s != prefer, -s)):
            if takes(model, channels, found, axes):
                return found
        return None
    finally:
        model.train(was)
