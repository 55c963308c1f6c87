"""The singular isothermal ellipsoid and its derivatives by the ellipticity, in complex notation."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["sie_derivatives"]

_SERIES_BELOW = 0.01  # |e| below which (u - v) / conj(e) loses digits and its power series is used
_TERMS = 7


def sie_derivatives(x: Tensor, y: Tensor, e1: Tensor, e2: Tensor) -> tuple[Tensor, ...]:
    """Deflection of an isothermal ellipsoid with theta_e = 1 and what its derivatives need.

    With z = x + i y, e = e1 + i e2, zeta = z - e conj(z), u = zeta / |zeta| and k = sqrt(1 - |e|^2):
    alpha = k v, v = u F(-conj(e) u^2), F(s) = sum_n s^n / (2 n + 1) = atan(sqrt(-s)) / sqrt(-s). That is the
    isothermal case of N. Tessore, R. B. Metcalf, A&A 580, A79 (2015), equation 13, turned to any axis; their
    ellipticity f is our |e|. Since 2 s F' + F = 1 / (1 - s), the derivatives are closed:
    d alpha / d e = -k (conj(e) v + conj(u)) / (2 (1 - |e|^2)),
    d alpha / d conj(e) = k e (u - v) / (2 |e|^2 (1 - |e|^2)), whose limit at e = 0 is u^3 / 6.

    Args:
        x: coordinates relative to the lens, [B, ...], arcsec.
        y: as `x`.
        e1: ellipticity, [B, 1, ...] so that it broadcasts.
        e2: as `e1`.

    Returns:
        (alpha_x, alpha_y, twice the convergence, d alpha_x / d e1, d alpha_y / d e1, d alpha_x / d e2,
        d alpha_y / d e2). At the lens centre itself the direction is undefined: all are zero there but the
        convergence, which is finite and huge.
    """
    e_squared = e1 * e1 + e2 * e2
    e = e_squared.clamp_min(1e-30).sqrt()
    k = (1.0 - e_squared).sqrt()
    angle = 0.5 * torch.atan2(e2, e1)
    cos, sin, h = angle.cos(), angle.sin(), e.sqrt()
    zx = ((1.0 - e1) * x).sub_(e2 * y)
    zy = ((1.0 + e1) * y).sub_(e2 * x)
    inverse = (zx * zx).addcmul_(zy, zy).clamp_min_(1e-30).rsqrt_()
    ux, uy = zx.mul_(inverse), zy.mul_(inverse)
    # i^0 atan(h u') / h for complex h u': real part by atan, imaginary part by atanh, in the frame of the axes.
    a = (((2.0 * h / (1.0 - e) * cos) * ux).add_((2.0 * h / (1.0 - e) * sin) * uy)).atan_()
    b = (((2.0 * h / (1.0 + e) * cos) * uy).sub_((2.0 * h / (1.0 + e) * sin) * ux)).atanh_()
    half = 0.5 / h
    vx = ((half * cos) * a).sub_((half * sin) * b)
    vy = ((half * sin) * a).add_((half * cos) * b)
    # (px, py) = d alpha / d e, (qx, qy) = d alpha / d conj(e).
    scale = 0.5 / k
    px = ((-scale * e1) * vx).sub_((scale * e2) * vy).sub_(scale * ux)
    py = ((scale * e2) * vx).sub_((scale * e1) * vy).add_(scale * uy)
    dx, dy = (ux - vx), (uy - vy)
    over = scale / e.square()
    qx = ((over * e1) * dx).sub_((over * e2) * dy)
    qy = ((over * e2) * dx).add_((over * e1) * dy)
    small = (e < _SERIES_BELOW).flatten()
    if bool(small.any()):
        rows = small.nonzero()[:, 0]
        sx, sy = _series(ux[rows], uy[rows], e1[rows], e2[rows])
        qx[rows], qy[rows] = scale[rows] * sx, scale[rows] * sy
    # d/de1 = d/de + d/d conj(e); d/de2 = i (d/de - d/d conj(e)).
    return vx.mul_(k), vy.mul_(k), inverse.mul_(k), px + qx, py + qy, qy.sub_(py), px.sub_(qx)


def _series(ux: Tensor, uy: Tensor, e1: Tensor, e2: Tensor) -> tuple[Tensor, Tensor]:
    """(u - v) / conj(e) = u^3 (1/3 + s/5 + s^2/7 + ...), s = -conj(e) u^2, for small e."""
    square = ux * ux - uy * uy, 2.0 * ux * uy
    sx, sy = -(e1 * square[0] + e2 * square[1]), e2 * square[0] - e1 * square[1]
    tx, ty = torch.full_like(ux, 1.0 / (2 * _TERMS + 1)), torch.zeros_like(ux)
    for n in range(_TERMS - 1, 0, -1):
        tx, ty = sx * tx - sy * ty + 1.0 / (2 * n + 1), sx * ty + sy * tx
    cube = square[0] * ux - square[1] * uy, square[0] * uy + square[1] * ux
    return cube[0] * tx - cube[1] * ty, cube[0] * ty + cube[1] * tx
