"""Bases that are functions of a subspace alone: the same for any number of threads, any LAPACK, any order of work.

An eigenvector or a singular vector is only defined up to sign, and up to a rotation where values repeat. A saved model
whose basis changes with the machine is broken, so every basis here comes from an orthogonal *projector* by Gram-Schmidt
over its columns in a fixed order.
"""

from __future__ import annotations

import numpy as np

# A column is taken when what is left of it exceeds this fraction of the largest remainder. The value is deliberately
# not
# a simple number: remainders of symmetric projectors tie at simple ratios, and rounding must not decide between them.
_ACCEPT = 0.3719


def canonical_basis(projector: np.ndarray, rank: int, orbit: np.ndarray | None = None) -> np.ndarray:
    """Orthonormal basis of the range of an orthogonal projector.

    Args:
        projector: ``[n, n]`` symmetric, idempotent.
        rank: number of vectors to return; with ``orbit``, number of orbits.
        orbit: optional ``[c, n, n]`` isometries that commute with the projector (the first the identity). Each accepted
            vector is followed by its images, so the result spans ``rank * c`` dimensions.

    Returns:
        ``[n, rank]``, or ``[n, rank * c]`` with the images of a vector adjacent.

    Raises:
        ValueError: if the projector has fewer independent columns.
    """
    n = len(projector)
    moves = np.eye(n)[None] if orbit is None else orbit
    basis = np.zeros((n, 0))
    remainder = projector.copy()
    for found in range(rank):
        norms = np.linalg.norm(remainder, axis=0)
        if norms.max(initial=0.0) < 1e-6:
            raise ValueError(f"canonical_basis: expected {rank} independent vectors, the projector holds {found}")
        column = int(np.argmax(norms > _ACCEPT * norms.max()))
        v = remainder[:, column]
        v = projector @ v  # twice is enough: removes what cancellation left outside the range
        v = v - basis @ (basis.T @ v)
        v = v / np.linalg.norm(v)
        basis = np.concatenate([basis, (moves @ v).T], axis=1)
        remainder = projector - basis @ (basis.T @ projector)
    return basis
