"""Families of scalar functions on the plane that a group mixes among themselves: the raw material of every kernel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from steerable.groups.decompose import decompose
from steerable.groups.group import Group
from steerable.groups.harmonics import circular_harmonics, harmonic_representation
from steerable.groups.representation import Representation
from steerable.kernels.bandlimit import Bandlimit, frequencies
from steerable.kernels.kernel import SteerableKernel


class Piece(NamedTuple):
    """Functions ``start:stop`` of a family, which move among themselves by ``rep``."""

    start: int
    stop: int
    rep: Representation


class Filters(ABC):
    """A finite family of functions ``Y: R^2 -> R^F`` with ``Y(g x) = rho(g) Y(x)``. Hashable, compared by value."""

    @abstractmethod
    def functions(self, points: np.ndarray) -> np.ndarray:
        """Values ``[F, n]`` at points ``[n, 2]`` (x1 right, x2 up, in pixels)."""

    @abstractmethod
    def pieces(self, group: Group) -> list[Piece]:
        """How a planar group mixes the functions. Raises ``ValueError`` if it leads out of the family."""

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
        """Moved copies ``[F, |G|, n]`` of every function, ``f(g^-1 x)``, for all elements of a finite group."""
        self.check(group)
        back = group.plane(group.inverse(group.elements)).numpy()
        moved = np.einsum("gij,pj->gpi", back, points)
        return self.functions(moved.reshape(-1, 2)).reshape(-1, len(back), len(points))


@dataclass(frozen=True)
class GaussianRings(Filters):
    """Gaussian shells in the radius times circular harmonics in the angle (Weiler and Cesa, arXiv 1911.08251).

    Attributes:
        radii: centre of each ring, pixels.
        widths: standard deviation of each ring, pixels.
        bandlimit: how fast a ring may turn, see :mod:`steerable.kernels.bandlimit`.
    """

    radii: tuple[float, ...]
    widths: tuple[float, ...]
    bandlimit: Bandlimit = "default"

    @classmethod
    def for_size(cls, kernel_size: int, bandlimit: Bandlimit = "default") -> GaussianRings:
        """Rings at 0, 1, 2, ... pixels: a point at the centre, width 0.6 between, 0.4 at the rim."""
        count = (kernel_size + 1) // 2
        widths = [0.005] + [0.6] * (count - 2) + [0.4] * (count > 1)
        return cls(tuple(float(r) for r in range(count)), tuple(widths), bandlimit)

    def _shells(self) -> list[tuple[float, float, int]]:
        tops = frequencies(self.bandlimit, self.radii)
        return [(r, w, mu) for r, w, top in zip(self.radii, self.widths, tops, strict=True) for mu in range(top + 1)]

    def functions(self, points: np.ndarray) -> np.ndarray:
        """Ring by ring, frequency by frequency; at the origin only frequency 0 is not zero."""
        radius = np.hypot(points[:, 0], points[:, 1])
        angle = np.arctan2(points[:, 1], points[:, 0])
        rows = []
        for centre, width, mu in self._shells():
            shell = np.exp(-((radius - centre) ** 2) / (2 * width**2))
            if mu:
                shell = np.where(radius < 1e-9, 0.0, shell)
            rows.append((shell[:, None] * circular_harmonics(angle, mu)).T)
        return np.concatenate(rows)

    def check(self, group: Group) -> None:
        """Nothing to check: rotations and reflections mix the harmonics of one frequency among themselves."""

    def pieces(self, group: Group) -> list[Piece]:
        """One piece for each ring and frequency."""
        result, start = [], 0
        for _, _, mu in self._shells():
            stop = start + (1 if mu == 0 else 2)
            result.append(Piece(start, stop, harmonic_representation(group, mu)))
            start = stop
        return result


@dataclass(frozen=True)
class Pixels(Filters):
    """One function a pixel: the complete, unconstrained basis of group convolutional networks (Cohen and Welling,
    arXiv 1602.07576). Only symmetries of the square lattice, subgroups of D(4), move it into itself.

    Attributes:
        kernel_size: side of the stencil.
    """

    kernel_size: int

    def functions(self, points: np.ndarray) -> np.ndarray:
        """1 at its own pixel."""
        own = stencil_points(self.kernel_size)
        return (np.abs(own[:, None] - points[None]).max(-1) < 1e-6).astype(np.float64)

    def pieces(self, group: Group) -> list[Piece]:
        """The permutation of the pixels."""
        if not group.is_finite:
            raise ValueError(f"Pixels: {group.name} turns pixels into no pixels; use a subgroup of D4 or GaussianRings")
        own = stencil_points(self.kernel_size)
        moved = np.einsum("gij,pj->gpi", group.plane(group.elements).numpy(), own)
        matrices = (np.abs(own[None, :, None] - moved[:, None]).max(-1) < 1e-6).astype(np.float64)
        if (matrices.sum(1) != 1).any():
            raise ValueError(f"Pixels: {group.name} turns pixels into no pixels; use a subgroup of D4 or GaussianRings")
        top = max(group.irrep_info(i).frequency for i in group.irrep_ids())
        irreps, basis = decompose(group, matrices, 0, top)
        return [Piece(0, len(own), Representation(group, irreps, basis, "pixels"))]


@dataclass(frozen=True)
class Point(Filters):
    """The constant function: kernels of one point, that is linear maps. Any group will do, planar or not."""

    def functions(self, points: np.ndarray) -> np.ndarray:
        """One everywhere."""
        return np.ones((1, len(points)))

    def pieces(self, group: Group) -> list[Piece]:
        """Nothing moves."""
        return [Piece(0, 1, group.trivial)]

    def orbit(self, group: Group, points: np.ndarray) -> np.ndarray:
        """One everywhere, for every element."""
        return np.ones((1, group.order or 0, len(points)))


def stencil_points(kernel_size: int) -> np.ndarray:
    """Offsets ``[k*k, 2]`` of the pixels of a stencil, rows from the top (x2 up, x1 right)."""
    offset = np.arange(kernel_size) - (kernel_size - 1) / 2
    return np.stack([np.tile(offset, kernel_size), np.repeat(-offset, kernel_size)], -1)
