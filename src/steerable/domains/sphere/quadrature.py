"""Nodes and weights of quadrature along a meridian."""

from __future__ import annotations

import numpy as np


def gauss_legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Colatitudes ``[n]`` from north to south and weights ``[n]`` of sum 2, exact for degrees below ``2 n``.

    Newton's method on ``P_n(cos theta)`` in the colatitude itself, so that nodes near the poles keep all their digits,
    with the recursion in differences of neighbouring degrees, which takes ``1 - x = 2 sin^2(theta / 2)`` exactly; the
    weight is ``2 / (dP_n / dtheta)^2``. A. Swarztrauber, SIAM J. Sci. Comput. 24 (2003) 945.

    Args:
        count: n.
    """
    half = (count + 1) // 2
    start = np.pi * (4 * np.arange(half) + 3) / (4 * count + 2)
    theta = start + np.cos(start) / np.sin(start) / (8 * count**2)
    for _ in range(8):
        value, slope = _legendre(count, theta)
        step = value / slope
        theta = theta - step
        if np.abs(step).max() < 4e-16:
            break
    if count % 2:
        theta[-1] = np.pi / 2
    weight = 2 / _legendre(count, theta)[1] ** 2
    weight = np.concatenate([weight, weight[: count // 2][::-1]])
    return np.concatenate([theta, np.pi - theta[: count // 2][::-1]]), weight * (2 / weight.sum())


def _legendre(degree: int, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``P_n`` and its derivative by the colatitude."""
    rest = 2 * np.sin(theta / 2) ** 2  # 1 - cos theta
    value, difference = np.ones_like(theta), np.zeros_like(theta)
    for k in range(degree):
        difference = (k * difference - (2 * k + 1) * rest * value) / (k + 1)
        value = value + difference
    return value, degree * (difference - rest * value) / np.sin(theta)


def circle_weights(first: float, count: int, circle: int) -> np.ndarray:
    """Weights ``[n]`` of sum 2 for equidistant rings whose meridian goes on over the poles to a full circle.

    The rings are the first ones of ``circle`` equidistant points; the values between them are those of the
    trigonometric polynomial through all points of the circle, integrated against sin(theta). Clenshaw and Curtis with
    rings at both poles, Fejer's first rule (and Driscoll and Healy's) without, McEwen and Wiaux with the south pole.

    Args:
        first: colatitude of the first ring, ``0`` or half a step.
        count: number of rings n.
        circle: points on the circle.
    """
    k = np.arange(circle // 2 + 1)
    moment = np.zeros(len(k))
    moment[::2] = 2 / (1 - k[::2].astype(np.float64) ** 2)  # of cos(k theta) sin(theta) over a half circle
    around = np.fft.irfft(moment * np.exp(1j * k * first), circle)
    mirror = np.rint(-np.arange(count) - first * circle / np.pi).astype(np.int64) % circle
    weight = around[:count] * np.where(mirror == np.arange(count), 1.0, 2.0)
    return weight * (2 / weight.sum())
