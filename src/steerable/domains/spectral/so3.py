"""The Fourier transform of functions on SO(3): series in two angles, and for each pair of orders one sum over the tilt.

``f(a, b, c) = sum_l sqrt(2 l + 1) tr(D_l(Rz(a) Ry(b) Rz(c)) C_l)`` is a series of cosines and sines in c whose terms of
order n form a field of spin n on the sphere. So the sums over the tilt are those of spin.py, for all spins at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from steerable.domains.spectral.circles import Circles, fold, unfold
from steerable.domains.spectral.legendre import Legendre, from_rows, to_rows
from steerable.domains.spectral.spin import Terms, columns, components
from steerable.groups import SO3, Representation

#: components (cosine, sine) of order n from the copies +n and -n, by A and by B: from D = D(Rz Ry) Z(c)
TERMS: Terms = ((((0, 1.0),), ((1, 1.0),)), (((1, -1.0),), ((0, 1.0),)))


@dataclass(frozen=True, eq=False)
class RotationPlan:
    """The transform of functions on SO(3) up to a band, on a product grid of Euler angles.

    Attributes:
        band: L, degrees ``l < L``.
        orders: N, orders ``|n| < N`` in the last angle; L for all.
    """

    band: int
    orders: int

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Samples in a, b, c: ``2 L, L, 2 N``."""
        return 2 * self.band, self.band, 2 * self.orders

    @cached_property
    def rings(self) -> Circles:
        """The tilts, from 0 on: nodes of Gauss and Legendre."""
        height, weight = np.polynomial.legendre.leggauss(self.band)
        theta, same = np.arccos(height[::-1]), np.full(self.band, 2 * self.band)
        weight = weight[::-1] / (8 * self.band * self.orders)
        return Circles(theta, same, np.zeros(self.band), weight, (self.band, 2 * self.band), None, True)

    def angles(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The Euler angles a, b, c of the grid, one after the other."""
        first, _, last = self.shape
        return 2 * np.pi * np.arange(first) / first, self.rings.colatitude, 2 * np.pi * np.arange(last) / last

    def elements(self) -> Tensor:
        """The rotations ``Rz(a) Ry(b) Rz(c)`` as quaternions ``[2 L, L, 2 N, 4]`` float64."""
        a, b, c = np.meshgrid(*self.angles(), indexing="ij")
        low, high, cos, sin = (a + c) / 2, (a - c) / 2, np.cos(b / 2), np.sin(b / 2)
        parts = [cos * np.cos(low), -sin * np.sin(high), sin * np.cos(high), cos * np.sin(low)]
        return torch.from_numpy(np.stack(parts, -1))

    @cached_property
    def representation(self) -> Representation:
        """How the coefficients move: ``SO3().spectral_regular(L - 1)``, or its copies ``|n| < N``."""
        if self.orders == self.band:
            return SO3().spectral_regular(self.band - 1)
        ids = [str(l) for l in range(self.band) for _ in range(2 * min(l, self.orders - 1) + 1)]
        name = f"spectral_regular({self.band - 1}, orders={self.orders})"
        return Representation(SO3(), tuple(ids), None, name, "spectral")

    @cached_property
    def legendre(self) -> Legendre:
        """The sums over the tilt, for all pairs of orders."""
        m, n = (v.ravel() for v in np.meshgrid(np.arange(self.band), np.arange(self.orders), indexing="ij"))
        place = self.sorted_pairs
        theta = self.rings.colatitude[self.rings.mirrored[0]]
        return Legendre(theta, m[place], n[place], self.band, np.ones(len(m)), 2)

    @cached_property
    def sorted_pairs(self) -> np.ndarray:
        """Pairs ``m N + n`` in the order of the larger of the two."""
        m, n = (v.ravel() for v in np.meshgrid(np.arange(self.band), np.arange(self.orders), indexing="ij"))
        return np.argsort(np.maximum(m, n), kind="stable")

    def constants(self) -> dict[str, np.ndarray]:
        """Fixed arrays of both directions, beside the tables."""
        plan, rows = self.legendre, len(self.legendre.degrees) + 1
        _ = plan.rows, plan.reach, self.shape, self.rings.constants(self.band)
        m, n, degree = plan.m[plan.pairs], plan.n[plan.pairs], plan.degrees
        row = np.full((self.band, self.band, self.orders), -1)
        real = np.flatnonzero(degree >= 0)
        row[degree[real], m[real], n[real]] = real
        places, signs = [], []
        for l in range(self.band):
            reach = min(l, self.orders - 1)
            a, k = np.arange(-reach, reach + 1)[:, None], np.arange(-l, l + 1)
            places.append((((a < 0) * 2 + (k < 0)) * rows + row[l, np.abs(k), np.abs(a)]).ravel())
            signs.append(np.broadcast_to(np.where(k < 0, -1.0, 1.0), (len(a), len(k))).ravel())
        place, sign = np.concatenate(places), np.concatenate(signs)
        origin, factor = np.zeros(4 * rows, dtype=np.int64), np.zeros(4 * rows)
        origin[place] = np.arange(len(place))
        halves = np.tile(np.where(np.append(m, 0) > 0, 0.5, 1.0) * np.where(np.append(n, 0) > 0, 0.5, 1.0), 4)
        factor[place] = sign * halves[place]
        pairs = self.sorted_pairs
        found = {"place": place, "sign": sign, "origin": origin, "factor": factor}
        return found | {"pairs": pairs, "unpairs": np.argsort(pairs), "weights": self.rings.weight[:, None]}


def rotation_analysis(
    x: Tensor, plan: RotationPlan, constants: Mapping[str, Tensor], tables: tuple[Tensor, ...] = ()
) -> Tensor:
    """Coefficients ``[B, D]`` of functions ``[B, 2 L, L, 2 N]``: integrals against the columns of ``sampling_matrix``.

    Args:
        x: samples.
        plan: the grid and the band.
        constants: ``plan.constants()`` as tensors in the dtype of x.
        tables: ``plan.legendre.tables()``; none to compute them on the way.
    """
    batch, (first, tilts, last) = x.shape[0], plan.shape
    values = x.permute(2, 0, 1, 3)  # [T, B, a, c]
    spectrum = _spectrum(values.reshape(tilts, batch, first, last))[..., : plan.orders]
    ahead = spectrum[:, :, : plan.band]
    behind = torch.cat([spectrum[:, :, :1], spectrum[:, :, first - plan.band + 1 :].flip(2)], 2).conj()
    parts = torch.stack([ahead + behind, 1j * (ahead - behind)], 2) / 2  # cosines and sines in c
    pairs = parts.flatten(3).index_select(3, constants["pairs"]) * constants["weights"][:, :, None, None]
    rows = to_rows(columns(fold(pairs, plan.rings, constants), TERMS), plan.legendre, tables)
    rows = rows.view(rows.shape[0], batch, 4).permute(1, 2, 0).flatten(1)
    return rows.index_select(1, constants["place"]) * constants["sign"]


def _spectrum(x: Tensor) -> Tensor:
    if x.numel() == 0:  # FFT libraries refuse an empty batch
        return torch.complex(x, x)[..., : x.shape[-1] // 2 + 1]
    return torch.fft.rfft2(x)


def rotation_synthesis(
    c: Tensor, plan: RotationPlan, constants: Mapping[str, Tensor], tables: tuple[Tensor, ...] = ()
) -> Tensor:
    """Functions ``[B, 2 L, L, 2 N]`` of coefficients ``[B, D]``: the product with ``sampling_matrix`` on the grid."""
    batch, (first, tilts, last) = c.shape[0], plan.shape
    rows = (c.index_select(1, constants["origin"]) * constants["factor"]).view(batch, 4, len(plan.legendre.degrees) + 1)
    values = from_rows(rows.permute(2, 0, 1).flatten(1), plan.legendre, tables)
    folded = components(values, TERMS, batch, 2)
    pairs = unfold(folded, plan.rings, constants).index_select(4 - 1, constants["unpairs"])
    cosines, sines = pairs.unflatten(3, (plan.band, plan.orders)).unbind(2)  # [T, B, m, n]
    ahead, behind = cosines - 1j * sines, (cosines + 1j * sines).conj()
    gap = ahead.new_zeros(tilts, batch, first - 2 * plan.band + 1, plan.orders)
    spectrum = torch.cat([ahead, gap, behind[:, :, 1:].flip(2)], 2)
    if spectrum.numel() == 0:
        found = spectrum.real[..., :1].expand(tilts, batch, first, last)
    else:
        found = torch.fft.irfft2(spectrum, (first, last), norm="forward")
    return found.permute(1, 2, 0, 3)
