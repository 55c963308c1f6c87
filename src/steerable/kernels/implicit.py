"""Kernels given by any equivariant function: ``vec K(x)`` is a field of type ``out (x) in``.

``K(g x) = rho_out(g) K(x) rho_in(g)^-1`` is ``vec K(g x) = (rho_out (x) rho_in)(g) vec K(x)`` for orthogonal
representations, so any equivariant map from coordinates (and whatever else is known of a pair) to that type is a
steerable kernel. (Zhdanov, Hoffmann and Cesa, NeurIPS 2023, arXiv 2212.06096, lemma 1.)
"""

from __future__ import annotations

import numpy as np

from steerable.fields.type import FieldType
from steerable.groups.group import Group
from steerable.kernels.filters import Filters


def matrix_type(in_type: FieldType, out_type: FieldType) -> FieldType:
    """The type of the matrices ``[C_out, C_in]`` of a kernel, pair of blocks by pair of blocks.

    Raises:
        ValueError: if the types have different groups.
    """
    if in_type.group != out_type.group:
        raise ValueError(f"a kernel needs one group: got input {in_type!r} and output {out_type!r}")
    return FieldType(
        in_type.group,
        [(a.multiplicity * b.multiplicity, a.rep.tensor(b.rep)) for a in out_type.blocks for b in in_type.blocks],
    )


def matrix_index(in_type: FieldType, out_type: FieldType) -> np.ndarray:
    """Channel ``[C_out * C_in]`` of :func:`matrix_type` that stands at each place of the matrix, row by row."""
    index = np.zeros((out_type.size, in_type.size), dtype=np.int64)
    start = 0
    for a in out_type.blocks:
        for b in in_type.blocks:
            (m, d), (n, e) = a.shape, b.shape
            count = m * n * d * e
            # channels: m, n, then the tensor product, whose second factor varies fastest
            own = np.arange(start, start + count).reshape(m, n, d, e).transpose(0, 2, 1, 3)
            index[a.start : a.stop, b.start : b.stop] = own.reshape(m * d, n * e)
            start += count
    return index.reshape(-1)


def coordinate_type(filters: Filters, group: Group) -> FieldType:
    """The type of the values of scalar functions at a point: what an implicit kernel sees of the offset.

    Raises:
        TypeError: if the group does not act on the space of the functions.
        ValueError: if it leads out of the family.
    """
    return FieldType(group, [(1, piece.rep) for piece in filters.pieces(group)])
