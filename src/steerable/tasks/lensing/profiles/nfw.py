"""The Navarro-Frenk-White halo."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["nfw_ratio"]


def nfw_ratio(dx2: Tensor, dy2: Tensor, scale: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Deflection over position of a halo of scale radius `scale` (arcsec) whose deflection there is `alpha` (arcsec),
    as (shape, factor).

    alpha(R) = alpha g(R / scale) scale / (R g(1)), g(x) = ln(x / 2) + arccosh(1 / x) / sqrt(1 - x^2), continued
    through x = 1. Source: M. Meneghetti, P. Bartelmann, L. Moscardini, MNRAS 340, 105 (2003), equations 5-8; both
    forms below are free of the cancellation at small x.
    """
    x2 = (dx2 + dy2) / (scale * scale) + 1e-12
    x = torch.sqrt(x2)
    near = x < 0.9
    # below: s = sqrt(1 - x^2), g = [ln((1 + s) / 2) - x^2 ln(x / 2) / (1 + s)] / s
    inside = torch.where(near, x2, torch.full_like(x2, 0.25))
    s = torch.sqrt(1.0 - inside)
    log_half = 0.5 * torch.log(inside) - math.log(2)
    below = (torch.log1p(-inside / (2.0 * (1.0 + s))) - inside / (1.0 + s) * log_half) / s
    # above: w^2 = (1 - x) / (1 + x) changes its sign at 1, where arctanh(w) / w becomes arctan(|w|) / |w|
    outside = torch.where(near, torch.full_like(x, 2.0), x)
    w2 = (1.0 - outside) / (1.0 + outside)
    above = torch.log(outside / 2.0) + 2.0 / (1.0 + outside) * _arctan_over(w2)
    g = torch.where(near, below, above)
    return g / x2, alpha / (scale * (1.0 - math.log(2)))


def _arctan_over(w2: Tensor) -> Tensor:
    """arctanh(w) / w for w2 = w^2 in (-1, 0.06): the function is analytic in w2 through 0."""
    small = w2.abs() < 0.02
    series = torch.ones_like(w2)
    for odd in (15, 13, 11, 9, 7, 5, 3):  # sum of w2^k / (2 k + 1), by Horner: each step folds in one more term
        series = series * w2 * ((odd - 2) / odd) + 1.0
    positive = torch.where(small, 0.5, w2.clamp_min(1e-3)).sqrt()
    negative = torch.where(small, 0.5, (-w2).clamp_min(1e-3)).sqrt()
    large = torch.where(w2 > 0, torch.atanh(positive) / positive, torch.atan(negative) / negative)
    return torch.where(small, series, large)
