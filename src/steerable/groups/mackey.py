"""Fields on quotients G/H as functions on G: induced representations up to a band limit.

A field of type rho on G/H is a Mackey function ``F: G -> V`` with ``F(g h) = rho(h)^-1 F(g)``; the group moves it by
``[u F](g) = F(u^-1 g)``. By Frobenius reciprocity an irrep psi of G occurs in these functions once for every
intertwiner ``T: psi -> rho`` of H, up to the commutant: ``F(g) = T psi(g)^T c``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.groups.canonical import canonical_basis
from steerable.groups.constructions import adapted_vectors, restrict
from steerable.groups.group import Group
from steerable.groups.hom import hom_basis_array
from steerable.groups.representation import Representation
from steerable.groups.so2 import SO2
from steerable.groups.so3 import SO3
from steerable.groups.subgroup import Inclusion, as_inclusion


@lru_cache(maxsize=2048)
def mackey_maps(group: Group, id: str, inclusion: Inclusion, rep: Representation) -> np.ndarray:
    """Intertwiners ``T [k, d_rho, d]`` of H from an irrep of G to ``rho``, one for each orbit of its commutant.

    ``<T, T> = d`` and ``T_a`` is orthogonal to every ``T_b E``, so that the functions ``T psi(g)^T e_m`` are
    orthonormal under the Haar measure.

    Raises:
        ValueError: if ``rep`` is of another group than the subgroup.
    """
    if rep.group != inclusion.small:
        raise ValueError(
            f"fields on {group.name}/{inclusion.name} need a representation of {inclusion.small.name}, got {rep!r}"
        )
    info = group.irrep_info(id)
    if _about_axis(group, inclusion) and info.frequency > max(1, rep.frequency):
        return _embedded(group, info.frequency, inclusion, rep)
    hom = hom_basis_array(restrict(group.irrep(id), inclusion), rep)
    if not len(hom):
        return np.zeros((0, rep.size, info.dim))
    flat = hom.reshape(len(hom), -1)
    orbit = None
    if info.type > 1:
        orbit = np.stack([np.kron(np.eye(rep.size), e.T) for e in info.endomorphisms])  # vec(T E), row-major
    basis = canonical_basis(flat.T @ flat, len(hom) // info.type, orbit)[:, :: info.type]
    return np.sqrt(info.dim) * basis.T.reshape(-1, rep.size, info.dim)


def _about_axis(group: Group, inclusion: Inclusion) -> bool:
    """Whether the pair is SO(3) over the rotations about its third axis."""
    return group == SO3() and inclusion.small == SO2() and inclusion.is_canonical


def _embedded(group: Group, degree: int, inclusion: Inclusion, rep: Representation) -> np.ndarray:
    """The maps of a degree above the spins of ``rep``: those of a small degree on the columns ``|m| <= spin``."""
    low = max(1, rep.frequency)
    small = mackey_maps(group, str(low), inclusion, rep)
    out = np.zeros((*small.shape[:2], 2 * degree + 1))
    out[..., degree - low : degree + low + 1] = small * np.sqrt((2 * degree + 1) / (2 * low + 1))
    return out


def spectral_induced(
    group: Group, subgroup: Group | Inclusion, rep: Representation, max_frequency: int | None = None
) -> Representation:
    """Fields of type ``rep`` on ``G/H`` up to a band limit: each irrep of G as often as :func:`mackey_maps` has maps.

    With the trivial representation these are functions on ``G/H``, ``group.spectral_quotient(H, L)``; with the trivial
    subgroup ``group.spectral_regular(L)``; for a finite group and all frequencies an orthogonal change of basis leads
    to ``group.induced(H, rep)``. On the sphere, SO3 over SO2, the irrep ``"n"`` of SO2 gives fields of spin n: two
    copies (magnetic and electric) of every degree ``l >= n``.

    Args:
        group: G.
        subgroup: H, any closed subgroup.
        rep: representation rho of H.
        max_frequency: band limit; a finite group may leave it out.

    Raises:
        ValueError: if ``rep`` is of another group than the subgroup, or the band holds no such field.
    """
    inclusion = as_inclusion(group, subgroup)
    ids = [i for i in group.irrep_ids(max_frequency) for _ in range(len(mackey_maps(group, i, inclusion, rep)))]
    if not ids:
        raise ValueError(
            f"no irrep of {group.name} up to frequency {max_frequency} holds {rep!r}: fields of this type on "
            f"{group.name}/{inclusion.name} need a larger band"
        )
    band = "" if max_frequency is None else f", {max_frequency}"
    name = f"induced({inclusion.name}, {rep.name}{band})"
    return Representation(group, tuple(ids), None, name if band else None, "spectral")


def mackey_matrix(
    induced: Representation, elements: Tensor, subgroup: Group | Inclusion, rep: Representation
) -> Tensor:
    """Matrices ``[n, d_rho, D]`` that evaluate band-limited fields on ``G/H``, as functions on G, at some elements.

    ``A(g h) = rho(h)^-1 A(g)``, ``A(u^-1 g) = A(g) induced(u)``, and the columns are orthonormal functions.

    Args:
        induced: representation whose irreps occur at most as often as in ``spectral_induced(group, H, rep, L)``.
        elements: ``[n, ...]`` elements of G.
        subgroup: H.
        rep: type of the field, a representation of H.

    Raises:
        ValueError: if an irrep occurs more often than fields have it.
    """
    group, inclusion = induced.group, as_inclusion(induced.group, subgroup)
    whose = f"spectral_induced({group.name}, {inclusion.name}, {rep.name}, L)"
    return evaluate(induced, elements, lambda id: mackey_maps(group, id, inclusion, rep), whose)


def evaluate(rep: Representation, elements: Tensor, maps: Callable[[str], np.ndarray], whose: str) -> Tensor:
    """``[n, r, D]``: copy a of an irrep with ``maps(id)[a]``, ``[r, d]``, has the columns ``maps(id)[a] psi(g)^T``.

    Raises:
        ValueError: if an irrep occurs more often than it has maps; ``whose`` names a representation that will do.
    """
    seen: dict[str, int] = {}
    columns = []
    for id in rep.irreps:
        found = maps(id)
        copy = seen.get(id, 0)
        if copy >= len(found):
            raise ValueError(
                f"{rep!r} holds irrep {id} more than {len(found)} times: these are no functions on "
                f"{rep.group.name} of this kind. Use 'm * {whose}'"
            )
        seen[id] = copy + 1
        psi = rep.group.irrep_matrix(id, elements)
        columns.append(torch.from_numpy(found[copy].copy()) @ psi.mT)
    return torch.cat(columns, -1) @ torch.from_numpy(rep.basis.T.copy())


def mackey_lift(
    group: Group, subgroup: Group | Inclusion, rep: Representation, max_frequency: int | None = None
) -> Tensor:
    """Isometry ``[d_rho D', D]`` from fields of type ``rep`` on ``G/H`` to ``d_rho`` functions on G.

    Its rows are ordered as ``d_rho`` copies of ``group.spectral_regular(max_frequency)`` (dimension D'), its columns as
    ``spectral_induced``. It intertwines them; the transpose is the projection, the average
    ``integral rho(h) F(g h)`` over H. In a basis that is adapted to H nearly all entries are zero: the sparsity that
    Kondor and Trivedi (ICML 2018, arXiv 1802.03690) and Xu et al. (ICML 2022, arXiv 2206.08362) predict.
    """
    inclusion = as_inclusion(group, subgroup)
    blocks = []
    for id in group.irrep_ids(max_frequency):
        info = group.irrep_info(id)
        count, c = adapted_vectors(group, id).shape[1], info.type
        full = np.eye(info.dim) if c == 1 else canonical_basis(np.eye(info.dim), count, info.endomorphisms)
        maps = mackey_maps(group, id, inclusion, rep) / np.sqrt(info.dim)
        parts = np.einsum("aiv,vnk->aink", maps, full.reshape(info.dim, count, c))
        block = np.einsum("aink,kxy->inyax", parts, info.endomorphisms)  # T psi^T x = sum v_n^T psi^T E_k^T x
        blocks.append(block.reshape(rep.size, count * info.dim, len(maps) * info.dim))
    rows, columns = sum(b.shape[1] for b in blocks), sum(b.shape[2] for b in blocks)
    out, row, column = np.zeros((rep.size, rows, columns)), 0, 0
    for b in blocks:
        out[:, row : row + b.shape[1], column : column + b.shape[2]] = b
        row, column = row + b.shape[1], column + b.shape[2]
    return torch.from_numpy(out.reshape(-1, columns))
