"""The one list of groups, representations and layers that drives every law."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from steerable.groups import O2, SO2, C, D, FiniteGroup, Group, Representation, product

#: irreps of continuous groups are tested up to this frequency
FREQUENCY = 3

QUATERNIONS = [[0, 1, 2, 3, 4, 5, 6, 7], [1, 4, 3, 6, 5, 0, 7, 2], [2, 7, 4, 1, 6, 3, 0, 5], [3, 2, 5, 4, 7, 6, 1, 0],
               [4, 5, 6, 7, 0, 1, 2, 3], [5, 0, 7, 2, 1, 4, 3, 6], [6, 3, 0, 5, 2, 7, 4, 1], [7, 6, 1, 0, 3, 2, 5, 4]]


def symmetric(n: int) -> FiniteGroup:
    """S(n) from a transposition and a cycle."""
    return FiniteGroup.from_permutations([[1, 0, *range(2, n)], [*range(1, n), 0]], name=f"S{n}")


def alternating5() -> FiniteGroup:
    """A(5) from two even permutations."""
    return FiniteGroup.from_permutations([[1, 2, 0, 3, 4], [1, 2, 3, 4, 0]], name="A5")


def tetrahedral() -> FiniteGroup:
    """Rotations of the tetrahedron from two 3x3 matrices."""
    return FiniteGroup.from_matrices([np.eye(3)[[1, 2, 0]], np.diag([1.0, -1.0, -1.0])], name="T")


def _groups() -> dict[str, Group]:
    found: list[Group] = [C(n) for n in (*range(1, 10), 12, 16, 20)]
    found += [D(n) for n in (*range(1, 9), 16)]
    found += [SO2(), O2(), product(C(3), C(3)), product(C(4), D(3)), product(SO2(), C(3))]
    quaternion = FiniteGroup.from_table(QUATERNIONS, name="Q8")
    found += [quaternion, symmetric(4), alternating5(), symmetric(5), tetrahedral()]
    return {g.name: g for g in found}


GROUPS = _groups()
FINITE = {k: g for k, g in GROUPS.items() if g.is_finite}
PLANAR = {k: g for k, g in GROUPS.items() if g.is_planar}
#: groups of at most 24 elements and the continuous ones: for laws over pairs and triples of irreps
SMALL = {k: g for k, g in GROUPS.items() if g.order is None or g.order <= 24}


def frequency(group: Group) -> int | None:
    """Band of the irreps that are tested: all of a finite group."""
    return None if group.is_finite else FREQUENCY


def irreps(group: Group) -> tuple[Representation, ...]:
    """The irreps that are tested."""
    return group.irreps(frequency(group))


def top(group: Group, *reps: Representation) -> int:
    """A quadrature frequency that is exact for products of matrix coefficients of some representations."""
    return 2 * max([FREQUENCY, *(r.frequency for r in reps)])


def elements(group: Group, count: int = 12, seed: int = 0) -> Tensor:
    """Random elements, the identity first."""
    drawn = group.sample(count, torch.Generator().manual_seed(seed))
    return torch.cat([group.identity[None].to(drawn), drawn])


@cache
def representations(name: str) -> tuple[Representation, ...]:
    """Representations of every kind of one group, irreps included."""
    group = GROUPS[name]
    found = [*irreps(group)]
    if not group.is_finite:
        found += [group.spectral_regular(2)]
        if group == O2():
            so2 = SO2()
            found += [group.induced(so2, so2.irrep(2)), group.spectral_quotient(D(1), 3), group.irrep("0o")]
        found += [irreps(group)[-1].tensor(irreps(group)[1])]
    else:
        found += [group.regular, group.quotient(C(1)), found[-1].tensor(found[-1])]
        if isinstance(group, D):
            found += [group.quotient(D(1)), group.induced(D(1), D(1).irrep("0o")),
                      group.induced(C(group.n), C(group.n).irreps()[-1])]
        if isinstance(group, C) and group.order % 2 == 0:
            found += [group.quotient(C(2)), group.induced(C(2), C(2).irrep("1"))]
        if isinstance(group, FiniteGroup):
            pair = group.subgroup_from([int(group.generators[0])])
            found += [group.quotient(pair), group.induced(pair, pair.small.irreps()[-1])]
    found += [found[0].direct_sum(found[-1], found[min(2, len(found) - 1)])]
    return tuple(found)
