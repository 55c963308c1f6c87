"""The promise of a sampling of the sphere."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from steerable.domains.domain import Domain
from steerable.domains.homogeneous import Homogeneous
from steerable.domains.points.cloud import Points
from steerable.domains.points.neighbourhood import Neighbourhood
from steerable.domains.sphere.neighbours import sphere_neighbours
from steerable.fields.type import FieldType
from steerable.groups import SO2, SO3
from steerable.groups.group import Group
from steerable.groups.sampling import frame_over


class Sphere(Domain):
    """Points on the unit sphere with quadrature weights and a tangent frame at each.

    Fields have types of SO2 (or of a subgroup), the group of the frames: ``"1x0 + 1x2"`` is a scalar and a field of
    spin 2. The frame at colatitude theta and longitude phi is (south, east) with the normal outwards: the columns of
    ``Rz(phi) Ry(theta)``. A rotation g of SO3 acts by ``[g f](p) = rho(h) f(g^-1 p)``, with h the angle from the
    moved frame to the frame that is there. Features are ``[B, C, *shape]``.

    Samplings are compared by value and may be keys of a cache.
    """

    @property
    @abstractmethod
    def key(self) -> tuple[object, ...]:
        """What makes two samplings equal."""

    @property
    @abstractmethod
    def band(self) -> int:
        """Largest L for which fields of degrees ``l < L`` are analysed exactly; 0 if there is none."""

    @abstractmethod
    def angles(self) -> Tensor:
        """Colatitude and longitude of every sample, ``[*shape, 2]`` float64 in radians."""

    @property
    def usual_band(self) -> int:
        """Band up to which fields are usually analysed: the exact one where there is one."""
        return self.band or max(1, int(math.sqrt(self.num_points / 2)))

    @property
    def num_points(self) -> int:
        """Number of samples."""
        return math.prod(self.shape)

    @property
    def spacing(self) -> float:
        """Mean distance of neighbouring samples in radians: the side of a square of the mean area."""
        return math.sqrt(4 * math.pi / self.num_points)

    def points(self) -> Tensor:
        """Unit vectors ``[*shape, 3]`` float64."""
        return self.frames()[..., 2]

    def frames(self) -> Tensor:
        """Rotation matrices ``[*shape, 3, 3]`` float64 with the columns south, east, outward."""
        return frames_at(*self.angles().unbind(-1))

    def neighbours(self, radius: float, targets: Sphere | None = None) -> Neighbourhood:
        """Return all pairs of a target and a sample at most ``radius`` radians apart, a point itself included.

        ``offset [E, 2]`` is the logarithm of the source in the frame of the target, ``transport [E]`` the angle by
        which parallel transport along the geodesic turns the frame of the source against that of the target,
        ``weight [E]`` the quadrature weight of the source.

        Args:
            radius: in radians, positive and below pi.
            targets: where the result is wanted; default the samples themselves.

        Raises:
            ValueError: for another radius.
        """
        there = (self if targets is None else targets).frames().reshape(-1, 3, 3)
        return sphere_neighbours(there, self.frames().reshape(-1, 3, 3), self.flat_weights(), radius)

    def is_exact(self, group: Group, g: Tensor) -> bool:
        """Whether one rotation moves samples onto samples."""
        points = self.points().reshape(-1, 3)
        found = Points(points).cross(Points(points @ group.action(g, 3).T), 1e-9)
        return len(found.target.unique()) == len(points)

    def move(self, x: Tensor, group: Group, g: Tensor) -> Tensor:
        """``f(g^-1 p)`` of scalars ``[B, C, *shape]``, in the harmonic domain up to :attr:`usual_band`."""
        return self.transform(x, x.shape[1] * SO2().trivial, g)

    def transform(self, x: Tensor, type: FieldType, g: Tensor) -> Tensor:
        """``[g f](p) = rho(h) f(g^-1 p)`` for one element g of SO3, in the harmonic domain up to :attr:`usual_band`.

        Args:
            x: ``[B, type.size, *shape]``.
            type: fields of SO2.
            g: a unit quaternion ``[4]``.
        """
        space = Homogeneous(SO3(), SO2(), self.usual_band - 1)
        fields = space.fields(type)
        theta, phi = self.angles().reshape(-1, 2).unbind(-1)
        matrix = fields.evaluate(frame_over(SO3(), phi, theta)).to(x)  # [N, C, D]
        weighted = matrix * (self.flat_weights() / (4 * math.pi)).to(x)[:, None, None]
        found = torch.einsum("ncd,bcn->bd", weighted, x.flatten(2))
        turned = fields.type.transform(found, g)
        return torch.einsum("ncd,bd->bcn", matrix, turned).reshape(x.shape)

    def flat_weights(self) -> Tensor:
        """Quadrature weights ``[N]``, of sum 4 pi."""
        return self.weights().expand(self.shape).reshape(-1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sphere) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({' x '.join(map(str, self.shape))})"


def frames_at(theta: Tensor, phi: Tensor) -> Tensor:
    """Rotation matrices ``Rz(phi) Ry(theta)``, ``[..., 3, 3]`` with the columns south, east, outward."""
    ct, st, cp, sp = theta.cos(), theta.sin(), phi.cos(), phi.sin()
    south, east, out = (ct * cp, ct * sp, -st), (-sp, cp, torch.zeros_like(sp)), (st * cp, st * sp, ct)
    return torch.stack([torch.stack(row, -1) for row in zip(south, east, out, strict=True)], -2)
