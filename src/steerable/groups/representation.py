"""Real orthogonal representations: a change of basis and a list of irreps."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from steerable.groups.finite import FiniteGroupBase
from steerable.groups.group import Group

if TYPE_CHECKING:
    from steerable.fields.type import FieldType
    from steerable.groups.subgroup import Inclusion


class Representation:
    """``rho(g) = Q (psi_1 + psi_2 + ...)(g) Q^T`` with real irreps ``psi_i`` and an orthogonal ``Q``.

    Args:
        group: the group.
        irreps: names of the irreps, in order.
        change_of_basis: ``[d, d]`` orthogonal ``Q``, or ``None`` for the identity.
        name: short string; :meth:`Group.representation` reads the standard ones back.
        kind: how it was made: ``irrep regular quotient induced sum tensor restricted spectral custom``.

    Raises:
        ValueError: if ``Q`` has the wrong size or is not orthogonal to 1e-9.

    ``4 * rho`` and ``rho + sigma`` make field types; representations combine by :meth:`direct_sum` and :meth:`tensor`.
    """

    def __init__(
        self,
        group: Group,
        irreps: tuple[str, ...],
        change_of_basis: np.ndarray | Tensor | None = None,
        name: str | None = None,
        kind: str = "custom",
    ) -> None:
        self.group = group
        self.irreps = tuple(irreps)
        self.size = sum(group.irrep_info(i).dim for i in self.irreps)
        self.kind = kind
        plain = self.irreps[0] if len(self.irreps) == 1 else "(" + " + ".join(self.irreps) + ")"
        self.name = name or plain
        self._basis = None
        if change_of_basis is not None:
            given = change_of_basis.cpu().numpy() if isinstance(change_of_basis, Tensor) else change_of_basis
            q = np.array(given, dtype=np.float64)
            if q.shape != (self.size, self.size) or np.abs(q @ q.T - np.eye(self.size)).max() > 1e-9:
                raise ValueError(
                    f"representation {self.name} of {group.name}: the change of basis must be an orthogonal "
                    f"[{self.size}, {self.size}] matrix, got shape {q.shape}"
                )
            if np.abs(q - np.eye(self.size)).max() > 1e-12:
                self._basis = q
                self.name = name or f"custom({plain})"  # no name that would be read back as another representation

    @property
    def change_of_basis(self) -> Tensor | None:
        """``[d, d]`` float64, or ``None`` when it is the identity."""
        return None if self._basis is None else torch.from_numpy(self._basis.copy())

    @property
    def basis(self) -> np.ndarray:
        """``[d, d]`` change of basis as an array, the identity included."""
        return np.eye(self.size) if self._basis is None else self._basis

    def __call__(self, g: Tensor) -> Tensor:
        """Matrices ``[..., d, d]`` (float64) at elements ``g``."""
        group = self.group
        if self._table is not None and isinstance(group, FiniteGroupBase):
            return torch.from_numpy(self._table)[group.checked(g)]
        parts = [group.irrep_matrix(i, g) for i in self.irreps]
        if len(parts) == 1:
            blocks = parts[0]
        else:
            blocks = parts[0].new_zeros(*parts[0].shape[:-2], self.size, self.size)
            for (start, stop), part in zip(self.irrep_slices, parts, strict=True):
                blocks[..., start:stop, start:stop] = part
        if self._basis is None:
            return blocks
        q = torch.from_numpy(self._basis)
        return q @ blocks @ q.T

    @cached_property
    def _table(self) -> np.ndarray | None:
        """Permutation representations of finite groups hold their exact 0/1 matrices."""
        if self.kind not in ("regular", "quotient") or not self.group.is_finite:
            return None
        from steerable.groups.constructions import permutation_table

        return permutation_table(self)

    @cached_property
    def irrep_slices(self) -> tuple[tuple[int, int], ...]:
        """Start and stop of each irrep within the representation."""
        stops = np.cumsum([self.group.irrep_info(i).dim for i in self.irreps]).tolist()
        return tuple(zip([0, *stops[:-1]], stops, strict=True))

    @property
    def is_irrep(self) -> bool:
        """A single irrep in its standard basis."""
        return len(self.irreps) == 1 and self._basis is None

    @property
    def is_trivial(self) -> bool:
        """Nothing moves: every irrep is the trivial one."""
        zero = self.group.irrep_ids(0)[0]
        return all(i == zero for i in self.irreps)

    @cached_property
    def is_permutation(self) -> bool:
        """Whether every matrix permutes the basis, so that pointwise functions are equivariant."""
        if self.is_trivial and self._basis is None:
            return True
        if self.frequency and not self.group.is_finite:
            return False
        m = self(self.group.generators).numpy()
        return bool((np.abs(m - np.round(m)).max() < 1e-9) and (np.round(m) >= 0).all())

    @cached_property
    def frequency(self) -> int:
        """Largest frequency among the irreps."""
        return max((self.group.irrep_info(i).frequency for i in self.irreps), default=0)

    @cached_property
    def invariants(self) -> Tensor:
        """Invariant vectors ``[n, d]`` (float64), scaled so that the largest entry is 1: where a bias may live."""
        zero = self.group.irrep_ids(0)[0]
        columns = [self.basis[:, s] for (s, _), i in zip(self.irrep_slices, self.irreps, strict=True) if i == zero]
        scaled = [v / v[np.argmax(np.abs(v) > 0.999 * np.abs(v).max())] for v in columns]
        return torch.from_numpy(np.stack(scaled) if scaled else np.zeros((0, self.size)))

    def character(self, g: Tensor) -> Tensor:
        """Trace of the matrices, ``[...]``."""
        return self(g).diagonal(dim1=-2, dim2=-1).sum(-1)

    def direct_sum(self, *others: Representation) -> Representation:
        """One representation of dimension ``d1 + d2 + ...``."""
        from steerable.groups.constructions import direct_sum

        return direct_sum(self, *others)

    def tensor(self, other: Representation) -> Representation:
        """Tensor product; the basis is ``e_i (x) f_j`` with ``j`` fastest."""
        from steerable.groups.constructions import tensor

        return tensor(self, other)

    def restrict(self, subgroup: Group | Inclusion) -> Representation:
        """The same matrices, as a representation of a subgroup."""
        from steerable.groups.constructions import restrict

        return restrict(self, subgroup)

    @property
    def _value(self) -> tuple[object, ...]:
        basis = b"" if self._basis is None else (np.round(self._basis, 8) + 0.0).tobytes()
        return (self.group, self.irreps, basis)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Representation) and (self is other or self._value == other._value)

    def __hash__(self) -> int:
        return hash(self._hash)

    @cached_property
    def _hash(self) -> int:
        return hash(self._value)

    def __mul__(self, multiplicity: Any) -> FieldType:
        """``rho * m``: m fields of this representation."""
        from steerable.fields.type import FieldType

        if not isinstance(multiplicity, int):
            raise TypeError(
                f"int * representation makes fields; got {multiplicity!r}. Representations combine by "
                f".tensor() and .direct_sum()"
            )
        return FieldType(self.group, [(multiplicity, self)])

    __rmul__ = __mul__

    def __add__(self, other: Any) -> FieldType:
        """``rho + sigma``: a field type with one field of each."""
        return 1 * self + (1 * other if isinstance(other, Representation) else other)

    def __repr__(self) -> str:
        return f"{self.group.name}: {self.name}"


@lru_cache(maxsize=4096)
def irrep(group: Group, id: str) -> Representation:
    """One irrep as a representation. Raises ``ValueError`` if the group has no such irrep."""
    group.irrep_info(id)
    return Representation(group, (id,), None, id, "irrep")


@lru_cache(maxsize=256)
def trivial(group: Group) -> Representation:
    """The trivial representation under its name in type strings."""
    return Representation(group, (group.irrep_ids(0)[0],), None, "trivial", "irrep")
