"""How matrix coefficients of rotations depend on the tilt: the tables behind all transforms.

``D(Rz(a) Ry(b) Rz(c)) = Z(a) M(b) Z(c)`` in the basis of real harmonics, and M(b) never mixes orders m >= 0 with m < 0
(groups/wigner.py). So two functions for each pair of orders m, n >= 0 say everything: ``A = M[m, n]`` and
``B = M[-m, -n]``. Up to signs they are the sum and the difference of the Wigner functions d(m, n) and d(m, -n), which
obey a recursion in the degree whose leading entry is a monomial. The signs are read off a small Wigner matrix.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.groups.wigner import wigner_d

#: below 2^-600 a value carries its exponent apart; every so many degrees it is looked at, before it can leave the range
_TINY, _LARGE, _EVERY = -600.0, 200.0, 8


def profiles(
    colatitude: Tensor, m: np.ndarray, n: np.ndarray, start: int, band: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Both functions times ``sqrt(2 l + 1)``, for pairs of orders at some colatitudes.

    Args:
        colatitude: ``[H]`` float64.
        m: orders ``[P]``, not negative, sorted so that ``max(m, n)`` does not fall.
        n: the other orders ``[P]``.
        start: smallest degree of the table, at most the first ``max(m, n)``.
        band: L; degrees go up to ``L - 1``.
        dtype: of the recursion. Anything but float64 is wrong from small orders on: it is there for a test.

    Returns:
        A and B ``[P, L - start, H]``; zero below ``max(m, n)``, and B is zero where m or n is.

    Source: Kostelec and Rockmore, "FFTs on the Rotation Group", J. Fourier Anal. Appl. 14 (2008), section 4, for the
    recursion; Fukushima, J. Geodesy 86 (2012), for exponents that are carried along.
    """
    both = np.flatnonzero((m > 0) & (n > 0))
    plus = _unsigned(colatitude, m, n, start, band, dtype)
    minus = _unsigned(colatitude, m[both], -n[both], start, band, dtype)
    signs = _signs()[m % 2, n % 2, (m < n) * 1]
    factor = np.where((m > 0) == (n > 0), 1.0, np.sqrt(2.0))  # cosines of order m > 0 have the norm of one half
    first, second = (torch.from_numpy(s).to(plus)[:, None, None] for s in (signs[:, 0] * factor, signs[both, 1]))
    a, b = plus.mul_(first), torch.zeros_like(plus)
    if len(both):
        index = torch.from_numpy(both).to(plus.device)
        minus.mul_(second)
        b[index] = a[index] - minus
        a[index] += minus
    return a, b


def _unsigned(x: Tensor, m: np.ndarray, n: np.ndarray, start: int, band: int, dtype: torch.dtype) -> Tensor:
    """``sqrt(2 l + 1) |d(m, n)|``-like functions ``[P, L - start, H]`` whose leading entries are positive."""
    low = np.maximum(m, np.abs(n))
    height = torch.cos(x)
    out = torch.zeros(len(m), band - start, len(x), dtype=dtype, device=x.device)
    value, exponent = _seeds(x, low, m, n)
    value = value.to(dtype)
    before, now = torch.zeros_like(value), torch.zeros_like(value)
    carried = bool((exponent < 0).any())
    scale = torch.exp2(exponent).to(dtype)
    height = height.to(dtype)
    factors = [torch.from_numpy(v).to(out)[..., None] for v in _factors(m, n, start, band)]
    for l in range(start, band):
        old, new = np.searchsorted(low, [l, l + 1])
        if old:
            a, ab, c = (f[l - start, :old] for f in factors)
            before[:old].mul_(c).addcmul_(torch.addcmul(ab, a, height), now[:old])
            before, now = now, before  # what has not begun is zero in both
        now[old:new] = value[old:new]
        if carried and (l - start) % _EVERY == 0:
            rise = (now.abs() > 2.0**_LARGE) & (exponent < 0)
            if bool(rise.any()):
                step = torch.where(rise, torch.clamp(-exponent, max=_LARGE), torch.zeros_like(exponent))
                exponent += step
                down = torch.exp2(-step).to(dtype)
                now, before, scale = now * down, before * down, torch.exp2(exponent).to(dtype)
        if carried:
            torch.mul(now[:new], scale[:new], out=out[:new, l - start])
        else:
            out[:new, l - start] = now[:new]
    return out


