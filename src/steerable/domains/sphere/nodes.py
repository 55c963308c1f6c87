"""Points anywhere on the sphere, and along a golden spiral."""

from __future__ import annotations

import hashlib
import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere.nearest import nearest_points
from steerable.domains.sphere.sphere import Sphere
from steerable.domains.sphere.voronoi import voronoi_areas

#: by how much a colatitude of pi in float32 is above it
_ROUNDING = 1e-6
#: times the median area, from which a Voronoi cell is taken for one at a border
_FAR_ABOVE = 30


class SpherePoints(Sphere):
    """Given points with given weights.

    Args:
        points: ``[N, 3]``, of any length but zero.
        weights: ``[N]``, none negative. ``None``: equal ones. ``"area"``: the areas of the Voronoi cells.
        total: ``"sphere"``: weights are scaled to the sum 4 pi, as they are to be for points all over the sphere.
            ``"given"``: they are kept, as areas in steradians. A convolution sums over them, so a part of the sky means
            the same for it as in the whole only if its samples keep their areas.
        reach: of a Voronoi cell from its point, in radians, below pi / 2. At the border of a part of the sphere cells
            reach as far as to the other side; some spacings of the samples are right there. ``None``: they may.

    Raises:
        ValueError: for other shapes, points that are not finite or zero, areas that nobody gave, or a reach of no
            cells.

    Warns:
        UserWarning: if a Voronoi cell is far larger than the others and no reach was given.
    """

    def __init__(
        self,
        points: Tensor,
        weights: Tensor | str | None = None,
        total: Literal["sphere", "given"] = "sphere",
        reach: float | None = None,
    ) -> None:
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
            weights = torch.from_numpy(voronoi_areas(torch.stack([x, y, z], -1).numpy(), reach))
            if reach is None:
                _warn_of_borders(weights)
        elif reach is not None:
            raise ValueError(f"SpherePoints: reach is {reach} for weights that are given; expected weights='area'")
        self._weights, self.total = _scaled(weights, len(points), total), total

    @classmethod
    def from_angles(
        cls, angles: Tensor, weights: Tensor | None = None, total: Literal["sphere", "given"] = "sphere"
    ) -> SpherePoints:
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
        out._angles, out._weights, out.total = angles.double(), _scaled(weights, len(angles), total), total
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
        """As given ``[N]``, of sum 4 pi unless ``total="given"``."""
        return self._weights

    @property
    def spacing(self) -> float:
        """Mean distance of neighbouring samples in radians; of given areas, within what they cover."""
        return super().spacing if self.total == "sphere" else math.sqrt(float(self._weights.sum()) / self.num_points)

    def coarser(self) -> SpherePoints:
        """A spiral of a quarter of the points, without those that are nearest to none; weights are summed.

        Which points go together depends on how they lie to the spiral, so this does not commute with rotations.
        """
        seeds = FibonacciSphere(max(1, self.num_points // 4)).points()
        home = nearest_points(self.points(), seeds, 1)[:, 0]
        used = np.unique(home)
        weights = np.bincount(home, self._weights.numpy(), len(seeds))[used]
        return SpherePoints(seeds[torch.from_numpy(used)], torch.from_numpy(weights), self.total)


def _warn_of_borders(weights: Tensor) -> None:
    ratio = float(weights.max() / weights.median())
    if ratio > _FAR_ABOVE:
        warnings.warn(
            f"SpherePoints: the largest Voronoi cell has {ratio:.0f} times the median area. Over a part of the sphere, "
            "where cells at the border reach far out, say reach= (some spacings of the samples, in radians) and "
            "total='given'; over all of it, with a hole, give reach= alone or weights of your own",
            stacklevel=3,
        )


def _scaled(weights: Tensor | None, count: int, total: str) -> Tensor:
    if total not in ("sphere", "given") or (total == "given" and weights is None):
        raise ValueError(
            f"SpherePoints: total is {total!r} for weights {'None' if weights is None else list(weights.shape)}; "
            "expected 'sphere', or 'given' with areas in steradians"
        )
    weights = torch.ones(count) if weights is None else weights
    right = weights.shape == (count,) and bool((weights >= 0).all() & weights.isfinite().all())
    if not right or not bool(weights.sum() > 0):
        raise ValueError(
            f"SpherePoints: weights are {list(weights.shape)}; expected [{count}], none negative, all finite, not all 0"
        )
    return weights.double() * (4 * math.pi / weights.double().sum()) if total == "sphere" else weights.double()


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
