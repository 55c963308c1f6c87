"""Samplings at equal steps of latitude and longitude."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from steerable.domains.sphere.latlon import LatLonSphere, half
from steerable.domains.sphere.quadrature import circle_weights
from steerable.domains.sphere.rings import Rings

#: which poles are rings: neither, the south pole, both
_POLES = {"fejer": 0, "dh": 0, "mw": 1, "mwss": 2, "cc": 2}


@dataclass(frozen=True, eq=False, repr=False)
class EquiangularSphere(LatLonSphere):
    """Rings at equal steps of colatitude.

    | kind | rings | for band L | who |
    |---|---|---|---|
    | ``fejer`` | ``(t + 1/2) pi / T``, no pole: the rows of equirectangular pictures | ``(2L-1) x 2L`` | Fejer 1933 |
    | ``dh`` | the same | ``2L x 2L`` | Driscoll and Healy 1994, as in SOFT |
    | ``cc`` | ``t pi / (T - 1)``, both poles: climate data | ``(2L-1) x 2L`` | Clenshaw and Curtis 1960 |
    | ``mwss`` | the same | ``(L+1) x 2L`` | McEwen and Wiaux 2011, symmetric |
    | ``mw`` | ``(2 t + 1) pi / (2 T - 1)``, the south pole | ``L x (2L-1)`` | McEwen and Wiaux, arXiv 1110.6298 |

    A ring at a pole holds one sample nlon times, each with its share of the weight. The kinds ``mw`` and ``mwss`` hold
    their L by a sampling theorem and not by the weights: fields of degrees ``l < sampling_band`` are determined, and
    analysed exactly after the meridian is extended (see :attr:`meridian_extension`); the weights alone are exact up to
    :attr:`band`. Kinds with the same rings are equal.

    Attributes:
        kind: one of the above.
        nlat: number of rings T.
        nlon: samples on each.
        shift: longitude of the first sample in steps; 1/2 in pictures whose left border is longitude 0.

    Raises:
        ValueError: for another kind, or sizes that are too small.
    """

    kind: str
    nlat: int
    nlon: int
    shift: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in _POLES:
            sizes = "" if isinstance(self.kind, str) else ". Sizes go by name: equiangular(nlat=721, kind='cc')"
            raise ValueError(
                f"EquiangularSphere: the kind is {self.kind!r}; expected one of {', '.join(_POLES)}{sizes}"
            )
        self.check_sizes(max(1, _POLES[self.kind]))

    @classmethod
    def of_band(cls, band: int, kind: str = "dh", shift: float = 0.0) -> EquiangularSphere:
        """The smallest grid of a kind that holds band L; ``mw`` and ``mwss`` by their sampling theorem.

        Raises:
            ValueError: for another kind, or a band below 1.
        """
        if band < 1:
            raise ValueError(f"EquiangularSphere: band {band}; expected at least 1")
        rows = {"fejer": 2 * band - 1, "cc": max(2, 2 * band - 1), "dh": 2 * band, "mw": band, "mwss": band + 1}
        return cls(kind, rows.get(kind, 1), 2 * band - (kind == "mw"), shift)

    @property
    def key(self) -> tuple[object, ...]:
        """Which poles are rings, sizes and shift."""
        return ("equiangular", _POLES[self.kind], self.nlat, self.nlon, self.shift)

    @property
    def circle(self) -> int:
        """Equidistant points of a meridian that goes on over both poles, of which the first ``nlat`` are rings."""
        return 2 * self.nlat - _POLES[self.kind]

    @property
    def band(self) -> int:
        """By the weights alone: they are exact for degrees below ``nlat``, and by symmetry one more if nlat is odd."""
        exact = self.nlat - 1 + (self.nlat % 2 if _POLES[self.kind] != 1 else 0)
        return min(exact // 2 + 1, (self.nlon + 1) // 2)

    @property
    def sampling_band(self) -> int:
        """Largest L for which fields of degrees ``l < L`` are determined by their samples."""
        return min((self.circle + 1) // 2, (self.nlon + 1) // 2)

    @property
    def meridian_extension(self) -> bool:
        """Whether analysis up to :attr:`sampling_band` needs more than the weights.

        To do it, take the Fourier series along longitude; continue each order m of a field of spin s over the poles to
        :attr:`circle` points with the sign ``(-1)^(m + s)``; its Fourier coefficients along the circle are then those
        of the field, and integrals against sin(theta) have closed form.
        """
        return self.sampling_band > self.band

    @cached_property
    def rings(self) -> Rings:
        """From north to south."""
        step = 2 * np.pi / self.circle
        first = 0.0 if _POLES[self.kind] == 2 else step / 2
        theta = first + step * np.arange(self.nlat)
        if _POLES[self.kind]:
            theta[-1] = np.pi
        longitude = np.full(self.nlat, self.shift * 2 * np.pi / self.nlon)
        weight = circle_weights(first, self.nlat, self.circle) * 2 * np.pi / self.nlon
        return Rings(theta, np.full(self.nlat, self.nlon), longitude, weight)

    def coarser(self) -> EquiangularSphere:
        """Twice the step: half the rings, with both poles every other one; longitudes of ``mw`` as half the band wants.

        Raises:
            ValueError: for sizes that do not divide.
        """
        poles = _POLES[self.kind]
        rows = half(self, "steps of latitude", self.nlat - 1) + 1 if poles == 2 else half(self, "rings", self.nlat)
        odd = poles == 1 and self.nlon == 2 * self.nlat - 1
        columns = 2 * rows - 1 if odd else half(self, "longitudes", self.nlon)
        return EquiangularSphere(self.kind, rows, columns, self.shift)

    def finer(self) -> EquiangularSphere:
        """Half the step."""
        poles = _POLES[self.kind]
        rows = 2 * self.nlat - (poles == 2)
        columns = 2 * rows - 1 if poles == 1 and self.nlon == 2 * self.nlat - 1 else 2 * self.nlon
        return EquiangularSphere(self.kind, rows, columns, self.shift)

    def __repr__(self) -> str:
        shift = f", shift={self.shift}" if self.shift else ""
        return f"EquiangularSphere({self.kind}, {self.nlat} x {self.nlon}{shift})"
