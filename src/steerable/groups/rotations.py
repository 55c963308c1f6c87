"""Rotations and reflections of the plane, exact where the lattice makes them so."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def turn(numerator: np.ndarray, denominator: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of ``2 pi numerator / denominator``, exactly 0, +-1, +-1/2 where they should be.

    Folding the angle into the first octant makes the tables of C(n) and D(n) closed under quarter turns to the last
    bit.
    """
    n = np.asarray(numerator) * 8 % (8 * denominator)  # eighths of a turn, times the denominator
    octant, rest = n // denominator, n % denominator
    flip = octant % 2 == 1
    angle = np.where(flip, denominator - rest, rest) * (np.pi / (4 * denominator))
    c, s = np.cos(angle), np.sin(angle)
    half = np.where(flip, denominator - rest, rest)
    third = 3 * half == 2 * denominator  # 30 degrees: the sine is exactly one half
    s = np.where(third, 0.5, s)
    c, s = np.where(flip, s, c), np.where(flip, c, s)
    quarter = octant // 2
    cos = np.choose(quarter, [c, -s, -c, s])
    sin = np.choose(quarter, [s, c, -s, -c])
    return cos + 0.0, sin + 0.0  # no negative zeros


def rotation(cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    """Rotation matrices ``[..., 2, 2]`` from cosines and sines."""
    return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)


def rotation_matrix(angle: Tensor) -> Tensor:
    """Rotation matrices ``[..., 2, 2]`` from angles in radians; differentiable."""
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)


def determinant(matrix: Tensor) -> Tensor:
    """Determinants ``[...]`` of matrices ``[..., 2, 2]``, without the start of a linear algebra library."""
    return matrix[..., 0, 0] * matrix[..., 1, 1] - matrix[..., 0, 1] * matrix[..., 1, 0]
