"""Transforms of fields of any type: components sorted by spin, and copies put in the order of their representation."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from steerable.domains.spectral.circles import Circles
from steerable.domains.spectral.dense import DensePlan
from steerable.domains.spectral.meridian import MeridianPlan
from steerable.domains.spectral.spin import SpinPlan
from steerable.domains.sphere import RingSphere, Sphere
from steerable.fields.type import FieldType
from steerable.groups import SO2, SO3, Representation
from steerable.groups.mackey import mackey_maps
from steerable.groups.subgroup import as_inclusion


@dataclass(frozen=True, eq=False)
class FieldsOf:
    """One block of a type: some fields of one representation of SO2.

    Attributes:
        count: number of fields.
        spins: spin of each irrep in the representation.
        basis: columns of its irreps ``[d, d]``; ``None`` for the identity.
        sort: puts the coefficients of the single irreps, one irrep after the other, in ranges ``[copies, rest]`` of
            degrees; ``None`` where no copies are mixed.
        turns: the orthogonal matrix ``[copies, copies]`` of each range, and its number of coefficients.
        order: from there to the order of the representation; ``None`` for the identity.
    """

    count: int
    spins: tuple[int, ...]
    basis: np.ndarray | None
    sort: np.ndarray | None
    turns: tuple[tuple[np.ndarray, int], ...]
    order: np.ndarray | None

    @property
    def sizes(self) -> list[int]:
        """Components of each irrep."""
        return [2 if n else 1 for n in self.spins]

    def constants(self) -> dict[str, np.ndarray]:
        """The arrays by name, permutations with their inverses."""
        found = {name: v for name in ("basis", "sort", "order") if (v := getattr(self, name)) is not None}
        found |= {f"{name}_back": np.argsort(found[name]) for name in ("sort", "order") if name in found}
        return found | {f"turn{i}": turn for i, (turn, _) in enumerate(self.turns)}


@dataclass(frozen=True, eq=False)
class FieldPlan:
    """The transform of fields of a type of SO2 on a sampling by rings, without any group left.

    Attributes:
        circles: where the samples lie.
        blocks: what the channels are.
        band: L, degrees ``l < L``.
        size: number of channels.
        kind: of the transform of each spin: by rings, by rings whose meridian is extended, or dense.
    """

    circles: Circles
    blocks: tuple[FieldsOf, ...]
    band: int
    size: int
    kind: type[SpinPlan] = SpinPlan

    @classmethod
    def of(cls, sphere: Sphere, type: FieldType, band: int) -> FieldPlan:
        """Read a sampling and a type of SO2."""
        blocks = tuple(_fields_of(b.multiplicity, b.rep, band) for b in type.blocks)
        if isinstance(sphere, RingSphere):
            kind = MeridianPlan if sphere.meridian_extension and band > sphere.band else SpinPlan
            return cls(Circles.of(sphere), blocks, band, type.size, kind)
        theta, phi = sphere.angles().reshape(-1, 2).numpy().T
        weight = sphere.flat_weights().numpy()
        if abs(weight.sum() - 4 * np.pi) > 1e-6:  # areas of a part of the sphere: shares are what is fitted with
            weight = weight * (4 * np.pi / weight.sum())
        circles = Circles(theta, np.ones(len(theta), dtype=np.int64), phi, weight, sphere.shape)
        return cls(circles, blocks, band, type.size, DensePlan)

    @cached_property
    def spins(self) -> dict[int, SpinPlan]:
        """The transform of each spin that occurs below the band."""
        found = sorted({n for b in self.blocks for n in b.spins if n < self.band})
        return {n: self.kind(self.circles, n, self.band) for n in found}

    def constants(self) -> dict[str, np.ndarray]:
        """Fixed arrays of both directions, beside the tables of Legendre functions."""
        found = {f"spin{n}_{key}": value for n, plan in self.spins.items() for key, value in plan.constants().items()}
        for k, b in enumerate(self.blocks):
            found |= {f"block{k}_{key}": value for key, value in b.constants().items()}
        return found


def analyse(
    x: Tensor, plan: FieldPlan, constants: Mapping[str, Tensor], tables: Mapping[int, tuple[Tensor, ...]]
) -> Tensor:
    """Coefficients ``[B, D]`` of fields ``[B, C, *shape]`` ordered as ``Homogeneous(SO3, SO2, L - 1).fields(type)``.

    Args:
        x: samples.
        plan: what is transformed.
        constants: ``plan.constants()`` as tensors in the dtype of x.
        tables: ``plan.spins[n].legendre.tables()`` for each spin; empty ones are computed on the way.
    """
    pieces: dict[int, list[Tensor]] = {n: [] for n in plan.spins}
    for k, (b, v) in enumerate(
        zip(plan.blocks, x.split([b.count * sum(b.sizes) for b in plan.blocks], 1), strict=True)
    ):
        v = v.unflatten(1, (b.count, sum(b.sizes)))
        if b.basis is not None:
            v = torch.einsum("dr,bmd...->bmr...", constants[f"block{k}_basis"], v)
        for n, part in zip(b.spins, v.split(b.sizes, 2), strict=True):
            if n in pieces:
                pieces[n].append(part)
    found: dict[int, list[Tensor]] = {}
    for n, parts in pieces.items():
        joined = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        c = plan.spins[n].analyse(joined.flatten(0, 1), _of(constants, f"spin{n}_"), tables.get(n, ()))
        found[n] = list(c.unflatten(0, joined.shape[:2]).split([p.shape[1] for p in parts], 1))
    out = []
    for k, b in enumerate(plan.blocks):
        mine = [found[n].pop(0) for n in b.spins if n in found]
        c = mine[0] if len(mine) == 1 else torch.cat(mine, -1)
        out.append(_mixed(c, b, _of(constants, f"block{k}_")).flatten(1))
    return out[0] if len(out) == 1 else torch.cat(out, 1)


def synthesise(
    c: Tensor, plan: FieldPlan, constants: Mapping[str, Tensor], tables: Mapping[int, tuple[Tensor, ...]]
) -> Tensor:
    """Fields ``[B, C, *shape]`` of coefficients ``[B, D]``: the inverse of :func:`analyse` up to the band."""
    sizes = {n: p.size for n, p in plan.spins.items()}
    pieces: dict[int, list[Tensor]] = {n: [] for n in sizes}
    lengths = [[sizes[n] for n in b.spins if n in sizes] for b in plan.blocks]
    split = c.split([b.count * sum(s) for b, s in zip(plan.blocks, lengths, strict=True)], 1)
    for k, (b, v, length) in enumerate(zip(plan.blocks, split, lengths, strict=True)):
        v = _unmixed(v.unflatten(1, (b.count, sum(length))), b, _of(constants, f"block{k}_"))
        for n, part in zip([n for n in b.spins if n in sizes], v.split(length, -1), strict=True):
            pieces[n].append(part)
    found: dict[int, list[Tensor]] = {}
    for n, parts in pieces.items():
        joined = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        x = plan.spins[n].synthesise(joined.flatten(0, 1), _of(constants, f"spin{n}_"), tables.get(n, ()))
        found[n] = list(x.unflatten(0, joined.shape[:2]).split([p.shape[1] for p in parts], 1))
    out = []
    for k, b in enumerate(plan.blocks):
        mine = [
            found[n].pop(0) if n in found else c.new_zeros(c.shape[0], b.count, 2, *plan.circles.shape) for n in b.spins
        ]
        v = mine[0] if len(mine) == 1 else torch.cat(mine, 2)
        if b.basis is not None:
            v = torch.einsum("dr,bmr...->bmd...", constants[f"block{k}_basis"], v)
        out.append(v.flatten(1, 2))
    return out[0] if len(out) == 1 else torch.cat(out, 1)


def _of(constants: Mapping[str, Tensor], head: str) -> dict[str, Tensor]:
    return {key[len(head) :]: value for key, value in constants.items() if key.startswith(head)}


def _mixed(c: Tensor, block: FieldsOf, constants: Mapping[str, Tensor]) -> Tensor:
    """Coefficients of single irreps ``[B, count, S]`` to those of the representation."""
    if block.turns:
        parts = c.index_select(-1, constants["sort"]).split([size for _, size in block.turns], -1)
        turns = [constants[f"turn{i}"] for i in range(len(parts))]
        c = torch.cat(
            [
                (t @ v.unflatten(-1, (len(t), v.shape[-1] // len(t)))).flatten(-2)
                for t, v in zip(turns, parts, strict=True)
            ],
            -1,
        )
    return c if block.order is None else c.index_select(-1, constants["order"])


def _unmixed(c: Tensor, block: FieldsOf, constants: Mapping[str, Tensor]) -> Tensor:
    """The transpose of :func:`_mixed`."""
    if block.order is not None:
        c = c.index_select(-1, constants["order_back"])
    if not block.turns:
        return c
    parts = c.split([size for _, size in block.turns], -1)
    turns = [constants[f"turn{i}"].mT for i in range(len(parts))]
    c = torch.cat(
        [(t @ v.unflatten(-1, (len(t), v.shape[-1] // len(t)))).flatten(-2) for t, v in zip(turns, parts, strict=True)],
        -1,
    )
    return c.index_select(-1, constants["sort_back"])


def _fields_of(count: int, rep: Representation, band: int) -> FieldsOf:
    """Compare the intertwiners of the representation with those of its irreps, one range of degrees at a time."""
    group, circle = SO3(), SO2()
    inclusion = as_inclusion(group, circle)
    spins = tuple(int(i) for i in rep.irreps)
    starts = np.cumsum([0, *((2 if n else 1) * max(0, band**2 - n * n) for n in spins)])
    edges = [*sorted({n for n in spins if n < band}), band]
    sort, target, turns, trivial, before = [], [], [], True, 0
    for low, high in itertools.pairwise(edges):
        own = mackey_maps(group, str(low), inclusion, rep)
        single, sources = [], []
        for n, start, (s, t) in zip(spins, starts, rep.irrep_slices):
            for a, part in enumerate(mackey_maps(group, str(low), inclusion, circle.irrep(n))):
                single.append(rep.basis[:, s:t] @ part)
                copies = 2 if n else 1
                sources += [[start + copies * (l * l - n * n) + a * (2 * l + 1) + m
                             for l in range(low, high) for m in range(2 * l + 1)]]  # fmt: skip
        turn = np.einsum("arm,brm->ab", own, np.stack(single)) / (2 * low + 1)
        turn = np.where(np.abs(turn) < 1e-12, 0.0, turn)
        trivial = trivial and bool(np.abs(turn - np.eye(len(turn))).max() < 1e-12)
        sort.append(np.array(sources).ravel())
        turns.append((turn, sort[-1].size))
        k = len(own)
        target += [[before + k * (l * l - low * low) + a * (2 * l + 1) + m
                    for a in range(k) for l in range(low, high) for m in range(2 * l + 1)]]  # fmt: skip
        before += sort[-1].size
    first, then = np.concatenate(sort), np.argsort(np.concatenate([np.array(t) for t in target]))
    if not trivial:
        return FieldsOf(count, spins, _basis(rep), first, tuple(turns), then)
    order = first[then]
    return FieldsOf(count, spins, _basis(rep), None, (), None if (order == np.arange(len(order))).all() else order)


def _basis(rep: Representation) -> np.ndarray | None:
    return None if rep.change_of_basis is None else rep.basis.copy()
