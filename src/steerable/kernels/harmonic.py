"""Kernels solved from representations: complete up to the band of the filters."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from steerable.groups.group import Group
from steerable.groups.hom import hom_basis_array
from steerable.groups.representation import Representation
from steerable.kernels.filters import Filters, stencil_points
from steerable.kernels.kernel import SteerableKernel

#: what the last axis of a basis runs over: the points of a stencil, or the scalar functions
Over = Literal["points", "functions"]


class HarmonicKernel(SteerableKernel):
    """All kernels ``K(x) = unvec(B Y(x))`` with ``B`` an intertwiner from the filters to ``out (x) in``.

    This is the one-step form of the Wigner-Eckart theorem for steerable kernels (Cesa, Lang, Weiler, ICLR 2022; Lang,
    Weiler, arXiv 2010.10952). General representations are solved irrep by irrep and turned by their change of basis.

    Args:
        in_rep: input representation of a group that acts on the space of the filters.
        out_rep: output representation of the same group.
        filters: scalar functions, for example ``GaussianRings.for_size(5)``.

    Raises:
        ValueError: if the groups differ.
    """

    def __init__(self, in_rep: Representation, out_rep: Representation, filters: Filters) -> None:
        if in_rep.group != out_rep.group:
            raise ValueError(f"a kernel needs one group: got input {in_rep!r} and output {out_rep!r}")
        self.in_rep, self.out_rep, self.filters = in_rep, out_rep, filters
        self._pieces = filters.pieces(in_rep.group)

    @property
    def dim(self) -> int:
        """Number of basis elements over all pieces of the filters."""
        target = self.out_rep.tensor(self.in_rep)
        return sum(len(hom_basis_array(piece.rep, target)) for piece in self._pieces)

    def sample(self, points: np.ndarray) -> np.ndarray:
        """Basis ``[dim, d_out, d_in, N]`` at points ``[N, n]``, in the order of the filters within each irrep pair."""
        return self.solve(self.filters.functions(points))

    def solve(self, values: np.ndarray) -> np.ndarray:
        """The same from the values ``[F, N]`` of the filters; the unit matrix gives it in terms of the filters."""
        group = self.in_rep.group
        out = []
        for (s, t), i in zip(self.out_rep.irrep_slices, self.out_rep.irreps, strict=True):
            for (u, v), j in zip(self.in_rep.irrep_slices, self.in_rep.irreps, strict=True):
                target = group.irrep(i).tensor(group.irrep(j))
                solved = [hom_basis_array(p.rep, target) @ values[p.start : p.stop] for p in self._pieces]
                k = np.concatenate(solved).reshape(-1, t - s, v - u, values.shape[1])
                if not (self.out_rep.is_irrep and self.in_rep.is_irrep):
                    k = np.einsum(
                        "ab,kbcn,dc->kadn", self.out_rep.basis[:, s:t], k, self.in_rep.basis[:, u:v], optimize=True
                    )
                out.append(k)
        return np.concatenate(out)


@lru_cache(maxsize=1024)
def sampled_basis(
    in_rep: Representation, out_rep: Representation, filters: Filters, kernel_size: int, over: Over = "points"
) -> np.ndarray:
    """Basis ``[K, d_out, d_in, k^n]`` on a stencil, every element of unit norm there; vanishing elements are dropped.

    Args:
        in_rep: representation of the input.
        out_rep: representation of the output.
        filters: scalar functions.
        kernel_size: side k of the stencil.
        over: ``"functions"`` gives the same elements in terms of the filters, ``[K, d_out, d_in, F]``, for points that
            lie on no grid: the same weights mean the same kernel.
    """
    kernel = filters.kernel(in_rep, out_rep)
    values = stencil_functions(filters, kernel_size)
    basis = kernel.solve(values)
    norms = np.sqrt((basis**2).sum((1, 2, 3)))
    kept = norms > 0.02 * norms.max(initial=1e-300)
    found = basis if over == "points" else kernel.solve(np.eye(len(values)))
    return found[kept] / norms[kept, None, None, None]


@lru_cache(maxsize=256)
def stencil_functions(filters: Filters, kernel_size: int) -> np.ndarray:
    """Values ``[F, k^n]`` of scalar functions on a stencil, read-only: all pairs of irreps of a layer share them."""
    found = filters.functions(stencil_points(kernel_size, max(filters.dimension, 1)))
    found.setflags(write=False)
    return found


@lru_cache(maxsize=256)
def orbit_bank(group: Group, filters: Filters, kernel_size: int, over: Over = "points") -> np.ndarray:
    """Moved copies of every filter, ``[F, |G|, k^n]``: ``f(g^-1 x)``, each filter of unit mean norm.

    A kernel between regular fields is ``kappa(x)[g, h] = phi_(g^-1 h)(g^-1 x)`` with free ``phi``: its basis over G x
    G is never made. ``over="functions"`` gives them in terms of the filters, ``[F, |G|, F]``.
    """
    bank = filters.orbit(group, stencil_points(kernel_size, max(filters.dimension, 1)))
    norms = np.sqrt((bank**2).sum(-1).mean(-1))
    kept = norms > 0.02 * norms.max()
    found = bank if over == "points" else filters.moved(group)
    return found[kept] / norms[kept, None, None]
