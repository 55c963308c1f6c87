"""The elliptical Sersic profile with all its derivatives, written so that a circle is no special case."""

from __future__ import annotations

from torch import Tensor

__all__ = ["sersic_derivatives"]

_SOFTENING = 1e-12  # arcsec^2, as in `profiles.sersic`: a cusp on a pixel centre stays finite


def sersic_derivatives(
    x: Tensor, y: Tensor, radius: Tensor, index: Tensor, e1: Tensor, e2: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Sersic profile of amplitude one at the origin and its derivatives by (x, y, radius, index, e1, e2).

    With |e| = (1 - q) / (1 + q) the squared elliptical radius q x'^2 + y'^2 / q equals
    ((1 + |e|^2) r^2 - 2 (e1 (x^2 - y^2) + 2 e2 x y)) / (1 - |e|^2): no angle, so nothing is singular at e = 0.

    Args:
        x: coordinates relative to the centre, arcsec, any shape that broadcasts with the parameters.
        y: as `x`.
        radius: half-light radius.
        index: Sersic index.
        e1: first part of the ellipticity, |e| < 1.
        e2: second part.

    Returns:
        (value, d/dx, d/dy, d/dradius, d/dindex, d/de1, d/de2).
    """
    inverse = 1.0 / (1.0 - e1 * e1 - e2 * e2)
    plus = 1.0 + e1 * e1 + e2 * e2
    xx, yy, xy = x * x, y * y, x * y
    r2, minus = xx + yy, xx - yy
    q2 = ((plus * inverse) * r2).sub_((2.0 * e1 * inverse) * minus).sub_((4.0 * e2 * inverse) * xy)
    soft = q2 + _SOFTENING
    log_u2 = (soft / (radius * radius)).log_()
    w = (log_u2 * (0.5 / index)).exp_()  # u^(1 / index)
    b = 1.9992 * index - 0.3271
    value = (b - b * w).exp_()
    slope = value * w  # w times the profile enters every derivative
    by_q2 = (slope * (-0.5 * b / index)).div_(soft)
    by_x = ((2.0 * inverse * (plus - 2.0 * e1)) * x).sub_((4.0 * inverse * e2) * y).mul_(by_q2)
    by_y = ((2.0 * inverse * (plus + 2.0 * e1)) * y).sub_((4.0 * inverse * e2) * x).mul_(by_q2)
    by_radius = slope * (b / (index * radius))
    by_index = log_u2.mul_(slope).mul_(0.5 * b / (index * index)).sub_(slope.sub_(value).mul_(1.9992))
    r2.add_(q2)
    by_e1 = ((2.0 * inverse * e1) * r2).sub_((2.0 * inverse) * minus).mul_(by_q2)
    by_e2 = ((2.0 * inverse * e2) * r2).sub_((4.0 * inverse) * xy).mul_(by_q2)
    return value, by_x, by_y, by_radius, by_index, by_e1, by_e2
