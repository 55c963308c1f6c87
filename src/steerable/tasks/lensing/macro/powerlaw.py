"""The elliptical power law: the isothermal ellipsoid with a free slope, by its series."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["power_law_derivatives"]


def _coefficients(t: Tensor, terms: int) -> tuple[list[Tensor], list[Tensor]]:
    """Coefficients of 2F1(1, t/2; 2 - t/2; s) and their derivatives by t."""
    values, slopes = [torch.ones_like(t)], [torch.zeros_like(t)]
    for n in range(terms):
        over = n + 2.0 - 0.5 * t
        ratio = (n + 0.5 * t) / over
        by_t = (0.5 + 0.5 * ratio) / over
        slopes.append(slopes[-1] * ratio + values[-1] * by_t)
        values.append(values[-1] * ratio)
    return values, slopes


def _horner(coefficients: list[Tensor], sx: Tensor, sy: Tensor) -> tuple[Tensor, Tensor]:
    real, imaginary = torch.zeros_like(sx) + coefficients[-1], torch.zeros_like(sx)
    for c in reversed(coefficients[:-1]):
        real, imaginary = (sx * real).addcmul_(sy, imaginary, value=-1.0).add_(c), (sx * imaginary).addcmul_(sy, real)
    return real, imaginary


def power_law_derivatives(
    x: Tensor, y: Tensor, theta_e: Tensor, e1: Tensor, e2: Tensor, slope: Tensor
) -> dict[str, tuple[Tensor, Tensor]]:
    """Deflection of kappa = (3 - slope) / 2 (theta_e / R)^(slope - 1) at the origin, with all its derivatives.

    R = sqrt(q x'^2 + y'^2 / q); slope 2 is the isothermal ellipsoid. With t = slope - 1, zeta = z - e conj(z) and
    k = theta_e sqrt(1 - |e|^2) the deflection is k^t |zeta|^(1 - t) u F(s), u = zeta / |zeta|, s = -conj(e) u^2,
    F = 2F1(1, t/2; 2 - t/2; s). Source: N. Tessore, R. B. Metcalf, A&A 580, A79 (2015), equation 13.

    Args:
        x: coordinates relative to the lens, [B, ...].
        y: as `x`.
        theta_e: Einstein radius and the further parameters, [B, 1, ...].
        e1: ellipticity, |e| < 1; the number of terms grows as 1 / log(1 / |e|).
        e2: as `e1`.
        slope: logarithmic slope of the density in three dimensions, between 1 and 3.

    Returns:
        Pairs (x part, y part): "alpha", "theta_e", "e1", "e2", "slope" and the derivatives by position as
        "dx" = d alpha / dx and "dy" = d alpha / dy.
    """
    t = slope - 1.0
    size = float((e1 * e1 + e2 * e2).max().sqrt())
    digits = 1e-8 if x.dtype == torch.float32 else 1e-17
    terms = min(200, max(3, math.ceil(math.log(digits) / math.log(max(1e-6, min(size, 0.95))))))
    values, slopes = _coefficients(t, terms)
    z, e = torch.complex(x, y), torch.complex(e1, e2)
    free = 1.0 - e1 * e1 - e2 * e2
    k = theta_e * free.sqrt()
    zeta = z - e * z.conj()
    radius = zeta.abs().clamp_min(1e-12)
    u = zeta / radius
    s = -e.conj() * u * u
    f = torch.complex(*_horner(values, s.real, s.imag))
    # F' without s: for d/d conj(e), where s F' / conj(e) would be singular at e = 0.
    f_slope = torch.complex(*_horner([n * values[n] for n in range(1, terms + 1)], s.real, s.imag))
    f_by_t = torch.complex(*_horner(slopes, s.real, s.imag))
    power = (k / radius) ** t * radius  # k^t |zeta|^(1 - t)
    alpha = power * u * f
    common = alpha * (-0.5 * t / free)  # from k^t: d log k / d e = -conj(e) / (2 free)
    by_e = common * e.conj() - power * u.conj() * ((1.0 - 0.5 * t) + (t - 1.0) * s * f) / free
    over = 1.0 / zeta.conj().abs().clamp_min(1e-12) * u  # 1 / conj(zeta)
    by_ebar = common * e + power * u * (0.5 * t * z * over * f - z.conj() * over * u * u * f_slope)
    convergence = 0.5 * (2.0 - t) * (k / radius) ** t
    safe = torch.where(z == 0, torch.ones_like(z), z)
    shear = ((1.0 - t) * alpha - safe * convergence) / safe.conj()
    by_x, by_y = convergence + shear, 1j * (convergence - shear)
    by_t = alpha * ((k / radius).log()) + power * u * f_by_t
    parts = {
        "alpha": alpha, "theta_e": alpha * (t / theta_e), "e1": by_e + by_ebar, "e2": 1j * (by_e - by_ebar),
        "slope": by_t, "dx": by_x, "dy": by_y,
    }  # fmt: skip
    return {name: (value.real, value.imag) for name, value in parts.items()}
