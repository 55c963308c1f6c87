"""Functions on the group of rotations: from coefficients to samples and back, one Euler angle after another."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from steerable.groups import SO3
from steerable.nn.constants import ConstantModule


class RotationSamples(ConstantModule):
    """The two calls :meth:`synthesis` and :meth:`analysis` between coefficients and samples on a product grid of SO3.

    Coefficients are vectors of ``SO3().spectral_regular(band - 1)``; samples are the values of the function at
    ``Rz(a) Ry(b) Rz(c)``, b at Gauss-Legendre nodes, a and c at equal steps. Degrees are summed at each b, then a, c:
    about ``band^4`` products, where one dense matrix takes ``band^6``.

    Args:
        band: L, degrees ``l < L``.
        oversample: samples for each degree of freedom along each angle; 1 is enough to analyse what has the band.

    Raises:
        ValueError: a band below 1, or fewer samples than the band needs.
    """

    def __init__(self, band: int, oversample: float = 1.0) -> None:
        super().__init__()
        if band < 1 or not oversample >= 1:
            raise ValueError(f"RotationSamples: band {band}, oversample {oversample}; expected at least 1 and 1.")
        self.band = band
        rings = math.ceil(oversample * band)
        self.shape = (rings, 2 * rings, 2 * rings)
        height, weight = np.polynomial.legendre.leggauss(rings)
        self.angles = (torch.from_numpy(np.arccos(height)), math.pi * torch.arange(2 * rings).double() / rings)
        order = torch.arange(1 - band, band).double()
        turn = self.angles[1][:, None] * order
        # for each sign of the order, and each order: how the angle turns the real harmonics
        self.register_constant("_first", torch.stack([turn.cos(), turn.sin()], 1))
        self.register_constant("_last", torch.stack([turn.cos(), -turn.sin()], 1))
        self.register_constant("_tilts", _tilts(self.angles[0], band))
        self.register_constant("_weights", torch.from_numpy(weight) / (2 * (2 * rings) ** 2))
        place = []
        for l in range(band):
            row = torch.arange(band - 1 - l, band + l)
            place.append((l * (2 * band - 1) ** 2 + row[:, None] * (2 * band - 1) + row).flatten())
        self.register_buffer("_place", torch.cat(place), persistent=False)

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return len(self._place)

    def elements(self) -> Tensor:
        """The rotations ``[rings, 2 rings, 2 rings, 4]``."""
        b, a = self.angles
        tilt, turn = (torch.zeros(len(t), 4, dtype=torch.float64) for t in (b, a))
        tilt[:, 0], tilt[:, 2], turn[:, 0], turn[:, 3] = (b / 2).cos(), (b / 2).sin(), (a / 2).cos(), (a / 2).sin()
        group, shape = SO3(), (*self.shape, 4)
        left = group.compose(turn[None, :, None].expand(shape), tilt[:, None, None].expand(shape))
        return group.compose(left, turn[None, None].expand(shape))

    def synthesis(self, c: Tensor) -> Tensor:
        """Coefficients ``[..., size]`` to samples ``[..., rings, 2 rings, 2 rings]``."""
        wide = 2 * self.band - 1
        flat = c.reshape(-1, self.size)
        flat = flat.new_zeros(len(flat), self.band * wide * wide).index_copy(1, self._place, flat)
        flat = flat.view(-1, self.band, wide, wide)  # [n, l, q, m]
        signs = torch.stack([flat, flat.flip(3)], 1)
        signs = torch.stack([signs, signs.flip(3)], 1)  # [n, t, s, l, q, m]
        at = torch.einsum("ljqm,ntslqm->njtqsm", self._tilts, signs)
        at = torch.einsum("njtqsm,asm->njatq", at, self._first)
        return torch.einsum("njatq,ctq->njac", at, self._last).view(*c.shape[:-1], *self.shape)

    def analysis(self, f: Tensor) -> Tensor:
        """Samples ``[..., rings, 2 rings, 2 rings]`` to coefficients ``[..., size]``; inverts :meth:`synthesis`."""
        flat = f.reshape(-1, *self.shape) * self._weights[:, None, None]
        at = torch.einsum("njac,ctq->njatq", flat, self._last)
        at = torch.einsum("njatq,asm->njtqsm", at, self._first)
        signs = torch.einsum("ljqm,njtqsm->ntslqm", self._tilts, at)
        signs = signs[:, 0] + signs[:, 1].flip(3)
        flat = signs[:, 0] + signs[:, 1].flip(3)
        return flat.flatten(1).index_select(1, self._place).view(*f.shape[: f.dim() - 3], self.size)


def _tilts(angles: Tensor, band: int) -> Tensor:
    """``sqrt(2 l + 1)`` times the irreps at turns about x2, transposed and filled up: ``[l, J, q, m]`` float64."""
    group, wide = SO3(), 2 * band - 1
    turn = torch.stack([(angles / 2).cos(), 0 * angles, (angles / 2).sin(), 0 * angles], -1)
    out = torch.zeros(band, len(angles), wide, wide, dtype=torch.float64)
    for l in range(band):
        own = slice(band - 1 - l, band + l)
        out[l, :, own, own] = math.sqrt(2 * l + 1) * group.irrep(str(l))(turn).mT
    return out
