"""Fourier transform on a group: orthonormal real matrix coefficients."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from steerable.groups.constructions import adapted_vectors
from steerable.groups.group import Group
from steerable.groups.mackey import evaluate, mackey_maps
from steerable.groups.representation import Representation
from steerable.groups.sampling import sample_points
from steerable.groups.subgroup import Inclusion, as_inclusion

GridKind = Literal["spread", "quadrature", "random"]


def sampling_matrix(rep: Representation, elements: Tensor, subgroup: Group | Inclusion | None = None) -> Tensor:
    """Matrix ``[n, d]`` that evaluates band-limited functions on the group at some elements.

    Args:
        rep: a regular, spectral regular or other representation whose irreps occur at most d/c times each; its
            coefficients are those of functions on the group, ``f(g) = sum_m F_m(g) c_m`` with ``F`` orthonormal under
            the Haar measure.
        elements: ``[n, ...]`` group elements.
        subgroup: H, for functions on ``G/H`` as ``group.spectral_quotient(H, L)`` holds them: they do not change when
            an element of H is multiplied from the right. On the sphere, SO3 over SO2, they are the spherical harmonics.

    Returns:
        float64. ``f -> A f`` satisfies ``A(elements) rho(h) = A(h^-1 elements)``. For the regular representation and
        all elements ``A`` is the identity times ``sqrt(order)``.

    Raises:
        ValueError: if an irrep occurs more often than functions have it.
    """
    group = rep.group
    inclusion = None if subgroup is None else as_inclusion(group, subgroup)
    if inclusion is None:
        return evaluate(rep, elements, lambda id: _rows(group, id), f"{group.name}.spectral_regular(L)")[:, 0]
    trivial = inclusion.small.trivial
    where = f"{group.name}.spectral_quotient({inclusion.name}, L)"
    return evaluate(rep, elements, lambda id: mackey_maps(group, id, inclusion, trivial), where)[:, 0]


def _rows(group: Group, id: str) -> np.ndarray:
    """``[d/c, 1, d]``: the vectors against which matrix coefficients are functions on the group."""
    vectors = adapted_vectors(group, id)
    return np.sqrt(len(vectors)) * vectors.T[:, None]


def sampling_grid(group: Group, samples: int, kind: GridKind = "spread", seed: int = 0) -> tuple[Tensor, Tensor]:
    """Elements at which band-limited functions are sampled, with weights that add up to one.

    Args:
        group: any group; a finite one returns all its elements.
        samples: number of elements, an upper bound for ``"quadrature"``.
        kind: ``"spread"``: ``group.grid(samples)``, equal weights (a spiral on SO3); ``"quadrature"``: the largest
            exact rule of at most that many elements; ``"random"``: drawn from the Haar measure, from a fixed seed.
        seed: of the random draw.

    Raises:
        ValueError: for an unknown kind, or fewer samples than the smallest rule has.
    """
    return sample_points(group, None, kind, samples, 0, seed)


@lru_cache(maxsize=256)
def _transform(
    rep: Representation, samples: int, kind: GridKind, inclusion: Inclusion | None
) -> tuple[np.ndarray, np.ndarray]:
    elements, weights = sampling_grid(rep.group, samples, kind)
    a, w = sampling_matrix(rep, elements, inclusion).numpy(), weights.numpy()
    if np.linalg.matrix_rank(a) < rep.size:
        raise ValueError(
            f"{len(a)} samples cannot hold the {rep.size} coefficients of {rep!r}: use at least "
            f"{rep.size}, better twice as many"
        )
    if np.abs((a.T * w) @ a - np.eye(rep.size)).max() < 1e-10:
        return a, a.T * w  # the grid integrates products exactly: the inverse is the weighted transpose
    return a, np.linalg.solve((a.T * w) @ a, a.T * w)


def fourier_pair(
    rep: Representation, samples: int, kind: GridKind = "spread", subgroup: Group | Inclusion | None = None
) -> tuple[Tensor, Tensor]:
    """Inverse and forward Fourier transforms on a grid of ``samples`` elements.

    Args:
        rep: representation of functions on the group, or on ``G/H``.
        samples: number of elements, an upper bound for ``kind="quadrature"``.
        kind: how they are chosen, see :func:`sampling_grid`.
        subgroup: H, for functions on ``G/H``.

    Returns:
        ``A [n, d]`` from coefficients to samples and ``A+ [d, n]`` with ``A+ A = 1``, float64.

    Raises:
        ValueError: if there are fewer samples than coefficients.
    """
    inclusion = None if subgroup is None else as_inclusion(rep.group, subgroup)
    a, inverse = _transform(rep, samples, kind, inclusion)
    return torch.from_numpy(a.copy()), torch.from_numpy(inverse.copy())


def fourier_transform(values: Tensor, rep: Representation) -> Tensor:
    """Coefficients ``[..., d]`` of functions given at all elements of a finite group, ``[..., order]``."""
    _, inverse = fourier_pair(rep, rep.group.order or 0)
    return values @ inverse.T.to(values)


def inverse_fourier_transform(coefficients: Tensor, rep: Representation) -> Tensor:
    """Values ``[..., order]`` at all elements of a finite group from coefficients ``[..., d]``."""
    a, _ = fourier_pair(rep, rep.group.order or 0)
    return coefficients @ a.T.to(coefficients)
