"""How good a codec of panoramas is: error over the sphere, and the rate that one saves against another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere import Sphere


def ws_psnr(x: Tensor, y: Tensor, sphere: Sphere, peak: float = 1.0) -> Tensor:
    """Peak signal to noise in decibels, the square error weighted by the area of each sample (WS-PSNR).

    Args:
        x, y: ``[B, C, *sphere.shape]``.
        sphere: where they lie; of an equirectangular image :func:`panorama_sphere`, whose weights are the cosines of
            the latitudes.
        peak: the largest value there can be.

    Returns:
        ``[B]``.

    Raises:
        ValueError: for another shape.

    Source: Sun, Lu and Yu, "Weighted-to-Spherically-Uniform Quality Evaluation for Omnidirectional Video", IEEE SPL 24
    (2017), eq. 7.
    """
    sphere.check_map(x)
    if x.shape != y.shape:
        raise ValueError(f"ws_psnr: maps of {list(x.shape)} and {list(y.shape)}; expected equal shapes")
    areas = sphere.angles()[..., 0].sin() if len(sphere.shape) == 2 else sphere.areas()
    error = ((x - y).double().square() * (areas / areas.sum())).flatten(2).sum(2).mean(1)
    return 10 * torch.log10(peak**2 / error)


Curve = Sequence[tuple[float, float]]


def bd_rate(reference: Curve, other: Curve) -> float:
    """How much more rate ``other`` takes than ``reference`` for the same quality, in percent; negative is better.

    The mean difference of the logarithms of the rates over the qualities that both reach, with monotone cubic
    interpolation between the points, integrated exactly.

    Args:
        reference: points ``(rate, quality)``, any order; rates positive, qualities such as decibels.
        other: the same of the other codec.

    Raises:
        ValueError: for fewer than two points, rates that are not positive, quality that does not rise with the rate, or
            curves that share no quality.

    Source: Bjontegaard, VCEG-M33, 2001; with the interpolation of Fritsch and Carlson, SIAM J. Numer. Anal. 17 (1980).
    """
    curves = [_curve("reference", reference), _curve("other", other)]
    low, high = max(q[0] for q, _ in curves), min(q[-1] for q, _ in curves)
    if low >= high:
        spans = " and ".join(f"{q[0]:.4g} to {q[-1]:.4g}" for q, _ in curves)
        raise ValueError(f"bd_rate: qualities {spans}; expected curves that overlap. Take other rates")
    knots = np.unique(np.clip(np.concatenate([q for q, _ in curves]), low, high))
    middle, half = (knots[1:] + knots[:-1]) / 2, np.diff(knots) / 2
    total = 0.0
    for node in (-(3**-0.5), 3**-0.5):  # Gauss: exact for cubics
        at = middle + node * half
        total += float((half * (_cubic(*curves[1], at) - _cubic(*curves[0], at))).sum())
    return 100 * float(np.expm1(total / (high - low)))


def _curve(name: str, points: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Qualities and logarithms of rates, rising."""
    found = np.array(sorted(points), dtype=np.float64).reshape(-1, 2)
    if len(found) < 2 or found[0, 0] <= 0 or (np.diff(found, axis=0) <= 0).any():
        raise ValueError(
            f"bd_rate: {name} is {[tuple(map(float, p)) for p in found.round(4)]}; expected at least two points (rate, "
            "quality), with positive rates, and more quality for more rate"
        )
    return found[:, 1], np.log(found[:, 0])


def _cubic(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Monotone cubic interpolation."""
    h, slope = np.diff(x), np.diff(y) / np.diff(x)
    if len(x) == 2:
        return y[0] + slope[0] * (at - x[0])
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    inner = (w1 + w2) / (w1 / slope[:-1] + w2 / slope[1:])
    ends = [_end(h[0], h[1], slope[0], slope[1]), _end(h[-1], h[-2], slope[-1], slope[-2])]
    d = np.concatenate([[ends[0]], inner, [ends[1]]])
    k = np.clip(np.searchsorted(x, at) - 1, 0, len(h) - 1)
    t = (at - x[k]) / h[k]
    rise, bend = d[k] - slope[k], d[k + 1] - slope[k]
    return y[k] + h[k] * (t * slope[k] + t * (1 - t) * (rise * (1 - t) - bend * t))


def _end(h0: float, h1: float, s0: float, s1: float) -> float:
    """Slope at an end, from three points, limited so that the curve stays monotone."""
    d = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
    return float(np.clip(d, 0, 3 * s0))
