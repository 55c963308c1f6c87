"""Functions on spherical shells, read where points are: an invariant of each point if the function turns with them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.domains.points.cloud import Points
from steerable.domains.points.rows import rows
from steerable.domains.sphere import Sphere
from steerable.groups.spherical import spherical_harmonics
from steerable.nn.constants import ConstantModule

METHODS = ("harmonic", "trilinear")


class PointResample(ConstantModule):
    """Values of functions on shells at points, linear between shells, constant inside the first and beyond the last.

    Args:
        band: degrees ``l < band``.
        shells: number r of radii 1 / (r + 1) .. r / (r + 1).
        method: ``harmonic``: harmonics at the direction of the point, which is exact; ``trilinear``: interpolation of
            samples on ``2b x 2b`` cells, as published, across the poles too.

    Raises:
        ValueError: another method, or sizes below 1.

    Source: You et al., arXiv 1811.09361, section 3.3.
    """

    def __init__(self, band: int, shells: int, method: str = "harmonic") -> None:
        super().__init__()
        if method not in METHODS or band < 1 or shells < 1:
            raise ValueError(
                f"PointResample: band {band}, {shells} shells, method {method!r}; expected at least 1 and 1, one of "
                f"{', '.join(METHODS)}."
            )
        self.band, self.shells, self.method = band, shells, method
        if method == "trilinear":
            cells = Sphere.equiangular(band).points().flatten(0, -2)
            self.register_constant("_cells", spherical_harmonics(cells, range(band)) * math.sqrt(4 * math.pi))

    def forward(self, x: Tensor, points: Points) -> Tensor:
        """Coefficients ``[clouds, C band^2, shells]`` to values ``[N, C]`` at points in the unit ball.

        At the origin, where there is no direction, the value is the mean of the first shell.

        Raises:
            ValueError: other coefficients, or points of the plane.
        """
        size = self.band**2
        if points.dimension != 3 or x.shape[::2] != (points.num_graphs, self.shells) or x.shape[1] % size:
            raise ValueError(
                f"PointResample: coefficients {list(x.shape)} at {points}; expected "
                f"[{points.num_graphs}, C {size}, {self.shells}] and points of space."
            )
        index, there = rows(points)
        share = self.between(points.positions)[index].to(x)  # [G, P, r]
        on = self.directions(points.positions)[index].to(x)  # [G, P, b^2]
        each = torch.einsum("gpk,gckr,gpr->gpc", on, x.unflatten(1, (-1, size)), share)
        order = index[there]
        return x.new_zeros(len(points), each.shape[2]).index_copy(0, order, each[there])

    def between(self, positions: Tensor) -> Tensor:
        """Shares ``[N, shells]`` of the shells, of sum 1."""
        square = positions.square().sum(-1, keepdim=True)
        radius = torch.where(square == 0, 0.0, torch.where(square == 0, 1.0, square).sqrt())
        place = (radius * (self.shells + 1)).clamp(1, self.shells)
        shell = torch.arange(1, self.shells + 1, device=positions.device, dtype=positions.dtype)
        return (1 - (place - shell).abs()).clamp_min(0)

    def directions(self, positions: Tensor) -> Tensor:
        """Functionals ``[N, band^2]`` of the coefficients: their value at the directions of points."""
        exact = spherical_harmonics(positions, range(self.band)) * math.sqrt(4 * math.pi)
        if self.method == "harmonic":
            return exact
        x, y, z = positions.unbind(-1)
        pole = (x == 0) & (y == 0)
        x = torch.where(pole, 1.0, x)  # the longitude of a pole is any
        flat = torch.where(pole, 0.0, torch.hypot(x, y))
        z = torch.where(pole & (z == 0), 1.0, z)
        rings, steps = 2 * self.band, 2 * self.band
        row = torch.atan2(flat, z) * (rings / math.pi) - 0.5
        column = torch.remainder(torch.atan2(y, x) * (steps / (2 * math.pi)), steps)
        low, left = row.detach().floor(), column.detach().floor()
        total = torch.zeros_like(exact)
        for i, down in ((low, 1 - (row - low)), (low + 1, row - low)):
            for j, right in ((left, 1 - (column - left)), (left + 1, column - left)):
                beyond = (i < 0) | (i >= rings)  # over the pole: the same ring, half a turn on
                inside = torch.where(i < 0, -1 - i, torch.where(i >= rings, 2 * rings - 1 - i, i)).long()
                turned = torch.remainder(j + torch.where(beyond, steps // 2, 0), steps).long()
                total = total + (down * right)[:, None] * self._cells.to(exact)[inside * steps + turned]
        return torch.where((positions == 0).all(-1, keepdim=True), exact, total)
