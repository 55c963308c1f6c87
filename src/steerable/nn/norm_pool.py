"""From fields of any type to invariants: the lengths of their irreps."""

from __future__ import annotations

from itertools import groupby

import torch
from torch import Tensor, nn

from steerable.fields.complex import streams
from steerable.fields.type import FieldType
from steerable.groups.representation import Representation
from steerable.nn.baked import Baked
from steerable.nn.basis_change import change_basis
from steerable.nn.functional import norm_pool
from steerable.nn.functional.layout import join_blocks, merge_dims, split_blocks, split_dim
from steerable.nn.functional.norm_pool import EPS
from steerable.nn.module import EquivariantModule, require_type

#: ``(start, stop, dimension, trivial)`` of neighbouring irreps of one field that are treated alike
Segment = tuple[int, int, int, bool]


def segments(rep: Representation) -> tuple[Segment, ...]:
    """The irreps of a representation, in its own order, with neighbours of one kind gathered."""
    zero = rep.group.irrep_ids(0)[0]
    kinds = [(rep.group.irrep_info(i).dim, i == zero) for i in rep.irreps]
    found, start = [], 0
    for (dim, trivial), run in groupby(kinds):
        stop = start + dim * len(list(run))
        found.append((start, stop, dim, trivial))
        start = stop
    return tuple(found)


def _pairs(rep: Representation) -> tuple[Segment, ...]:
    """The complex numbers of a field, or the one real number."""
    return ((0, rep.size, 2, False),) if streams(rep)[0].is_complex else ((0, 1, 1, rep.is_trivial),)


def invariants(
    x: Tensor,
    shapes: tuple[tuple[int, int], ...],
    parts: tuple[tuple[Segment, ...], ...],
    eps: float,
    **to_irreps: Tensor,
) -> Tensor:
    """Lengths of all non-trivial irreps, and the trivial ones as they are, field by field.

    Args:
        x: ``[B, C, ...]``.
        shapes: ``(multiplicity, dimension)`` of each block.
        parts: the segments of one field of each block.
        eps: added to the squared length.
        to_irreps: ``matrix_k [d, d]``, the change to irreps of block k, where it is not the identity.
    """
    lengths = tuple(m * d for m, d in shapes)
    x = change_basis(x, lengths, [to_irreps.get(f"matrix_{k}") for k in range(len(shapes))])
    found = []
    for block, shape, cut in zip(split_blocks(x, lengths), shapes, parts, strict=True):
        fields = split_dim(block, 1, shape)
        pieces = []
        for start, stop, dim, trivial in cut:
            piece = fields.narrow(2, start, stop - start)
            if not trivial:
                count = (stop - start) // dim
                piece = split_dim(norm_pool(piece, (dim,) * count, eps), 1, (shape[0], count))
            pieces.append(piece)
        found.append(merge_dims(pieces[0] if len(pieces) == 1 else torch.cat(pieces, 2), 1))
    return join_blocks(found)


class NormPool(EquivariantModule):
    """One invariant per irrep of each field: ``sqrt(|v|^2 + eps)``, and the value itself where the irrep is trivial.

    ``[B, C, ...]`` to ``[B, irreps of all fields, ...]``. Fields that are not given in irreps (regular ones, say) are
    taken apart first, so every type is legal.

    Args:
        in_type: any type.
        eps: keeps the gradient at v = 0 finite.
        pairs: neighbouring channels are complex numbers, one magnitude each, order 0 too.

    Source: Weiler and Cesa, "General E(2)-Equivariant Steerable CNNs", NeurIPS 2019, section 2.7.
    """

    def __init__(self, in_type: FieldType, eps: float = EPS, pairs: bool = False) -> None:
        blocks = require_type(in_type, "NormPool").blocks
        if not blocks:
            raise ValueError(f"NormPool: the type must have channels, got {in_type!r}")
        parts = tuple(_pairs(b.rep) if pairs else segments(b.rep) for b in blocks)
        lengths = [sum((stop - start) // dim for start, stop, dim, _ in p) for p in parts]
        count = sum(b.multiplicity * n for b, n in zip(blocks, lengths, strict=True))
        super().__init__(in_type, count * in_type.group.trivial)
        self.shapes, self.parts, self.eps = tuple(b.shape for b in blocks), parts, eps
        self._matrices = []
        for k, b in enumerate(blocks):
            if b.rep.change_of_basis is not None and not pairs:
                self.register_constant(f"matrix_{k}", b.rep.change_of_basis.T.contiguous())
                self._matrices.append(f"matrix_{k}")

    def forward(self, x: Tensor) -> Tensor:
        """Lengths at every point of `x`."""
        self.check_input(x)
        return invariants(x, self.shapes, self.parts, self.eps, **self._tensors())

    def _tensors(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self._matrices}

    def bake(self) -> nn.Module:
        """The same function without a type."""
        return Baked(invariants, self.shapes, self.parts, self.eps, **self._tensors())
