"""Features to and from the basis of e3nn: polar axis x2 instead of x3, so that its degree 1 is (x1, x2, x3)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.fields.type import FieldType
from steerable.groups import wigner_d


@lru_cache(maxsize=128)
def _array(degree: int) -> np.ndarray:
    third = torch.tensor([0.5, 0.5, 0.5, 0.5], dtype=torch.float64)  # a third of a turn: (x1, x2, x3) -> (x3, x1, x2)
    matrix = wigner_d(third, degree)[0].numpy()
    return np.where(np.abs(matrix) < 1e-15, 0.0, matrix)


def e3nn_basis(degree: int) -> Tensor:
    """Orthogonal ``Q [2 l + 1, 2 l + 1]`` (float64) with ``Y_e3nn = Q Y``, and so ``D_e3nn = Q D Q^T``.

    Harmonics of e3nn in its normalisation ``"integral"`` are those of :func:`spherical_harmonics` in its basis; for
    ``"norm"`` multiply by ``sqrt(4 pi / (2 l + 1))``, for ``"component"`` by ``sqrt(4 pi)``.

    Raises:
        ValueError: for a negative degree.
    """
    return torch.from_numpy(_array(degree).copy())


def to_e3nn(x: Tensor, type: FieldType, dim: int = 1) -> Tensor:
    """Features of a type made of irreps of SO3 or O3, as e3nn orders them: ``"8x0e + 8x1o"`` reads the same there.

    Args:
        x: features with ``type.size`` channels along ``dim``.
        type: the field type.
        dim: where the channels are.

    Raises:
        ValueError: for another group, blocks that are no irreps, or another number of channels.
    """
    return _turn(x, type, dim, forward=True)


def from_e3nn(x: Tensor, type: FieldType, dim: int = 1) -> Tensor:
    """The inverse of :func:`to_e3nn`."""
    return _turn(x, type, dim, forward=False)


def _turn(x: Tensor, type: FieldType, dim: int, forward: bool) -> Tensor:
    if type.group.name not in ("SO3", "O3") or not all(b.rep.is_irrep for b in type.blocks):
        raise ValueError(f"e3nn knows irreps of O3 only; got the type {type} of {type.group.name}")
    if x.shape[dim] != type.size:
        raise ValueError(f"to_e3nn: {type} has {type.size} channels, got {x.shape[dim]} along dimension {dim}")
    parts = []
    for block in type.blocks:
        part = x.movedim(dim, -1)[..., block.start : block.stop].unflatten(-1, (-1, block.rep.size))
        q = e3nn_basis(block.rep.frequency).to(x)
        parts.append((part @ (q.mT if forward else q)).flatten(-2))
    return torch.cat(parts, -1).movedim(-1, dim) if parts else x
