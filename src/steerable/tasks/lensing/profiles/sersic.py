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
    # q x'^2 + y'^2 / q = (a x + b y)^2 + (c y)^2: no axes, so that a circle is nothing special
    e2_total = e1 * e1 + e2 * e2
    a2 = (1.0 + e2_total - 2.0 * e1) / (1.0 - e2_total)
    a = torch.sqrt(a2) / radius
    b = -2.0 * e2 / ((1.0 - e2_total) * torch.sqrt(a2)) / radius
    c = 1.0 / (a * radius * radius)  # the ellipse keeps the area
    first, second = torch.addcmul(a * x, b, y), c * y
    u2 = torch.addcmul(1e-12 / radius**2 + first * first, second, second)
    slope = 1.9992 * index - 0.3271
    return amplitude * torch.exp(slope) * torch.exp(-slope * u2 ** (0.5 / index))
