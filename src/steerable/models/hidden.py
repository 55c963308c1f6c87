"""Which fields the hidden layers of a network hold, and what acts on them: a choice for every group."""

from __future__ import annotations

from torch import nn

import steerable.nn as snn
from steerable.fields.type import FieldType
from steerable.groups import Group

#: finite groups up to this order have regular fields; beyond it, and for continuous groups, irreps are cheaper
REGULAR = 24


def hidden_fields(group: Group, width: int, degree: int = 2) -> FieldType:
    """Fields of a hidden layer by its width; :func:`steerable.nn.hidden_type` proposes one by its channels.

    Args:
        group: any group.
        width: number of regular fields of a finite group of at most 24 elements; else the number of fields of each
            irrep, halved from one degree to the next.
        degree: largest frequency of the irreps of a continuous group.

    Returns:
        Regular fields where the group is small, else irreps: of O(3) those of vectors and tensors, ``0e + 1o + 2e``,
        and pseudo-scalars with which handedness can be seen.
    """
    if group.order is not None and group.order <= REGULAR:
        return width * group.regular
    trivial, *others = group.irreps(None if group.is_finite else degree)
    if group.name == "O3":
        others = [r for r in others if r.name in ("0o",) or (int(r.name[:-1]) % 2 == 0) == (r.name[-1] == "e")]
    found = width * trivial
    for rep in others:
        share = rep.frequency or (1 if rep.size == 1 else 2)
        found = found + max(1, width >> share) * rep
    return found


def activated(fields: FieldType) -> tuple[FieldType, nn.Module]:
    """The type that the layer before an activation gives, and the activation: ReLU of permuted fields, else gates.

    Args:
        fields: type after the activation.
    """
    if fields.is_permutation:
        return fields, snn.ReLU(fields)
    act = snn.Gate(fields)
    return act.in_type, act


def invariants(fields: FieldType) -> snn.EquivariantModule:
    """From fields to invariants: the largest over the group of permuted fields, else the lengths of the irreps."""
    return snn.GroupPool(fields) if fields.is_permutation else snn.NormPool(fields)
