"""PRIN: clouds as functions on spherical shells, correlated over rotations, read at the points again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

import steerable.nn as snn
from steerable.domains.points import Points
from steerable.models.sprin import centred, check_task


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
        self.analysis = snn.SHT(self.sampling.sphere, "1x0", band)
        self.synthesis = self.analysis.inverse()
        self.convs, self.norms, self.acts = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        current = in_channels
        for k, width in enumerate(widths):
            where = "rotations" if k else "sphere"
            self.convs.append(snn.SphericalVoxelConv(current, width, band, where, radial=radial))
            self.norms.append(snn.BatchNorm(self.convs[-1].out_type))  # type: ignore[arg-type]
            self.acts.append(snn.SpectralAct(width, band, "gelu", oversample, bias=False))
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
        values = self.synthesis(maps.unflatten(1, (-1, self.band**2)).mT.reshape(-1, self.band**2))
        return self.head(values.reshape(len(maps), -1, maps.shape[2] * values[0].numel()).amax(2))

    def features(self, x: Tensor, positions: Tensor, batch: Tensor | None = None) -> Tensor:
        """The features ``[N, widths[-1]]`` of the points, which rotations leave as they are, up to the sampling."""
        points = in_unit_ball(Points(positions, batch))
        return self.resample(self.maps(x, points), points)

    def maps(self, x: Tensor, points: Points) -> Tensor:
        """Coefficients ``[clouds, widths[-1] b^2, shells]`` of functions on the shells that turn with the cloud."""
        f = self.sampling(x, points)  # [clouds, C, shells, 2b, 2b]
        y = self.analysis(f.flatten(0, 2)[:, None]).reshape(*f.shape[:3], -1).mT.flatten(1, 2)
        for conv, norm, act in zip(self.convs, self.norms, self.acts, strict=True):
            y = norm(conv(y)).mT  # [clouds, shells, C D]
            y = act(y.flatten(0, 1)).reshape(y.shape).mT
        return snn.mean_of_last_turn(y, self.band)


def in_unit_ball(points: Points) -> Points:
    """The points with the mean of each cloud at the origin and the farthest at distance 1."""
    points = centred(points)
    square = points.positions.square().sum(-1)
    most = square.new_zeros(points.num_graphs).scatter_reduce(0, points.batch, square, "amax", include_self=False)
    most = torch.where(most > 0, most, 1.0)[points.batch]
    return points.at(points.positions / most.sqrt()[:, None])
