"""The Gauss-Legendre sampling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from steerable.domains.sphere.rings import Rings, RingSphere


@dataclass(frozen=True, eq=False, repr=False)
class GaussSphere(RingSphere):
    """Rings at the nodes of Gauss and Legendre: exact up to ``l < nlat`` with the fewest rings, none at a pole.

    Attributes:
        nlat: number of rings.
        nlon: samples on each, from longitude 0.
    """

    nlat: int
    nlon: int

    @property
    def key(self) -> tuple[object, ...]:
        """Kind and size."""
        return ("gauss", self.nlat, self.nlon)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(nlat, nlon)``."""
        return (self.nlat, self.nlon)

    @property
    def band(self) -> int:
        """``nlat``, or what the longitudes hold."""
        return min(self.nlat, (self.nlon + 1) // 2)

    @cached_property
    def rings(self) -> Rings:
        """From north to south."""
        height, weight = np.polynomial.legendre.leggauss(self.nlat)
        count = np.full(self.nlat, self.nlon)
        return Rings(np.arccos(height[::-1]), count, np.zeros(self.nlat), 2 * np.pi / self.nlon * weight[::-1])
