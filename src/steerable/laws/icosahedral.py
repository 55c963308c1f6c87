"""The law of the icosahedron: layers commute with its rotations, and do not care how frames are drawn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from steerable.aggregate.hexagon import HexFrames
from steerable.fields.type import FieldType
from steerable.groups import D, Group, icosahedral
from steerable.nn.icosahedral.gather import MovedGather


def random_gauges(frames: HexFrames, generator: torch.Generator | None = None) -> Tensor:
    """A random first axis at each vertex, int64 ``[V]``."""
    return torch.randint(0, 6, frames.gauges.shape, generator=generator)


def regauge(x: Tensor, type: FieldType, frames: HexFrames, other: HexFrames) -> Tensor:
    """The same field ``[B, C, V]`` in other frames: those that stand ahead by a read coefficients turned by -a.

    Corners keep what they hold; it is to be invariant.
    """
    turn = frames.gauges - other.gauges
    turn[:12] = 0
    return MovedGather(type, torch.arange(len(turn)), turn % 6, len(turn)).to(x.dtype)(x)


def turn_icosahedron(x: Tensor, type: FieldType, frames: HexFrames, group: Group, g: Tensor) -> Tensor:
    """``[g f](g v) = rho(h) f(v)`` for a symmetry g of the icosahedron, h what it does to the frame of v.

    Args:
        x: field ``[B, C, V]``; at the 12 corners it is to be invariant (zero, for example).
        type: of C(6), or of D(6) for reflections too.
        frames: of the field.
        group: a group of space that permutes the vertices, as :func:`steerable.groups.icosahedral`.
        g: one element.

    Raises:
        ValueError: for a reflection of a type that has none, or an element that moves vertices elsewhere.
    """
    to, slot, reversed = frames.moved_by(group, g)
    if reversed:
        if type.group != D(6):
            raise ValueError(
                f"turn_icosahedron: the element {g.tolist()} of {group.name} reflects, and the type {type!r} knows no "
                f"reflections; expected a type of D6, or a rotation"
            )
        x = type.transform(x, D(6).elements[6])
    slot[:12] = 0
    source, turn = torch.empty_like(to), torch.empty_like(to)
    source[to], turn[to] = torch.arange(len(to)), slot
    return MovedGather(type, source, turn, len(to)).to(x.dtype)(x)


@torch.no_grad()
def icosahedral_errors(
    call: Callable[[Tensor], Tensor],
    x: Tensor,
    in_type: FieldType,
    out_type: FieldType | None,
    frames: HexFrames,
    out_frames: HexFrames | None = None,
    group: Group | None = None,
    elements: Tensor | None = None,
) -> Tensor:
    """Relative error ``|f(g x) - g f(x)| / |f(x)|`` for the elements of a group.

    Args:
        call: from ``[B, C, V]`` to ``[B, C', V']``, or to invariants where ``out_type`` is ``None``.
        x: the input, invariant at the corners.
        in_type, out_type: types of both sides.
        frames: of the input.
        out_frames: of the output, default the same.
        group: default the 60 rotations of the icosahedron.
        elements: some of its elements ``[n]``; default all.

    Returns:
        ``[n]`` float64.
    """
    group = group or icosahedral()
    y = call(x)
    found = []
    for g in group.elements if elements is None else elements:
        after = call(turn_icosahedron(x, in_type, frames, group, g))
        wanted = y if out_type is None else turn_icosahedron(y, out_type, out_frames or frames, group, g)
        found.append((after - wanted).norm() / y.norm())
    return torch.stack(found).double()
