"""Samples that the rotations of the cube permute: what they turn a grid of voxels into is kept exactly."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.groups.polyhedral import octahedral
from steerable.groups.quaternions import matrix_to_quaternion
from steerable.groups.so3 import SO3

#: rotations of the cube
CUBE = 24
#: parameter of the Poisson kernel, and how often all orbits are chosen again: measured, see docs/nonlinearities.md
SHARP, SWEEPS = 0.75, 3


@lru_cache(maxsize=32)
def cube_rotations(orbits: int) -> np.ndarray:
    """Quaternions ``[24 orbits, 4]``: orbits of the cube's rotations from the left, well spread."""
    group = SO3()
    turns, seeds = matrix_to_quaternion(_turns(False)), group.grid(40 * orbits)
    shape = (len(seeds), len(turns), 4)
    moved = group.compose(turns[None].expand(shape), seeds[:, None].expand(shape))
    return moved[_apart(moved, orbits, axes=True)].flatten(0, 1).numpy()


@lru_cache(maxsize=32)
def cube_directions(orbits: int, inverted: bool) -> np.ndarray:
    """Unit vectors ``[24 orbits, 3]``: orbits of the cube's rotations; ``[48 orbits, 3]`` with the inversion."""
    k = torch.arange(200 * orbits, dtype=torch.float64)
    height, angle = 1 - (2 * k + 1) / len(k), math.pi * (3 - math.sqrt(5)) * k
    flat = (1 - height**2).sqrt()
    seeds = torch.stack([flat * angle.cos(), flat * angle.sin(), height], 1)
    moved = torch.einsum("gxy,ny->ngx", _turns(inverted), seeds)
    return moved[_apart(moved, orbits, axes=False)].flatten(0, 1).numpy()


def _turns(inverted: bool) -> Tensor:
    cube = octahedral()
    found = cube.action(cube.elements)
    return torch.cat([found, -found]) if inverted else found


def _apart(moved: Tensor, orbits: int, axes: bool) -> Tensor:
    """Numbers ``[orbits]`` of the orbits of ``[S, G, n]`` whose samples repel each other least, the Poisson kernel.

    It weighs the errors of the mean of all degrees: one orbit after the other, then each again while the rest stay.

    Args:
        moved: unit vectors; the first of each orbit is the seed.
        orbits: how many.
        axes: whether a vector and its negative are one (quaternions).
    """

    def push(a: Tensor, b: Tensor) -> Tensor:
        c = (a * b).sum(-1)
        found = [(1 + SHARP**2 - 2 * SHARP * v) ** (-2.0 if axes else -1.5) for v in ((c, -c) if axes else (c,))]
        return torch.stack(found).sum(0).mean(-1)  # an orbit looks alike from each of its elements

    own, others, found = push(moved, moved[:, :1]), torch.zeros(len(moved), dtype=moved.dtype), []
    for turn in range(orbits * (1 + SWEEPS)):
        if turn >= orbits:
            others = others - push(moved[found.pop(0)][None], moved[:, :1])
        total = own + 2 * others
        # of seeds as good up to rounding the first: the same on every machine
        found.append(int((total < total.min() * (1 + 1e-9)).nonzero()[0]))
        others = others + push(moved[found[-1]][None], moved[:, :1])
    return torch.tensor(found)
