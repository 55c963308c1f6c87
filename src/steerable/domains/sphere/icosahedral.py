"""The icosahedral sampling: an icosahedron whose triangles are divided again and again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere.coupling import balance, table
from steerable.domains.sphere.pooling import Pooling
from steerable.domains.sphere.sphere import Sphere
from steerable.domains.sphere.voronoi import circumcentres, triangle_areas


@dataclass(frozen=True, eq=False, repr=False)
class IcosahedralSphere(Sphere):
    """``10 4^level + 2`` vertices; each level adds the midpoints of all edges, pushed out to the sphere.

    Vertices of the level before come first, so that pooling keeps a prefix. The 12 corners of the icosahedron are the
    cyclic permutations of ``(0, +-1, +-golden ratio)``, so that the 60 rotations of :func:`steerable.icosahedral`, and
    all 120 symmetries of :func:`steerable.full_icosahedral`, permute the samples. Weights are the areas of the Voronoi
    cells; no band is exact.

    Attributes:
        level: how often faces are divided, from 0 to 10.

    Raises:
        ValueError: for another level.
    """

    level: int

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 10:
            raise ValueError(f"IcosahedralSphere: level {self.level}; expected 0 to 10")

    @property
    def key(self) -> tuple[object, ...]:
        """Kind and level."""
        return ("icosahedral", self.level)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(10 4^level + 2,)``."""
        return (10 * 4**self.level + 2,)

    @property
    def band(self) -> int:
        """None is exact."""
        return 0

    @property
    def faces(self) -> Tensor:
        """Triangles ``[20 4^level, 3]``, corners counter-clockwise seen from outside."""
        return torch.from_numpy(self._mesh[1].copy())

    @property
    def parents(self) -> Tensor:
        """The two vertices of the level before between which each lies ``[V, 2]``; such a vertex itself twice."""
        return torch.from_numpy(self._mesh[2].copy())

    def points(self) -> Tensor:
        """Unit vectors ``[V, 3]``."""
        return torch.from_numpy(self._mesh[0].copy())

    def angles(self) -> Tensor:
        """Colatitude and longitude ``[V, 2]``."""
        x, y, z = self.points().unbind(-1)
        return torch.stack([torch.atan2(torch.hypot(x, y), z), torch.atan2(y, x)], -1)

    @cached_property
    def _mesh(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        points, faces = _icosahedron()
        parents = np.repeat(np.arange(len(points))[:, None], 2, 1)
        for _ in range(self.level):
            points, faces, parents = _divided(points, faces)
        return points, faces, parents

    @cached_property
    def _areas(self) -> np.ndarray:
        points, faces, _ = self._mesh
        centre = circumcentres(points[faces])
        out = np.zeros(len(points))
        for k in range(3):  # two triangles of each corner: over the middles of its two edges
            a, b, c = (points[faces[:, (k + j) % 3]] for j in range(3))
            part = triangle_areas(a, _unit(a + b), centre) + triangle_areas(a, centre, _unit(a + c))
            out += np.bincount(faces[:, k], part, len(points))
        return out * (4 * np.pi / out.sum())

    def weights(self) -> Tensor:
        """Areas of the Voronoi cells ``[V]``."""
        return torch.from_numpy(self._areas.copy())

    @cached_property
    def hexagons(self) -> Tensor:
        """Neighbours ``[V, 6]`` counter-clockwise from the smallest number; the 12 corners have five, and then -1."""
        faces = self._mesh[1].astype(np.int64)
        count = len(self._mesh[0])
        here, there, beyond = (np.concatenate([np.roll(faces, -k, 1)[:, j] for k in range(3)]) for j in range(3))
        order = np.argsort(here * count + there)
        here, there, beyond = here[order], there[order], beyond[order]
        key = here * count + there
        now = there[np.searchsorted(here, np.arange(count))]
        out = np.full((count, 6), -1)
        first = now
        for k in range(6):
            out[:, k] = now
            now = beyond[np.searchsorted(key, np.arange(count) * count + now)]
            if k == 4:
                closed = now == first
        out[closed, 5] = -1
        return torch.from_numpy(out)

    # ---- coarser and finer

    def coarser(self) -> IcosahedralSphere:
        """The level before.

        Raises:
            ValueError: at level 0.
        """
        if self.level == 0:
            raise ValueError(f"{self!r} has no coarser sampling: level {self.level}; expected at least 1")
        return IcosahedralSphere(self.level - 1)

    def finer(self) -> IcosahedralSphere:
        """The next level."""
        return IcosahedralSphere(self.level + 1)

    def pooling(self, coarse: Sphere | str | None = None) -> Pooling:
        """Each vertex of the level before with its neighbours, which it shares with the vertex on their other side."""
        coarse = self._coarse(coarse)
        if not isinstance(coarse, IcosahedralSphere) or coarse.level != self.level - 1:
            return super().pooling(coarse)
        parents, n = self._mesh[2], coarse.num_points
        new = np.arange(n, len(parents))
        target = np.concatenate([np.arange(n), parents[n:, 0], parents[n:, 1]])
        source = np.concatenate([np.arange(n), new, new])
        start = self._areas[source] * np.where(source < n, 1.0, 0.5)
        area = balance(target, source, start, coarse._areas, self._areas)
        if area is None:  # at no level
            return super().pooling(coarse)
        index, weight = table(target, source, area, n)
        return Pooling(self, coarse, torch.from_numpy(index), torch.from_numpy(weight))

    def __repr__(self) -> str:
        return f"IcosahedralSphere({self.level}: {self.num_points} vertices)"


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _icosahedron() -> tuple[np.ndarray, np.ndarray]:
    """Corners ``[12, 3]`` and faces ``[20, 3]``."""
    golden = (1 + math.sqrt(5)) / 2
    corners = np.array([[0.0, s, t * golden] for t in (1, -1) for s in (1, -1)])
    points = np.concatenate([np.roll(corners, k, 1) for k in range(3)])
    near = np.abs(((points[:, None] - points) ** 2).sum(-1) - 4) < 1e-9  # edges of length 2
    faces = [
        (a, b, c)
        for a in range(12)
        for b in range(a + 1, 12)
        for c in range(a + 1, 12)
        if near[a, b] and near[b, c] and near[c, a] and np.linalg.det(points[[a, b, c]]) > 0
    ]
    return _unit(points), np.array(faces)


def _divided(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four triangles for each; and the parents of all vertices."""
    count = len(points)
    edges = np.stack([faces, np.roll(faces, -1, 1)], -1).reshape(-1, 2)
    unique, place = np.unique(edges.min(1) * count + edges.max(1), return_inverse=True)
    pairs = np.stack([unique // count, unique % count], 1)
    ab, bc, ca = (count + place.reshape(-1, 3)).T
    a, b, c = faces.T
    divided = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], 1).reshape(-1, 3)
    parents = np.concatenate([np.repeat(np.arange(count)[:, None], 2, 1), pairs])
    return np.concatenate([points, _unit(points[pairs].sum(1))]), divided, parents
