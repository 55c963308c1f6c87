"""Neighbours on circles of latitude: those of the first points of each ring are those of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere.ring_neighbours import ring_neighbours
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
    there, steps = targets.rings, sphere.shape[1]
    turns = max(1, targets.shape[1] // steps)
    phi = there.first[:, None] + np.arange(turns) * (2 * np.pi / targets.shape[1])
    theta = np.broadcast_to(there.colatitude[:, None], phi.shape)
    g = ring_neighbours(torch.from_numpy(np.stack([theta, phi], -1).reshape(-1, 2)), sphere.rings, radius)
    ring, (source, step) = g.target.numpy(), np.divmod(g.source.numpy(), steps)
    weight, transport = g.weight, g.transport
    if weight is None or transport is None:
        raise ValueError(f"{sphere!r}: expected weights and transport of all pairs, got {g}")
    return MeridianPairs(ring, source, step, g.offset, transport, weight, turns)
