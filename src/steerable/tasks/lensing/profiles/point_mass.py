"""The point mass."""

from __future__ import annotations

from torch import Tensor

__all__ = ["SOFTENING", "point_ratio"]

SOFTENING = 1e-4
"""arcsec: keeps a clump finite where a pixel centre meets its own."""


def point_ratio(r2: Tensor, theta_e: Tensor) -> Tensor:
    """Deflection over position, theta_e^2 / r^2, of a point mass at squared distance `r2`; softened at 1e-4 arcsec."""
    return theta_e * theta_e / (r2 + SOFTENING**2)
