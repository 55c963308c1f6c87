"""From regular fields to vectors: the strongest orientation, as an arrow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.groups.group import Group
from steerable.groups.harmonics import harmonic_representation
from steerable.groups.representation import Representation
from steerable.nn.baked import Baked
from steerable.nn.functional.layout import join_blocks, merge_dims, split_blocks, split_dim
from steerable.nn.module import EquivariantModule, require_type


def strongest(x: Tensor, shapes: tuple[tuple[int, int], ...], arrows: Tensor) -> Tensor:
    """``relu(max over h) * arrow of the h where it stands``; blocks of dimension 1 pass a relu.

    Args:
        x: ``[B, C, ...]``.
        shapes: ``(multiplicity, dimension)`` of each block, the dimension being 1 or the order of the group.
        arrows: ``[order, d]``, a vector for each element of the group.
    """
    found = []
    for block, shape in zip(split_blocks(x, [m * d for m, d in shapes]), shapes, strict=True):
        if shape[1] == 1:
            found.append(torch.relu(block))
            continue
        fields = split_dim(block, 1, shape)
        top = fields.amax(2, keepdim=True)
        # where several orientations tie exactly, the mean of their arrows: choosing one would break the symmetry
        ties = (fields == top).to(x.dtype)
        arrow = torch.einsum("hk,bmh...->bmk...", arrows.to(x.dtype), ties) / ties.sum(2, keepdim=True)
        found.append(merge_dims(torch.relu(top) * arrow, 1))
    return join_blocks(found)


def plane_vector(group: Group) -> Representation:
    """The vectors of the plane, under the name of their irrep where they are one.

    Raises:
        ValueError: if the group does not act on the plane.
    """
    if not group.is_planar:
        raise ValueError(
            f"VectorField: {group.name} does not act on the plane, expected a target for its vectors; give one, "
            f"for example target={group.name}.irreps()[-1]"
        )
    vector = harmonic_representation(group, 1)
    plain = group.irrep(vector.irreps[0])
    return plain if vector == plain else vector


class VectorField(EquivariantModule):
    """Each regular field becomes one vector: the largest response, pointing in the direction of its orientation.

    ``[B, m |G| , ...]`` to ``[B, m d, ...]``: ``relu(max_h f(h)) * rho(h*) w`` with h* where the maximum stands and w
    the first basis vector of the target. Trivial fields pass a relu. The map is not continuous where two orientations
    tie; at exact ties the mean of their vectors is taken.

    Args:
        in_type: regular and trivial fields of a finite group.
        target: representation of the vectors; default the vectors of the plane, ``irrep(1)`` of C(n) and D(n)
            from n = 3 on and two signs below.

    Raises:
        TypeError: for other fields.
        ValueError: for a target of another group, or none where the group does not act on the plane.

    Source: Marcos, Volpi, Komodakis and Tuia, "Rotation equivariant vector field networks", ICCV 2017, section 3.2.
    """

    def __init__(self, in_type: FieldType, target: Representation | None = None) -> None:
        group = require_type(in_type, "VectorField").group
        regular = group.regular if group.is_finite else None
        for b in in_type.blocks:
            if b.rep != regular and not (b.rep.is_trivial and b.rep.size == 1):
                raise TypeError(
                    f"VectorField: expected regular or trivial fields of a finite group, got {b} in {in_type!r}; use "
                    f"NormAct on fields of irreps"
                )
        target = plane_vector(group) if target is None else target
        if target.group != group:
            raise ValueError(f"VectorField: target belongs to {target.group.name}, expected one of {group.name}")
        if not in_type.size:
            raise ValueError(f"VectorField: the type must have channels, got {in_type!r}")
        out = [(b.multiplicity, b.rep if b.rep.size == 1 else target) for b in in_type.blocks]
        super().__init__(in_type, FieldType(group, out))
        self.shapes = tuple(b.shape for b in in_type.blocks)
        self.register_constant("arrows", target(group.elements)[:, :, 0])

    def forward(self, x: Tensor) -> Tensor:
        """The strongest orientation of each field of `x`."""
        self.check_input(x)
        return strongest(x, self.shapes, self.arrows)

    def bake(self) -> nn.Module:
        """The same function without a type."""
        return Baked(strongest, self.shapes, arrows=self.arrows)
