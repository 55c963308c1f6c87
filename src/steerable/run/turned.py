"""The one turn by which every network is tried: the same images, volumes or point sets, seen from another side."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from steerable.data import Clouds
from steerable.data.rotations import quaternion_matrix

Input = TypeVar("Input", Tensor, Clouds)
# no axis and no angle that a lattice or a polyhedron knows
_GENERIC = (0.7, 0.3, -0.5, 0.4)


def turned(x: Input, times: int = 1) -> Input:
    """Return images turned by 90 degrees, volumes by 120 about a diagonal, point sets by one generic rotation.

    A volume that is no cube is turned by a quarter, or else by a half, about its third axis.

    Args:
        x: ``[N, C, H, W]``, ``[N, C, D, H, W]`` or point sets.
        times: -1 turns back.
    """
    if not isinstance(x, Clouds):
        return turn_axes(x, x.ndim - 2, times)
    matrix = quaternion_matrix(torch.tensor(_GENERIC, dtype=torch.float64))
    matrix = matrix if x.dimension == 3 else torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    matrix = (matrix if times == 1 else matrix.T).to(x.device)
    return x.at((x.positions.double() @ matrix.T).to(x.positions))


def turn_axes(x: Tensor, axes: int, times: int = 1) -> Tensor:
    """Turn the last two or three axes, of labels of regions ``[N, (D,) H, W]`` too; see :func:`turned`."""
    if axes == 2:
        return torch.rot90(x, times, (-2, -1))
    d, h, w = x.shape[-3:]
    if not d == h == w:
        return torch.rot90(x, times if h == w else 2, (-2, -1))
    if times == 1:
        return torch.rot90(torch.rot90(x, 1, (-2, -1)), 1, (-3, -2))
    return torch.rot90(torch.rot90(x, -1, (-3, -2)), -1, (-2, -1))
