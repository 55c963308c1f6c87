"""Polynomials on the disc and the ball: kernels that are smooth everywhere, at the centre and at the rim."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.groups.group import Group
from steerable.groups.harmonics import harmonic_representation, harmonics_of_degree, solid_harmonics
from steerable.kernels.filters import Filters, Piece


@dataclass(frozen=True)
class Zernike(Filters):
    """Zernike polynomials of the disc or the ball times a taper ``(1 - r^2 / R^2)^p``, zero outside.

    Every polynomial of degree ``order`` is a combination of them. Unlike rings times harmonics they have all
    derivatives at the centre, so that sums over samples converge fast to integrals: the kernels of choice on curved
    surfaces.

    Attributes:
        order: largest degree of the polynomials.
        radius: R, in units of the grid.
        dimension: 2 or 3.
        taper: p; the kernel has p - 1 continuous derivatives at the rim.

    Source: Zernike, Physica 1 (1934); in any dimension, with Jacobi polynomials: Dunkl and Xu, "Orthogonal Polynomials
    of Several Variables", 2014, section 5.2.
    """

    order: int
    radius: float
    dimension: int = 2
    taper: int = 3

    def values(self, points: Tensor) -> Tensor:
        """Degree by degree, in each the radial polynomials by their order: ``[N, F]``."""
        x = points / self.radius
        square = x.square().sum(-1, keepdim=True)
        rim = (1 - square).clamp_min(0) ** self.taper
        solid = solid_harmonics(x, self.order)
        columns = []
        for degree in range(self.order + 1):
            angular = solid[:, slice(*harmonics_of_degree(degree, self.dimension))] * rim
            beta = degree + self.dimension / 2 - 1
            for k, radial in enumerate(jacobi((self.order - degree) // 2, beta, 2 * square - 1)):
                columns.append(angular * radial * math.sqrt(2 * (degree + 2 * k) + self.dimension))
        return torch.cat(columns, -1)

    def pieces(self, group: Group) -> list[Piece]:
        """One piece for each polynomial of the radius and degree."""
        result, start = [], 0
        for degree in range(self.order + 1):
            rep = harmonic_representation(group, degree, self.dimension)
            for _ in range((self.order - degree) // 2 + 1):
                result.append(Piece(start, start + rep.size, rep))
                start += rep.size
        return result

    @property
    def is_compact(self) -> bool:
        """They end smoothly at the radius by themselves."""
        return True


def jacobi(top: int, beta: float, x: Tensor) -> list[Tensor]:
    """Jacobi polynomials ``P_k^(0, beta)`` for k = 0 .. top, by recursion (DLMF 18.9.1)."""
    found = [torch.ones_like(x), ((beta + 2) * x - beta) / 2]
    for k in range(2, top + 1):
        c = 2 * k + beta
        a = (c - 1) * (c * (c - 2) * x - beta * beta) / (2 * k * (k + beta) * (c - 2))
        b = 2 * (k - 1) * (k + beta - 1) * c / (2 * k * (k + beta) * (c - 2))
        found.append(a * found[-1] - b * found[-2])
    return found[: top + 1]
