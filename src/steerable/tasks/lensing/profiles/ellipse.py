"""The principal axes of an ellipticity (e1, e2) of size (1 - q) / (1 + q)."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["principal_axes"]


def principal_axes(e1: Tensor, e2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(cos, sin, |e|) of the angle of the major axis; |e| is kept above 1e-6.

    A circle has no axes: there e1 is shifted by 1e-6, which moves deflections by as little and keeps gradients finite.
    """
    e1 = e1 + 1e-6 * (e1 * e1 + e2 * e2 < 1e-12)
    angle = 0.5 * torch.atan2(e2, e1)
    return torch.cos(angle), torch.sin(angle), torch.sqrt(e1 * e1 + e2 * e2)
