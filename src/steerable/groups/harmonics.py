"""Harmonics of the plane and of space, and how they move under a group."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.groups.group import Group
from steerable.groups.o2 import O2
from steerable.groups.representation import Representation
from steerable.groups.so2 import SO2
from steerable.groups.so3 import SO3


def circular_harmonics(angle: np.ndarray, frequency: int) -> np.ndarray:
    """Orthonormal harmonics of one frequency, ``[..., 1]`` or ``[..., 2]`` (cosine, sine).

    They move by the O(2) irrep of that frequency: ``Y(g x) = psi(g) Y(x)``.
    """
    if frequency == 0:
        return np.full((*angle.shape, 1), 1 / np.sqrt(2 * np.pi))
    return np.stack([np.cos(frequency * angle), np.sin(frequency * angle)], -1) / np.sqrt(np.pi)


def harmonics_of_degree(degree: int, dimension: int) -> tuple[int, int]:
    """Columns ``start, stop`` of one degree in :func:`harmonics`."""
    if dimension == 3:
        return degree**2, (degree + 1) ** 2
    return (0, 1) if degree == 0 else (2 * degree - 1, 2 * degree + 1)


def harmonics(points: Tensor, top: int) -> Tensor:
    """Orthonormal harmonics of the directions of points, all degrees up to ``top``.

    Circular in the plane (cosine, sine), real spherical ones in space. At the origin only degree 0 is not zero.

    Args:
        points: ``[N, 2]`` or ``[N, 3]``, of any length.
        top: largest degree.

    Returns:
        ``[N, 2 top + 1]`` or ``[N, (top + 1)^2]``; differentiable, with gradient zero at the origin.
    """
    if points.shape[-1] == 3:
        from steerable.groups.spherical import spherical_harmonics

        return spherical_harmonics(points, range(top + 1))
    origin = (points == 0).all(-1)
    x, y = torch.where(origin, 1.0, points[..., 0]), torch.where(origin, 0.0, points[..., 1])
    radius = torch.hypot(x, y)
    cos, sin = x / radius, y / radius
    c, s = torch.ones_like(cos), torch.zeros_like(sin)
    columns = [torch.full_like(cos, 1 / math.sqrt(2 * math.pi))]
    for _ in range(top):
        c, s = c * cos - s * sin, s * cos + c * sin
        columns += [torch.where(origin, 0.0, t / math.sqrt(math.pi)) for t in (c, s)]
    return torch.stack(columns, -1)


def solid_harmonics(points: Tensor, top: int) -> Tensor:
    """Homogeneous polynomials ``r^l Y_l`` in the columns of :func:`harmonics`: smooth everywhere.

    Args:
        points: ``[N, 2]`` or ``[N, 3]``.
        top: largest degree.
    """
    if points.shape[-1] == 3:
        from steerable.groups.spherical import spherical_harmonics

        return spherical_harmonics(points, range(top + 1), normalise=False)
    x, y = points.unbind(-1)
    c, s = torch.ones_like(x), torch.zeros_like(x)
    columns = [torch.full_like(x, 1 / math.sqrt(2 * math.pi))]
    for _ in range(top):
        c, s = c * x - s * y, s * x + c * y
        columns += [c / math.sqrt(math.pi), s / math.sqrt(math.pi)]
    return torch.stack(columns, -1)


@lru_cache(maxsize=1024)
def harmonic_representation(group: Group, frequency: int, dimension: int = 2) -> Representation:
    """How the harmonics of one degree move under a group: an irrep of O(2) or O(3), restricted.

    Args:
        group: a group that acts on the plane or on space.
        frequency: the degree.
        dimension: 2 or 3.

    Raises:
        TypeError: if the group does not act there.
    """
    from steerable.groups.constructions import restrict
    from steerable.groups.subgroup import Inclusion

    if dimension == 3:
        from steerable.groups.o3 import O3

        whole: Group = O3()
        rep = whole.irrep(f"{frequency}{'eo'[frequency % 2]}")
    else:
        whole = O2()
        rep = whole.irrep("0e" if frequency == 0 else str(frequency))
    if group == whole:
        return rep
    if isinstance(group, SO2 if dimension == 2 else SO3):  # nothing to solve
        return group.irrep(str(frequency))
    if not group.is_finite:
        group.action(group.identity, dimension)  # raises where it does not act
        return restrict(rep, Inclusion(group, whole))
    return restrict(rep, Inclusion(group, whole, whole.from_action(group.action(group.elements, dimension)).numpy()))
