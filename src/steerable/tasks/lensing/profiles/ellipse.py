"""The principal axes of an ellipticity (e1, e2) of size (1 - q) / (1 + q)."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["principal_axes"]


def principal_axes(x: Tensor, y: Tensor, e1: Tensor, e2: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """(x', y', cos, sin, |e|): coordinates along the axes of the ellipticity; |e| is kept above 1e-6.

    A circle has no axes: there e1 is shifted by 1e-6, which moves deflections by as little and keeps gradients finite.
    """
    e1 = e1 + 1e-6 * (e1 * e1 + e2 * e2 < 1e-12)
    angle = 0.5 * torch.atan2(e2, e1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return cos * x + sin * y, cos * y - sin * x, cos, sin, torch.sqrt(e1 * e1 + e2 * e2)
