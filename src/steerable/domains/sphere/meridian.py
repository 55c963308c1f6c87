"""Neighbours on circles of latitude: those of the first points of each ring are those of all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere.neighbours import logarithm
from steerable.domains.sphere.rings import RingSphere
from steerable.domains.sphere.sphere import Sphere, frames_at


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
    """Whether two samplings have rings of equal numbers of points, so that a kernel depends on differences of longitude.

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
    phi = there.first[ring // turns] + (ring % turns) * 2 * np.pi / targets.shape[1]
    target_frames = frames_at(torch.from_numpy(there.colatitude[ring // turns]), torch.from_numpy(phi))
    source_frames = frames_at(
        torch.from_numpy(here.colatitude[source]), torch.from_numpy(here.first[source] + step * unit)
    )
    offset, transport = logarithm(target_frames, source_frames)
    return MeridianPairs(ring, source, step, offset, transport, torch.from_numpy(here.weight[source]), turns)
