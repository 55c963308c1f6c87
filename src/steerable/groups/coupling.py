"""Clebsch-Gordan tensors of rotations for real spherical harmonics of any degree."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def coupling(first: int, second: int, target: int) -> np.ndarray:
    """The isometry ``[2 l3 + 1, 2 l1 + 1, 2 l2 + 1]`` that couples degrees l1 and l2 to l3 in ``|l1 - l2| .. l1 + l2``.

    Its sign is that of nature: the product of two harmonics holds it with a positive factor when ``l1 + l2 + l3`` is
    even (the dot product for 1, 1, 0); else the entry ``[0; 1, -1]`` is positive (the cross product for 1, 1, 1). These
    entries are never zero, so no tolerance decides anything.

    Raises:
        ValueError: when the degrees do not couple.
    """
    if min(first, second, target) < 0 or not abs(first - second) <= target <= first + second:
        raise ValueError(
            f"degrees {first} and {second} couple to {abs(first - second)}..{first + second}, got {target}"
        )
    return couplings(first, second)[target - abs(first - second)]


@lru_cache(maxsize=1024)
def couplings(first: int, second: int) -> tuple[np.ndarray, ...]:
    """:func:`coupling` for every target degree, rising."""
    if first > second:  # the other way round, up to the sign of what is odd
        swapped = couplings(second, first)
        odd = [(first + second + len(c) // 2) % 2 for c in swapped]
        return tuple(
            _frozen((-1) ** o * c.transpose(0, 2, 1)) if o else _frozen(c.transpose(0, 2, 1).copy())
            for o, c in zip(odd, swapped, strict=True)
        )
    l, k = first, second
    vectors = _complex(l, k)
    found = []
    for target in range(abs(l - k), l + k + 1):
        c = np.zeros((2 * target + 1, 2 * l + 1, 2 * k + 1), dtype=complex)
        for m in range(-target, target + 1):
            low, column = vectors[target, m]
            p = np.arange(low, low + len(column))
            c[m + target, p + l, m - p + k] = column
        # a bra takes the conjugate of what a ket takes
        c = (_to_real(target).conj() @ c.reshape(len(c), -1)).reshape(c.shape)
        real = _to_real(l) @ c @ _to_real(k).T
        odd = (l + k + target) % 2
        real = np.imag(real) if odd else np.real(real)
        sign = real[target, l + 1, k - 1] if odd else real[target, l, k]
        found.append(_frozen(real * np.sign(sign)))
    return tuple(found)


def _frozen(x: np.ndarray) -> np.ndarray:
    x.setflags(write=False)
    return x


@lru_cache(maxsize=128)
def _to_real(l: int) -> np.ndarray:
    """``[2 l + 1, 2 l + 1]``: real harmonics (m = -l..l) from complex ones with the Condon-Shortley phase."""
    u = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    u[l, l] = 1
    m = np.arange(1, l + 1)
    sign = np.where(m % 2, -1.0, 1.0) / np.sqrt(2)
    u[l + m, l + m], u[l + m, l - m] = sign, 1 / np.sqrt(2)
    u[l - m, l + m], u[l - m, l - m] = 1j * sign, -1j / np.sqrt(2)
    return _frozen(u)


def _complex(l: int, k: int) -> dict[tuple[int, int], tuple[int, np.ndarray]]:
    """Coupled vectors ``(L, M) -> (lowest p, entries over p)`` of ``|l p>|k M-p>``.

    Lowered from the largest M, which is explicit, degree by degree from the largest, and cleaned of the larger degrees
    at every step: without that a small degree loses digits to the larger ones.
    """
    found: dict[tuple[int, int], tuple[int, np.ndarray]] = {}
    done: dict[int, np.ndarray] = {}
    for target in range(l + k, abs(l - k) - 1, -1):
        for m in range(target, -target - 1, -1):
            low, high = max(-l, m - k), min(l, m + k)
            p = np.arange(low, high + 1)
            if m == target:
                # raising gives zero: neighbouring entries have a known, negative ratio
                rise = np.sqrt((l - p[:-1]) * (l + p[:-1] + 1.0)), np.sqrt((k - m + p[1:]) * (k + m - p[1:] + 1.0))
                logs = np.concatenate([[0.0], np.cumsum(np.log(rise[0]) - np.log(rise[1]))])
                v = np.exp(logs - logs.max()) * np.where((high - p) % 2, -1.0, 1.0)
            else:
                above, before = found[target, m + 1]
                v = np.zeros(len(p))
                q = np.arange(above, above + len(before))
                left, right = q - 1 >= low, m + 1 - q - 1 >= -k
                v[q[left] - 1 - low] += np.sqrt((l + q) * (l - q + 1.0))[left] * before[left]
                n = m + 1 - q
                v[q[right] - low] += np.sqrt((k + n) * (k - n + 1.0))[right] * before[right]
            larger = done.get(m, np.zeros((len(v), 0)))
            for _ in range(2):
                v = v - larger @ (larger.T @ v)
            v = v / np.linalg.norm(v)
            found[target, m] = low, v
            done[m] = np.concatenate([larger, v[:, None]], 1)
    return found
