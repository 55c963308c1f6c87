"""The Gauss-Legendre sampling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from steerable.domains.sphere.latlon import LatLonSphere, half
from steerable.domains.sphere.quadrature import gauss_legendre
from steerable.domains.sphere.rings import Rings


@dataclass(frozen=True, eq=False, repr=False)
class GaussSphere(LatLonSphere):
    """Rings at the nodes of Gauss and Legendre: exact up to ``l < nlat`` with the fewest rings, none at a pole.

    Attributes:
        nlat: number of rings.
        nlon: samples on each.
        shift: longitude of the first sample in steps.

    Raises:
        ValueError: for sizes below 1.
    """

    nlat: int
    nlon: int
    shift: float = 0.0

    def __post_init__(self) -> None:
        self.check_sizes(1)

    @property
    def key(self) -> tuple[object, ...]:
        """Kind, size and shift."""
        return ("gauss", self.nlat, self.nlon, self.shift)

    @property
    def band(self) -> int:
        """``nlat``, or what the longitudes hold."""
        return min(self.nlat, (self.nlon + 1) // 2)

    @cached_property
    def rings(self) -> Rings:
        """From north to south."""
        theta, weight = gauss_legendre(self.nlat)
        count = np.full(self.nlat, self.nlon)
        longitude = np.full(self.nlat, self.shift * 2 * np.pi / self.nlon)
        return Rings(theta, count, longitude, 2 * np.pi / self.nlon * weight)

    def coarser(self) -> GaussSphere:
        """Half the rings, and half the longitudes (of ``2 L - 1``: as many as half the rings want).

        Raises:
            ValueError: for sizes that do not divide.
        """
        rows = half(self, "rings", self.nlat)
        odd = self.nlon == 2 * self.nlat - 1
        return GaussSphere(rows, 2 * rows - 1 if odd else half(self, "longitudes", self.nlon), self.shift)

    def finer(self) -> GaussSphere:
        """Twice the rings and longitudes."""
        odd = self.nlon == 2 * self.nlat - 1
        return GaussSphere(2 * self.nlat, 4 * self.nlat - 1 if odd else 2 * self.nlon, self.shift)

    def __repr__(self) -> str:
        shift = f", shift={self.shift}" if self.shift else ""
        return f"GaussSphere({self.nlat} x {self.nlon}{shift})"
