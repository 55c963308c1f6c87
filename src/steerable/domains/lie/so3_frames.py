"""SO(3) sampled as frames: vertices of an icosphere, and orientations about each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from steerable.domains.lie.logarithm import squared_length
from steerable.domains.lie.space import TIE, Edges, GroupSamples, Metric, Shares, kth
from steerable.domains.points.cloud import Points
from steerable.domains.sphere.icosahedral import IcosahedralSphere
from steerable.groups.conversions import convert_rotation
from steerable.groups.group import Group
from steerable.groups.quaternions import quaternion_conjugate, quaternion_product, quaternion_to_matrix
from steerable.groups.sampling import frame_over
from steerable.groups.so3 import SO3

# pairs of frames that are held together
_CHUNK = 1 << 19
# vertices whose nearest stand for those of all
_LOOKED_AT = 16


@dataclass(frozen=True)
class SO3Frames(GroupSamples):
    """``[10 4^level + 2, orientations]``: the frames (south, east, outward) of vertices, turned by [-pi/2, pi/2).

    As on SE(2) a frame and its half turn about the outward axis are one. Distances are lengths of the logarithm of the
    relative rotation, in steps of the icosphere.

    Attributes:
        level: of the icosphere.
        orientations: at each vertex.

    Raises:
        ValueError: for a number of orientations below 1, or a level that the icosphere has not.
    """

    level: int
    orientations: int

    def __post_init__(self) -> None:
        if self.orientations < 1:
            raise ValueError(f"SO3Frames: {self.orientations} orientations; expected at least 1")
        IcosahedralSphere(self.level)

    @cached_property
    def sphere(self) -> IcosahedralSphere:
        """The vertices."""
        return IcosahedralSphere(self.level)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(vertices, orientations)``."""
        return (self.sphere.num_points, self.orientations)

    @property
    def key(self) -> tuple[object, ...]:
        """Name and sizes."""
        return ("SO3", self.level, self.orientations)

    @property
    def xi(self) -> float:
        """The published value, 10 / vertices at six orientations, in steps; a step of the grid always costs as much."""
        return 10 / (4 * math.pi) * (self.orientations / 6) ** 2

    @property
    def angles(self) -> Tensor:
        """Orientations ``[orientations]``."""
        return torch.arange(self.orientations, dtype=torch.float64) * math.pi / self.orientations - math.pi / 2

    @cached_property
    def quaternions(self) -> Tensor:
        """Frames ``[vertices, orientations, 4]``."""
        theta, phi = self.sphere.angles().unbind(-1)
        return quaternion_product(frame_over(SO3(), phi, theta)[:, None], _about_z(self.angles))

    def points(self) -> Tensor:
        """Frames as quaternions ``[*shape, 4]``."""
        return self.quaternions

    def areas(self) -> Tensor:
        """Area of the vertex times step of the orientation."""
        return self.sphere.flat_weights().repeat_interleave(self.orientations) * (math.pi / self.orientations)

    def _square(self, metric: Metric, a: Tensor, b: Tensor) -> Tensor:
        """Squared distances of frames, as quaternions."""
        relative = quaternion_product(quaternion_conjugate(a), b)
        w, x, y, z = relative.unbind(-1)
        both = torch.stack([relative, torch.stack([-z, y, -x, w], -1)])  # and after half a turn about the outward axis
        c = convert_rotation(both, "quaternion", "vector")
        steps = c / c.new_tensor([self.sphere.spacing, self.sphere.spacing, 1.0])
        return squared_length(steps, metric.eps, self.turn(metric)).amin(0)

    def reach(self, metric: Metric, k: int) -> Tensor:
        """Of all frames at 16 vertices."""
        rows = torch.linspace(0, self.shape[0] - 1, min(_LOOKED_AT, self.shape[0])).long()
        everything = self.quaternions.reshape(-1, 4)
        chosen = self.quaternions[rows].reshape(-1, 1, 4)
        return torch.cat([kth(self._square(metric, q, everything), k + 1) for q in chosen.split(8)])

    def pairs(self, metric: Metric, radius: float) -> Edges:
        """All orientations of vertices that are near."""
        tilt = radius * TIE * self.sphere.spacing / math.sqrt(min(1.0, metric.eps))  # the least rotation that moves one
        chord = 2.1 if tilt >= math.pi else 2 * math.sin(tilt / 2) * TIE
        near = Points(self.sphere.points()).neighbours(chord, loop=True)
        count = self.orientations
        q, inner = self.quaternions, torch.arange(count)
        parts = []
        step = max(1, _CHUNK // count**2)
        for here, there in zip(near.target.split(step), near.source.split(step), strict=True):
            square = self._square(metric, q[here][:, :, None], q[there][:, None])
            target = (here[:, None, None] * count + inner[:, None]).expand_as(square)
            source = (there[:, None, None] * count + inner).expand_as(square)
            kept = (square <= (radius * TIE) ** 2) & (target != source)
            parts.append(Edges(target[kept], source[kept], square[kept]))
        return Edges.joined(parts, q.shape[0] * count)

    def coarser(self) -> SO3Frames:
        """The level before. Raises ``ValueError`` at level 0."""
        return SO3Frames(self.sphere.coarser().level, self.orientations)

    def shares(self) -> Shares:
        """A vertex of the level before with its neighbours, for each orientation."""
        pooling = self.sphere.pooling()
        inner = torch.arange(self.orientations)[:, None]
        index = (pooling.index[:, None] * self.orientations + inner).flatten(0, 1)
        return Shares(index, pooling.weight.repeat_interleave(self.orientations, 0))

    def permutation(self, group: Group, g: Tensor) -> Tensor | None:
        """Symmetries of the icosphere that move frames to frames: half turns about the coordinate axes."""
        matrix = group.action(g, 3)
        if bool(matrix.det() < 0) or not self.sphere.is_exact(group, g):
            return None
        to = self.sphere.permutation(group, g)
        moved = matrix @ quaternion_to_matrix(self.quaternions)
        there = quaternion_to_matrix(self.quaternions[to, 0])[:, None]
        turn = there.mT @ moved
        place = torch.remainder(torch.atan2(turn[..., 1, 0], turn[..., 0, 0]) + 1e-9, math.pi)
        place = place * self.orientations / math.pi
        orientation = place.round()
        if bool((place - orientation).abs().max() > 1e-6):
            return None
        return (to[:, None] * self.orientations + orientation.long() % self.orientations).flatten()


def _about_z(angle: Tensor) -> Tensor:
    zero = torch.zeros_like(angle)
    return torch.stack([(angle / 2).cos(), zero, zero, (angle / 2).sin()], -1)
