"""Projective maps of the plane as 3x3 matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

#: a point at or behind the horizon of a projective map is sent here, far outside every image
FAR = 1e4


def matrix3(rows: Sequence[Sequence[Tensor | int]]) -> Tensor:
    """Matrices ``[..., 3, 3]`` from rows of numbers and tensors ``[...]``."""
    like = next(e for row in rows for e in row if isinstance(e, Tensor))
    entries = [e if isinstance(e, Tensor) else torch.full_like(like, e) for row in rows for e in row]
    return torch.stack(torch.broadcast_tensors(*entries), -1).unflatten(-1, (3, 3))


def move(matrix: Tensor, x: Tensor) -> Tensor:
    """Images ``[..., 2]`` of points ``x [..., 2]`` under matrices ``[..., 3, 3]`` that broadcast with them.

    Points at or behind the horizon (third homogeneous coordinate not positive) go far away, with zero gradient.
    """
    first, second, third = (
        matrix[..., i, 0] * x[..., 0] + matrix[..., i, 1] * x[..., 1] + matrix[..., i, 2] for i in range(3)
    )
    seen = third > 1e-6
    depth = torch.where(seen, third, 1.0)
    return torch.where(seen[..., None], torch.stack((first / depth, second / depth), -1), FAR)
