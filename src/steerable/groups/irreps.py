"""Real irreps of any finite group from its multiplication table.

After Dixon, "Computing irreducible representations of groups", Math. Comp. 24 (1970): a random symmetric element of the
commutant of the regular representation has the real irreps as eigenspaces. Here the element is drawn from a fixed
sequence and every eigenspace is used through its projector only, so that the result is canonical.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from steerable.groups.canonical import canonical_basis
from steerable.groups.group import IrrepInfo

if TYPE_CHECKING:
    from steerable.groups.finite import FiniteGroupBase

_LARGEST = 600


@lru_cache(maxsize=64)
def irreps_from_table(group: FiniteGroupBase) -> tuple[tuple[IrrepInfo, np.ndarray], ...]:
    """All real irreps as ``(info, matrices [order, d, d])``, sorted by dimension, then by character (largest first).

    Raises:
        ValueError: if the group has more than 600 elements.
        RuntimeError: if the irreps found do not fill the regular representation.
    """
    n, table = group.order, group.table
    if n > _LARGEST:
        raise ValueError(
            f"{group.name} has {n} elements; irreps are found numerically up to {_LARGEST}. Build it as a "
            f"product of smaller groups"
        )
    for attempt in range(8):
        spaces = _eigenspaces(table, attempt)
        found = _distinct([_restrict(table, space) for space in spaces])
        if sum(m.shape[1] ** 2 / _type(m) for m in found) == n:
            break
    else:
        raise RuntimeError(
            f"{group.name}: the irreps found fill only part of the {n}-dimensional regular representation"
        )
    found.sort(key=lambda m: (m.shape[1], tuple(-np.round(np.einsum("gii->g", m), 6))))
    result = []
    for index, matrices in enumerate(found):
        endomorphisms = commutant_basis(matrices)
        info = IrrepInfo(str(index), matrices.shape[1], len(endomorphisms), 0, endomorphisms)
        result.append((info, matrices))
    return tuple(result)


def _eigenspaces(table: np.ndarray, attempt: int) -> list[np.ndarray]:
    """Projectors ``[n, n]`` on the eigenspaces of a fixed symmetric element of the commutant."""
    n = len(table)
    inverse = np.argmin(table, axis=1)
    weights = np.cos(1.0 + (np.arange(n) + 1.0) * (1.7320508 + 0.618034 * attempt)) * (1 + np.arange(n) % 7)
    weights = weights + weights[inverse]
    # right convolution: C[a, b] = w(a^-1 b) commutes with every left translation
    values, vectors = np.linalg.eigh(weights[table[inverse]])
    cuts = np.flatnonzero(np.diff(values) > 1e-7 * np.ptp(values)) + 1
    return [u @ u.T for u in np.split(vectors, cuts, axis=1)]


def _restrict(table: np.ndarray, projector: np.ndarray) -> np.ndarray:
    """Left translation restricted to the range of a projector: ``[n, d, d]``."""
    basis = canonical_basis(projector, round(np.trace(projector)))
    inverse = np.argmin(table, axis=1)
    moved = basis[table[inverse]]  # [g, h, d]: (L_g b)(h) = b(g^-1 h)
    return np.einsum("ha,ghb->gab", basis, moved)


def _distinct(candidates: list[np.ndarray]) -> list[np.ndarray]:
    kept: list[np.ndarray] = []
    for m in sorted(candidates, key=lambda m: m.shape[1]):
        character = np.einsum("gii->g", m)
        if all(np.abs(character - np.einsum("gii->g", k)).max() > 1e-6 for k in kept):
            kept.append(m)
    return kept


def _type(matrices: np.ndarray, weights: np.ndarray | None = None) -> int:
    return round(float(np.average(np.einsum("gii->g", matrices) ** 2, weights=weights)))


def commutant_basis(matrices: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Orthogonal basis ``[c, d, d]`` of the commutant of a real irrep, first the identity, all isometries.

    ``matrices [q, d, d]`` stand at elements with ``weights [q]``, all equal by default. For quaternionic type the
    basis is 1, i, j, k with k = i j.
    """
    d = matrices.shape[-1]
    c = _type(matrices, weights)
    if c == 1:
        return np.eye(d)[None]
    # projector on the commutant, on row-major vectorised matrices, less the identity
    scaled = matrices / len(matrices) if weights is None else matrices * weights[:, None, None]
    projector = np.einsum("gia,gjb->ijab", scaled, matrices).reshape(d * d, d * d)
    one = np.eye(d).reshape(-1) / np.sqrt(d)
    rest = canonical_basis(projector - np.outer(one, one), 1 if c == 2 else 2).T.reshape(-1, d, d) * np.sqrt(d)
    if c == 2:
        return np.stack([np.eye(d), rest[0]])
    return np.stack([np.eye(d), rest[0], rest[1], rest[0] @ rest[1]])
