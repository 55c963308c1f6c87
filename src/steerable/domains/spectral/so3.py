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

from steerable.domains.spectral.circles import Circles
from steerable.domains.spectral.legendre import Legendre, given
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
        """The rotations ``Rz(a) Ry(b) Rz(c)`` as quaternions ``[*shape, 4]`` float64."""
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
        _ = plan.rows, plan.reach, self.shape  # ready before a run is traced
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
        found["weights"] = self.rings.weight[: (self.grid + 1) // 2, None]
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
    batch, half = x.shape[0], (plan.grid + 1) // 2
    series = (constants["first"].mT @ (x @ constants["last"]).flatten(2)).view(
        batch, 2, plan.band, plan.grid, 2, plan.orders
    )
    pairs = series.permute(2, 5, 3, 0, 4, 1).flatten(3).flatten(0, 1).index_select(0, constants["pairs"])  # [P, T, c]
    north, south = pairs[:, :half], pairs[:, half:].flip(1)
    if plan.grid % 2:
        south = torch.nn.functional.pad(south, (0, 0, 0, 1))
    even, odd = north + south, north - south
    if weights is not None:
        even, odd = even * weights, odd * weights
    rows = []
    for table, (p, q, _) in zip(given(plan.legendre, tables, x), plan.legendre.spans, strict=True):
        a, b = (t.mT for t in table.view(q - p, 2, half, 2, -1).unbind(3))  # [q - p, 2, K, H]
        mine = torch.stack([a[:, 0] @ even[p:q], a[:, 1] @ odd[p:q]], 1)
        other = torch.stack([b[:, 0] @ odd[p:q], b[:, 1] @ even[p:q]], 1)
        rows.append((mine + _turned(other, constants["second"])).flatten(0, 2))
    found = torch.cat([*rows, x.new_zeros(1, 4 * batch)])
    found = found.view(found.shape[0], batch, 4).permute(1, 2, 0).flatten(1)
    return found.index_select(1, constants["place"]) * constants["sign"]


def _to_samples(
    c: Tensor, plan: RotationPlan, constants: Constants, tables: tuple[Tensor, ...], weights: Tensor | None
) -> Tensor:
    """The synthesis, times weights of the northern tilts and their mirror images."""
    batch, half = c.shape[0], (plan.grid + 1) // 2
    rows = (c.index_select(1, constants["origin"]) * constants["factor"]).view(batch, 4, len(plan.legendre.degrees) + 1)
    parts = rows.permute(2, 0, 1).flatten(1).split([*plan.legendre.rows, 1])[:-1]
    evens, odds = [], []
    for table, (p, q, _), mine in zip(given(plan.legendre, tables, c), plan.legendre.spans, parts, strict=True):
        a, b = table.view(q - p, 2, half, 2, -1).unbind(3)  # [q - p, 2, H, K]
        own = mine.view(q - p, 2, a.shape[3], 4 * batch)
        other = _turned(own, constants["second"])
        evens.append(torch.baddbmm(a[:, 0] @ own[:, 0], b[:, 1], other[:, 1]))
        odds.append(torch.baddbmm(a[:, 1] @ own[:, 1], b[:, 0], other[:, 0]))
    even, odd = torch.cat(evens), torch.cat(odds)
    if weights is not None:
        even, odd = even * weights, odd * weights
    pairs = torch.cat([even + odd, (even - odd)[:, : plan.grid - half].flip(1)], 1)
    pairs = pairs.index_select(0, constants["unpairs"]).view(plan.band, plan.orders, plan.grid, batch, 2, 2)
    series = pairs.permute(3, 5, 0, 2, 4, 1).reshape(batch, 2 * plan.band, plan.grid * 2 * plan.orders)
    grid = constants["first"] @ series
    return grid.unflatten(2, (plan.grid, -1)) @ constants["last"].mT


def _turned(x: Tensor, signs: Tensor) -> Tensor:
    """The other parts r and s, with their signs: what B is multiplied with where A has these; ``[..., 4 B]``."""
    return (x.unflatten(-1, (x.shape[-1] // 4, 2, 2)).flip(-2, -1) * signs).flatten(-3)


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
