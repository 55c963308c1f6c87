"""The singular isothermal ellipsoid."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.aggregate.paths import runs_eagerly
from steerable.tasks.lensing.profiles.ellipse import principal_axes
from steerable.tasks.lensing.profiles.power_law import epl_deflection

__all__ = ["sie_deflection"]

_ROUND = 1e-8  # |e|^2


def sie_deflection(x: Tensor, y: Tensor, theta_e: Tensor, e1: Tensor, e2: Tensor) -> tuple[Tensor, Tensor]:
    """Singular isothermal ellipsoid at the origin, kappa = theta_e / (2 sqrt(q x'^2 + y'^2 / q)).

    Source: R. Kormann, P. Schneider, M. Bartelmann, A&A 284, 285 (1994), equation 27a, in the normalisation where the
    mass inside the ellipse of mean radius theta_e does not depend on q.

    The closed form needs the axes, which a circle has not: below |e| = 1e-4 the series of the power law is taken, so
    that round lenses turn exactly, too. Under transforms (vmap, jvp) |e| is kept above 1e-6 instead.
    """
    # Written for few passes over the pixels: with x [1, n] and y [m, 1] only sums of the two are of full size.
    cos, sin, e = principal_axes(e1, e2)
    q = (1.0 - e) / (1.0 + e)
    f = 2.0 * torch.sqrt(e) / (1.0 + e)  # sqrt(1 - q^2) without cancellation
    major, minor = cos * x + sin * y, cos * y - sin * x
    psi = torch.sqrt(torch.addcmul(1e-20 + (q * q) * (major * major), minor, minor))
    a, b = torch.atan2(f * major, psi), torch.atanh(f * minor / psi)
    scale = theta_e * torch.sqrt(q) / f
    c, s = scale * cos, scale * sin
    alpha = torch.addcmul(c * a, -s, b), torch.addcmul(s * a, c, b)
    if runs_eagerly(x, y, theta_e, e1, e2):
        small = e1 * e1 + e2 * e2 < _ROUND
        if bool(small.any()):
            some = torch.where(small, e1, 0.0), torch.where(small, e2, 0.0)
            series = epl_deflection(x, y, theta_e, torch.full_like(e1, 2.0), *some)
            return torch.where(small, series[0], alpha[0]), torch.where(small, series[1], alpha[1])
    return alpha
