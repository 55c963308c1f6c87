"""Random rotations as matrices: of the plane and of space, drawn from the invariant measure."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.data.errors import InputError

#: how the objects of a data set may be turned: any rotation, about the third axis, not at all
POSES = ("any", "upright", "none")


def check_poses(**poses: str) -> None:
    """Refuse options of a reader, by name, that are no pose.

    Raises:
        InputError: naming the option and what there is.
    """
    for name, value in poses.items():
        if value not in POSES:
            raise InputError(f"data.options.{name} is '{value}'; expected one of {', '.join(POSES)}.")


def random_rotations(
    count: int, dimension: int, generator: torch.Generator, flips: bool = False, upright: bool = False
) -> Tensor:
    """Draw rotations, float64 ``[count, n, n]``.

    Args:
        count: how many.
        dimension: n, 2 or 3.
        generator: on the CPU.
        flips: every second one, at random, is a reflection and a rotation.
        upright: rotations of space about the third axis.

    Raises:
        ValueError: another dimension.
    """
    if dimension not in (2, 3):
        raise ValueError(f"random_rotations: dimension {dimension}; expected 2 or 3.")
    if dimension == 2 or upright:
        angle = 2 * torch.pi * torch.rand(count, generator=generator, dtype=torch.float64)
        found = torch.eye(dimension, dtype=torch.float64).repeat(count, 1, 1)
        c, s = angle.cos(), angle.sin()
        found[:, 0, 0], found[:, 0, 1], found[:, 1, 0], found[:, 1, 1] = c, -s, s, c
    else:
        found = quaternion_matrix(torch.randn(count, 4, generator=generator, dtype=torch.float64))
    if flips:
        sign = torch.ones(count, dimension, dtype=torch.float64)
        sign[:, 0] = 1 - 2 * (torch.rand(count, generator=generator) < 0.5).double()
        found = found * sign[:, None]
    return found


def quaternion_matrix(q: Tensor) -> Tensor:
    """Return the rotations ``[..., 3, 3]`` of quaternions ``[..., 4]`` = (w, x, y, z) of any length but 0."""
    w, x, y, z = (q / q.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(r, -1) for r in rows], -2)
