"""Representations made from a group and from other representations."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from steerable.groups.canonical import canonical_basis
from steerable.groups.decompose import decompose, irrep_samples
from steerable.groups.finite import FiniteGroupBase
from steerable.groups.group import Group
from steerable.groups.representation import Representation
from steerable.groups.subgroup import Inclusion, as_inclusion


@lru_cache(maxsize=1024)
def adapted_vectors(group: Group, id: str) -> np.ndarray:
    """Vectors ``[d, d/c]`` whose images under the commutant form an orthonormal basis of the irrep.

    Matrix coefficients against these vectors, and no others, are independent functions on the group.
    """
    info = group.irrep_info(id)
    if info.type == 1:
        return np.eye(info.dim)
    full = canonical_basis(np.eye(info.dim), info.dim // info.type, info.endomorphisms)
    return full[:, :: info.type]


def matrix_coefficients(group: Group, id: str, matrices: np.ndarray) -> np.ndarray:
    """Orthonormal functions ``[q, d/c, d]`` of one irrep at sampled elements.

    Entry ``[g, a, m] = sqrt(d) (psi(g) v_a)_m``: for each ``a`` the d functions move by ``psi`` under left translation.
    """
    vectors = adapted_vectors(group, id)
    return np.sqrt(len(vectors)) * np.einsum("gmn,na->gam", matrices, vectors)


def _require_finite(group: Group, what: str, mend: str) -> FiniteGroupBase:
    if not isinstance(group, FiniteGroupBase):
        raise TypeError(f"{group.name} is infinite and has no finite {what}; use {group.name}.{mend}")
    return group


@lru_cache(maxsize=256)
def regular(group: Group) -> Representation:
    """Regular representation, ``rho(g) e_h = e_(gh)``, with the Fourier transform as change of basis."""
    finite = _require_finite(group, "regular representation", "spectral_regular(max_frequency)")
    ids: list[str] = []
    columns: list[np.ndarray] = []
    for id in finite.irrep_ids():
        f = matrix_coefficients(finite, id, finite.irrep_table(id)) / np.sqrt(finite.order)
        ids += [id] * f.shape[1]
        columns.append(f.reshape(finite.order, -1))
    return Representation(group, tuple(ids), np.concatenate(columns, 1), "regular", "regular")


@lru_cache(maxsize=256)
def spectral_regular(group: Group, max_frequency: int) -> Representation:
    """Band-limited functions on the group: every irrep up to the band, d/c times."""
    ids = [i for i in group.irrep_ids(max_frequency) for _ in range(adapted_vectors(group, i).shape[1])]
    return Representation(group, tuple(ids), None, f"regular({max_frequency})", "spectral")


def _cosets(group: FiniteGroupBase, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coset number of every element, and the smallest element of each coset ``a H``."""
    representative = group.table[:, images].min(axis=1)
    representatives, number = np.unique(representative, return_inverse=True)
    return number, representatives


@lru_cache(maxsize=256)
def _quotient(group: FiniteGroupBase, inclusion: Inclusion) -> Representation:
    number, representatives = _cosets(group, _images(inclusion))
    moved = number[group.table[:, representatives]]  # [g, coset]
    matrices = np.eye(len(representatives))[moved].transpose(0, 2, 1)
    ids, basis = decompose(group, matrices, 0, _top(group))
    return Representation(group, ids, basis, f"quotient({inclusion.name})", "quotient")


def quotient(group: Group, subgroup: Group | Inclusion) -> Representation:
    """Permutations of the cosets ``G/H``; cosets are ordered by their smallest element."""
    return _quotient(
        _require_finite(group, "quotient representation", "spectral_quotient(H, max_frequency)"),
        as_inclusion(group, subgroup),
    )


def _images(inclusion: Inclusion) -> np.ndarray:
    return inclusion.map(inclusion.small.elements).numpy()


def _top(group: Group) -> int:
    return max(group.irrep_info(i).frequency for i in group.irrep_ids()) if group.is_finite else 0


