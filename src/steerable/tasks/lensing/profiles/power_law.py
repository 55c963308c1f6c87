"""The elliptical power law."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["epl_deflection"]


def epl_deflection(
    x: Tensor, y: Tensor, theta_e: Tensor, gamma: Tensor, e1: Tensor, e2: Tensor
) -> tuple[Tensor, Tensor]:
    """Elliptical power law at the origin, kappa = (3 - gamma) / 2 (theta_e / sqrt(q x'^2 + y'^2 / q))^(gamma - 1).

    `gamma` is the logarithmic slope of the density in three dimensions, 1 < gamma < 3; at 2 this is `sie_deflection`.

    Source: N. Tessore, R. B. Metcalf, A&A 580, A79 (2015), equations 13, 23 and 29; the series falls like |e|^n and is
    summed to the accuracy of float64.
    """
    # In complex notation with zeta = z - e conj(z), u = zeta / |zeta| no axes occur: a circle is nothing special.
    free = 1.0 - e1 * e1 - e2 * e2
    t = gamma - 1.0
    across, along = (1.0 - e1) * x - e2 * y, (1.0 + e1) * y - e2 * x
    radius = torch.sqrt(across * across + along * along + 1e-20)
    c, s = across / radius, along / radius
    c2, s2 = c * c - s * s, 2.0 * c * s
    turn_real, turn_imaginary = -(e1 * c2 + e2 * s2), e2 * c2 - e1 * s2  # -conj(e) u^2
    largest = float((1.0 - free.detach()).max()) if free.numel() else 0.0
    terms = 2 + math.ceil(2.0 * math.log(1e-17) / math.log(min(max(largest, 1e-12), 0.998)))
    real, imaginary, sum_real, sum_imaginary = c, s, c, s
    for n in range(1, terms):
        factor = (2.0 * n - (2.0 - t)) / (2.0 * n + (2.0 - t))
        real, imaginary = (
            factor * (turn_real * real - turn_imaginary * imaginary),
            factor * (turn_imaginary * real + turn_real * imaginary),
        )
        sum_real, sum_imaginary = sum_real + real, sum_imaginary + imaginary
    size = (theta_e * torch.sqrt(free)) ** t * radius ** (1.0 - t)
    return size * sum_real, size * sum_imaginary
