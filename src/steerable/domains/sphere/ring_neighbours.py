"""Pairs of near points where the sources lie on rings: found by arithmetic, without a search."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from steerable.domains.points.neighbourhood import Neighbourhood
from steerable.domains.sphere.neighbours import check_radius

if TYPE_CHECKING:
    from steerable.domains.sphere.rings import Rings


def ring_neighbours(targets: Tensor, rings: Rings, radius: float) -> Neighbourhood:
    """Return all pairs of a target and a sample of the rings at most ``radius`` apart, as :func:`sphere_neighbours`.

    Args:
        targets: colatitude and longitude ``[N, 2]``.
        rings: of the sources, numbered ring by ring.
        radius: in radians.

    Raises:
        ValueError: for a radius that is not between 0 and pi.
    """
    check_radius(radius)
    ring, first, count, target = _windows(targets.numpy(), rings, radius)
    # the columns of each window
    inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    ring, target = np.repeat(ring, count), np.repeat(target, count)
    column = (np.repeat(first, count) + inside) % rings.count[ring]
    source = rings.start[ring] + column
    order = np.argsort(target * int(rings.count.sum()) + source, kind="stable")
    ring, column, target, source = ring[order], column[order], target[order], source[order]
    theta, phi = (v[target] for v in targets.numpy().T)
    longitude = rings.first[ring] + column * (2 * np.pi / rings.count[ring]) - phi
    offset, transport = ring_logarithm(theta, rings.colatitude[ring], longitude)
    near = np.hypot(offset[:, 0], offset[:, 1]) <= radius * (1 + 1e-12)
    t, s, weight = (torch.from_numpy(v[near]) for v in (target, source, rings.weight[ring]))
    log, turn = torch.from_numpy(offset[near]), torch.from_numpy(transport[near])
    return Neighbourhood(t, s, log, len(targets), int(rings.count.sum()), weight, None, turn)


def ring_logarithm(theta: np.ndarray, other: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """:func:`steerable.domains.sphere.neighbours.logarithm` from colatitudes and differences of longitude.

    Args:
        theta: colatitude of the targets ``[E]``.
        other: of the sources ``[E]``.
        longitude: of the source less that of the target ``[E]``.

    Returns:
        ``[E, 2]`` and ``[E]``.
    """
    ct, st, co, so = np.cos(theta), np.sin(theta), np.cos(other), np.sin(other)
    sin, half = np.sin(longitude), 2 * np.sin(longitude / 2) ** 2  # 1 - cos without cancellation
    south, east = np.sin(other - theta) - ct * so * half, so * sin
    up = np.cos(other - theta) - st * so * half
    sine = np.hypot(south, east)
    length = np.arctan2(sine, up)
    scale = np.divide(length, sine, out=np.ones_like(sine), where=sine > 0)
    lift = np.sin(theta - other) - st * co * half  # of the source's south axis along the target's normal
    lift = np.divide(lift, 1 + up, out=np.zeros_like(lift), where=up > -1)  # an antipode has no logarithm
    x = np.cos(other - theta) - ct * co * half - lift * south
    y = co * sin - lift * east
    return np.stack([south * scale, east * scale], -1), np.arctan2(y, x)


def _windows(targets: np.ndarray, rings: Rings, radius: float) -> tuple[np.ndarray, ...]:
    """Ring, first column, number of columns and target of all arcs of a ring within the radius of a target.

    With ``h(x) = sin^2(x / 2)`` a sample at longitude ``d`` from the target is within r if
    ``sin(theta) sin(theta_ring) h(d) <= h(r) - h(theta - theta_ring)``. Arcs are a little too wide.
    """
    theta, phi = targets.T
    wide = radius * (1 + 1e-9)
    low = np.searchsorted(rings.colatitude, theta - wide)
    high = np.searchsorted(rings.colatitude, theta + wide, side="right")
    each = high - low
    target = np.repeat(np.arange(len(theta)), each)
    ring = np.arange(len(target)) - np.repeat(np.cumsum(each) - each - low, each)
    theta, phi, other = theta[target], phi[target], rings.colatitude[ring]
    room = math.sin(wide / 2) ** 2 - np.sin((theta - other) / 2) ** 2
    size = np.sin(theta) * np.sin(other)
    whole = room >= size * (1 - 1e-12)
    arc = 2 * np.arcsin(np.sqrt(np.clip(room / np.where(whole, 1, size), 0, 1))) + 1e-9
    step = 2 * np.pi / rings.count[ring]
    first = np.ceil((phi - arc - rings.first[ring]) / step).astype(np.int64)
    last = np.floor((phi + arc - rings.first[ring]) / step).astype(np.int64)
    count = np.where(whole, rings.count[ring], np.minimum(last - first + 1, rings.count[ring]))
    return ring, np.where(whole, 0, first), np.maximum(count, 0), target
