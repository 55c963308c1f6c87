"""Direct products of groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from steerable.groups.canonical import canonical_basis
from steerable.groups.decompose import haar_weights, irrep_samples
from steerable.groups.finite import FiniteGroupBase
from steerable.groups.group import Group, IrrepInfo, unknown_irrep
from steerable.groups.irreps import commutant_basis
from steerable.groups.subgroup import Inclusion


def product(a: Group, b: Group) -> Group:
    """Direct product ``a x b``: a finite group if both are finite, else elements are rows ``[..., wa + wb]``."""
    if isinstance(a, FiniteGroupBase) and isinstance(b, FiniteGroupBase):
        return FiniteProduct(a, b)
    return MixedProduct(a, b)


Place = Literal["first", "second", "diagonal"]


@dataclass(frozen=True)
class ProductInclusion(Inclusion):
    """A factor of a product, or the diagonal of the product of a group with itself; see :func:`factor`."""

    place: Place = "first"

    def map(self, h: Tensor) -> Tensor:
        """The element beside the identity, or beside itself."""
        big = self.big
        if not isinstance(big, ProductIrreps):
            raise TypeError(f"expected a product of groups, got {big.name}")
        if self.place == "diagonal":
            return big.join(h, h)
        shape = h.shape[: h.dim() - len(self.small.element_shape)]
        other = (big.second if self.place == "first" else big.first).identity
        other = other.to(h.device).expand(*shape, *other.shape)
        return big.join(h, other) if self.place == "first" else big.join(other, h)

    @property
    def is_canonical(self) -> bool:
        """Two groups do not say which factor is meant."""
        return False

    @property
    def stretch(self) -> int:
        """On the diagonal frequencies add up."""
        return 2 if self.place == "diagonal" else 1

    @property
    def _placed(self) -> str:
        return f"@{self.place}"


def factor(group: Group, place: Place) -> Inclusion:
    """One factor of a product as a subgroup, or the diagonal ``h -> (h, h)`` of the product of a group with itself.

    Raises:
        ValueError: if the group is no product, or its factors differ and the diagonal is asked for.
    """
    if not isinstance(group, ProductIrreps):
        raise ValueError(f"factor: {group.name} is no product of two groups; make one by product(G, H)")
    if place not in ("first", "second", "diagonal") or (place == "diagonal" and group.first != group.second):
        raise ValueError(
            f"factor: expected 'first', 'second' or, for equal factors, 'diagonal', got {place!r} of {group.name}"
        )
    return ProductInclusion(group.second if place == "second" else group.first, group, None, place)


def moving_part(group: Group) -> tuple[Group, FiniteGroupBase, Place] | None:
    """The continuous factor of a product with a finite group, that group, and where the continuous one stands.

    Such are the cylinder groups ``product(SO2(), Cs)``. ``None`` for all other groups.
    """
    if isinstance(group, MixedProduct):
        a, b = group.first, group.second
        if isinstance(b, FiniteGroupBase):
            return a, b, "first"
        if isinstance(a, FiniteGroupBase):
            return b, a, "second"
    return None


class ProductIrreps(Group):
    """Irreps of a product from those of its factors.

    ``"(i,j)"`` is the outer tensor product where it is irreducible. Two complex types split into ``"(i,j)+"`` and
    ``"(i,j)-"``; a complex and a quaternionic type hold one complex-type irrep, two quaternionic types one real-type
    irrep: only that one is listed.
    """

    first: Group
    second: Group

    @property
    def key(self) -> tuple[object, ...]:
        """Both keys."""
        return ("product", self.first.key, self.second.key)

    @property
    def name(self) -> str:
        """``C2xD3``, or the crystallographer's name: ``Oh`` for the octahedral rotations and the inversion."""
        from steerable.groups.polyhedral import point_group_name

        known = point_group_name(self.first, self.second)
        if known:
            return known
        return "x".join(f"[{g.name}]" if isinstance(g, ProductIrreps) else g.name for g in (self.first, self.second))

    def irrep_ids(self, max_frequency: int | None = None) -> tuple[str, ...]:
        """All pairs; both frequencies up to the maximum."""
        ids = []
        for i in self.first.irrep_ids(max_frequency):
            for j in self.second.irrep_ids(max_frequency):
                split = self.first.irrep_info(i).type == self.second.irrep_info(j).type == 2
                ids += [f"({i},{j})+", f"({i},{j})-"] if split else [f"({i},{j})"]
        return tuple(ids)

    def _pair(self, id: str) -> tuple[str, str]:
        depth = 0
        for position, letter in enumerate(id):
            depth += (letter == "(") - (letter == ")")
            if letter == "," and depth == 1:
                return id[1:position], id[position + 1 : id.rindex(")")]
        raise unknown_irrep(self, id, "'(i,j)' with i and j irreps of the factors")

    def irrep_info(self, id: str) -> IrrepInfo:
        """Dimension, type and commutant."""
        return _product_irrep(self, id)[0]

    def irrep_matrix(self, id: str, g: Tensor) -> Tensor:
        """Outer tensor product, on its irreducible part."""
        i, j = self._pair(id)
        basis = torch.from_numpy(_product_irrep(self, id)[1])
        x, y = self.split(g)
        return basis.T @ _kron(self.first.irrep_matrix(i, x), self.second.irrep_matrix(j, y)) @ basis

    @cached_property
    def dimension(self) -> int:
        """3 where a factor is given on space, the other acts there too and commutes with it; else 0: abstract."""
        a, b = self.first, self.second
        if 3 not in (a.dimension, b.dimension) or not (a.acts_on(3) and b.acts_on(3)):
            return 0
        x, y = a.action(a.generators, 3)[:, None], b.action(b.generators, 3)[None]
        return 3 if bool((x @ y - y @ x).abs().max() < 1e-9) else 0

    def natural_action(self, g: Tensor) -> Tensor:
        """Product of the actions of the factors, ``[..., 3, 3]``."""
        if not self.dimension:
            return super().natural_action(g)
        x, y = self.split(g)
        return self.first.action(x, 3) @ self.second.action(y, 3)

    def from_action(self, matrix: Tensor) -> Tensor:
        """Element that moves points of space by this matrix. Raises ``ValueError`` if there is none."""
        if not (self.dimension and isinstance(self.second, FiniteGroupBase)):
            return super().from_action(matrix)
        flat = matrix.reshape(-1, 3, 3)
        pairs = [self._factor(m) for m in flat]
        x, y = torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])
        return self.join(x, y).reshape((*matrix.shape[:-2], *self.element_shape))  # of one matrix the empty shape

    def _factor(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Elements of both factors whose actions multiply to one matrix."""
        for y in self.second.elements:
            try:
                return self.first.from_action(matrix @ self.second.action(y, 3).mT), y
            except ValueError:
                continue
        raise ValueError(f"{self.name} holds no element that moves points by the matrix {matrix.tolist()}")

    def split(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """Components of elements in the two factors."""
        raise NotImplementedError(f"{type(self).__name__} does not say how its elements split")

    def join(self, x: Tensor, y: Tensor) -> Tensor:
        """Elements from their components."""
        raise NotImplementedError(f"{type(self).__name__} does not say how its elements are joined")


class FiniteProduct(ProductIrreps, FiniteGroupBase):
    """Product of two finite groups; element ``i * |b| + j`` is the pair ``(i, j)``."""

    first: FiniteGroupBase
    second: FiniteGroupBase

    def __init__(self, first: FiniteGroupBase, second: FiniteGroupBase) -> None:
        self.first, self.second = first, second
        self.order = first.order * second.order

    def split(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """Quotient and remainder."""
        n = self.second.order
        return torch.div(g, n, rounding_mode="floor"), g % n

    def join(self, x: Tensor, y: Tensor) -> Tensor:
        """Element from its components."""
        return x * self.second.order + y

    @cached_property
    def table(self) -> np.ndarray:
        """Componentwise products."""
        a, b = self.first.table, self.second.table
        n = len(a) * len(b)
        return (a[:, None, :, None] * len(b) + b[None, :, None, :]).reshape(n, n)

    def irrep_table(self, id: str) -> np.ndarray:
        """Matrices at every element."""
        return ProductIrreps.irrep_matrix(self, id, self.elements).numpy()

    def irrep_matrix(self, id: str, g: Tensor) -> Tensor:
        """Outer tensor product, on its irreducible part."""
        return ProductIrreps.irrep_matrix(self, id, self.checked(g))


class MixedProduct(ProductIrreps):
    """Product with a continuous factor; elements are float64 rows with the components side by side."""

    def __init__(self, first: Group, second: Group) -> None:
        self.first, self.second = first, second
        self._widths = tuple(g.element_shape[0] if g.element_shape else 1 for g in (first, second))
        self.element_shape = (sum(self._widths),)

    def _read(self, group: Group, part: Tensor) -> Tensor:
        part = part if group.element_shape else part[..., 0]
        return part.round().long() if group.is_finite else part

    def _write(self, group: Group, g: Tensor) -> Tensor:
        return (g if group.element_shape else g[..., None]).double()

    def split(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """Components in the two factors."""
        a, b = g.split(self._widths, -1)
        return self._read(self.first, a), self._read(self.second, b)

    def join(self, x: Tensor, y: Tensor) -> Tensor:
        """Element from its components (of one leading shape)."""
        return torch.cat([self._write(self.first, x), self._write(self.second, y)], -1)

    @property
    def identity(self) -> Tensor:
        """Both identities."""
        return self.join(self.first.identity, self.second.identity)

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """Componentwise."""
        (x, y), (u, v) = self.split(a), self.split(b)
        return self.join(self.first.compose(x, u), self.second.compose(y, v))

    def inverse(self, a: Tensor) -> Tensor:
        """Componentwise."""
        x, y = self.split(a)
        return self.join(self.first.inverse(x), self.second.inverse(y))

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Independent draws."""
        return self.join(self.first.sample(count, generator), self.second.sample(count, generator))

    def _all(self, xs: Tensor, ys: Tensor) -> Tensor:
        n, m = len(xs), len(ys)
        return self.join(xs.repeat_interleave(m, 0), ys.repeat(n, *[1] * (ys.dim() - 1)))

    def grid(self, count: int | None = None) -> Tensor:
        """All pairs; ``count`` goes to the continuous factors."""
        return self._all(self.first.grid(count), self.second.grid(count))

    def haar(self, frequency: int) -> tuple[Tensor, Tensor]:
        """All pairs of both quadratures."""
        (x, u), (y, v) = self.first.haar(frequency), self.second.haar(frequency)
        return self._all(x, y), (u[:, None] * v).flatten()

    def quadrature(self, frequency: int) -> Tensor:
        """All pairs of both quadratures. Raises ``TypeError`` if one has no equal weights."""
        return self._all(self.first.quadrature(frequency), self.second.quadrature(frequency))

    @property
    def generators(self) -> Tensor:
        """Generators of each factor beside the identity of the other."""
        x, y = self.first.generators, self.second.generators
        ones = self._all(x, self.second.identity[None]), self._all(self.first.identity[None], y)
        return torch.cat(ones)

    def equal(self, a: Tensor, b: Tensor) -> Tensor:
        """Both components agree."""
        (x, y), (u, v) = self.split(a), self.split(b)
        return self.first.equal(x, u) & self.second.equal(y, v)


@lru_cache(maxsize=4096)
def _product_irrep(group: ProductIrreps, id: str) -> tuple[IrrepInfo, np.ndarray]:
    """Description of a product irrep and the isometry ``[d1 d2, d]`` onto it."""
    i, j = group._pair(id)
    a, b = group.first.irrep_info(i), group.second.irrep_info(j)
    sign = id[id.rindex(")") + 1 :]
    if (sign in ("+", "-")) != (a.type == b.type == 2) or sign not in ("", "+", "-"):
        raise unknown_irrep(group, id, f"'({i},{j})+' and '({i},{j})-'" if a.type == b.type == 2 else f"'({i},{j})'")
    size = a.dim * b.dim
    projector = np.eye(size)
    # commuting symmetric involutions e_a (x) e_b of the commutant cut the product into irreducible parts
    cuts = {(2, 2): [1], (2, 4): [1], (4, 2): [1], (4, 4): [1, 2]}.get((a.type, b.type), [])
    for k in cuts:
        involution = np.kron(a.endomorphisms[k], b.endomorphisms[k])
        projector = projector @ (np.eye(size) + (-1 if sign == "-" else 1) * involution) / 2
    basis = canonical_basis(projector, round(np.trace(projector))) if cuts else projector
    frequency = max(a.frequency, b.frequency)
    samples = (
        _kron(
            torch.from_numpy(irrep_samples(group.first, i, 2 * frequency))[:, None],
            torch.from_numpy(irrep_samples(group.second, j, 2 * frequency))[None],
        )
        .flatten(0, 1)
        .numpy()
    )
    weights = np.kron(haar_weights(group.first, 2 * frequency), haar_weights(group.second, 2 * frequency))
    endomorphisms = commutant_basis(basis.T @ samples @ basis, weights)
    return IrrepInfo(id, basis.shape[1], len(endomorphisms), frequency, endomorphisms), basis


def _kron(x: Tensor, y: Tensor) -> Tensor:
    """Batched Kronecker product of ``[..., n, n]`` and ``[..., m, m]``."""
    return torch.einsum("...ij,...kl->...ikjl", x, y).flatten(-4, -3).flatten(-2, -1)
