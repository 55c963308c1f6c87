"""Clouds of points as functions on spherical shells, by windows that do not see how dense the points are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.domains.points.cloud import Points
from steerable.domains.points.rows import rows
from steerable.domains.sphere import Sphere
from steerable.groups.spherical import unit
from steerable.nn.constants import ConstantModule

WINDOWS = ("round", "box")


class DensityAwareSampling(ConstantModule):
    r"""Means of the features of points over windows about the cells of ``2b x 2b`` directions and some shells.

    ``f(u, h) = sum_n k(u, x_n) max(0, 1 - |(r + 1) |x_n| - h|) x_n / sum_n k(u, x_n)`` for h = 1 .. r: a mean over the
    points in a window, so that dense places count no more than others. Box windows are those of the paper: one ring
    high, and as wide in longitude as ``1 / sin(colatitude)``. Round windows are a smooth function of the angle to the
    cell: f then turns with the cloud at every direction, so that only cells between which it is not looked at are lost.

    Args:
        band: b; cells are those of Driscoll and Healy, on which degrees ``l < b`` are analysed exactly.
        shells: r, number of radii 1 / (r + 1) .. r / (r + 1).
        window: ``round`` or ``box``.
        adaptive: False: all windows as wide in longitude as at the equator, which shows what the widening is for.
        width: of the windows: radius of round ones in units of ``pi / b``, and the factor on the sides of boxes.

    Raises:
        ValueError: another window, or sizes below 1.

    Source: You et al., "Pointwise Rotation-Invariant Network with Adaptive Sampling and 3D Spherical Voxel
    Convolution", AAAI 2020, arXiv 1811.09361, section 3.1.
    """

    def __init__(
        self, band: int, shells: int, window: str = "round", adaptive: bool = True, width: float = 1.0
    ) -> None:
        super().__init__()
        if window not in WINDOWS or band < 1 or shells < 1 or not width > 0:
            raise ValueError(
                f"DensityAwareSampling: band {band}, {shells} shells, window {window!r} of width {width}; expected at "
                f"least 1 and 1, one of {', '.join(WINDOWS)}, a positive width."
            )
        self.band, self.shells, self.window, self.adaptive, self.width = band, shells, window, adaptive, width
        self.sphere = Sphere.equiangular(band)
        self.register_constant("_angles", self.sphere.angles().flatten(0, -2))
        self.register_constant("_cells", self.sphere.points().flatten(0, -2))

    def forward(self, x: Tensor, points: Points) -> Tensor:
        """Features ``[N, C]`` of points in the unit ball about the origin to ``[clouds, C, shells, 2b, 2b]``.

        Points at the origin have no direction and count nowhere; cells that see no point are 0.

        Raises:
            ValueError: points of the plane, or other features.
        """
        if points.dimension != 3 or len(x) != len(points):
            raise ValueError(f"DensityAwareSampling: features {list(x.shape)} of {points}; expected [N, C] in space.")
        near = unit(points.positions)
        hats = self.radial(points.positions)
        index, there = rows(points)
        if not index.numel():
            return x.new_zeros(points.num_graphs, x.shape[1], self.shells, 2 * self.band, 2 * self.band)
        # features times hats [G, P, C r], one column of windows for each cell
        each = (x[:, :, None] * hats[:, None].to(x)).flatten(1)
        each = torch.cat([torch.ones_like(x[:, :1]), each], 1)[index] * there[..., None]
        windows = self.windows(near)[index].to(x)  # [G, P, cells]
        total = torch.bmm(windows.mT, each)
        # a little is added to the sum of round windows, so that a cell that loses its last point does so smoothly
        least = 0.05 if self.window == "round" else 0.0
        weight = total[..., :1] + least
        mean = total[..., 1:] / torch.where(weight > 0, weight, 1.0)
        return mean.mT.unflatten(1, (x.shape[1], self.shells)).unflatten(-1, (2 * self.band, 2 * self.band))

    def radial(self, positions: Tensor) -> Tensor:
        """The hats ``[N, shells]`` of the radii."""
        square = positions.square().sum(-1, keepdim=True)
        radius = torch.where(square == 0, 0.0, torch.where(square == 0, 1.0, square).sqrt())
        shell = torch.arange(1, self.shells + 1, device=positions.device, dtype=positions.dtype)
        return (1 - (radius * (self.shells + 1) - shell).abs()).clamp_min(0)

    def windows(self, directions: Tensor) -> Tensor:
        """How much each cell sees of directions ``[N, 3]``: ``[N, cells]``; nothing of the origin."""
        step, some = math.pi / self.band, (directions != 0).any(-1, keepdim=True)
        if self.window == "round" and self.adaptive:
            t = (1 - directions @ self._cells.T.to(directions)) / (1 - math.cos(min(math.pi, self.width * step)))
            return (1 - t).clamp_min(0).square() * some
        theta, phi = self._angles.to(directions).unbind(-1)
        x, y, z = directions.unbind(-1)
        axis = (x == 0) & (y == 0)  # longitude 0 there, and no gradient
        across = torch.where(axis, 0.0, torch.hypot(torch.where(axis, 1.0, x), y))
        beta = (torch.atan2(across, torch.where(axis & (z == 0), 1.0, z))[:, None] - theta).abs()
        alpha = (
            torch.remainder(torch.atan2(y, torch.where(axis, 1.0, x))[:, None] - phi + math.pi, 2 * math.pi) - math.pi
        )
        scale = theta.sin() if self.adaptive else torch.ones_like(theta)
        if self.window == "round":
            t = (beta.square() + (alpha * scale).square()) / (self.width * step) ** 2
            return (1 - t).clamp_min(0).square() * some
        inside = (beta <= self.width * step / 4) & (alpha.abs() * scale <= self.width * step / 2)
        return (inside & some).to(directions)
