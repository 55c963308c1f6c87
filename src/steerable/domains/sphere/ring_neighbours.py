"""Pairs of near points where the sources lie on rings: found by arithmetic, without a search."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from steerable.domains.points.neighbourhood import Neighbourhood
from steerable.domains.sphere.neighbours import CHUNK, check_radius, logarithm
from steerable.domains.sphere.sphere import frames_at

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
    chord = check_radius(radius)
    ring, first, count, target = _windows(targets.numpy(), rings, radius)
    # the columns of each window
    inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    ring, target = np.repeat(ring, count), np.repeat(target, count)
    column = (np.repeat(first, count) + inside) % rings.count[ring]
    source = rings.start[ring] + column
    order = np.argsort(target * int(rings.count.sum()) + source, kind="stable")
    ring, column, target, source = ring[order], column[order], target[order], source[order]
    longitude = rings.first[ring] + column * (2 * np.pi / rings.count[ring])
    angles = torch.from_numpy(np.stack([rings.colatitude[ring], longitude], -1))
    here, kept, parts = frames_at(*targets.unbind(-1)), [], []
    t = torch.from_numpy(target)
    for e in range(0, len(target), CHUNK):
        there, of = frames_at(*angles[e : e + CHUNK].unbind(-1)), here[t[e : e + CHUNK]]
        near = (there[..., 2] - of[..., 2]).square().sum(-1) <= chord * chord
        kept.append(near)
        parts.append(logarithm(of[near], there[near]))
    keep = torch.cat([torch.zeros(0, dtype=torch.bool), *kept])
    offset = torch.cat([targets.new_zeros(0, 2), *(p[0] for p in parts)])
    transport = torch.cat([targets.new_zeros(0), *(p[1] for p in parts)])
    weight = torch.from_numpy(rings.weight[ring])[keep]
    total = int(rings.count.sum())
    return Neighbourhood(t[keep], torch.from_numpy(source)[keep], offset, len(targets), total, weight, None, transport)


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
