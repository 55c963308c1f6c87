"""Shares of areas between two samplings of which only the areas are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: relative error of areas up to which shares count as balanced
_BALANCED = 1e-13


def balance(
    target: np.ndarray, source: np.ndarray, start: np.ndarray, targets: np.ndarray, sources: np.ndarray
) -> np.ndarray | None:
    """Areas ``[E]`` of pairs whose sums over the pairs of each target and of each source are given; None: none found.

    Alternate scaling (Sinkhorn and Knopp, 1967) brings the areas near; what is left is a least change of the factors,
    by conjugate gradients.

    Args:
        target, source: the pairs, int64 ``[E]``.
        start: areas to begin with, positive ``[E]``.
        targets: areas ``[T]``.
        sources: areas ``[S]`` of the same sum.
    """
    t, s = len(targets), len(sources)

    def sums(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.bincount(target, values, t), np.bincount(source, values, s)

    area = start
    left_out = min(np.bincount(target, minlength=t).min(), np.bincount(source, minlength=s).min()) == 0
    for _ in range(0 if left_out else 20):
        area = area * (sources / np.maximum(sums(area)[1], 1e-300))[source]
        area = area * (targets / np.maximum(sums(area)[0], 1e-300))[target]
    for _ in range(0 if left_out else 8):
        rows, columns = sums(area)
        left = np.concatenate([targets - rows, sources - columns])
        if np.abs(left / np.concatenate([targets, sources])).max() < _BALANCED:
            return area
        diagonal = np.concatenate([rows, columns])
        now = area

        def apply(x: np.ndarray, now: np.ndarray = now) -> np.ndarray:
            return np.concatenate(sums(now * (x[:t][target] + x[t:][source])))

        factor = _conjugate_gradients(apply, left, 1 / diagonal)
        area = area * np.maximum(1 + factor[:t][target] + factor[t:][source], 0.1)
    return None


def _conjugate_gradients(apply: Callable[[np.ndarray], np.ndarray], right: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Solve a symmetric system whose null space is orthogonal to the right side but for rounding."""
    x, r = np.zeros_like(right), right.copy()
    z = scale * r
    p, rz = z, float(r @ z)
    best, least, since = x, np.inf, 0
    for _ in range(2000):
        ap = apply(p)
        curvature = float(p @ ap)
        if curvature <= 0:
            break
        x, r = x + rz / curvature * p, r - rz / curvature * ap
        size = np.abs(r * scale).max()
        best, least, since = (x, size, 0) if size < least else (best, least, since + 1)
        if least < 1e-15 or since > 50:  # rounding leaves a part in the null space, which would grow
            break
        z = scale * r
        rz, before = float(r @ z), rz
        p = z + rz / before * p
    return best


def table(target: np.ndarray, source: np.ndarray, share: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs as ``[rows, k]`` of sources and of shares that sum to 1 in each row; 0 pads."""
    order = np.lexsort((source, target))
    target, source, share = target[order], source[order], share[order]
    count = np.bincount(target, minlength=rows)
    start = np.cumsum(count) - count
    index = np.repeat(source[np.minimum(start, len(source) - 1)][:, None], count.max(), 1)
    weight = np.zeros(index.shape)
    place = np.arange(len(target)) - start[target]
    index[target, place], weight[target, place] = source, share
    return index, weight / weight.sum(1, keepdims=True)
