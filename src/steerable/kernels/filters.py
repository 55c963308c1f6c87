"""Families of scalar functions that a group mixes among themselves: the raw material of every kernel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from steerable.groups.group import Group
from steerable.groups.representation import Representation
from steerable.kernels.kernel import SteerableKernel


class Piece(NamedTuple):
    """Functions ``start:stop`` of a family, which move among themselves by ``rep``."""

    start: int
    stop: int
    rep: Representation


class Filters(ABC):
    """A finite family of functions ``Y: R^n -> R^F`` with ``Y(g x) = rho(g) Y(x)``. Hashable, compared by value."""

    #: dimension n of the space; 0 where any will do
    dimension: int = 2

    @abstractmethod
    def values(self, points: Tensor) -> Tensor:
        """Values ``[N, F]`` at points ``[N, n]`` (x1 right, x2 up, in units of the grid); differentiable."""

    @abstractmethod
    def pieces(self, group: Group) -> list[Piece]:
        """How a group mixes the functions. Raises ``ValueError`` if it leads out of the family."""

    def functions(self, points: np.ndarray) -> np.ndarray:
        """Values ``[F, N]`` at points ``[N, n]``, float64."""
        with torch.no_grad():
            return self.values(torch.from_numpy(np.ascontiguousarray(points, dtype=np.float64))).numpy().T.copy()

    @property
    def is_compact(self) -> bool:
        """Whether the functions end smoothly by themselves, so that a neighbourhood needs no envelope."""
        return False

    @property
    def count(self) -> int:
        """Number F of functions."""
        return len(self.functions(np.zeros((1, max(self.dimension, 1)))))

    def check(self, group: Group) -> None:
        """Raise ``ValueError`` if the group leads out of the family."""
        self.pieces(group)

    def parts(self, rep: Representation) -> list[tuple[int, int, Representation]]:
        """Runs ``(start, stop, representation)`` of the channels of a field that are solved each on its own.

        Irreps where the field is given in them, else the whole field.
        """
        if rep.change_of_basis is not None:
            return [(0, rep.size, rep)]
        return [(s, t, rep.group.irrep(i)) for (s, t), i in zip(rep.irrep_slices, rep.irreps, strict=True)]

    def kernel(self, in_rep: Representation, out_rep: Representation) -> SteerableKernel:
        """The kernels made of these functions: all that the group allows."""
        from steerable.kernels.harmonic import HarmonicKernel

        return HarmonicKernel(in_rep, out_rep, self)

    def orbit(self, group: Group, points: np.ndarray) -> np.ndarray:
        """Moved copies ``[F, |G|, N]`` of every function, ``f(g^-1 x)``, for all elements of a finite group."""
        self.check(group)
        back = group.action(group.inverse(group.elements), self.dimension).numpy()
        moved = np.einsum("gij,pj->gpi", back, points)
        return self.functions(moved.reshape(-1, self.dimension)).reshape(-1, len(back), len(points))

    def moved(self, group: Group) -> np.ndarray:
        """The same copies in terms of the functions themselves, ``[F, |G|, F]``: no points are needed."""
        count = self.count
        out = np.zeros((count, group.order or 0, count))
        for piece in self.pieces(group):  # Y(g^-1 x) = rho(g)^T Y(x)
            rho = piece.rep(group.elements).numpy()
            out[piece.start : piece.stop, :, piece.start : piece.stop] = rho.transpose(2, 0, 1)
        return out


@lru_cache(maxsize=64)
def _stencil(kernel_size: int, dimension: int) -> np.ndarray:
    offset = np.arange(kernel_size) - (kernel_size - 1) / 2
    axes = np.meshgrid(*[offset] * dimension, indexing="ij")  # the last axis of the tensor varies fastest
    flat = [a.reshape(-1) for a in axes]
    if dimension < 2:
        return np.stack(flat, -1)
    return np.stack([flat[-1], -flat[-2], *flat[:-2]], -1) + 0.0


def stencil_points(kernel_size: int, dimension: int = 2) -> np.ndarray:
    """Offsets ``[k^n, n]`` of the points of a stencil in the order of a filter's last axes.

    Columns: x1 right. Rows from the top: x2 up. Slices of a volume: x3 grows with the index.
    """
    return _stencil(kernel_size, dimension).copy()
