"""Gaussian shells times harmonics: the kernels of the plane and of space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.groups.group import Group
from steerable.groups.harmonics import harmonic_representation, harmonics, harmonics_of_degree
from steerable.kernels.bandlimit import Bandlimit, frequencies
from steerable.kernels.filters import Filters, Piece


@dataclass(frozen=True)
class GaussianRings(Filters):
    """Gaussian shells in the radius times harmonics of the direction: circular in the plane, spherical in space.

    Weiler and Cesa, arXiv 1911.08251 (plane); Weiler et al., arXiv 1807.02547 (space).

    Attributes:
        radii: centre of each shell, in units of the grid.
        widths: standard deviation of each shell.
        bandlimit: how fast a shell may turn, see :mod:`steerable.kernels.bandlimit`.
        dimension: 2 or 3.
        core: a function of the direction has a limit at the origin only if it vanishes there. With a core a, what turns
            and every shell away from the origin is multiplied by ``1 - exp(-r^2 / a^2)``, which ends in ``r^2``: values
            and first derivatives are continuous everywhere. 0, without it: on a grid no other point is near the origin.
    """

    radii: tuple[float, ...]
    widths: tuple[float, ...]
    bandlimit: Bandlimit = "default"
    dimension: int = 2
    core: float = 0.0

    @classmethod
    def for_size(cls, kernel_size: int, bandlimit: Bandlimit = "default", dimension: int = 2) -> GaussianRings:
        """Shells at 0, 1, 2, ... steps of the grid: a point at the centre, width 0.6 between, 0.4 at the rim."""
        count = (kernel_size + 1) // 2
        widths = [0.005] + [0.6] * (count - 2) + [0.4] * (count > 1)
        return cls(tuple(float(r) for r in range(count)), tuple(widths), bandlimit, dimension)

    @classmethod
    def for_points(cls, kernel_size: int, bandlimit: Bandlimit = "default", dimension: int = 3) -> GaussianRings:
        """Shells at 1, 2, ... steps and a broad one about the centre, all of width 0.6: for points on no grid.

        By default the degrees are 0 at the centre and up to 2 elsewhere. The core is a quarter of a step: points that
        come together lose their direction smoothly, and keep what the centre says. From one step on it is 1e-7.
        """
        count = (kernel_size + 1) // 2
        tops = (0,) + (2,) * (count - 1) if bandlimit == "default" else bandlimit
        return cls(tuple(float(r) for r in range(count)), (0.6,) * count, tops, dimension, core=0.25)

    def values(self, points: Tensor) -> Tensor:
        """Shell by shell, degree by degree; at the origin only degree 0 is not zero. Its gradient there is zero."""
        shells = self.shells(points).split(1, -1)
        angular = harmonics(torch.where(coincide(points), 0.0, points), max(self.tops))
        columns = [
            shell * angular[:, : harmonics_of_degree(top, self.dimension)[1]]
            for shell, top in zip(shells, self.tops, strict=True)
        ]
        if not self.radial:
            still = self._still(points)
            for k in (k for k, r in enumerate(self.radii) if r == 0):
                columns[k] = torch.cat([columns[k][:, :1], columns[k][:, 1:] * still], -1)
        return torch.cat(columns, -1)

    @property
    def radial(self) -> bool:
        """Whether one function of the radius multiplies all degrees of a shell."""
        return not self.core or all(top == 0 for r, top in zip(self.radii, self.tops, strict=True) if r == 0)

    def _still(self, points: Tensor) -> Tensor:
        """What makes directions vanish at the origin ``[N, 1]``."""
        return -torch.expm1(-points.square().sum(-1, keepdim=True) / self.core**2)

    def shells(self, points: Tensor) -> Tensor:
        """The radial functions ``[N, S]`` at points ``[N, n]``."""
        origin = coincide(points)
        squares = points.square().sum(-1, keepdim=True)
        radius = torch.where(origin, squares, torch.where(origin, 1.0, squares).sqrt())
        found = [
            torch.exp(-((radius - centre) ** 2 if centre else squares) / (2 * width**2))
            for centre, width in zip(self.radii, self.widths, strict=True)
        ]
        if self.core:
            still = self._still(points)
            found = [f * still if centre else f for f, centre in zip(found, self.radii, strict=True)]
        return torch.cat(found, -1)

    @property
    def tops(self) -> tuple[int, ...]:
        """Largest degree on each shell."""
        return frequencies(self.bandlimit, self.radii)

    def check(self, group: Group) -> None:
        """Rotations and reflections mix the harmonics of one degree among themselves: any group of the space will do.

        Raises:
            TypeError: the group does not act on it.
        """
        group.action(group.identity, self.dimension)

    def pieces(self, group: Group) -> list[Piece]:
        """One piece for each shell and degree."""
        result, offset = [], 0
        for top in self.tops:
            for degree in range(top + 1):
                start, stop = harmonics_of_degree(degree, self.dimension)
                rep = harmonic_representation(group, degree, self.dimension)
                result.append(Piece(offset + start, offset + stop, rep))
            offset += harmonics_of_degree(top, self.dimension)[1]
        return result


def coincide(points: Tensor) -> Tensor:
    """Where the squared length of ``points [N, n]`` has lost digits, ``[N, 1]``: the origin, or too near to it.

    Below the smallest normal number second derivatives of a direction are NaN.
    """
    return points.square().sum(-1, keepdim=True) < torch.finfo(points.dtype).tiny
