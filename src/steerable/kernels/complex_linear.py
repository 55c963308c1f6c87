"""Kernels between complex fields that multiply by complex numbers: the filters of harmonic networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from steerable.fields.complex import TIMES_I, phase, streams
from steerable.groups.canonical import canonical_basis
from steerable.groups.group import Group
from steerable.groups.hom import hom_basis_array
from steerable.groups.representation import Representation
from steerable.kernels.filters import Filters, Piece
from steerable.kernels.kernel import SteerableKernel


@dataclass(frozen=True)
class ComplexLinear(Filters):
    """The same scalar functions, of whose steerable kernels only those that commute with multiplication by i are kept.

    Between complex fields of orders n and m, rotations allow the frequencies m - n and m + n; the second conjugates its
    input. A harmonic network uses the first alone, ``W(r, phi) = R(r) e^(i ((m - n) phi + beta))``, so two basis
    elements a ring in place of four (Worrall et al., CVPR 2017, equations 6 and 7). Real fields (one channel) are under
    no constraint.

    Attributes:
        filters: the functions, for example ``GaussianRings.for_size(5)``.
        share: one filter for all pairs of orders of the same difference, as in the published code. It ties the orders
            within one field, so give fields that are sums of streams.
    """

    filters: Filters
    share: bool = False

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """That of the family."""
        return self.filters.dimension

    def values(self, points: Tensor) -> Tensor:
        """Those of the family."""
        return self.filters.values(points)

    def pieces(self, group: Group) -> list[Piece]:
        """Those of the family."""
        return self.filters.pieces(group)

    def parts(self, rep: Representation) -> list[tuple[int, int, Representation]]:
        """Complex numbers are solved one by one, unless the orders of a field share their filters."""
        found = streams(rep)
        return [(0, rep.size, rep)] if self.share else [(s.start, s.stop, s.rep) for s in found]

    def kernel(self, in_rep: Representation, out_rep: Representation) -> SteerableKernel:
        """The complex linear half of the solution."""
        return ComplexKernel(in_rep, out_rep, self)


class ComplexKernel(SteerableKernel):
    """All kernels with ``K(x) i = i K(x)``: the orthogonal projection of the solved basis, in canonical form.

    Args:
        in_rep: complex fields of a group of rotations, or a real field.
        out_rep: the same.
        filters: the functions and whether orders share them.

    Raises:
        ValueError: if the groups differ, or a field does not consist of complex numbers.
    """

    def __init__(self, in_rep: Representation, out_rep: Representation, filters: ComplexLinear) -> None:
        if in_rep.group != out_rep.group:
            raise ValueError(f"a kernel needs one group: got input {in_rep!r} and output {out_rep!r}")
        self.in_rep, self.out_rep, self.filters = in_rep, out_rep, filters
        projector = _commutes_with_i(in_rep, out_rep)
        if filters.share:
            projector = _alike_by_difference(in_rep, out_rep) @ projector
        self._pieces = [(p, _project(p.rep, out_rep.tensor(in_rep), projector)) for p in filters.pieces(in_rep.group)]

    @property
    def dim(self) -> int:
        """Number of basis elements over all pieces of the filters."""
        return sum(len(solved) for _, solved in self._pieces)

    def sample(self, points: np.ndarray) -> np.ndarray:
        """Basis ``[dim, d_out, d_in, N]`` at points ``[N, 2]``, in the order of the filters."""
        return self.solve(self.filters.functions(points))

    def solve(self, values: np.ndarray) -> np.ndarray:
        """The same from the values ``[F, N]`` of the filters."""
        found = [solved @ values[p.start : p.stop] for p, solved in self._pieces]
        return np.concatenate(found).reshape(-1, self.out_rep.size, self.in_rep.size, values.shape[1])


def _commutes_with_i(in_rep: Representation, out_rep: Representation) -> np.ndarray:
    """Projector on matrices ``[d_out * d_in]`` with ``i K = K i``; the identity where one side is real."""
    if not (streams(in_rep)[0].is_complex and streams(out_rep)[0].is_complex):
        return np.eye(out_rep.size * in_rep.size)
    left, right = (np.kron(np.eye(rep.size // 2), TIMES_I) for rep in (out_rep, in_rep))
    return (np.eye(out_rep.size * in_rep.size) + np.kron(left, right)) / 2  # i K i^-1, as i^-1 is i transposed


def _alike_by_difference(in_rep: Representation, out_rep: Representation) -> np.ndarray:
    """Projector that makes all pairs of streams of one difference of orders take their mean."""
    kinds: dict[tuple[complex, int, int], list[tuple[int, int]]] = {}
    for out in streams(out_rep):
        for into in streams(in_rep):
            turn = phase(out) * phase(into).conjugate()
            # + 0: no negative zero in a key
            key = (complex(round(turn.real, 6) + 0, round(turn.imag, 6) + 0), out.is_complex, into.is_complex)
            kinds.setdefault(key, []).append((out.start, into.start))
    index = np.arange(out_rep.size * in_rep.size).reshape(out_rep.size, in_rep.size)
    projector = np.zeros((index.size, index.size))
    for (_, wide, deep), places in kinds.items():
        cells = np.stack([index[a : a + 1 + wide, b : b + 1 + deep].reshape(-1) for a, b in places])
        for cell in cells.T:
            projector[np.ix_(cell, cell)] = 1 / len(cells)
    return projector


def _project(source: Representation, target: Representation, projector: np.ndarray) -> np.ndarray:
    """Orthonormal basis ``[n, d_target, d_source]`` of the projection of the intertwiners."""
    basis = hom_basis_array(source, target)
    if not len(basis):
        return basis
    flat = basis.reshape(len(basis), -1)
    matrix = (projector @ basis).reshape(len(basis), -1) @ flat.T  # the projector in coordinates of the basis
    rank = round(float(np.trace(matrix)))
    return np.tensordot(canonical_basis((matrix + matrix.T) / 2, rank).T, basis, 1)
