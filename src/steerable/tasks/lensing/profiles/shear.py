"""External shear."""

from __future__ import annotations

from torch import Tensor

__all__ = ["shear_deflection"]


def shear_deflection(x: Tensor, y: Tensor, g1: Tensor, g2: Tensor) -> tuple[Tensor, Tensor]:
    """External shear: [[g1, g2], [g2, -g1]] applied to the position."""
    return g1 * x + g2 * y, g2 * x - g1 * y
