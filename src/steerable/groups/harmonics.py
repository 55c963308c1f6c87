"""Circular harmonics, and how they move under a group of the plane."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from steerable.groups.group import Group
from steerable.groups.o2 import O2
from steerable.groups.representation import Representation
from steerable.groups.so2 import SO2


def circular_harmonics(angle: np.ndarray, frequency: int) -> np.ndarray:
    """Orthonormal harmonics of one frequency, ``[..., 1]`` or ``[..., 2]`` (cosine, sine).

    They move by the O(2) irrep of that frequency: ``Y(g x) = psi(g) Y(x)``.
    """
    if frequency == 0:
        return np.full((*angle.shape, 1), 1 / np.sqrt(2 * np.pi))
    return np.stack([np.cos(frequency * angle), np.sin(frequency * angle)], -1) / np.sqrt(np.pi)


@lru_cache(maxsize=1024)
def harmonic_representation(group: Group, frequency: int) -> Representation:
    """How the harmonics of one frequency move under a planar group: the O(2) irrep, restricted.

    Raises:
        TypeError: if the group does not act on the plane.
    """
    from steerable.groups.constructions import restrict
    from steerable.groups.subgroup import Inclusion

    o2 = O2()
    whole = o2.irrep("0e" if frequency == 0 else str(frequency))
    if group == o2:
        return whole
    if isinstance(group, SO2):
        return group.irrep(str(frequency))
    images = o2.from_plane(group.plane(group.elements)).numpy() if group.is_finite else None
    return restrict(whole, Inclusion(group, o2, images))
