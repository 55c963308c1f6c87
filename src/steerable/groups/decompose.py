"""Splitting a representation into irreps, exactly: averages over a quadrature, never a tolerance on a null space."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from steerable.groups.canonical import canonical_basis
from steerable.groups.group import Group


@lru_cache(maxsize=4096)
def irrep_samples(group: Group, id: str, frequency: int) -> np.ndarray:
    """Matrices ``[q, d, d]`` of one irrep on the quadrature that is exact for ``frequency``."""
    return group.irrep_matrix(id, group.haar(frequency)[0]).numpy()


@lru_cache(maxsize=256)
def haar_weights(group: Group, frequency: int) -> np.ndarray:
    """Weights ``[q]`` of that quadrature."""
    return group.haar(frequency)[1].numpy()


def decompose(group: Group, matrices: np.ndarray, frequency: int, band: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Irreps and change of basis of an orthogonal representation given on a quadrature.

    Args:
        group: the group.
        matrices: ``[q, D, D]`` at the elements of ``group.haar(frequency)``.
        frequency: band for which the quadrature is exact; at least twice that of the representation.
        band: largest frequency that can occur.

    Returns:
        ``(ids, Q)`` with ``rho(g) = Q (direct sum of irreps) Q^T``, in the group's order of irreps.

    Raises:
        ValueError: if the irreps do not fill the representation (it is not one, or the band is too small).
    """
    size = matrices.shape[-1]
    ids: list[str] = []
    columns: list[np.ndarray] = []
    weights = haar_weights(group, frequency)
    character = weights * np.einsum("gii->g", matrices)
    for id in group.irrep_ids(band):
        info = group.irrep_info(id)
        psi = irrep_samples(group, id, frequency)
        copies = round(float((character * np.einsum("gii->g", psi)).sum()) / info.type)
        if copies:
            ids += [id] * copies
            columns += list(isometries(matrices, psi, weights, info.endomorphisms, copies))
    basis = np.concatenate(columns, axis=1) if columns else np.zeros((size, 0))
    if basis.shape[1] != size or np.abs(basis.T @ basis - np.eye(size)).max() > 1e-9:
        raise ValueError(
            f"{group.name}: found irreps {ids} of total dimension {basis.shape[1]} in a representation of "
            f"dimension {size}; is it orthogonal, and its band at most {band}?"
        )
    return tuple(ids), basis


def isometries(
    rho: np.ndarray, psi: np.ndarray, weights: np.ndarray, endomorphisms: np.ndarray, copies: int
) -> np.ndarray:
    """Isometric intertwiners ``[copies, D, d]`` from an irrep into a representation, mutually orthogonal.

    Gram-Schmidt over whole orbits ``Q E_k`` of the commutant, after Cesa, Lang and Weiler, ICLR 2022, in which any
    intertwiner orthogonal to the orbits already taken is by Schur's lemma a scaled isometry.
    """
    size, d = rho.shape[-1], psi.shape[-1]
    # vec is row-major on [D, d]; the average of rho X psi^T projects on the intertwiners
    average = rho.reshape(len(rho), -1).T @ (weights[:, None] * psi.reshape(len(psi), -1))  # [(i, a), (j, b)]
    projector = average.reshape(size, size, d, d).transpose(0, 2, 1, 3).reshape(size * d, size * d)
    orbit = np.zeros((len(endomorphisms), size, d, size, d))
    orbit[:, np.arange(size), :, np.arange(size)] = endomorphisms.transpose(0, 2, 1)
    orbit = orbit.reshape(-1, size * d, size * d)
    basis = canonical_basis((projector + projector.T) / 2, copies, orbit)
    c = len(endomorphisms)
    return basis.T.reshape(copies, c, size, d)[:, 0] * np.sqrt(d)
