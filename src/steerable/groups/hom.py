"""The one primitive of the engine: a basis of the equivariant linear maps between two representations."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.groups.representation import Representation


def hom_basis(source: Representation, target: Representation) -> Tensor:
    """Orthonormal basis of the intertwiners ``{A : A source(g) = target(g) A}``.

    By Schur's lemma each pair of equal irreps contributes the basis of its commutant, so no null space is computed and
    no tolerance decides anything.

    Returns:
        ``[n, target.size, source.size]`` float64, orthonormal in the Frobenius product.

    Raises:
        ValueError: if the representations belong to different groups.
    """
    return torch.from_numpy(hom_basis_array(source, target).copy())


@lru_cache(maxsize=4096)
def hom_basis_array(source: Representation, target: Representation) -> np.ndarray:
    """:func:`hom_basis` as a read-only array, cached by value."""
    if source.group != target.group:
        raise ValueError(
            f"hom_basis: both representations must share a group, got {source.group.name} and {target.group.name}"
        )
    found = []
    for (s, t), i in zip(target.irrep_slices, target.irreps, strict=True):
        for (u, v), j in zip(source.irrep_slices, source.irreps, strict=True):
            if i == j:
                e = source.group.irrep_info(i).endomorphisms / np.sqrt(t - s)
                found.append(target.basis[:, s:t] @ e @ source.basis[:, u:v].T)
    return np.concatenate(found) if found else np.zeros((0, target.size, source.size))
