"""The Sersic profile of a galaxy's light."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["sersic"]


def sersic(x: Tensor, y: Tensor, radius: Tensor, index: Tensor, e1: Tensor, e2: Tensor, amplitude: Tensor) -> Tensor:
    """Surface brightness of an elliptical Sersic profile at the origin; `amplitude` is the value at the radius.

    I = amplitude exp(-b (u^(1/index) - 1)), u = sqrt(q x'^2 + y'^2 / q) / radius, b = 1.9992 index - 0.3271
    (M. Capaccioli 1989, good for indices 0.5 to 10).
    """
    # q x'^2 + y'^2 / q without the axes, so that a circle is nothing special
    e2_total = e1 * e1 + e2 * e2
    x2, y2 = x * x, y * y
    ellipse = ((1.0 + e2_total) * (x2 + y2) - 2.0 * e1 * (x2 - y2) - 4.0 * e2 * (x * y)) / (1.0 - e2_total)
    u2 = (ellipse + 1e-12) / radius**2
    return amplitude * torch.exp(-(1.9992 * index - 0.3271) * (u2 ** (0.5 / index) - 1.0))
