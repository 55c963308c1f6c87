"""HEALPix: pixels of equal area on rings, with a hierarchy of four children each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere import healpix_index as index
from steerable.domains.sphere.healpix_neighbours import STEPS, neighbour
from steerable.domains.sphere.pooling import Pooling
from steerable.domains.sphere.ring_weights import ring_weights
from steerable.domains.sphere.rings import Rings, RingSphere
from steerable.domains.sphere.sphere import Sphere


@dataclass(frozen=True, eq=False, repr=False)
class HealpixSphere(RingSphere):
    """``12 nside^2`` pixels of equal area; fields are ``[B, C, 12 nside^2]``.

    No band is exact. Analysis of a white field at nside 16 is off by 2e-3 up to degree nside, 5e-3 up to
    :attr:`usual_band` ``2 nside`` and 1e-1 up to ``3 nside``. ``weighting="ring"`` integrates zonal harmonics below
    degree ``3.6 nside`` exactly: that is 2e-4 up to nside, and no better from ``2 nside`` on. K. Gorski et al., ApJ 622
    (2005) 759.

    Attributes:
        nside: pixels along the side of a base pixel; a power of two where numbers are nested.
        nested: whether samples are in nested order, where the children of p are ``4 p .. 4 p + 3``; else by rings.
        weighting: ``"area"``, equal weights, or ``"ring"``, one weight a ring.

    Raises:
        ValueError: for another nside or weighting.
    """

    nside: int
    nested: bool = False
    weighting: str = "area"

    def __post_init__(self) -> None:
        n = self.nside
        if n < 1 or (self.nested and n & (n - 1)):
            raise ValueError(
                f"HealpixSphere: nside is {n}{', nested' if self.nested else ''}; expected at least 1"
                f"{', a power of two' if self.nested else ''}"
            )
        if not isinstance(self.nested, bool) or self.weighting not in ("area", "ring"):
            raise ValueError(
                f"HealpixSphere: nested is {self.nested!r}, weighting is {self.weighting!r}; expected True or "
                "False, and 'area' or 'ring'"
            )

    @classmethod
    def of(cls, x: Tensor, nested: bool = False) -> HealpixSphere:
        """The sampling of a map ``[..., 12 nside^2]``. Its order is not seen from a map: FITS files say ``ORDERING``.

        Raises:
            ValueError: for another length, naming the nearest ones.
        """
        n = x.shape[-1]
        side = math.isqrt(n // 12)
        if n != 12 * side**2 or not side:
            near = [12 * s**2 for s in (max(side, 1), side + 1)]
            raise ValueError(f"HealpixSphere.of: a map of {n} pixels; expected 12 nside^2, as {near[0]} or {near[1]}")
        return cls(side, nested)

    @property
    def key(self) -> tuple[object, ...]:
        """Kind, size, order and weighting."""
        return ("healpix", self.nside, self.nested, self.weighting)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(12 nside^2,)``."""
        return (12 * self.nside**2,)

    @property
    def band(self) -> int:
        """None is exact."""
        return 0

    @property
    def usual_band(self) -> int:
        """``2 nside``."""
        return 2 * self.nside

    @cached_property
    def rings(self) -> Rings:
        """``4 nside - 1`` rings: the i-th from a pole has ``4 i`` samples on the caps, and ``4 nside`` on the belt."""
        n = self.nside
        ring = np.arange(1, 4 * n)
        size = np.minimum(np.minimum(ring, 4 * n - ring), n)
        cap = 2 * np.arcsin(size / (np.sqrt(6) * n))  # from sin^2(theta / 2), exact near the poles
        belt = np.arccos(np.clip(4 / 3 - 2 * ring / (3 * n), -2 / 3, 2 / 3))
        theta = np.where(ring < n, cap, np.where(ring > 3 * n, np.pi - cap, belt))
        off = np.where((ring < n) | (ring > 3 * n) | ((ring - n) % 2 == 0), 0.5, 0.0)
        area = np.full(len(ring), np.pi / (3 * n**2))
        weight = area if self.weighting == "area" else ring_weights(theta, 4 * size) / (4 * size)
        return Rings(theta, 4 * size, off * np.pi / (2 * size), weight)

    @property
    def ring_order(self) -> Tensor | None:
        """Nested number of each pixel by rings; ``None`` where samples are by rings."""
        return torch.from_numpy(_nested_of_ring(self.nside).copy()) if self.nested else None

    def areas(self) -> Tensor:
        """Equal areas, whatever the weighting."""
        return torch.full(self.shape, 4 * math.pi / self.num_points, dtype=torch.float64)

    # ---- numbers

    def faces(self, pixel: Tensor | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Base pixel 0-11, x to the north-east and y to the north-west of pixels; default all."""
        p = np.arange(self.num_points) if pixel is None else pixel.numpy()
        return (index.nested_to_face if self.nested else index.ring_to_face)(self.nside, p)

    def number(self, face: np.ndarray, x: np.ndarray, y: np.ndarray) -> Tensor:
        """The reverse of :meth:`faces`."""
        return torch.from_numpy((index.face_to_nested if self.nested else index.face_to_ring)(self.nside, face, x, y))

    def pixel(self, angles: Tensor) -> Tensor:
        """Numbers ``[...]`` of the pixels that hold directions, colatitude and longitude ``[..., 2]``."""
        theta, phi = angles.double().numpy()[..., 0], angles.double().numpy()[..., 1]
        return self.number(*index.angle_to_face(self.nside, theta, phi))

    def pixel_neighbours(self) -> Tensor:
        """Numbers ``[12 nside^2, 8]`` of the neighbours SW, W, NW, N, NE, E, SE, S; -1 where there is none.

        From nside 2 on 24 pixels have seven neighbours and all others eight; at nside 1 all have six.
        """
        place, out = self.faces(), []
        for step in STEPS:
            there, exists = neighbour(self.nside, place, step)
            out.append(torch.where(torch.from_numpy(exists), self.number(*there), -1))
        return torch.stack(out, 1)

    def reorder(self, x: Tensor, nested: bool) -> Tensor:
        """A map ``[..., 12 nside^2]`` of this sampling in nested order, or by rings.

        Raises:
            ValueError: for a map of another length, or an nside that is no power of two.
        """
        self.check_map(x)
        if nested == self.nested:
            return x
        HealpixSphere(self.nside, True)
        order = torch.from_numpy(_nested_of_ring(self.nside))
        return x[..., order] if self.nested else torch.empty_like(x).index_copy(-1, order, x)

    # ---- coarser and finer

    def parents(self) -> Tensor:
        """Number of the pixel of half the nside that holds each, ``[12 nside^2]``."""
        face, x, y = self.faces()
        return self.coarser().number(face, x // 2, y // 2)

    def children(self) -> Tensor:
        """Numbers ``[12 nside^2, 4]`` of the pixels of twice the nside in each, in nested order: S, E, W, N."""
        face, x, y = self.faces()
        finer = self.finer()
        return torch.stack([finer.number(face, 2 * x + i, 2 * y + j) for j in (0, 1) for i in (0, 1)], 1)

    def coarser(self) -> HealpixSphere:
        """Half the nside.

        Raises:
            ValueError: for an odd one.
        """
        if self.nside % 2:
            raise ValueError(f"{self!r} has no coarser sampling: nside is {self.nside}; expected an even one")
        return HealpixSphere(self.nside // 2, self.nested, self.weighting)

    def finer(self) -> HealpixSphere:
        """Twice the nside."""
        return HealpixSphere(2 * self.nside, self.nested, self.weighting)

    def pooling(self, coarse: Sphere | str | None = None) -> Pooling:
        """The four children of each pixel, of one quarter each."""
        coarse = self._coarse(coarse)
        if not isinstance(coarse, HealpixSphere) or 2 * coarse.nside != self.nside:
            return super().pooling(coarse)
        children = torch.empty(coarse.num_points, 4, dtype=torch.int64)
        face, x, y = coarse.faces()
        for k in range(4):
            children[:, k] = self.number(face, 2 * x + k % 2, 2 * y + k // 2)
        return Pooling(self, coarse, children, torch.full(children.shape, 0.25, dtype=torch.float64))

    def _likely(self, x: Tensor) -> str:
        side = math.isqrt(x.shape[-1] // 12) if x.dim() else 0
        return f"; that is a map of nside {side}" if side and 12 * side**2 == x.shape[-1] else ""

    def __repr__(self) -> str:
        order = ", nested" if self.nested else ""
        return f"HealpixSphere({self.nside}{order}{', ring weights' if self.weighting == 'ring' else ''})"


@lru_cache(maxsize=8)
def _nested_of_ring(nside: int) -> np.ndarray:
    return index.face_to_nested(nside, *index.ring_to_face(nside, np.arange(12 * nside**2)))
