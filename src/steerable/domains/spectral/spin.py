"""Spin-weighted harmonic transforms of real fields: samples on circles of latitude to coefficients and back.

The field of spin n is ``F(g) = sum_l T D_l(g)^T c`` with the intertwiners T of ``groups.mackey_maps``, two for each
degree. At ``g = Rz(phi) Ry(theta)`` this is a Fourier series in phi whose terms are sums over l of the functions A and
B of profiles.py; so everything that mixes components and copies is a constant 2 x 2 x 2 array, read from T.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.domains.spectral.circles import Circles, Constants, from_orders, to_orders
from steerable.domains.spectral.legendre import Legendre, from_rows, to_rows
from steerable.groups import SO2, SO3
from steerable.groups.eager import runs_eagerly
from steerable.groups.mackey import mackey_maps
from steerable.groups.subgroup import as_inclusion

#: for each copy, and for the columns of A and of B, the components that enter and their factors
Terms = tuple[tuple[tuple[tuple[int, float], ...], ...], ...]

SCALAR: Terms = ((((0, 1.0),),),)


@dataclass(frozen=True, eq=False)
class SpinPlan:
    """The transform of fields of one spin on one sampling.

    Attributes:
        circles: where the samples lie.
        spin: n >= 0.
        band: L, degrees ``l < L``.
    """

    circles: Circles
    spin: int
    band: int

    #: whether tables of Legendre functions are used
    tabulated = True
    #: whether the synthesis without weights is the transpose of the analysis
    transposes = True

    @property
    def rings(self) -> Circles:
        """Where the Legendre functions are taken."""
        return self.circles

    @cached_property
    def legendre(self) -> Legendre:
        """The sums over colatitude."""
        m = np.arange(self.band)
        n = np.full(self.band, self.spin)
        m, n = m[np.argsort(np.maximum(m, n), kind="stable")], n
        theta = self.rings.colatitude[self.rings.mirrored[0]]
        return Legendre(theta, m, n, self.band, np.ones(self.band), 2 if self.spin else 1)

    @cached_property
    def terms(self) -> Terms:
        """For each copy, and for the columns of A and of B, the components that enter and their factors."""
        mixing = spin_mixing(self.spin)[..., : self.legendre.halves]
        return tuple(
            tuple(tuple((r, float(v)) for r, v in enumerate(column) if abs(v) > 1e-9) for column in copy.T)
            for copy in mixing
        )

    @cached_property
    def size(self) -> int:
        """Number of coefficients."""
        return (2 if self.spin else 1) * (self.band**2 - self.spin**2)

    @cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Where a coefficient comes from among ``[copies, 2, R + 1]`` (real, imaginary), and its sign, ``[size]``."""
        plan, copies = self.legendre, len(self.terms)
        order, degree = plan.m[plan.pairs], plan.degrees
        real = np.flatnonzero(degree >= 0)
        row = np.full((self.band, self.band), -1)
        row[degree[real], order[real]] = real
        rows, found, signs = len(degree) + 1, [], []
        for l in range(self.spin, self.band):
            m = np.arange(-l, l + 1)
            part = (m < 0) * rows + row[l, np.abs(m)]
            found += [2 * a * rows + part for a in range(copies)]
            signs += copies * [np.where(m < 0, -1.0, 1.0)]
        return np.concatenate(found), np.concatenate(signs)

    @cached_property
    def origins(self) -> tuple[np.ndarray, np.ndarray]:
        """The other way: for each of ``[copies, 2, R + 1]`` a coefficient and its factor; 0 where there is none."""
        place, sign = self.places
        total = 2 * len(self.terms) * (len(self.legendre.degrees) + 1)
        index, factor = np.zeros(total, dtype=np.int64), np.zeros(total)
        index[place] = np.arange(len(place))
        order = np.append(self.legendre.m[self.legendre.pairs], 0)
        halves = np.tile(np.where(order > 0, 0.5, 1.0), 2 * len(self.terms))
        factor[place] = sign * halves[place]
        return index, factor

    def indices(self) -> dict[str, np.ndarray]:
        """Places, origins and signs of the coefficients; what a traced run asks for is there before it is traced."""
        (place, sign), (origin, factor) = self.places, self.origins
        _ = self.terms, self.size, self.legendre.rows, self.legendre.reach
        return {"place": place, "sign": sign, "origin": origin, "factor": factor}

    def constants(self) -> dict[str, np.ndarray]:
        """The fixed arrays of both directions, beside the tables."""
        weight, c = self.circles.weight / (4 * np.pi), self.circles
        found = self.indices() | c.constants(self.band, weight[:, None])
        if c.uniform:
            return found | {"each": weight.reshape(-1, *(1,) * (len(c.shape) - 1))}
        each = np.repeat(weight, c.count)
        if c.order is not None:
            each = each[np.argsort(c.order)]
        return found | {"each": each.reshape(c.shape)}

    def to_folded(self, x: Tensor, constants: Constants) -> Tensor:
        """Samples ``[B, r, *shape]`` to folded orders ``[2, H, B, r, M]``."""
        return to_orders(x, self.circles, self.band, constants)

    def from_folded(self, folded: Tensor, constants: Constants) -> Tensor:
        """The other way, without weights."""
        return from_orders(folded, self.circles, constants)

    def analyse(self, x: Tensor, constants: Constants, tables: tuple[Tensor, ...] = ()) -> Tensor:
        """Coefficients ``[B, size]`` of fields ``[B, components, *shape]``: those of the dense ``HomAnalysis``.

        Args:
            x: samples, in the dtype of the constants.
            constants: ``self.constants()`` as tensors.
            tables: ``self.legendre.tables()`` in the same dtype; none to compute them on the way.
        """
        if self._in_one(x):
            found: Any = _Analysis.apply(x, self, constants, tables, True)
            return found
        return self._analyse(x, constants, tables)

    def synthesise(self, c: Tensor, constants: Constants, tables: tuple[Tensor, ...] = ()) -> Tensor:
        """Fields ``[B, components, *shape]`` of coefficients ``[B, size]``: those of the dense ``HomSynthesis``."""
        if self._in_one(c):
            found: Any = _Synthesis.apply(c, self, constants, tables)
            return found
        return self._synthesise(c, constants, tables)

    def _in_one(self, x: Tensor) -> bool:
        """Whether a direction runs as one function whose gradient is the other: half the work of going step by step."""
        return self.transposes and not torch.compiler.is_compiling() and runs_eagerly(x)

    def _analyse(self, x: Tensor, constants: Constants, tables: tuple[Tensor, ...]) -> Tensor:
        rows = to_rows(columns(self.to_folded(x, constants), self.terms), self.legendre, tables)
        rows = rows.view(rows.shape[0], x.shape[0], 2 * len(self.terms)).permute(1, 2, 0).flatten(1)
        return rows.index_select(1, constants["place"]) * constants["sign"]

    def _synthesise(self, c: Tensor, constants: Constants, tables: tuple[Tensor, ...]) -> Tensor:
        rows = c.index_select(1, constants["origin"]) * constants["factor"]
        rows = rows.view(c.shape[0], 2 * len(self.terms), len(self.legendre.degrees) + 1)
        values = from_rows(rows.permute(2, 0, 1).flatten(1), self.legendre, tables)
        return self.from_folded(components(values, self.terms, c.shape[0], self.legendre.halves), constants)


