"""PRIN: clouds as functions on spherical shells, correlated over rotations, read at the points again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

import steerable.nn as snn
from steerable.domains.points import Points
from steerable.groups.spherical import spherical_harmonics
from steerable.models.sprin import centred, check_task
from steerable.nn.constants import ConstantModule


class ShellTransform(ConstantModule):
    """Samples on ``2b x 2b`` directions to coefficients of the sphere and back, one dense matrix each."""

    def __init__(self, sampling: snn.DensityAwareSampling) -> None:
        super().__init__()
        self.band = sampling.band
        harmonics = spherical_harmonics(sampling.sphere.points().flatten(0, -2), range(self.band))
        harmonics = harmonics * math.sqrt(4 * math.pi)
        weights = sampling.sphere.weights().flatten() / (4 * math.pi)
        self.register_constant("_synthesis", harmonics)
        self.register_constant("_analysis", harmonics * weights[:, None])

    def analysis(self, f: Tensor) -> Tensor:
        """``[B, C, shells, 2b, 2b]`` to ``[B, C b^2, shells]``."""
        return (f.flatten(-2) @ self._analysis).mT.flatten(1, 2)

    def synthesis(self, x: Tensor) -> Tensor:
        """``[B, C b^2, shells]`` to ``[B, C, shells, (2b)^2]``."""
        return x.unflatten(1, (-1, self.band**2)).mT @ self._synthesis.T


class PRIN(nn.Module):
    """Density-aware samples on shells, correlations over rotations, invariant features at the points.

    The correlations are exactly equivariant. Sampling, and activations on a grid of rotations, are not: their error
    falls with the band. Positions are centred and scaled to radius 1, cloud by cloud.

    Args:
        in_channels: plain channels of a point.
        num_classes: number of logits.
        task: ``classify``: of each cloud; ``segment``: of each point.
        band: b, degrees below which functions are kept.
        shells: number of radii.
        widths: functions of each layer.
        hidden: width of the dense layer on top.
        radial: odd number of shells that a kernel sees.
        oversample: samples of rotations for each degree of freedom, at each activation.
        window: of the sampling, see :class:`DensityAwareSampling`.
        adaptive: whether the windows are wider in longitude near the poles.
        resample: ``harmonic`` or ``trilinear``, see :class:`PointResample`.
        dropout: before the last layer.

    Raises:
        ValueError: another task, or sizes that cannot be.

    Source: You et al., "Pointwise Rotation-Invariant Network with Adaptive Sampling and 3D Spherical Voxel
    Convolution", AAAI 2020, arXiv 1811.09361. There box windows, ReLU without oversampling, trilinear resampling.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        task: str = "classify",
        band: int = 6,
        shells: int = 4,
        widths: Sequence[int] = (8, 16, 16),
        hidden: int = 64,
        radial: int = 3,
        oversample: float = 1.5,
        window: str = "round",
        adaptive: bool = True,
        resample: str = "harmonic",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_task("PRIN", task)
        self.task, self.band = task, band
        self.sampling = snn.DensityAwareSampling(band, shells, window, adaptive)
        self.shells = ShellTransform(self.sampling)
        self.rotations = snn.RotationSamples(band, oversample)
        self.convs, self.norms, current = nn.ModuleList(), nn.ModuleList(), in_channels
        for k, width in enumerate(widths):
            where = "rotations" if k else "sphere"
            self.convs.append(snn.SphericalVoxelConv(current, width, band, where, radial=radial))
            self.norms.append(snn.BatchNorm(self.convs[-1].out_type))  # type: ignore[arg-type]
            current = width
        self.resample = snn.PointResample(band, shells, resample)
        top = current + in_channels if task == "segment" else current
        self.head = nn.Sequential(
            nn.Linear(top, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, num_classes)
        )

    def forward(self, x: Tensor, positions: Tensor, batch: Tensor | None = None) -> Tensor:
        """Features ``[N, in_channels]`` at ``[N, 3]`` to ``[clouds, classes]``, or ``[N, classes]`` to segment."""
        points = in_unit_ball(Points(positions, batch))
        maps = self.maps(x, points)
        if self.task == "segment":
            return self.head(torch.cat([self.resample(maps, points), x], 1))
        return self.head(self.shells.synthesis(maps).flatten(2).amax(2))

    def features(self, x: Tensor, positions: Tensor, batch: Tensor | None = None) -> Tensor:
        """The features ``[N, widths[-1]]`` of the points, which rotations leave as they are, up to the sampling."""
        points = in_unit_ball(Points(positions, batch))
        return self.resample(self.maps(x, points), points)

    def maps(self, x: Tensor, points: Points) -> Tensor:
        """Coefficients ``[clouds, widths[-1] b^2, shells]`` of functions on the shells that turn with the cloud."""
        y = self.shells.analysis(self.sampling(x, points))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            y = norm(conv(y)).mT.unflatten(2, (-1, self.rotations.size))  # [B, shells, C, D]
            y = self.rotations.analysis(nn.functional.gelu(self.rotations.synthesis(y))).flatten(2).mT
        return snn.mean_of_last_turn(y, self.band)


def in_unit_ball(points: Points) -> Points:
    """The points with the mean of each cloud at the origin and the farthest at distance 1."""
    points = centred(points)
    square = points.positions.square().sum(-1)
    most = square.new_zeros(points.num_graphs).scatter_reduce(0, points.batch, square, "amax", include_self=False)
    most = torch.where(most > 0, most, 1.0)[points.batch]
    return points.at(points.positions / most.sqrt()[:, None])
