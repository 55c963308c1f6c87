"""What adaptive sampling knows of a type: blocks, and runs of equal irreps of the group whose elements are frames."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.fields.type import FieldType
from steerable.groups.axial import O2Rotations
from steerable.groups.group import Group
from steerable.groups.product import factor, moving_part
from steerable.groups.representation import Representation
from steerable.nn.functional.adaptive_act import AdaptivePlan, FieldPlan, Run


def moving_group(group: Group) -> Group:
    """The group whose elements are frames: the continuous factor of a product with a finite group, else the group.

    The rotations of a cylinder have the elements and irreps of O(2), and so its frames.

    All elements of the finite factor are sampled. They commute with those of the other and permute the samples, so a
    frame that they leave alone, ``q((g, h) x) = g q(x)``, makes the sampling exact for the whole product.
    """
    parts = moving_part(group)
    found = group if parts is None else parts[0]
    return found.flat if isinstance(found, O2Rotations) else found


def adaptive_plan(in_type: FieldType) -> AdaptivePlan:
    """Blocks and runs of equal irreps of a type; permuted fields have none."""
    moving = moving_group(in_type.group)
    blocks = []
    for b in in_type.blocks:
        runs: list[Run] = []
        start = 0
        for id, mean in () if b.rep.is_permutation or b.rep.is_trivial else moving_irreps(b.rep):
            size, still = moving.irrep(id).size, moving.irrep(id).is_trivial
            if runs and (runs[-1].id, runs[-1].mean) == (id, mean):
                runs[-1] = runs[-1]._replace(stop=start + size, count=runs[-1].count + 1)
            else:
                runs.append(Run(id, start, start + size, 1, size, still, mean))
            start += size
        blocks.append(FieldPlan(b.multiplicity, b.rep.size, tuple(runs)))
    return AdaptivePlan(moving.name, tuple(blocks))


def moving_irreps(rep: Representation) -> list[tuple[str, bool]]:
    """The irreps of :func:`moving_group` in a field, in order, and of each whether it is the mean over the group."""
    parts = moving_part(rep.group)
    if parts is None:
        return [(id, rep.group.irrep(id).is_trivial) for id in rep.irreps]
    found = []
    for id in rep.irreps:
        found += [(i, rep.group.irrep(id).is_trivial) for i in _restricted(rep.group, id)[0]]
    return found


def moving_basis(rep: Representation) -> Tensor | None:
    """The basis ``[d, d]``, float64, in which a field consists of :func:`moving_irreps`; ``None`` for its own."""
    if moving_part(rep.group) is None:
        return rep.change_of_basis
    own = [torch.from_numpy(_restricted(rep.group, id)[1].copy()) for id in rep.irreps]
    basis = torch.block_diag(*own)
    return basis if rep.change_of_basis is None else rep.change_of_basis @ basis


@lru_cache(maxsize=1024)
def _restricted(group: Group, id: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Irreps of the moving factor in one irrep of a product, and the basis that shows them."""
    parts = moving_part(group)
    if parts is None:
        return (id,), np.eye(group.irrep(id).size)
    rep = group.irrep(id).restrict(factor(group, parts[2]))
    return rep.irreps, rep.basis