def _reach(group: Group, frequency: int) -> int:
    """Largest frequency in what a bigger group moves with ``frequency``: finite factors count as they are numbered.

    The third axis, of degree 1, moves under S4r by the irrep of frequency 2, and so it does under SO2 x S4r.
    """
    if group.is_finite:
        return _top(group)
    factors = [f for f in (getattr(group, "first", None), getattr(group, "second", None)) if isinstance(f, Group)]
    return max([frequency, *(_reach(f, frequency) for f in factors)])


def spectral_quotient(group: Group, subgroup: Group | Inclusion, max_frequency: int) -> Representation:
    """Band-limited functions on ``G/H``: each irrep as often as it holds vectors fixed by H, per commutant."""
    from steerable.groups.mackey import spectral_induced

    inclusion = as_inclusion(group, subgroup)
    ids = spectral_induced(group, inclusion, inclusion.small.trivial, max_frequency).irreps
    return Representation(group, ids, None, f"quotient({inclusion.name}, {max_frequency})", "spectral")


@lru_cache(maxsize=256)
def _induced(group: Group, inclusion: Inclusion, rep: Representation) -> Representation:
    small = inclusion.small
    name = f"induced({inclusion.name}, {rep.name})"
    if isinstance(group, FiniteGroupBase):
        images = _images(inclusion)
        number, reps = _cosets(group, images)
        inner = rep(small.elements).numpy()
        position = np.full(group.order, -1)
        position[images] = np.arange(len(images))
        n, d = len(reps), rep.size
        matrices = np.zeros((group.order, n, d, n, d))
        for column, r in enumerate(reps):
            moved = group.table[:, r]
            row = number[moved]
            h = position[group.table[group.inverse_table[reps[row]], moved]]
            matrices[np.arange(group.order), row, :, column, :] = inner[h]
        ids, basis = decompose(group, matrices.reshape(group.order, n * d, n * d), 0, _top(group))
        return Representation(group, ids, basis, name, "induced")
    if group.name == "O2" and small.name == "SO2":
        return _induced_o2(group, rep, name)
    raise TypeError(
        f"{small.name} has infinite index in {group.name}: its induced representations have infinite "
        f"dimension; use {group.name}.spectral_quotient(H, max_frequency) for functions on the quotient"
    )


def _induced_o2(group: Group, rep: Representation, name: str) -> Representation:
    """Two copies of an SO(2) representation, swapped by the flip (which inverts the angle)."""
    frequency = 2 * rep.frequency
    g = group.haar(frequency)[0]
    angle, flip = g[:, 0], g[:, 1]
    first, second = rep(angle), rep(-angle)
    d = rep.size
    matrices = torch.zeros(len(g), 2 * d, 2 * d, dtype=torch.float64, device="cpu")
    keep = (1 - flip)[:, None, None]
    matrices[:, :d, :d], matrices[:, d:, d:] = keep * first, keep * second
    # coset representatives e, F: R(a) F e_0 = F-coset after h = -a; R(a) F (F e_0) = e-coset after h = a
    matrices[:, d:, :d], matrices[:, :d, d:] = (1 - keep) * second, (1 - keep) * first
    ids, basis = decompose(group, matrices.numpy(), frequency, rep.frequency)
    return Representation(group, ids, basis, name, "induced")


def induced(group: Group, subgroup: Group | Inclusion, rep: Representation) -> Representation:
    """``Ind_H^G``: blocks are cosets ``a H`` (ordered by smallest element), ``rep`` acts within them.

    Raises:
        TypeError: for infinite index.
        ValueError: if ``rep`` belongs to another group than the subgroup.
    """
    inclusion = as_inclusion(group, subgroup)
    if rep.group != inclusion.small:
        raise ValueError(f"induced: expected a representation of {inclusion.small.name}, got one of {rep.group.name}")
    return _induced(group, inclusion, rep)


