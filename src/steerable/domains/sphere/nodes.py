"""Points anywhere on the sphere, and along a golden spiral."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere.nearest import nearest_points
from steerable.domains.sphere.sphere import Sphere
from steerable.domains.sphere.voronoi import voronoi_areas

#: by how much a colatitude of pi in float32 is above it
_ROUNDING = 1e-6


class SpherePoints(Sphere):
    """Given points with given weights.

    Args:
        points: ``[N, 3]``, of any length but zero.
        weights: ``[N]``, none negative; scaled to the sum 4 pi. ``None``: equal ones. ``"area"``: the areas of the
            Voronoi cells, right for points all over the sphere; at the border of a part of it cells reach far out.

    Raises:
        ValueError: for other shapes, or points that are not finite or zero.
    """

    def __init__(self, points: Tensor, weights: Tensor | str | None = None) -> None:
        length = points.double().norm(dim=-1, keepdim=True) if points.dim() == 2 else torch.zeros(1)
        if points.dim() != 2 or points.shape[1] != 3 or not bool((length > 0).all() & length.isfinite().all()):
            raise ValueError(
                f"SpherePoints: points are {list(points.shape)}; expected finite directions [N, 3], none of them zero"
            )
        x, y, z = (points.double() / length).unbind(-1)
        self._angles = torch.stack([torch.atan2(torch.hypot(x, y), z), torch.atan2(y, x)], -1)
        if isinstance(weights, str):
            if weights != "area":
                raise ValueError(f"SpherePoints: weights are {weights!r}; expected 'area', a tensor or None")
            weights = torch.from_numpy(voronoi_areas(torch.stack([x, y, z], -1).numpy()))
        self._weights = _scaled(weights, len(points))

    @classmethod
    def from_angles(cls, angles: Tensor, weights: Tensor | None = None) -> SpherePoints:
        """Points by colatitude and longitude ``[N, 2]``; at a pole the longitude says how the frame is turned.

        Raises:
            ValueError: for other shapes or colatitudes, or angles that are not finite.
        """
        right = angles.dim() == 2 and angles.shape[1] == 2
        least, most = (float(v) for v in angles[:, 0].aminmax()) if right and len(angles) else (0.0, 0.0)
        if not (right and least >= 0 and most <= math.pi + _ROUNDING and bool(angles.isfinite().all())):
            raise ValueError(
                f"SpherePoints: angles are {list(angles.shape)}, colatitudes from {least:.4g} to {most:.4g}; expected "
                "colatitude (0 to pi) and longitude [N, 2] in radians"
            )
        out = cls.__new__(cls)
        out._angles, out._weights = angles.double(), _scaled(weights, len(angles))
        return out

    @property
    def key(self) -> tuple[object, ...]:
        """A fingerprint of the numbers."""
        numbers = torch.cat([self._angles, self._weights[:, None]], 1).contiguous().numpy()
        return ("points", hashlib.sha256(numbers.tobytes()).hexdigest())

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N,)``."""
        return (len(self._angles),)

    @property
    def band(self) -> int:
        """None is exact."""
        return 0

    def angles(self) -> Tensor:
        """Colatitude and longitude ``[N, 2]``."""
        return self._angles

    def weights(self) -> Tensor:
        """As given ``[N]``, of sum 4 pi."""
        return self._weights

    def coarser(self) -> SpherePoints:
        """A spiral of a quarter of the points, without those that are nearest to none; weights are summed.

        Which points go together depends on how they lie to the spiral, so this does not commute with rotations.
        """
        seeds = FibonacciSphere(max(1, self.num_points // 4)).points()
        home = nearest_points(self.points(), seeds, 1)[:, 0]
        used = np.unique(home)
        weights = np.bincount(home, self._weights.numpy(), len(seeds))[used]
        return SpherePoints(seeds[torch.from_numpy(used)], torch.from_numpy(weights))


def _scaled(weights: Tensor | None, count: int) -> Tensor:
    weights = torch.ones(count) if weights is None else weights
    right = weights.shape == (count,) and bool((weights >= 0).all() & weights.isfinite().all())
    if not right or not bool(weights.sum() > 0):
        raise ValueError(
            f"SpherePoints: weights are {list(weights.shape)}; expected [{count}], none negative, all finite, not all 0"
        )
    return weights.double() * (4 * math.pi / weights.double().sum())


@dataclass(frozen=True, eq=False, repr=False)
class FibonacciSphere(Sphere):
    """Points of equal area along a golden spiral: no point is special, and no rotation is exact.

    The k-th of n points is at height ``1 - (2 k + 1) / n`` and at longitude ``k`` golden angles. A. Gonzalez,
    Math. Geosci. 42 (2010) 49.

    Attributes:
        n: number of points.

    Raises:
        ValueError: for fewer than one.
    """

    n: int

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"FibonacciSphere of {self.n} points; expected at least 1")

    @property
    def key(self) -> tuple[object, ...]:
        """Kind and number."""
        return ("fibonacci", self.n)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n,)``."""
        return (self.n,)

    @property
    def band(self) -> int:
        """None is exact."""
        return 0

    def angles(self) -> Tensor:
        """Colatitude and longitude ``[n, 2]``; the colatitude from ``sin^2(theta / 2)``, exact near the poles."""
        k = np.arange(self.n)
        theta = 2 * np.arctan2(np.sqrt(2 * k + 1), np.sqrt(2 * self.n - 2 * k - 1))
        return torch.from_numpy(np.stack([theta, np.mod(np.pi * (3 - np.sqrt(5)) * k, 2 * np.pi)], -1))

    def weights(self) -> Tensor:
        """Equal ones ``[n]``."""
        return torch.full((self.n,), 4 * math.pi / self.n, dtype=torch.float64)

    def coarser(self) -> FibonacciSphere:
        """A spiral of a quarter of the points.

        Raises:
            ValueError: for fewer than eight.
        """
        if self.n < 8:
            raise ValueError(f"{self!r} has no coarser sampling: {self.n} points; expected at least 8")
        return FibonacciSphere(self.n // 4)

    def finer(self) -> FibonacciSphere:
        """A spiral of four times the points."""
        return FibonacciSphere(4 * self.n)

    def __repr__(self) -> str:
        return f"FibonacciSphere({self.n})"
