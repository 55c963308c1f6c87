"""Kernels solved from representations: complete up to the band of the filters."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from steerable.groups.group import Group
from steerable.groups.hom import hom_basis_array
from steerable.groups.representation import Representation
from steerable.kernels.filters import Filters, stencil_points
from steerable.kernels.kernel import SteerableKernel


class HarmonicKernel(SteerableKernel):
    """All kernels ``K(x) = unvec(B Y(x))`` with ``B`` an intertwiner from the filters to ``out (x) in``.

    This is the one-step form of the Wigner-Eckart theorem for steerable kernels (Cesa, Lang, Weiler, ICLR 2022; Lang,
    Weiler, arXiv 2010.10952). General representations are solved irrep by irrep and turned by their change of basis.

    Args:
        in_rep: input representation of a planar group.
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
        """Basis ``[dim, d_out, d_in, n]`` at points ``[n, 2]``, in the order of the filters within each irrep pair."""
        values = self.filters.functions(points)
        group = self.in_rep.group
        out = []
        for (s, t), i in zip(self.out_rep.irrep_slices, self.out_rep.irreps, strict=True):
            for (u, v), j in zip(self.in_rep.irrep_slices, self.in_rep.irreps, strict=True):
                target = group.irrep(i).tensor(group.irrep(j))
                solved = [hom_basis_array(p.rep, target) @ values[p.start : p.stop] for p in self._pieces]
                k = np.concatenate(solved).reshape(-1, t - s, v - u, len(points))
                if not (self.out_rep.is_irrep and self.in_rep.is_irrep):
                    k = np.einsum(
                        "ab,kbcn,dc->kadn", self.out_rep.basis[:, s:t], k, self.in_rep.basis[:, u:v], optimize=True
                    )
                out.append(k)
        return np.concatenate(out)


@lru_cache(maxsize=1024)
def sampled_basis(in_rep: Representation, out_rep: Representation, filters: Filters, kernel_size: int) -> np.ndarray:
    """Basis ``[K, d_out, d_in, k*k]`` on a stencil, every element of unit norm; vanishing elements are dropped."""
    basis = filters.kernel(in_rep, out_rep).sample(stencil_points(kernel_size))
    norms = np.sqrt((basis**2).sum((1, 2, 3)))
    kept = norms > 0.02 * norms.max(initial=1e-300)
    return basis[kept] / norms[kept, None, None, None]


@lru_cache(maxsize=256)
def orbit_bank(group: Group, filters: Filters, kernel_size: int) -> np.ndarray:
    """Moved copies of every filter, ``[F, |G|, k*k]``: ``f(g^-1 x)``, each filter of unit mean norm.

    A kernel between regular fields is ``kappa(x)[g, h] = phi_(g^-1 h)(g^-1 x)`` with free ``phi``: its basis over G x
    G is never made.
    """
    bank = filters.orbit(group, stencil_points(kernel_size))
    norms = np.sqrt((bank**2).sum(-1).mean(-1))
    kept = norms > 0.02 * norms.max()
    return bank[kept] / norms[kept, None, None]
