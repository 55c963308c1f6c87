"""Samplings by rings that all have the same longitudes: maps that are rectangles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere.pooling import Pooling
from steerable.domains.sphere.rings import RingSphere

if TYPE_CHECKING:
    from steerable.domains.sphere.sphere import Sphere


class LatLonSphere(RingSphere):
    """Rings of equally many samples from the same longitude; fields are ``[B, C, nlat, nlon]``."""

    nlat: int
    nlon: int
    shift: float

    @property
    def shape(self) -> tuple[int, ...]:
        """``(nlat, nlon)``."""
        return (self.nlat, self.nlon)

    def check_sizes(self, rows: int) -> None:
        """Refuse a grid without samples, or with samples nowhere.

        Raises:
            ValueError: for fewer rings than ``rows``, no longitude, or a shift that is not finite.
        """
        if self.nlat < rows or self.nlon < 1:
            raise ValueError(
                f"{type(self).__name__} of {self.nlat} rings and {self.nlon} longitudes; expected at least {rows} rings"
                " and 1 longitude"
            )
        if not math.isfinite(self.shift):
            raise ValueError(f"{type(self).__name__}: the first longitude is {self.shift} steps; expected a number")

    def _likely(self, x: Tensor) -> str:
        return "; it lies on its side: latitude comes first" if x.shape[-2:] == (self.nlon, self.nlat) else ""

    def pooling(self, coarse: Sphere | str | None = None) -> Pooling:
        """Shares of areas between this grid and a coarser one; between two rectangles by overlap of their cells.

        A ring stands for the zone between two circles that has the area of its weights; a sample for the sector around
        its longitude. Any two sizes go together.

        Args:
            coarse: a sampling or its name; default :meth:`coarser`.
        """
        coarse = self._coarse(coarse)
        if not isinstance(coarse, LatLonSphere):
            return super().pooling(coarse)
        rows = _zones(self.rings.weight * self.nlon, coarse.rings.weight * coarse.nlon)
        columns = _sectors(self, coarse)
        index = rows[0][:, None, :, None] * self.nlon + columns[0][None, :, None, :]
        weight = rows[1][:, None, :, None] * columns[1][None, :, None, :]
        n = coarse.num_points
        return Pooling(self, coarse, torch.from_numpy(index.reshape(n, -1)), torch.from_numpy(weight.reshape(n, -1)))


def half(sphere: LatLonSphere, what: str, count: int) -> int:
    """Half a number of rings or longitudes.

    Raises:
        ValueError: for an odd one.
    """
    if count % 2 or count < 2:
        raise ValueError(
            f"{sphere!r} has no coarser grid: {count} {what} cannot be halved; expected an even number, or name the "
            "coarse grid, as in sphere.pooling(Sphere.gauss(32))"
        )
    return count // 2


def _zones(fine: np.ndarray, coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fine rings ``[R, k]`` below each coarse one and their shares of its area; both cut the area from north."""
    lower, upper = (np.concatenate([[0], np.cumsum(w)]) / w.sum() for w in (fine, coarse))
    edges = np.where(np.abs(upper - (near := _nearest(lower, upper))) < 1e-13, near, upper)
    first = np.searchsorted(lower, edges[:-1], side="right") - 1
    last = np.searchsorted(lower, edges[1:], side="left")
    index = first[:, None] + np.arange((last - first).max())
    valid = index < last[:, None]
    index = np.where(valid, index, first[:, None])
    share = np.minimum(lower[index + 1], edges[1:, None]) - np.maximum(lower[index], edges[:-1, None])
    share = np.where(valid, share, 0.0)
    return index, share / share.sum(1, keepdims=True)


def _nearest(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    place = np.searchsorted(values, at).clip(1, len(values) - 1)
    left, right = values[place - 1], values[place]
    return np.where(at - left < right - at, left, right)


def _sectors(fine: LatLonSphere, coarse: LatLonSphere) -> tuple[np.ndarray, np.ndarray]:
    """Fine longitudes ``[C, k]`` within each coarse sector and their shares."""
    ratio = fine.nlon / coarse.nlon
    centre = (coarse.rings.first[0] - fine.rings.first[0]) * fine.nlon / (2 * np.pi) + ratio * np.arange(coarse.nlon)
    start = centre - ratio / 2 + 0.5  # in steps of the fine grid, whose sector j reaches from j to j + 1
    start = np.where(np.abs(start - np.rint(start)) < 1e-9, np.rint(start), start)
    first = np.floor(start)
    width = int(np.ceil(start + ratio - 1e-9 - first).max())
    index = first[:, None] + np.arange(width)
    share = np.minimum(index + 1, start[:, None] + ratio) - np.maximum(index, start[:, None])
    share = share.clip(0)
    return index.astype(np.int64) % fine.nlon, share / share.sum(1, keepdims=True)
