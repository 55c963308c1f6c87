"""Fourier transform on a group: orthonormal real matrix coefficients."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from steerable.groups.group import Group
from steerable.groups.representation import Representation
from steerable.groups.sampling import sample_points, sampling_inverse, sampling_matrix
from steerable.groups.subgroup import Inclusion, as_inclusion

GridKind = Literal["spread", "quadrature", "random"]


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
    a = sampling_matrix(rep, elements, inclusion)
    return a.numpy(), sampling_inverse(rep, a, weights, rep.size).numpy()


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
