"""From a group to a subgroup, with every field taken apart."""

from __future__ import annotations

import numpy as np

from steerable.fields.type import FieldType
from steerable.groups.finite import FiniteGroupBase
from steerable.groups.group import Group
from steerable.groups.representation import Representation
from steerable.groups.subgroup import Inclusion, as_inclusion
from steerable.nn.basis_change import BasisChange, Split, part_channels
from steerable.nn.module import require_type


def disentangle(rep: Representation, subgroup: Group | Inclusion) -> Split:
    """How a representation falls apart under a subgroup.

    A permutation representation splits by orbits into regular, quotient and trivial representations, so that pointwise
    functions stay legal; any other into irreps.

    Returns:
        The parts, and ``P [d, d]`` orthogonal with ``P rho(h) P^T`` the direct sum of the parts.
    """
    inclusion = as_inclusion(rep.group, subgroup)
    small = inclusion.small
    if rep.is_permutation and isinstance(small, FiniteGroupBase):
        return _by_orbits(rep, inclusion, small)
    restricted = rep.restrict(inclusion)
    if rep.is_permutation and restricted.is_trivial:  # nothing is permuted any more (SO2 cannot, O2 can)
        return (small.trivial,) * rep.size, np.eye(rep.size)
    return tuple(small.irrep(i) for i in restricted.irreps), restricted.basis.T.copy()


def _by_orbits(rep: Representation, inclusion: Inclusion, small: FiniteGroupBase) -> Split:
    moved = rep(inclusion.map(small.elements)).numpy().argmax(axis=1)  # [h, j]: where h takes basis vector j
    parts: list[Representation] = []
    rows: list[int] = []
    left = np.ones(rep.size, dtype=bool)
    while left.any():
        orbit = np.unique(moved[:, int(np.argmax(left))])
        left[orbit] = False
        # conjugate stabilisers belong to one representation: start each orbit where the stabiliser comes first
        stabilisers = [tuple(np.flatnonzero(moved[:, p] == p).tolist()) for p in orbit]
        fixing, start = min(zip(stabilisers, orbit.tolist(), strict=True))
        representative = np.unique(small.table[:, list(fixing)].min(axis=1))  # cosets by their smallest element
        parts.append(_cosets(small, fixing))
        rows += moved[representative, start].tolist()
    return tuple(parts), np.eye(rep.size)[rows]


def _cosets(small: FiniteGroupBase, fixing: tuple[int, ...]) -> Representation:
    """Functions on ``small / fixing`` under the shortest name."""
    if len(fixing) == 1:
        return small.regular if small.order > 1 else small.trivial
    if len(fixing) == small.order:
        return small.trivial
    for candidate in _planar_subgroups(small):
        if tuple(np.sort(candidate.map(candidate.small.elements).numpy()).tolist()) == fixing:
            return small.quotient(candidate)
    return small.quotient(small.subgroup_from(list(fixing)))


def _planar_subgroups(small: FiniteGroupBase) -> list[Inclusion]:
    """Canonical cyclic and dihedral subgroups of a planar group."""
    if not small.is_planar:
        return []
    from steerable.groups.cyclic import C
    from steerable.groups.dihedral import D

    orders = [n for n in range(1, small.order + 1) if small.order % n == 0]
    found = [g for n in orders for g in (C(n), D(n)) if (g.order or 0) <= small.order]
    return [small.subgroup(g) for g in found if small.contains(g)]


class Restrict(BasisChange):
    """Forget part of the symmetry: from fields of G to fields of a subgroup H, disentangled.

    ``regular(G)`` becomes ``|G| / |H|`` fields ``regular(H)``, quotient fields split by orbits, irreps into irreps;
    equal parts of a block are gathered. Permutation fields are only reordered, so ReLU stays legal; other fields pass
    an orthogonal matrix. The values are those of the input in another basis: nothing is lost (Weiler and Cesa, NeurIPS
    2019, section 2.7).

    Args:
        in_type: type of G; ``x [B, C, ...]``.
        subgroup: H, or its :class:`Inclusion`.

    Raises:
        ValueError: if H is no subgroup of G, or for wrong channels.

    Example:
        >>> st.nn.Restrict(16 * st.D(8).regular, st.C(8)).out_type
        C(8): 32 regular
    """

    def __init__(self, in_type: FieldType, subgroup: Group | Inclusion) -> None:
        require_type(in_type, type(self).__name__)
        if not isinstance(subgroup, (Group, Inclusion)):
            raise TypeError(
                f"{type(self).__name__}: subgroup must be a group such as st.C(4), or an Inclusion, got {subgroup!r}"
            )
        inclusion = as_inclusion(in_type.group, subgroup)
        splits = [disentangle(b.rep, inclusion) for b in in_type.blocks]
        order: list[np.ndarray] = []
        blocks: list[tuple[int, Representation]] = []
        for found in part_channels(in_type, splits):
            for rep in dict.fromkeys(p for p, _ in found):
                channels = np.stack([c for p, c in found if p == rep], 1)  # [m, copies, d]
                blocks.append((channels.shape[0] * channels.shape[1], rep))
                order.append(channels.reshape(-1))
        out_type = FieldType(inclusion.small, blocks)
        lengths = tuple(b.stop - b.start for b in in_type.blocks)
        channels = np.concatenate([*order, np.zeros(0, np.int64)])
        super().__init__(in_type, out_type, [p for _, p in splits], channels, lengths)
        self.inclusion = inclusion


class Disentangle(Restrict):
    """Take fields apart without changing the group: sums and tensor products become plain fields.

    Args:
        in_type: type of ``x [B, C, ...]``.
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, require_type(in_type, "Disentangle").group)
