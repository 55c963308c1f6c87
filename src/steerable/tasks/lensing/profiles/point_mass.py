"""The point mass."""

from __future__ import annotations

from torch import Tensor

__all__ = ["SOFTENING", "point_ratio"]

SOFTENING = 1e-4
"""arcsec: keeps a clump finite where a pixel centre meets its own."""


def point_ratio(dx2: Tensor, dy2: Tensor, theta_e: Tensor) -> tuple[Tensor, Tensor]:
    """Deflection over position, theta_e^2 / r^2, of a point mass, as (shape, factor); softened at 1e-4 arcsec.

    Args:
        dx2: squared horizontal distance.
        dy2: squared vertical distance; r^2 is the sum.
        theta_e: Einstein radius, arcsec.
    """
    return ((dx2 + SOFTENING**2) + dy2).reciprocal(), theta_e * theta_e
