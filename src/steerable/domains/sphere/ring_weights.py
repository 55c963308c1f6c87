"""Weights of rings that integrate zonal harmonics exactly."""

from __future__ import annotations

import numpy as np

# degrees are exact below this many times the number of rings: far enough for analysis, and weights stay positive
_SHARE = 0.9


def ring_weights(theta: np.ndarray, count: np.ndarray, share: float = _SHARE) -> np.ndarray:
    """Weights ``[T]`` of whole rings, of sum 4 pi, exact for zonal harmonics of degrees below ``share T``.

    The least change, relative to the equal areas, that makes all these integrals vanish but the first; rings mirrored
    at the equator get the same weight, which does so for odd degrees.

    Args:
        theta: colatitudes ``[T]``, mirrored at the equator.
        count: samples of each ring.
        share: see above.
    """
    rings = len(theta)
    north = (rings + 1) // 2
    area = 4 * np.pi * count / count.sum()
    area = (area + area[::-1])[:north] / np.where(np.arange(north) == rings - 1 - np.arange(north), 2, 1)
    height = np.cos(theta[:north])
    rows, p, q = [], np.ones(north), np.zeros(north)
    for l in range(max(1, int(share * rings))):
        if l % 2 == 0:
            rows.append(np.sqrt(2 * l + 1) * p)
        p, q = ((2 * l + 1) * height * p - l * q) / (l + 1), p
    system = np.stack(rows)
    want = np.zeros(len(rows))
    want[0] = 4 * np.pi
    scale = np.sqrt(area)
    change = np.linalg.lstsq(system * scale, want - system @ area, rcond=None)[0] * scale
    half = area + change
    full = np.concatenate([half, half[: rings // 2][::-1]])
    share_of = np.where(np.arange(rings) == rings - 1 - np.arange(rings), 1, 2)
    return full / share_of
