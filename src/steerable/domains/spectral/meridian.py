"""Rings at equal steps of colatitude taken to Gauss rings: what the theorem of McEwen and Wiaux does, exactly.

Order m of a band-limited field of spin n is a trigonometric polynomial in colatitude, of cosines if ``m + n`` is even
and of sines if it is odd: the meridian goes on over the poles as a circle. So its values on one set of rings give those
on every other, by one matrix for each parity, and quadrature and tables are those of Gauss rings.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from steerable.domains.spectral.circles import Circles, Constants, fold, ring_orders, ring_values, unfold
from steerable.domains.spectral.spin import SpinPlan


class MeridianPlan(SpinPlan):
    """The transform of fields of one spin whose rings determine more than their weights integrate.

    Source: McEwen and Wiaux, IEEE Trans. Signal Process. 59 (2011), arXiv 1110.6298.
    """

    transposes = False

    @cached_property
    def outer(self) -> Circles:
        """The rings of the samples."""
        return replace(self.circles, extended=True)

    @cached_property
    def inner(self) -> Circles:
        """As many Gauss rings as degrees."""
        height, weight = np.polynomial.legendre.leggauss(self.band)
        count = int(self.circles.count[0])
        theta, same = np.arccos(height[::-1]), np.full(self.band, count)
        weight = weight[::-1] * 2 * np.pi / count
        return Circles(theta, same, np.zeros(self.band), weight, (self.band, count), None, True)

    @property
    def rings(self) -> Circles:
        """Where the Legendre functions are taken."""
        return self.inner

    def constants(self) -> dict[str, np.ndarray]:
        """Beside those of the rings, the matrices to the Gauss rings and back, for even and for odd ``m + n``."""
        found = self.indices() | self.outer.constants(self.band)
        found["weights"] = self.inner.weight[:, None] / (4 * np.pi)
        _ = self.inner.constants(self.band)
        theirs, ours = (_waves(c.colatitude, self.band) for c in (self.outer, self.inner))
        found["inwards"] = np.stack([b @ np.linalg.pinv(a) for a, b in zip(theirs, ours, strict=True)])
        found["outwards"] = np.stack([a @ np.linalg.pinv(b) for a, b in zip(theirs, ours, strict=True)])
        return found

    def to_folded(self, x: Tensor, constants: Constants) -> Tensor:
        """Samples ``[B, r, *shape]`` to folded orders ``[2, H, B, r, M]``."""
        spectrum = ring_orders(x, self.outer, self.band, constants)
        taken = self._taken(spectrum, constants["inwards"]) * constants["weights"][:, :, None, None]
        return fold(taken, self.inner, constants)

    def from_folded(self, folded: Tensor, constants: Constants) -> Tensor:
        """The other way."""
        values = self._taken(unfold(folded, self.inner, constants), constants["outwards"])
        return ring_values(values, self.outer, constants)

    def _taken(self, spectrum: Tensor, matrices: Tensor) -> Tensor:
        """Each order ``[T, B, r, M]`` by the matrix of its parity ``[2, T', T]``."""
        size = spectrum.shape[1:3]
        out = []
        for parity in (0, 1):
            part = torch.view_as_real(spectrum[..., (parity + self.spin) % 2 :: 2].contiguous())
            out.append((matrices[parity] @ part.flatten(1)).view(matrices.shape[1], *size, *part.shape[3:]))
        even, odd = out if self.spin % 2 == 0 else out[::-1]
        if odd.shape[3] < even.shape[3]:
            odd = torch.nn.functional.pad(odd, (0, 0, 0, 1))
        joined = torch.stack([even, odd], 4).flatten(3, 4)[:, :, :, : self.band]
        return torch.view_as_complex(joined.contiguous())


def _waves(theta: np.ndarray, band: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines ``[T, L]`` and sines ``[T, L - 1]``."""
    angle = theta[:, None] * np.arange(band)
    return np.cos(angle), np.sin(angle[:, 1:])
