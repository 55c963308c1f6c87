"""Homogeneous spaces G/H, and fields on them as coefficients of the irreps of G."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from steerable.fields.type import FieldType
from steerable.groups import Group, Inclusion, Representation, mackey_lift, mackey_matrix
from steerable.groups import spectral_induced as _spectral_induced
from steerable.groups.finite import FiniteGroupBase
from steerable.groups.hom import hom_basis_array
from steerable.groups.sampling import frame_over, is_sphere, sphere_rule
from steerable.groups.subgroup import as_inclusion


class Homogeneous:
    """The space ``G/H`` of a compact group and a closed subgroup, with fields up to a band limit.

    A field of type rho, a representation of H, is a function ``F: G -> V`` with ``F(g h) = rho(h)^-1 F(g)`` (a Mackey
    function). Its coefficients are a vector of the induced representation of G (:meth:`representation`), so every layer
    for types of G acts on it, and linear layers are the generalised convolutions. Points of the space are given by
    elements of G, one for each coset.

    Args:
        group: G.
        subgroup: H, or its inclusion.
        band: largest frequency of the irreps of G; a finite group may leave it out.

    Raises:
        ValueError: if H is no subgroup, or an infinite group has no band.

    Source: Kondor and Trivedi, ICML 2018, arXiv 1802.03690; Cohen, Geiger and Weiler, NeurIPS 2019, arXiv 1811.02017;
    Xu, Lei, Dobriban and Daniilidis, ICML 2022, arXiv 2206.08362.

    Example:
        >>> sphere = Homogeneous(SO3(), SO2(), 8)
        >>> sphere.fields("4x0 + 2x1")
        SO3/SO2 (band 8): 4x0 + 2x1
    """

    def __init__(self, group: Group, subgroup: Group | Inclusion, band: int | None = None) -> None:
        if band is None and not group.is_finite:
            raise ValueError(f"Homogeneous: {group.name} is infinite and needs a band limit, got band={band!r}")
        self.group, self.inclusion, self.band = group, as_inclusion(group, subgroup), band
        self.irreps = group.irrep_ids(band)

    @property
    def subgroup(self) -> Group:
        """H as a group of its own."""
        return self.inclusion.small

    # ---- fields

    def branching(self, id: str) -> dict[str, int]:
        """How often each irrep of H occurs in an irrep of G, restricted."""
        found: dict[str, int] = {}
        for i in self.group.irrep(id).restrict(self.inclusion).irreps:
            found[i] = found.get(i, 0) + 1
        return found

    def representation(self, rep: Representation | str) -> Representation:
        """How G moves the coefficients of one field: rho, induced, up to the band.

        Raises:
            ValueError: for a representation of another group, or a band that holds no such field.
        """
        rho = self.subgroup.representation(rep) if isinstance(rep, str) else rep
        return _spectral_induced(self.group, self.inclusion, rho, self.band)

    def fields(self, type: FieldType | str) -> HomType:
        """Fields on this space: a type of H, or its string.

        Raises:
            ValueError: for a type of another group.
        """
        found = self.subgroup.type(type) if isinstance(type, str) else type
        if found.group != self.subgroup:
            raise ValueError(f"fields on {self!r} have a type of {self.subgroup.name}, got {found!r}")
        return HomType(self, found)

    def evaluate(self, rep: Representation, elements: Tensor) -> Tensor:
        """``[n, d_rho, D]``: values ``F(g)`` at elements ``[n, ...]`` from the coefficients of one field."""
        return mackey_matrix(self.representation(rep), elements, self.inclusion, rep)

    def lift(self, rep: Representation) -> Tensor:
        """Isometry ``[d_rho D', D]`` to functions on G, ``d_rho`` of them; its transpose projects (averages over H)."""
        return mackey_lift(self.group, self.inclusion, rep, self.band)

    def adapted(self, id: str) -> Tensor:
        """Orthogonal ``Q [d, d]`` whose columns split an irrep of G into irreps of H."""
        return torch.from_numpy(self.group.irrep(id).restrict(self.inclusion).basis.copy())

    def pattern(self, rep: Representation, id: str) -> Tensor:
        """Where the Fourier coefficient ``integral F(g) (x) psi(g) Q dg`` of a field of type rho may be non-zero.

        Returns:
            Boolean ``[d_rho, d]``: component of rho by column of the adapted basis; all rows of psi are alike. The rest
            is zero whatever the field.
        """
        q = self.adapted(id).numpy()
        maps = hom_basis_array(self.group.irrep(id).restrict(self.inclusion), rep) @ q
        if not len(maps):
            return torch.zeros(rep.size, q.shape[0], dtype=torch.bool)
        return torch.from_numpy(np.abs(maps).max(0) > 1e-9)

    # ---- points

    @cached_property
    def is_sphere(self) -> bool:
        """Whether the points are those of the sphere: SO3 over SO2, or O3 over O2."""
        return is_sphere(self.group, self.inclusion)

    def section(self, points: Tensor) -> Tensor:
        """One element ``s(x)`` of each coset x.

        Args:
            points: directions ``[..., 3]`` on the sphere, for ``Rz(longitude) Ry(colatitude)``; numbers ``[...]`` of
                the cosets of a finite group, for the smallest element of each.

        Raises:
            TypeError: for other spaces, whose points are elements already.
        """
        if self.is_sphere:
            x, y, z = points.double().unbind(-1)
            return frame_over(self.group, torch.atan2(y, x), torch.atan2(torch.hypot(x, y), z))
        if isinstance(self.group, FiniteGroupBase):
            return torch.from_numpy(self._cosets[1])[points]
        raise TypeError(
            f"{self!r} has no coordinates, so points cannot be {tuple(points.shape)} numbers: give elements of "
            f"{self.group.name}"
        )

    def coset(self, g: Tensor) -> Tensor:
        """Points ``g H``: directions ``[..., 3]`` of the third axis, or numbers of cosets. Raises ``TypeError``."""
        if self.is_sphere:
            return self.group.action(g)[..., 2]
        if isinstance(self.group, FiniteGroupBase):
            return torch.from_numpy(self._cosets[0])[g]
        raise TypeError(f"{self!r} has no coordinates for the coset of an element of {self.group.name}")

    def fibre(self, g: Tensor) -> Tensor:
        """Element h of H with ``g = s(g H) h``. Raises ``TypeError`` for spaces without coordinates."""
        rest = self.group.compose(self.group.inverse(self.section(self.coset(g))), g)
        if self.is_sphere:
            return self.subgroup.from_action(self.group.action(rest))
        images = self.inclusion.map(self.subgroup.elements).numpy()
        place = np.full(self.group.order or 0, -1)
        place[images] = np.arange(len(images))
        return torch.from_numpy(place)[rest]

    @cached_property
    def _cosets(self) -> tuple[np.ndarray, np.ndarray]:
        group = self.group
        if not isinstance(group, FiniteGroupBase):
            raise TypeError(f"{group.name} is infinite and its cosets have no numbers")
        least = group.table[:, self.inclusion.map(self.subgroup.elements).numpy()].min(1)
        representatives, number = np.unique(least, return_inverse=True)
        return number, representatives

    def grid(self, frequency: int) -> tuple[Tensor, Tensor]:
        """Elements ``[q, ...]``, each for its coset, and weights ``[q]``, exact for products up to a frequency.

        On the sphere Gauss-Legendre rings of equidistant points; all cosets of a finite group; on other spaces the
        quadrature of the group, which holds every coset more than once.
        """
        if self.is_sphere:
            return sphere_rule(self.group, frequency)
        if self.group.is_finite:
            count = len(self._cosets[1])
            return torch.from_numpy(self._cosets[1].copy()), torch.full((count,), 1 / count, dtype=torch.float64)
        return self.group.haar(frequency)

    def samples(self, frequency: int, fibre: int) -> tuple[Tensor, Tensor]:
        """Elements of G and weights, exact up to ``frequency`` on the space and up to ``fibre`` along H."""
        if not (self.is_sphere or self.group.is_finite):
            return self.group.haar(frequency)
        (x, u), (h, v) = self.grid(frequency), self.subgroup.haar(fibre)
        h = self.inclusion.map(h)
        n, m = len(x), len(h)
        g = self.group.compose(x.repeat_interleave(m, 0), h.repeat(n, *[1] * (h.dim() - 1)))
        return g, (u[:, None] * v).flatten()

    # ---- value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Homogeneous) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    @property
    def _value(self) -> tuple[Group, Inclusion, bytes, int | None]:
        return self.group, self.inclusion, self.inclusion._key, self.band

    def __repr__(self) -> str:
        band = "" if self.band is None else f" (band {self.band})"
        return f"{self.group.name}/{self.inclusion.name}{band}"


@dataclass(frozen=True)
class HomType:
    """Fields on a homogeneous space.

    Attributes:
        space: G/H and its band.
        fibre: how many fields of which representation of H.
    """

    space: Homogeneous
    fibre: FieldType

    @cached_property
    def type(self) -> FieldType:
        """The coefficients as a type of G: one block of induced representations for each block of fields."""
        blocks = [(b.multiplicity, self.space.representation(b.rep)) for b in self.fibre.blocks]
        return FieldType(self.space.group, blocks)

    @cached_property
    def copies(self) -> tuple[dict[str, slice], ...]:
        """Where the coefficients lie: for each copy, field after field, the channels of each irrep of G that it holds.

        A scalar on the sphere is one copy of every degree, a field of spin n two of each degree from n on.
        """
        found, start = [], 0
        for rep in self.type.fields:
            own: list[dict[str, slice]] = []
            for (s, t), id in zip(rep.irrep_slices, rep.irreps, strict=True):
                free = next((copy for copy in own if id not in copy), None)
                if free is None:
                    own.append(free := {})
                free[id] = slice(start + s, start + t)
            found += own
            start += rep.size
        return tuple(found)

    @cached_property
    def channels(self) -> dict[str, Tensor]:
        """The channels ``[copies, d]`` of each irrep of G, irreps in the order in which they come first."""
        found: dict[str, list[Tensor]] = {}
        for copy in self.copies:
            for id, s in copy.items():
                found.setdefault(id, []).append(torch.arange(s.start, s.stop, device="cpu"))
        return {id: torch.stack(rows) for id, rows in found.items()}

    def evaluate(self, elements: Tensor) -> Tensor:
        """``[n, C_H, C_G]``: values of all fields at elements of G from all coefficients."""
        parts = [self.space.evaluate(b.rep, elements) for b in self.fibre.blocks for _ in range(b.multiplicity)]
        out = torch.zeros(len(elements), self.fibre.size, self.type.size, dtype=torch.float64)
        row = column = 0
        for p in parts:
            out[:, row : row + p.shape[1], column : column + p.shape[2]] = p
            row, column = row + p.shape[1], column + p.shape[2]
        return out

    def __add__(self, other: HomType) -> HomType:
        """Fields side by side. Raises ``ValueError`` for another space."""
        if self.space != other.space:
            raise ValueError(f"cannot add fields on {self.space!r} and on {other.space!r}")
        return HomType(self.space, self.fibre + other.fibre)

    def __repr__(self) -> str:
        return f"{self.space!r}: {self.fibre}"
