"""Fourier transform on a group: orthonormal real matrix coefficients."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.groups.constructions import adapted_vectors
from steerable.groups.representation import Representation


def sampling_matrix(rep: Representation, elements: Tensor) -> Tensor:
    """Matrix ``[n, d]`` that evaluates band-limited functions on the group at some elements.

    Args:
        rep: a regular, spectral regular or other representation whose irreps occur at most d/c times each; its
            coefficients are those of functions on the group, ``f(g) = sum_m F_m(g) c_m`` with ``F`` orthonormal under
            the Haar measure.
        elements: ``[n, ...]`` group elements.

    Returns:
        float64. ``f -> A f`` satisfies ``A(elements) rho(h) = A(h^-1 elements)``. For the regular representation and
        all elements ``A`` is the identity times ``sqrt(order)``.

    Raises:
        ValueError: if an irrep occurs more often than in the regular representation.
    """
    group = rep.group
    seen: dict[str, int] = {}
    columns = []
    for id in rep.irreps:
        vectors = adapted_vectors(group, id)
        copy = seen.get(id, 0)
        if copy >= vectors.shape[1]:
            raise ValueError(
                f"{rep!r} holds irrep {id} more than {vectors.shape[1]} times: these are no functions on "
                f"{group.name}. Use 'm * {group.name}.spectral_regular(L)'"
            )
        seen[id] = copy + 1
        psi = group.irrep_matrix(id, elements)
        columns.append(np.sqrt(len(vectors)) * psi @ torch.from_numpy(vectors[:, copy]))
    return torch.cat(columns, -1) @ torch.from_numpy(rep.basis.T.copy())


@lru_cache(maxsize=256)
def _transform(rep: Representation, samples: int) -> tuple[np.ndarray, np.ndarray]:
    a = sampling_matrix(rep, rep.group.grid(samples)).numpy()
    if np.linalg.matrix_rank(a) < rep.size:
        raise ValueError(
            f"{samples} samples cannot hold the {rep.size} coefficients of {rep!r}: use at least "
            f"{rep.size}, better twice as many"
        )
    gram = a.T @ a / len(a)
    if np.abs(gram - np.eye(rep.size)).max() < 1e-10:
        return a, a.T / len(a)  # the grid integrates products exactly: the inverse is the transpose
    return a, np.linalg.solve(a.T @ a, a.T)


def fourier_pair(rep: Representation, samples: int) -> tuple[Tensor, Tensor]:
    """Inverse and forward Fourier transforms on a grid of ``samples`` elements.

    Returns:
        ``A [n, d]`` from coefficients to samples and ``A+ [d, n]`` with ``A+ A = 1``, float64.

    Raises:
        ValueError: if there are fewer samples than coefficients.
    """
    a, inverse = _transform(rep, samples)
    return torch.from_numpy(a.copy()), torch.from_numpy(inverse.copy())


def fourier_transform(values: Tensor, rep: Representation) -> Tensor:
    """Coefficients ``[..., d]`` of functions given at all elements of a finite group, ``[..., order]``."""
    _, inverse = fourier_pair(rep, rep.group.order or 0)
    return values @ inverse.T.to(values)


def inverse_fourier_transform(coefficients: Tensor, rep: Representation) -> Tensor:
    """Values ``[..., order]`` at all elements of a finite group from coefficients ``[..., d]``."""
    a, _ = fourier_pair(rep, rep.group.order or 0)
    return coefficients @ a.T.to(coefficients)