def direct_sum(*reps: Representation) -> Representation:
    """Block-diagonal sum. Raises ``ValueError`` for different groups."""
    group = reps[0].group
    if len(reps) == 1:
        return reps[0]
    if any(r.group != group for r in reps):
        raise ValueError(f"direct_sum: all representations must share a group, got {[r.group.name for r in reps]}")
    size = sum(r.size for r in reps)
    basis, start = np.zeros((size, size)), 0
    for r in reps:
        basis[start : start + r.size, start : start + r.size] = r.basis
        start += r.size
    irreps = tuple(i for r in reps for i in r.irreps)
    return Representation(group, irreps, basis, "(" + " + ".join(r.name for r in reps) + ")", "sum")


@lru_cache(maxsize=4096)
def tensor_irreps(group: Group, a: str, b: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Irreps and change of basis ``[d_a d_b, d_a d_b]`` of ``psi_a (x) psi_b``."""
    known = group.irrep_product(a, b)
    if known is not None:
        return known
    x, y = group.irrep_info(a), group.irrep_info(b)
    band = _top(group) if group.is_finite else x.frequency + y.frequency
    quadrature = 2 * band
    psi, phi = irrep_samples(group, a, quadrature), irrep_samples(group, b, quadrature)
    matrices = np.einsum("gij,gkl->gikjl", psi, phi).reshape(len(psi), x.dim * y.dim, x.dim * y.dim)
    return decompose(group, matrices, quadrature, band)


@lru_cache(maxsize=1024)
def tensor(a: Representation, b: Representation) -> Representation:
    """Tensor product from the products of the irreps."""
    if a.group != b.group:
        raise ValueError(f"tensor: both representations must share a group, got {a.group.name} and {b.group.name}")
    ids: list[str] = []
    columns: list[np.ndarray] = []
    whole = a.is_irrep and b.is_irrep
    for (s, t), i in zip(a.irrep_slices, a.irreps, strict=True):
        for (u, v), j in zip(b.irrep_slices, b.irreps, strict=True):
            part, q = tensor_irreps(a.group, i, j)
            ids += part
            columns.append(q if whole else np.kron(a.basis[:, s:t], b.basis[:, u:v]) @ q)
    return Representation(a.group, tuple(ids), np.concatenate(columns, 1), f"({a.name} * {b.name})", "tensor")


@lru_cache(maxsize=4096)
def _restrict_irrep(group: Group, id: str, inclusion: Inclusion) -> tuple[tuple[str, ...], np.ndarray]:
    small = inclusion.small
    frequency = group.irrep_info(id).frequency * inclusion.stretch
    band = _reach(small, frequency)
    elements = inclusion.map(small.haar(2 * band)[0])
    return decompose(small, group.irrep_matrix(id, elements).numpy(), 2 * band, band)


@lru_cache(maxsize=1024)
def _restrict(rep: Representation, inclusion: Inclusion) -> Representation:
    ids: list[str] = []
    columns: list[np.ndarray] = []
    for (s, t), i in zip(rep.irrep_slices, rep.irreps, strict=True):
        part, q = _restrict_irrep(rep.group, i, inclusion)
        ids += part
        columns.append(rep.basis[:, s:t] @ q)
    name = f"restricted({rep.group.name}{inclusion.suffix}, {rep.name})"
    return Representation(inclusion.small, tuple(ids), np.concatenate(columns, 1), name, "restricted")


def restrict(rep: Representation, subgroup: Group | Inclusion) -> Representation:
    """The same matrices for the elements of a subgroup."""
    inclusion = as_inclusion(rep.group, subgroup)
    if inclusion.small == rep.group and inclusion.images is None:
        return rep
    return _restrict(rep, inclusion)


@lru_cache(maxsize=256)
def permutation_table(rep: Representation) -> np.ndarray:
    """Exact 0/1 matrices ``[order, d, d]`` of a regular or quotient representation: rounding of ``Q psi Q^T``."""
    group = rep.group
    blocks = np.zeros((group.order or 0, rep.size, rep.size))
    for (start, stop), i in zip(rep.irrep_slices, rep.irreps, strict=True):
        blocks[:, start:stop, start:stop] = group.irrep_matrix(i, group.elements).numpy()
    return np.round(rep.basis @ blocks @ rep.basis.T) + 0.0
