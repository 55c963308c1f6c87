"""The promise every symmetry group keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from steerable.fields.type import FieldType
    from steerable.groups.representation import Representation
    from steerable.groups.subgroup import Inclusion


@dataclass(frozen=True, eq=False)
class IrrepInfo:
    """What the algebra needs to know of one real irreducible representation.

    Attributes:
        id: its name within the group, for example ``"2"`` or ``"0o"``.
        dim: dimension d of its matrices.
        type: real dimension c of its commutant: 1 real, 2 complex, 4 quaternionic.
        frequency: band it belongs to; 0 for every irrep of an abstract finite group.
        endomorphisms: ``[c, d, d]`` orthogonal basis of the commutant; the first is the identity, all are isometries.
    """

    id: str
    dim: int
    type: int
    frequency: int
    endomorphisms: np.ndarray


class Group(ABC):
    """A compact group whose elements are tensors.

    Finite groups number their elements: an element is an int64 tensor of any shape ``[...]``. SO(2) uses float64 angles
    ``[...]``, O(2) float64 ``[..., 2]`` = (angle, flip), SO(3) unit quaternions ``[..., 4]``, O(3) ``[..., 5]``. All
    operations are batched over the leading axes. Groups compare and hash by value and pickle.
    """

    #: trailing shape of one element
    element_shape: tuple[int, ...] = ()
    #: number of elements, ``None`` when infinite
    order: int | None = None

    @property
    @abstractmethod
    def key(self) -> tuple[object, ...]:
        """Value that identifies the group; equality and hash use it."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Short name, as the type strings use it."""

    @property
    @abstractmethod
    def identity(self) -> Tensor:
        """The neutral element."""

    @abstractmethod
    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """Product ``a b``, broadcast over leading axes."""

    @abstractmethod
    def inverse(self, a: Tensor) -> Tensor:
        """Inverse of each element."""

    @abstractmethod
    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``count`` elements from the Haar measure."""

    @abstractmethod
    def grid(self, count: int | None = None) -> Tensor:
        """Equidistributed elements; a finite group returns all of its own."""

    @property
    @abstractmethod
    def generators(self) -> Tensor:
        """Elements that generate the group (a dense part of it where it is continuous)."""

    @abstractmethod
    def irrep_ids(self, max_frequency: int | None = None) -> tuple[str, ...]:
        """Names of the real irreps, the trivial one first; continuous groups need ``max_frequency``."""

    @abstractmethod
    def irrep_info(self, id: str) -> IrrepInfo:
        """Dimension, type and commutant of one irrep. Raises ``ValueError`` with the names that exist."""

    @abstractmethod
    def irrep_matrix(self, id: str, g: Tensor) -> Tensor:
        """Matrices ``[..., d, d]`` (float64) of one irrep at elements ``g``."""

    def quadrature(self, frequency: int) -> Tensor:
        """Elements whose plain average integrates matrix coefficients up to ``frequency`` exactly.

        Raises:
            TypeError: the group has no such rule of equal weights.
        """
        raise TypeError(f"{self.name} has no quadrature of equal weights; use {self.name}.haar({frequency})")

    # ---- what follows is the same for every group -------------------------------------------------------------------

    def haar(self, frequency: int) -> tuple[Tensor, Tensor]:
        """Quadrature of the Haar measure that is exact for matrix coefficients up to ``frequency``.

        Returns:
            ``(elements [q, ...], weights [q])``: float64 weights that add up to one; equal ones by default.
        """
        elements = self.quadrature(frequency)
        count = len(elements)
        return elements, torch.full((count,), 1.0 / count, dtype=torch.float64, device="cpu")

    def irrep_product(self, a: str, b: str) -> tuple[tuple[str, ...], np.ndarray] | None:
        """Irreps and change of basis of the product of two irreps, where a closed form is known; else ``None``."""
        return None

    @property
    def is_finite(self) -> bool:
        """Whether the group has finitely many elements."""
        return self.order is not None

    @property
    def dimension(self) -> int:
        """Dimension n of the space on which the group is given as a subgroup of O(n); 0 for an abstract group."""
        return 0

    @property
    def is_planar(self) -> bool:
        """Whether the group is given as a subgroup of O(2)."""
        return self.dimension == 2

    def acts_on(self, dimension: int) -> bool:
        """Whether the group moves the points of R^n: a group of the plane also turns space about the third axis."""
        return self.dimension == dimension or (self.dimension, dimension) == (2, 3) or self.order == 1

    def plane(self, g: Tensor) -> Tensor:
        """Action on the plane, ``[..., 2, 2]`` float64 (x1 right, x2 up). Raises ``TypeError`` if there is none."""
        raise TypeError(
            f"{self.name} has no action on the plane; planar layers need C(n), D(n), SO2, O2 or a group from "
            f"2x2 orthogonal matrices"
        )

    def from_plane(self, matrix: Tensor) -> Tensor:
        """Element whose action on the plane is ``matrix``. Raises ``ValueError`` if there is none."""
        raise TypeError(f"{self.name} has no action on the plane, so no element can be read from a 2x2 matrix")

    def natural_action(self, g: Tensor) -> Tensor:
        """Matrices ``[..., n, n]`` (float64) on the space of :attr:`dimension`. Raises ``TypeError`` if abstract."""
        return self.plane(g)

    def action(self, g: Tensor, dimension: int | None = None) -> Tensor:
        """Matrices ``[..., n, n]`` (float64) by which elements move the points of R^n.

        Args:
            g: elements ``[...]``.
            dimension: n; by default the group's own. A group of the plane turns R^3 about the third axis, and its
                reflections are mirrors that hold this axis: C(n) gives the axial point groups, D(n) the conical ones.

        Raises:
            TypeError: the group does not act on R^n.
        """
        n = self.dimension if dimension is None else dimension
        if n == self.dimension and n:
            return self.natural_action(g)
        if not self.acts_on(n):
            if n == 2:
                return self.plane(g)  # raises
            raise TypeError(
                f"{self.name} does not move the points of R^{n}: it is given on R^{self.dimension}"
                if self.dimension
                else f"{self.name} is abstract and moves no points of R^{n}; give it by matrices"
            )
        if self.order == 1:
            return torch.eye(n, dtype=torch.float64, device=g.device).expand(*g.shape, n, n)
        return _about_third_axis(self.natural_action(g))

    def from_action(self, matrix: Tensor) -> Tensor:
        """Element that moves points by ``matrix [..., n, n]``; the inverse of :meth:`action`.

        Raises:
            TypeError: the group does not act on R^n.
            ValueError: no element moves them so.
        """
        if matrix.shape[-1] == 3 and self.dimension == 2:
            flat = matrix[..., :2, :2]
            if bool(((_about_third_axis(flat) - matrix).abs() > 1e-9).any()):
                raise ValueError(f"{self.name} turns space about the third axis; no element acts as {matrix.tolist()}")
            return self.from_plane(flat)
        return self.from_plane(matrix)

    @property
    def elements(self) -> Tensor:
        """All elements of a finite group, in order. Raises ``TypeError`` for a continuous one."""
        if self.order is None:
            raise TypeError(f"{self.name} is infinite and cannot list its elements; use .grid(n) or .sample(n)")
        return torch.from_numpy(np.arange(self.order))

    def equal(self, a: Tensor, b: Tensor) -> Tensor:
        """Whether elements agree (to 1e-9 for continuous groups), as a boolean tensor."""
        return a == b

    def irrep(self, id: str | int) -> Representation:
        """One irreducible representation by its name, for example ``"1"``."""
        from steerable.groups.representation import irrep

        return irrep(self, str(id))

    def irreps(self, max_frequency: int | None = None) -> tuple[Representation, ...]:
        """All irreps (up to ``max_frequency`` for continuous groups), the trivial one first."""
        return tuple(self.irrep(i) for i in self.irrep_ids(max_frequency))

    @cached_property
    def trivial(self) -> Representation:
        """The one-dimensional representation in which nothing moves."""
        from steerable.groups.representation import trivial

        return trivial(self)

    @property
    def regular(self) -> Representation:
        """Functions on a finite group: one channel an element, moved by left multiplication."""
        from steerable.groups.constructions import regular

        return regular(self)

    def spectral_regular(self, max_frequency: int) -> Representation:
        """Band-limited functions on the group, as Fourier coefficients up to ``max_frequency``."""
        from steerable.groups.constructions import spectral_regular

        return spectral_regular(self, max_frequency)

    def quotient(self, subgroup: Group | Inclusion) -> Representation:
        """Functions on the cosets ``G/H`` (finite groups): a permutation representation."""
        from steerable.groups.constructions import quotient

        return quotient(self, subgroup)

    def spectral_quotient(self, subgroup: Group | Inclusion, max_frequency: int) -> Representation:
        """Band-limited functions on ``G/H`` as coefficients of their irreps."""
        from steerable.groups.constructions import spectral_quotient

        return spectral_quotient(self, subgroup, max_frequency)

    def induced(self, subgroup: Group | Inclusion, rep: Representation) -> Representation:
        """Representation induced from a subgroup of finite index."""
        from steerable.groups.constructions import induced

        return induced(self, subgroup, rep)

    def subgroup(self, small: Group) -> Inclusion:
        """Canonical inclusion of ``small`` in this group. Raises ``ValueError`` if it is not a subgroup."""
        from steerable.groups.subgroup import include

        return include(small, self)

    def contains(self, small: Group) -> bool:
        """Whether ``small`` has a canonical inclusion in this group."""
        try:
            self.subgroup(small)
        except (ValueError, TypeError):
            return False
        return True

    def representation(self, name: str) -> Representation:
        """Representation from its string, for example ``"regular"``, ``"2"`` or ``"quotient(C2)"``."""
        from steerable.groups.naming import parse_representation

        return parse_representation(self, name)

    def type(self, text: str) -> FieldType:
        """Field type from a string such as ``"16 regular + 4 trivial"`` or ``"32x0 + 16x1"``."""
        from steerable.fields.type import FieldType

        return FieldType.parse(self, text)

    def __mul__(self, other: object) -> FieldType:
        """Groups are no fields: always raises ``TypeError`` with the mend."""
        raise TypeError(
            f"{other!r} * {self.name}: fields are made of representations, for example "
            f"{other!r} * {self.name}.trivial or .regular"
        )

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return self.name


def _about_third_axis(matrix: Tensor) -> Tensor:
    """``[..., 2, 2]`` beside a one: ``[..., 3, 3]``."""
    out = torch.zeros(*matrix.shape[:-2], 3, 3, dtype=matrix.dtype, device=matrix.device)
    out[..., 2, 2] = 1
    out[..., :2, :2] = matrix
    return out


def is_number(id: str) -> bool:
    """Whether ``id`` is a number as the library prints it: ``"01"`` would name irrep ``"1"`` and yet differ from it."""
    return id.isascii() and id.isdecimal() and str(int(id)) == id


def unknown_irrep(group: Group, id: str, known: str) -> ValueError:
    """The error for an irrep that a group does not have."""
    return ValueError(f"{group.name} has no irrep {id!r}; its irreps are {known}")
