"""The sphere itself, with its own distance: what a graph without orientations is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.domains.lie.space import TIE, Edges, GroupSamples, Metric, Shares
from steerable.domains.points.cloud import Points
from steerable.domains.sphere.sphere import Sphere
from steerable.groups.group import Group


@dataclass(frozen=True)
class S2Samples(GroupSamples):
    """Any sampling of the sphere; distances are geodesic, in steps of the sampling. There is nothing to turn.

    Attributes:
        sphere: the samples.
    """

    sphere: Sphere

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the sampling."""
        return self.sphere.shape

    @property
    def key(self) -> tuple[object, ...]:
        """That of the sampling."""
        return ("S2", self.sphere.key)

    @property
    def xi(self) -> float:
        """Unused."""
        return 1.0

    @property
    def orientations_at(self) -> int:
        """None."""
        return 0

    def points(self) -> Tensor:
        """Unit vectors ``[*shape, 3]``."""
        return self.sphere.points()

    def areas(self) -> Tensor:
        """Quadrature weights."""
        return self.sphere.flat_weights()

    def _cloud(self) -> Points:
        return Points(self.points().reshape(-1, 3))

    def reach(self, metric: Metric, k: int) -> Tensor:
        """Of all samples."""
        near = self._cloud().knn(k)
        return self._steps(near.distance).view(-1, k).amax(1)

    def pairs(self, metric: Metric, radius: float) -> Edges:
        """By a search in space."""
        angle = radius * TIE * self.sphere.spacing
        near = self._cloud().neighbours(2.1 if angle >= math.pi else 2 * math.sin(angle / 2))
        return Edges(near.target, near.source, self._steps(near.distance).square())

    def _steps(self, chord: Tensor) -> Tensor:
        return 2 * torch.asin((chord / 2).clamp(max=1.0)) / self.sphere.spacing

    def coarser(self) -> S2Samples:
        """That of the sampling. Raises ``ValueError`` where there is none."""
        return S2Samples(self.sphere.coarser())

    def shares(self) -> Shares:
        """Shares of areas."""
        pooling = self.sphere.pooling()
        return Shares(pooling.index, pooling.weight)

    def permutation(self, group: Group, g: Tensor) -> Tensor | None:
        """Symmetries of the sampling."""
        return self.sphere.permutation(group, g) if self.sphere.is_exact(group, g) else None
