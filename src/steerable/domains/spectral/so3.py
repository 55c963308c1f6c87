"""The Fourier transform of functions on SO(3): series in two angles, and for each pair of orders one sum over the tilt.

``f(a, b, c) = sum_l sqrt(2 l + 1) tr(D_l(Rz(a) Ry(b) Rz(c)) C_l)`` is a series of cosines and sines in c whose terms of
order n form a field of spin n on the sphere. So the sums over the tilt are those of spin.py, for all spins at once. The
two series are matrix products: they cost ``L^4`` like the sums over the tilt, and run at ten times the rate of FFTs of
such lengths. Without weights both directions are transposes of each other, which is all that their gradients need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.domains.spectral.circles import Circles, fold, unfold
from steerable.domains.spectral.legendre import Legendre, from_rows, to_rows
from steerable.groups import SO3, Representation
from steerable.groups.eager import runs_eagerly


@dataclass(frozen=True, eq=False)
class RotationPlan:
    """The transform of functions on SO(3) up to a band, on a product grid of Euler angles.

    Attributes:
        band: L, degrees ``l < L``.
        orders: N, orders ``|n| < N`` in the last angle; L for all.
        grid: the band that the samples could hold, from L on.
    """

    band: int
    orders: int
    grid: int

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Samples in a, b, c: ``2 G, G, 2 N G / L`` for a grid of band G, the last rounded up to an even number."""
        return 2 * self.grid, self.grid, 2 * -(-self.orders * self.grid // self.band)

    @cached_property
    def rings(self) -> Circles:
        """The tilts, from 0 on: nodes of Gauss and Legendre."""
        (first, tilts, last), (height, weight) = self.shape, np.polynomial.legendre.leggauss(self.grid)
        theta, same = np.arccos(height[::-1]), np.full(tilts, first)
        weight = weight[::-1] / (2 * first * last)
        return Circles(theta, same, np.zeros(tilts), weight, (tilts, first), None, True)

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
        _ = plan.rows, plan.reach, self.shape, self.rings.in_order, self.rings.unpaired  # before a run is traced
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
        origin[place], factor[place] = np.arange(len(place)), sign
        pairs = self.sorted_pairs
        found = {"place": place, "sign": sign, "origin": origin, "factor": factor}
        found |= {"pairs": pairs, "unpairs": np.argsort(pairs)}
        found["weights"] = self.rings.weight[: (self.grid + 1) // 2, None, None, None]
        (a, _, c), m, n = self.angles(), np.arange(self.band), np.arange(self.orders)
        found["first"] = np.concatenate([np.cos(np.outer(a, m)), -np.sin(np.outer(a, m))], 1)
        found["last"] = np.concatenate([np.cos(np.outer(c, n)), -np.sin(np.outer(c, n))], 1)
        return found | {"second": np.array([[-1.0, 1.0], [1.0, -1.0]])}


Constants = Mapping[str, Tensor]


def rotation_analysis(x: Tensor, plan: RotationPlan, constants: Constants, tables: tuple[Tensor, ...] = ()) -> Tensor:
    """Coefficients ``[B, D]`` of functions ``[B, *plan.shape]``: integrals against the columns of ``sampling_matrix``.

    Args:
        x: samples.
        plan: the grid and the band.
        constants: ``plan.constants()`` as tensors in the dtype of x.
        tables: ``plan.legendre.tables()``; none to compute them on the way.
    """
    return _run(_to_coefficients, x, plan, constants, tables, constants["weights"])


def rotation_synthesis(c: Tensor, plan: RotationPlan, constants: Constants, tables: tuple[Tensor, ...] = ()) -> Tensor:
    """Functions ``[B, *plan.shape]`` of coefficients ``[B, D]``: the product with ``sampling_matrix`` on the grid."""
    return _run(_to_samples, c, plan, constants, tables, None)


def _to_coefficients(
    x: Tensor, plan: RotationPlan, constants: Constants, tables: tuple[Tensor, ...], weights: Tensor | None
) -> Tensor:
    """The transpose of :func:`_to_samples`."""
    batch = x.shape[0]
    series = (constants["first"].mT @ (x @ constants["last"]).flatten(2)).unflatten(2, (plan.grid, -1))
    folded = fold(series.movedim(2, 0), plan.rings, constants)  # [2, H, B, (s, m), (r, n)]
    folded = folded.unflatten(4, (2, plan.orders)).unflatten(3, (2, plan.band))
    # the parts r, s of A, as they are, and those of B, the other way round
    a = folded.permute(4, 6, 0, 1, 2, 5, 3).flatten(0, 1).index_select(0, constants["pairs"])
    a = a if weights is None else a * weights
    both = torch.stack([a, a.flip(1, 4, 5) * constants["second"]], 3)  # [P, 2, H, 2, B, r, s]
    rows = to_rows(both.flatten(4).flatten(2, 3), plan.legendre, tables)
    rows = rows.view(rows.shape[0], batch, 4).permute(1, 2, 0).flatten(1)
    return rows.index_select(1, constants["place"]) * constants["sign"]


def _to_samples(
    c: Tensor, plan: RotationPlan, constants: Constants, tables: tuple[Tensor, ...], weights: Tensor | None
) -> Tensor:
    """The synthesis, times weights of the northern tilts and their mirror images."""
    batch = c.shape[0]
    rows = (c.index_select(1, constants["origin"]) * constants["factor"]).view(batch, 4, len(plan.legendre.degrees) + 1)
    values = from_rows(rows.permute(2, 0, 1).flatten(1), plan.legendre, tables)
    values = values.unflatten(3, (batch, 2, 2)).unflatten(2, (-1, 2))  # [P, 2, H, 2, B, r, s]
    a = values[:, :, :, 0] + (values[:, :, :, 1] * constants["second"]).flip(1, 4, 5)
    a = a if weights is None else a * weights
    a = a.index_select(0, constants["unpairs"]).unflatten(0, (plan.band, plan.orders))
    series = unfold(a.permute(2, 3, 4, 6, 0, 5, 1).flatten(5).flatten(3, 4), plan.rings, constants)
    grid = constants["first"] @ series.movedim(0, 2).flatten(2)
    return grid.unflatten(2, (plan.grid, -1)) @ constants["last"].mT


def _run(
    direction: Any, x: Tensor, plan: RotationPlan, constants: Constants, tables: tuple[Tensor, ...],
    weights: Tensor | None,
) -> Tensor:  # fmt: skip
    if torch.compiler.is_compiling() or not runs_eagerly(x):
        return direction(x, plan, constants, tables, weights)
    found: Any = _Transform.apply(x, direction, plan, constants, tables, weights)
    return found


class _Transform(torch.autograd.Function):
    """One direction, whose gradient is the other one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, direction: Any, *given: Any) -> Tensor:
        """The transform."""
        ctx.back = _to_samples if direction is _to_coefficients else _to_coefficients
        ctx.given = given
        return direction(x, *given)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The transpose."""
        return _run(ctx.back, grads[0], *ctx.given), None, None, None, None, None
