"""Finite groups of space: the polyhedral groups, the inversion and the mirror, prisms, antiprisms and cylinders.

Axes: two-fold axes of the tetrahedral and the icosahedral group and four-fold axes of the octahedral group lie along
x1, x2, x3, so that T lies in O and in I, and the planar C(4) and D(4) about x3 in O and in Oh.
"""

from __future__ import annotations

import re
from functools import cache, partial

import numpy as np

from steerable.groups.axial import Antiprism, DihedralRotations, O2Rotations, Rotoreflections
from steerable.groups.cyclic import C
from steerable.groups.dihedral import D
from steerable.groups.finite import FiniteGroup
from steerable.groups.group import Group
from steerable.groups.o2 import O2
from steerable.groups.product import product
from steerable.groups.so2 import SO2

_CYCLE = np.eye(3)[[2, 0, 1]]
_HALF = np.diag([-1.0, -1.0, 1.0])
_QUARTER = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def _five() -> np.ndarray:
    """A fifth of a turn about ``(0, 1, golden ratio)``."""
    g = (1 + np.sqrt(5)) / 2
    return np.array([[g - 1, -g, 1.0], [g, 1.0, g - 1], [-1.0, g - 1, g]]) / 2


@cache
def tetrahedral() -> FiniteGroup:
    """``T``: the 12 rotations of a tetrahedron."""
    return FiniteGroup.from_matrices([_CYCLE, _HALF], name="T")


@cache
def octahedral() -> FiniteGroup:
    """``O``: the 24 rotations of a cube."""
    return FiniteGroup.from_matrices([_CYCLE, _QUARTER], name="O")


@cache
def icosahedral() -> FiniteGroup:
    """``I``: the 60 rotations of an icosahedron."""
    return FiniteGroup.from_matrices([_CYCLE, _HALF, _five()], name="I")


@cache
def full_tetrahedral() -> FiniteGroup:
    """``Td``: the 24 rotations and reflections of a tetrahedron."""
    return FiniteGroup.from_matrices([_CYCLE, np.diag([1.0, -1.0, 1.0]) @ _QUARTER], name="Td")


@cache
def inversion() -> FiniteGroup:
    """``Ci``: the identity and ``x -> -x``."""
    return FiniteGroup.from_matrices([-np.eye(3)], name="Ci")


@cache
def mirror() -> FiniteGroup:
    """``Cs``: the identity and the mirror across the axis, ``x3 -> -x3``."""
    return FiniteGroup.from_matrices([np.diag([1.0, 1.0, -1.0])], name="Cs")


@cache
def pyritohedral() -> Group:
    """``Th = T x Ci``: 24 elements."""
    return product(tetrahedral(), inversion())


@cache
def full_octahedral() -> Group:
    """``Oh = O x Ci``: the 48 rotations and reflections of a cube."""
    return product(octahedral(), inversion())


@cache
def full_icosahedral() -> Group:
    """``Ih = I x Ci``: the 120 rotations and reflections of an icosahedron."""
    return product(icosahedral(), inversion())


def prism(n: int, mirrors: bool = True) -> Group:
    """``Dnh = D(n) x Cs``, 4n elements; without the mirrors through the axis ``Cnh = C(n) x Cs``, 2n elements."""
    return product(D(n) if mirrors else C(n), mirror())


def dihedral_rotations(n: int) -> Group:
    """``Dnr``: the 2n rotations of a prism, with half turns where ``D(n)`` has mirrors through the axis."""
    return DihedralRotations(n)


def antiprism(n: int) -> Group:
    """``Dnd``: the 4n symmetries of an antiprism."""
    return Antiprism(n)


def rotoreflections(n: int) -> Group:
    """``Snr``: powers of a rotation by ``2 pi / n`` with a mirror across the axis, n even."""
    return Rotoreflections(n)


def cylinder(mirrors: bool = True, ends: bool = True, rotations: bool = False) -> Group:
    """Symmetries of a cylinder about the third axis.

    Args:
        mirrors: with mirrors through the axis.
        ends: with the mirror that swaps the ends.
        rotations: only rotations, half turns across the axis among them.

    Returns:
        ``O2h = O2 x Cs`` by default; ``SO2h`` without mirrors, ``O2`` (a cone) without ends, ``SO2`` without both;
        ``O2r`` for rotations only.
    """
    if rotations:
        return O2Rotations()
    around = O2() if mirrors else SO2()
    return product(around, mirror()) if ends else around


def point_group_name(first: Group, second: Group) -> str | None:
    """Name of the product of two groups of space where it has one: ``Oh``, ``D4h``, ``SO2h``."""
    if second.order != 2:
        return None
    if first in (tetrahedral(), octahedral(), icosahedral()) and second == inversion():
        return f"{first.name}h"
    if first.is_planar and isinstance(first, C | D | SO2 | O2) and second == mirror():
        return f"{first.name}h"
    return None


_NAMED = {
    "T": tetrahedral,
    "O": octahedral,
    "I": icosahedral,
    "Td": full_tetrahedral,
    "Th": pyritohedral,
    "Oh": full_octahedral,
    "Ih": full_icosahedral,
    "Ci": inversion,
    "Cs": mirror,
    "O2r": O2Rotations,
    "O2h": cylinder,
    "SO2h": partial(cylinder, mirrors=False),
}
_FAMILIES = {
    "Cv": D,
    "Ch": partial(prism, mirrors=False),
    "Dh": prism,
    "Dd": antiprism,
    "Dr": dihedral_rotations,
    "Sr": rotoreflections,
}


def point_group(name: str) -> Group | None:
    """Group of space from its name: ``"Oh"``, ``"D4h"``, ``"S4r"``; ``None`` for any other text."""
    if name in _NAMED:
        return _NAMED[name]()
    match = re.fullmatch(r"([CDS])(\d+)([vhdr])", name)
    family = _FAMILIES.get(match[1] + match[3]) if match else None
    return family(int(match[2])) if match and family else None