class _Analysis(torch.autograd.Function):
    """The analysis, with or without the weights of the rings."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, plan: SpinPlan, constants: Constants, tables: tuple[Tensor, ...], weighted: bool
    ) -> Tensor:
        """Samples to coefficients."""
        ctx.given, ctx.weighted = (plan, constants, tables), weighted
        if not weighted:
            constants = {**constants, "weights": torch.ones_like(constants["weights"])}
        return plan._analyse(x, constants, tables)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The transpose."""
        found: Any = _Synthesis.apply(grads[0], *ctx.given)
        return found * ctx.given[1]["each"] if ctx.weighted else found, None, None, None, None


class _Synthesis(torch.autograd.Function):
    """The transpose of the analysis without weights."""

    @staticmethod
    def forward(ctx: Any, c: Tensor, plan: SpinPlan, constants: Constants, tables: tuple[Tensor, ...]) -> Tensor:
        """Coefficients to samples."""
        ctx.given = plan, constants, tables
        return plan._synthesise(c, constants, tables)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The transpose."""
        found: Any = _Analysis.apply(grads[0], *ctx.given, False)
        return found, None, None, None


def columns(folded: Tensor, terms: Terms) -> Tensor:
    """``[2, H, B, r, M]`` to ``[M, 2, H halves, B copies 2]``: what the tables are multiplied with.

    B is odd where A is even, and comes with -i.
    """
    if terms == SCALAR:
        return transposed(folded.flatten(2, 3))
    parities = []
    for parity in (0, 1):
        halves = []
        for k, factor in enumerate((1, -1j)):
            source = folded[(parity + k) % 2]
            halves.append(torch.stack([_sum(source, copy[k], factor) for copy in terms], 2))
        parities.append(torch.stack(halves, 1))
    return transposed(torch.stack(parities).flatten(3, 4).flatten(1, 2))


def _sum(x: Tensor, column: tuple[tuple[int, float], ...], factor: complex) -> Tensor:
    parts = [x[:, :, r] * (factor * value) for r, value in column]
    return sum(parts[1:], parts[0])


def transposed(x: Tensor) -> Tensor:
    """Complex ``[2, H, c, M]`` to real ``[M, 2, H, 2 c]``, as one transposition of a matrix."""
    matrix = x.reshape(-1, x.shape[-1]) if x.numel() else x.new_zeros(x.shape[:-1].numel(), x.shape[-1])
    return torch.view_as_real(matrix.t().contiguous()).view(x.shape[-1], 2, x.shape[1], 2 * x.shape[2])


def components(values: Tensor, terms: Terms, batch: int, halves: int) -> Tensor:
    """The transpose of :func:`columns`: ``[M, 2, H halves, B copies 2]`` to ``[2, H, B, r, M]``."""
    copies = len(terms)
    circles = values.shape[2] // halves
    found = torch.view_as_complex(values.reshape(len(values), 2 * circles * halves * batch * copies, 2))
    found = found.t().contiguous().view(2, circles, halves, batch, copies, len(values))
    if terms == SCALAR:
        return found.flatten(2, 3)
    out = []
    for parity in (0, 1):
        components: list[list[Tensor]] = [[] for _ in range(copies)]  # as many components as copies
        for a, copy in enumerate(terms):
            for k, factor in enumerate((1, 1j)):
                source = found[(parity + k) % 2, :, k, :, a]
                for r, value in copy[k]:
                    components[r].append(source * (factor * value))
        out.append(torch.stack([sum(v[1:], v[0]) for v in components], 2))
    return torch.stack(out)


def spin_mixing(spin: int) -> np.ndarray:
    """``[copies, components, 2]`` of the intertwiners from any degree to spin n, over ``sqrt(2 l + 1)``.

    The last axis is the column of order +n and that of -n; for a scalar the second is zero.
    """
    group, circle = SO3(), SO2()
    l = max(1, spin)
    maps = mackey_maps(group, str(l), as_inclusion(group, circle), circle.irrep(spin)) / np.sqrt(2 * l + 1)
    columns = maps[:, :, [l + spin, l - spin]]
    return columns if spin else np.stack([columns[..., 0], 0 * columns[..., 0]], -1)
