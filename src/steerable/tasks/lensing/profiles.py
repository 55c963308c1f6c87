"""Deflection angles and surface brightness, elementwise on coordinates in arcsec.

Every function broadcasts its parameters against the coordinates, is differentiable in all of them and works under
`torch.func` transforms. Masses are given as squared Einstein radii (arcsec^2).
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["point_deflection", "pseudo_jaffe_deflection", "sersic", "shear_deflection", "sie_deflection"]

_SOFTENING = 1e-8  # arcsec^2: keeps clumps finite where a pixel centre meets their own


def _principal_axes(x: Tensor, y: Tensor, e1: Tensor, e2: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """(x', y', cos, sin, |e|): coordinates along the axes of the ellipticity; |e| is kept above 1e-6.

    A circle has no axes: there e1 is shifted by 1e-6, which moves deflections by as little and keeps gradients finite.
    """
    e1 = e1 + 1e-6 * (e1 * e1 + e2 * e2 < 1e-12)
    angle = 0.5 * torch.atan2(e2, e1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return cos * x + sin * y, cos * y - sin * x, cos, sin, torch.sqrt(e1 * e1 + e2 * e2)


def sie_deflection(x: Tensor, y: Tensor, theta_e: Tensor, e1: Tensor, e2: Tensor) -> tuple[Tensor, Tensor]:
    """Singular isothermal ellipsoid at the origin, kappa = theta_e / (2 sqrt(q x'^2 + y'^2 / q)).

    Source: R. Kormann, P. Schneider, M. Bartelmann, A&A 284, 285 (1994), equation 27a, in the normalisation where the
    mass inside the ellipse of mean radius theta_e does not depend on q.
    """
    major, minor, cos, sin, e = _principal_axes(x, y, e1, e2)
    q = (1.0 - e) / (1.0 + e)
    f = 2.0 * torch.sqrt(e) / (1.0 + e)  # sqrt(1 - q^2) without cancellation
    psi = torch.sqrt((q * major) ** 2 + minor**2 + 1e-20)
    scale = theta_e * torch.sqrt(q) / f
    a, b = scale * torch.atan(f * major / psi), scale * torch.atanh(f * minor / psi)
    return cos * a - sin * b, sin * a + cos * b


def shear_deflection(x: Tensor, y: Tensor, g1: Tensor, g2: Tensor) -> tuple[Tensor, Tensor]:
    """External shear: [[g1, g2], [g2, -g1]] applied to the position."""
    return g1 * x + g2 * y, g2 * x - g1 * y


def point_deflection(x: Tensor, y: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
    """Point mass at the origin: mass * r / r^2, softened at 1e-4 arcsec."""
    ratio = mass / (x * x + y * y + _SOFTENING)
    return ratio * x, ratio * y


def pseudo_jaffe_deflection(x: Tensor, y: Tensor, mass: Tensor, theta_e: Tensor) -> tuple[Tensor, Tensor]:
    """Sub-halo at the origin: a singular isothermal sphere cut at its tidal radius inside a host of radius `theta_e`.

    alpha(R) = b (R + a - sqrt(a^2 + R^2)) / R with a = sqrt(b theta_e) and total mass b a = mass, so
    b = (mass^2 / theta_e)^(1/3). Source: J. A. Munoz, C. S. Kochanek, C. R. Keeton, ApJ 558, 657 (2001), section 2.
    """
    b = (mass * mass / theta_e) ** (1.0 / 3.0)
    a = torch.sqrt(b * theta_e)
    r2 = x * x + y * y + _SOFTENING
    r = torch.sqrt(r2)
    ratio = b * (r + a - torch.sqrt(a * a + r2)) / r2
    return ratio * x, ratio * y


def sersic(x: Tensor, y: Tensor, radius: Tensor, index: Tensor, e1: Tensor, e2: Tensor, amplitude: Tensor) -> Tensor:
    """Surface brightness of an elliptical Sersic profile at the origin; `amplitude` is the value at the radius.

    I = amplitude exp(-b (u^(1/index) - 1)), u = sqrt(q x'^2 + y'^2 / q) / radius, b = 1.9992 index - 0.3271
    (M. Capaccioli 1989, good for indices 0.5 to 10).
    """
    major, minor, _, _, e = _principal_axes(x, y, e1, e2)
    q = (1.0 - e) / (1.0 + e)
    u2 = (q * major**2 + minor**2 / q + 1e-12) / radius**2
    return amplitude * torch.exp(-(1.9992 * index - 0.3271) * (u2 ** (0.5 / index) - 1.0))
