"""Spin-weighted harmonic transforms of real fields: samples on circles of latitude to coefficients and back.

The field of spin n is ``F(g) = sum_l T D_l(g)^T c`` with the intertwiners T of ``groups.mackey_maps``, two for each
degree. At ``g = Rz(phi) Ry(theta)`` this is a Fourier series in phi whose terms are sums over l of the functions A and B
of profiles.py; so everything that mixes components and copies is a constant 2 x 2 x 2 array, read from T.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from steerable.domains.spectral.circles import Circles, Constants, fold, from_orders, to_orders, unfold
from steerable.domains.spectral.legendre import Legendre, from_rows, to_rows
from steerable.groups import SO2, SO3
from steerable.groups.mackey import mackey_maps
from steerable.groups.subgroup import as_inclusion

Terms = tuple[tuple[tuple[tuple[int, float], ...], ...], ...]


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

    @cached_property
    def legendre(self) -> Legendre:
        """The sums over colatitude."""
        m = np.arange(self.band)
        n = np.full(self.band, self.spin)
        m, n = m[np.argsort(np.maximum(m, n), kind="stable")], n
        theta = self.circles.colatitude[self.circles.fold[0]]
        return Legendre(theta, m, n, self.band, np.ones(self.band))

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

    def constants(self) -> dict[str, np.ndarray]:
        """The fixed arrays of both directions, beside the tables."""
        (place, sign), (origin, factor) = self.places, self.origins
        found = {"place": place, "sign": sign, "origin": origin, "factor": factor}
        _ = self.terms, self.size, self.legendre.rows  # all that a traced run will ask for is there before it is traced
        found["weights"] = self.circles.weight[:, None] / (4 * np.pi)
        return found | self.circles.constants(self.band)


def spin_analysis(x: Tensor, plan: SpinPlan, constants: Constants, tables: tuple[Tensor, ...] = ()) -> Tensor:
    """Coefficients ``[B, size]`` of fields ``[B, components, *shape]``: exactly those of the dense ``HomAnalysis``.

    Args:
        x: samples, in the dtype of the constants.
        plan: what is transformed.
        constants: ``plan.constants()`` as tensors.
        tables: ``plan.legendre.tables()`` in the same dtype; none to compute them on the way.
    """
    spectrum = to_orders(x, plan.circles, plan.band, constants) * constants["weights"]
    rows = to_rows(_columns(fold(spectrum, plan.circles, constants), plan.terms), plan.legendre, tables)
    rows = rows.view(rows.shape[0], len(x), 2 * len(plan.terms)).permute(1, 2, 0).flatten(1)
    return rows.index_select(1, constants["place"]) * constants["sign"]


def spin_synthesis(c: Tensor, plan: SpinPlan, constants: Constants, tables: tuple[Tensor, ...] = ()) -> Tensor:
    """Fields ``[B, components, *shape]`` of coefficients ``[B, size]``: exactly those of the dense ``HomSynthesis``."""
    rows = (c.index_select(1, constants["origin"]) * constants["factor"]).view(
        len(c), 2 * len(plan.terms), len(plan.legendre.degrees) + 1
    )
    values = from_rows(rows.permute(2, 0, 1).flatten(1), plan.legendre, tables)
    even, odd = _components(values.unflatten(-1, (len(c), len(plan.terms), 2)), plan.terms, plan.legendre.halves)
    return from_orders(unfold(even, odd, plan.circles, constants), plan.circles, constants)


def _columns(folded: tuple[Tensor, Tensor], terms: Terms) -> Tensor:
    """Two ``[B, r, H, M]`` to ``[M, 2, halves H, B copies 2]``: what the tables are multiplied with.

    B is odd where A is even, and comes with -i.
    """
    parts = []
    for parity in (0, 1):
        copies = []
        for copy in terms:
            halves = [_sum(folded[(parity + k) % 2], column) for k, column in enumerate(copy)]
            copies.append(torch.cat([halves[0], *(torch.complex(v.imag, -v.real) for v in halves[1:])], 1))
        parts.append(torch.stack(copies, 1))
    found = torch.stack(parts).permute(4, 0, 3, 1, 2)  # [M, 2, halves H, B, copies]
    return torch.view_as_real(found.contiguous()).flatten(3)


def _sum(x: Tensor, column: tuple[tuple[int, float], ...]) -> Tensor:
    parts = [x[:, r] if value == 1 else value * x[:, r] for r, value in column]
    return sum(parts[1:], parts[0])


def _components(values: Tensor, terms: Terms, halves: int) -> tuple[Tensor, Tensor]:
    """The transpose of :func:`_columns`: ``[M, 2, halves H, B, copies, 2]`` to two ``[B, r, H, M]``."""
    found = torch.view_as_complex(values.contiguous()).permute(1, 4, 3, 2, 0)
    found = found.unflatten(3, (halves, found.shape[3] // halves))
    out: list[list[Tensor]] = []
    for parity in (0, 1):
        components: list[list[Tensor]] = [[] for _ in range(len(terms))]  # as many components as copies
        for a, copy in enumerate(terms):
            for k, column in enumerate(copy):
                v = found[(parity + k) % 2, a, :, k]
                for r, value in column:
                    components[r].append(value * (torch.complex(-v.imag, v.real) if k else v))
        out.append([sum(v[1:], v[0]) for v in components])
    return torch.stack(out[0], 1), torch.stack(out[1], 1)


def spin_mixing(spin: int) -> np.ndarray:
    """``[copies, components, 2]`` of the intertwiners from any degree to spin n, over ``sqrt(2 l + 1)``.

    The last axis is the column of order +n and that of -n; for a scalar the second is zero.
    """
    group, circle = SO3(), SO2()
    l = max(1, spin)
    maps = mackey_maps(group, str(l), as_inclusion(group, circle), circle.irrep(spin)) / np.sqrt(2 * l + 1)
    columns = maps[:, :, [l + spin, l - spin]]
    return columns if spin else np.stack([columns[..., 0], 0 * columns[..., 0]], -1)
