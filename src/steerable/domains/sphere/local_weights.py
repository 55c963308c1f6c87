"""Weights of the neighbours of a sample, mended so that local integrals of polynomials are what they should be.

The weights of a sampling integrate over the whole sphere. Over the few samples around a point they are rough unless the
samples lie on rings: on HEALPix a steerable kernel of four distances of samples errs by 1 %. Here the weights around
each target become ``w_j (1 + p(x_j))`` with the smallest polynomial p that makes the integrals of all monomials of the
offset, under a smooth window, exact, but for a hundredth of what they missed. p does not depend on the frame, so that
kernels turn as before.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere.memo import remember

#: of the window ``(1 - r^2 / R^2)^p``; the share of the continuous normal equations that is added to the sampled ones
_TAPER, _RIDGE = 3, 1e-2
#: root mean square of the correction from which on a target has too few or too lopsided neighbours to be mended
_MOST = 0.5
#: monomials for each neighbour, at most
_SHARE = 6 / 7 + 1e-9
_CHUNK = 4096


def local_weights(
    offset: Tensor, weight: Tensor, target: Tensor, count: int, radius: float, degree: int | None = None
) -> Tensor:
    """Weights under which integrals over the neighbourhoods are right up to a degree of the offset.

    A hundredth of their error stays: the ridge that keeps the weights of few neighbours tame.

    Args:
        offset: of the neighbours in the frame of their target, in radians ``[E, 2]`` float64.
        weight: areas of the neighbours ``[E]``.
        target: number of the target of each pair ``[E]``.
        count: number of targets.
        radius: of the neighbourhoods, in radians.
        degree: of the polynomials; 0 leaves the weights as they are. Default the largest up to 4 with fewer monomials
            than there usually are neighbours: 2 for a radius of two distances of samples (3 where there are 12 and
            more), 4 from two and a half on.

    Returns:
        ``[E]``. Targets whose neighbours would need more than half their weights changed take the largest degree below
        for which they do not; where there is none, as at the rim of a part of the sky, they keep their weights.

    Raises:
        ValueError: for a negative degree.
    """
    if degree is not None and degree < 0:
        raise ValueError(f"local_weights: the degree is {degree}; expected 0 (weights as they are) or more, such as 4")
    if degree is None:
        usual = float(torch.bincount(target, minlength=count).double().median())
        degree = max(d for d in range(5) if d == 0 or (d + 1) * (d + 2) / 2 <= _SHARE * usual)
    if degree == 0 or len(weight) == 0:
        return weight
    key = ("local weights", count, radius, degree)
    return remember(key, (offset, weight, target), lambda: _mended(offset, weight, target, count, radius, degree))


def _mended(offset: Tensor, weight: Tensor, target: Tensor, count: int, radius: float, degree: int) -> Tensor:
    order = target.argsort(stable=True)
    x = (offset / radius)[order].double()
    share = weight[order].double() * (1 - x.square().sum(1)).clamp_min(0) ** _TAPER
    wanted = torch.tensor(moments(radius, degree), dtype=torch.float64)
    ridge = _RIDGE * products(radius, degree)  # of no frame, as a diagonal would be
    rows = target[order]
    start = torch.searchsorted(rows, torch.arange(count + 1, device=rows.device))
    most = int((start[1:] - start[:-1]).max())
    change = torch.zeros_like(share)
    for first in range(0, count, _CHUNK):
        last = min(first + _CHUNK, count)
        here = slice(int(start[first]), int(start[last]))
        own = rows[here]
        place = (own - first) * most + torch.arange(here.start, here.stop, device=rows.device) - start[own]
        monomials = torch.stack([x[here, 0] ** a * x[here, 1] ** b for a, b in powers(degree)], 1)
        p = x.new_zeros((last - first) * most, monomials.shape[1]).index_copy_(0, place, monomials)
        q = share.new_zeros((last - first) * most).index_copy_(0, place, share[here])
        p, q = p.view(last - first, most, -1), q.view(last - first, most, 1)
        found, left = torch.zeros_like(q), torch.arange(last - first, device=rows.device)
        for d in range(degree, 0, -1):  # where neighbours are too few or too lopsided for one degree, the next lower
            k = (d + 1) * (d + 2) // 2  # monomials are in the order of their degrees
            new, size = _correction(p[left, :, :k], q[left], wanted[:k], ridge[:k, :k])
            held = size < _MOST
            found[left[held]] = new[held]
            left = left[~held]
        change[here] = found.flatten()[place]
    return weight * (1 + change[order.argsort()]).to(weight)


def _correction(p: Tensor, q: Tensor, wanted: Tensor, ridge: Tensor) -> tuple[Tensor, Tensor]:
    """The polynomial at the neighbours ``[n, most, 1]``, and its root mean square ``[n]``."""
    factors = torch.linalg.solve(p.mT @ (p * q) + ridge, (wanted - (p * q).sum(1))[..., None])
    found = p @ factors
    return found, ((q * found.square()).sum(1) / q.sum(1).clamp_min(1e-300)).sqrt()[:, 0]


def powers(degree: int) -> list[tuple[int, int]]:
    """The monomials ``x^a y^b`` up to a degree, as ``(a, b)``."""
    return [(a, d - a) for d in range(degree + 1) for a in range(d + 1)]


@cache
def moments(radius: float, degree: int) -> tuple[float, ...]:
    """Integrals of the :func:`powers` of the offset over the radius, under the window, over a cap of the sphere.

    Offsets are geodesic, ``r`` from 0 to the radius with the area ``sin(r) dr dpsi``.
    """
    node, weight = np.polynomial.legendre.leggauss(64)
    r, weight = (node + 1) * radius / 2, weight * radius / 2
    window = weight * (1 - (r / radius) ** 2) ** _TAPER * np.sin(r)
    along = [float((window * (r / radius) ** d).sum()) for d in range(degree + 1)]
    found = []
    for a, b in powers(degree):
        around = 2 * math.gamma((a + 1) / 2) * math.gamma((b + 1) / 2) / math.gamma((a + b) / 2 + 1)
        found.append(0.0 if a % 2 or b % 2 else around * along[a + b])
    return tuple(found)


def products(radius: float, degree: int) -> Tensor:
    """Integrals of all products of two monomials, ``[K, K]`` float64, as :func:`moments` gives those of one."""
    known = dict(zip(powers(2 * degree), moments(radius, 2 * degree), strict=True))
    table = [[known[a + c, b + d] for c, d in powers(degree)] for a, b in powers(degree)]
    return torch.tensor(table, dtype=torch.float64)
