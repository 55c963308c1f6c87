"""Neighbours on circles of latitude: those of the first points of each ring are those of all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere.rings import RingSphere
from steerable.domains.sphere.sphere import Sphere


@dataclass(frozen=True, eq=False)
class MeridianPairs:
    """Pairs of the first ``turns`` points of every target ring with the samples near them.

    Attributes:
        ring: target ring times ``turns`` plus the number of the target in it, ``[E]``.
        source: ring of the sample ``[E]``.
        step: number of the sample in its ring ``[E]``.
        offset, transport, weight: as of a neighbourhood, ``[E, 2]``, ``[E]``, ``[E]``.
        turns: target longitudes for each longitude of the samples (1 unless the targets are finer).
    """

    ring: np.ndarray
    source: np.ndarray
    step: np.ndarray
    offset: Tensor
    transport: Tensor
    weight: Tensor
    turns: int


def by_rings(sphere: Sphere, targets: Sphere) -> bool:
    """Whether a kernel between two samplings depends on differences of longitude: rings of equal numbers of points.

    One number of longitudes must divide the other.
    """
    if not (isinstance(sphere, RingSphere) and isinstance(targets, RingSphere)):
        return False
    if len(sphere.shape) != 2 or len(targets.shape) != 2:
        return False
    p, q = sphere.shape[1], targets.shape[1]
    return p % q == 0 or q % p == 0


def meridian_pairs(sphere: RingSphere, targets: RingSphere, radius: float) -> MeridianPairs:
    """Pairs at most ``radius`` apart, enumerated ring by ring without a search.

    Args:
        sphere: samples that send.
        targets: those that receive, with :func:`by_rings`.
        radius: in radians, below pi.
    """
    here, there = sphere.rings, targets.rings
    steps = sphere.shape[1]
    turns = max(1, targets.shape[1] // steps)
    t, s = np.nonzero(np.abs(there.colatitude[:, None] - here.colatitude) <= radius * (1 + 1e-12))
    theta, other = there.colatitude[t], here.colatitude[s]
    # haversines: sin^2(r / 2) = sin^2(dtheta / 2) + sin theta sin theta' sin^2(dphi / 2)
    room = math.sin(radius / 2) ** 2 - np.sin((theta - other) / 2) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.maximum(room, 0) / (np.sin(theta) * np.sin(other))
        half = np.where(ratio < 1, 2 * np.arcsin(np.sqrt(np.minimum(ratio, 1))), np.pi)
    half = np.where(np.isnan(half), np.pi, half)  # a pole is as far from all of a ring
    found = []
    unit = 2 * np.pi / steps
    for turn in range(turns):
        start = (there.first[t] + turn * 2 * np.pi / targets.shape[1] - here.first[s]) / unit
        low = np.ceil(start - half / unit * (1 + 1e-12) - 1e-9).astype(np.int64)
        count = np.minimum(np.floor(start + half / unit * (1 + 1e-12) + 1e-9).astype(np.int64) - low + 1, steps)
        count = np.maximum(count, 0)
        pair = np.repeat(np.arange(len(t)), count)
        step = low[pair] + np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
        found.append((t[pair] * turns + turn, s[pair], step % steps))
    ring, source, step = (np.concatenate(column) for column in zip(*found, strict=True))
    longitude = here.first[source] + step * unit - there.first[ring // turns]
    longitude -= (ring % turns) * 2 * np.pi / targets.shape[1]
    offset, transport = ring_logarithm(there.colatitude[ring // turns], here.colatitude[source], longitude)
    weight = torch.from_numpy(here.weight[source])
    return MeridianPairs(ring, source, step, torch.from_numpy(offset), torch.from_numpy(transport), weight, turns)


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
    lift = (np.sin(theta - other) - st * co * half) / (1 + up)  # of the source's south axis along the target's normal
    x = np.cos(other - theta) - ct * co * half - lift * south
    y = co * sin - lift * east
    return np.stack([south * scale, east * scale], -1), np.arctan2(y, x)
