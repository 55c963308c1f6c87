"""The elliptical power law."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.tasks.lensing.profiles.ellipse import principal_axes

__all__ = ["epl_deflection"]


def epl_deflection(
    x: Tensor, y: Tensor, theta_e: Tensor, gamma: Tensor, e1: Tensor, e2: Tensor
) -> tuple[Tensor, Tensor]:
    """Elliptical power law at the origin, kappa = (3 - gamma) / 2 (theta_e / sqrt(q x'^2 + y'^2 / q))^(gamma - 1).

    `gamma` is the logarithmic slope of the density in three dimensions, 1 < gamma < 3; at 2 this is `sie_deflection`.

    Source: N. Tessore, R. B. Metcalf, A&A 580, A79 (2015), equations 13, 23 and 29; the series falls like |e|^n and is
    summed to the accuracy of float64.
    """
    cos, sin, e = principal_axes(e1, e2)
    major, minor = cos * x + sin * y, cos * y - sin * x
    q = (1.0 - e) / (1.0 + e)
    t = gamma - 1.0
    across = q * major
    radius2 = across**2 + minor**2 + 1e-20
    radius = torch.sqrt(radius2)
    c, s = across / radius, minor / radius
    c2, s2 = c * c - s * s, 2.0 * c * s
    terms = 2 + math.ceil(math.log(1e-17) / math.log(min(max(float(e.detach().max()), 1e-6), 0.999)))
    real, imaginary, sum_real, sum_imaginary = c, s, c, s
    for n in range(1, terms):
        factor = -e * (2.0 * n - (2.0 - t)) / (2.0 * n + (2.0 - t))
        real, imaginary = factor * (c2 * real - s2 * imaginary), factor * (s2 * real + c2 * imaginary)
        sum_real, sum_imaginary = sum_real + real, sum_imaginary + imaginary
    size = 2.0 / (1.0 + q) * (theta_e * torch.sqrt(q)) ** t * radius ** (1.0 - t)
    a, b = size * sum_real, size * sum_imaginary
    return cos * a - sin * b, sin * a + cos * b