def _factors(m: np.ndarray, n: np.ndarray, start: int, band: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``D_l = (a x + b) D_(l-1) + c D_(l-2)`` for the functions times ``sqrt(2 l + 1)``: a, b, c ``[L - start, P]``.

    For degrees above both orders; the rest is never used.
    """
    l = np.maximum(np.arange(start, band)[:, None], np.maximum(np.maximum(m, np.abs(n)) + 1, 1)) * 1.0
    root, k = np.sqrt((l * l - m * m) * (l * l - n * n)), l - 1
    a = l * np.sqrt((2 * l - 1) * (2 * l + 1)) / root
    first = k == 0
    k = np.where(first, 1.0, k)
    c = l * np.sqrt((k * k - m * m).clip(0) * (k * k - n * n).clip(0)) / (k * root)
    c = np.where(first, 0.0, c * np.sqrt((2 * l + 1) / np.maximum(2 * l - 3, 1)))
    return a, np.where(first, 0.0, -a * (m * n) / (k * l)), -c


def _seeds(x: Tensor, low: np.ndarray, m: np.ndarray, n: np.ndarray) -> tuple[Tensor, Tensor]:
    """The function of degree ``max(m, |n|)`` as mantissa and exponent of two ``[P, H]``, from logarithms.

    ``sqrt((2 M + 1) C(2 M, M - k) / 4^M) sin^(M - k) (1 +- cos)^k`` with the smaller order k.
    """
    small = np.minimum(m, np.abs(n))
    top = int(low.max(initial=0))
    central = np.concatenate([[0.0], np.cumsum(np.log2(1 - 0.5 / np.arange(1, top + 1)))])[low]  # C(2 M, M) / 4^M
    for i in range(1, int(small.max(initial=0)) + 1):
        central = central + np.where(i <= small, np.log2(1 - np.minimum(small, low + i - 1) / (low + i)), 0.0)
    head = torch.from_numpy((np.log2(2.0 * low + 1) + central) / 2).to(x.device)[:, None]
    half = torch.sin(x / 2) ** 2, torch.cos(x / 2) ** 2
    k, rest = (torch.from_numpy(v * 1.0).to(x.device)[:, None] for v in (small, low - small))
    tilt = torch.where(torch.from_numpy(n < 0).to(x.device)[:, None], torch.log2(2 * half[0]), torch.log2(2 * half[1]))
    sine = torch.log2(2 * torch.sqrt(half[0] * half[1]))
    log = head + torch.where(rest > 0, rest * sine, 0.0) + torch.where(k > 0, k * tilt, 0.0)
    log = torch.where(log.isfinite(), log, torch.full_like(log, -torch.inf))
    exponent = torch.where((log < _TINY) & log.isfinite(), torch.floor(log), torch.zeros_like(log))
    return torch.exp2(log - exponent), exponent


@lru_cache(maxsize=1)
def _signs() -> np.ndarray:
    """``[2, 2, 2, 2]``: signs of both leading entries by the parities of m and n and whether ``m < n``.

    They have period two in either order. Each is the one with which the recursion gives a Wigner matrix of degree 4.
    """
    l, angle = 4, 1.0
    tilt = np.array([np.cos(angle / 2), 0.0, np.sin(angle / 2), 0.0])
    matrix = wigner_d(torch.from_numpy(tilt), l)[0].numpy()
    theta = torch.from_numpy(np.array([angle]))
    out = np.ones((2, 2, 2, 2))
    for m in range(1, l + 1):
        for n in range(1, l + 1):
            a, b = matrix[l + m, l + n], matrix[l - m, l - n]
            for part, value in enumerate(((a + b) / 2, (a - b) / 2)):
                orders = np.array([m]), np.array([(1 - 2 * part) * n])
                found = _unsigned(theta, *orders, max(m, n), l + 1, torch.float64)[0, -1]
                out[m % 2, n % 2, int(m < n), part] = np.sign(value * float(found))
    return out
