"""Augmentation of whatever a network sees: images, volumes with or without labels of regions, point sets."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data import Clouds, Samples
from steerable.data.errors import InputError
from steerable.data.rotations import random_rotations
from steerable.run.augment import augment, turn, turn_fourier

IMAGES = ("none", "d4", "turn", "rotate", "turn_fourier", "rotate_fourier", "affine", "affine_colour", "mirror_shift")
VOLUMES = ("none", "cube", "cube_flips", "upright", "turn", "rotate", "turn_fourier", "rotate_fourier")
POINTS = ("none", "upright", "turn", "rotate")
KINDS = {"plane": IMAGES, "volume": VOLUMES, "points": POINTS}


def check_augment(data: Samples, how: str) -> None:
    """Refuse an augmentation that another kind of data has.

    Raises:
        InputError: naming those that there are, or a volume that is no cube.
    """
    known = KINDS[data.domain]
    if how not in known:
        raise InputError(
            f"train.augment is '{how}', but {data.source} has {data.domain} data; expected one of {', '.join(known)}."
        )
    if data.domain == "volume" and how != "none" and len(set(data.size)) > 1:
        raise InputError(
            f"train.augment is '{how}', but {data.source} has volumes of {' x '.join(map(str, data.size))}; expected "
            "cubes. Crop them, or set it to none."
        )


def augmented(x: Tensor | Clouds, y: Tensor, how: str, generator: torch.Generator) -> tuple[Tensor | Clouds, Tensor]:
    """Draw one element for each sample and apply it, to labels of regions as well.

    Labels are moved as one channel for each class, of which the largest wins: exact where voxels move to voxels.

    Args:
        x: ``[B, C, H, W]``, ``[B, C, D, H, W]`` or point sets.
        y: labels or values ``[B, ...]``; or labels of regions, int64 with as many places as `x` has.
        how: a name of the tables of this module.
        generator: on the CPU.
    """
    if how == "none":
        return x, y
    if isinstance(x, Clouds):
        return turn_clouds(x, how, generator), y
    move = augment if x.ndim == 4 else turn_volumes
    if y.dtype != torch.int64 or y.ndim != x.ndim - 1:
        return move(x, how, generator), y
    count = int(y.max()) + 1
    each = F.one_hot(y, count).movedim(-1, 1).to(x)
    both = move(torch.cat([x, each[:, 1:]], 1), how, generator)
    others = both[:, x.shape[1] :]
    # what comes in from outside is of the first class
    return both[:, : x.shape[1]], torch.cat([1 - others.sum(1, keepdim=True), others], 1).argmax(1)


def turn_clouds(x: Clouds, how: str, generator: torch.Generator) -> Clouds:
    """Turn each point set about the mean of its points: exact, by matrices.

    Args:
        x: the point sets.
        how: ``upright`` (about the third axis), ``turn`` (any rotation) or ``rotate`` (and reflections).
        generator: on the CPU.
    """
    matrix = random_rotations(len(x), x.dimension, generator, how == "rotate", how == "upright").to(x.positions)
    batch = x.batch
    count = x.counts().to(x.positions)[:, None]
    middle = x.positions.new_zeros(len(x), x.dimension).index_add(0, batch, x.positions) / count
    away = x.positions - middle[batch]
    return x.at(middle[batch] + (matrix[batch] @ away[:, :, None])[:, :, 0])


def turn_volumes(x: Tensor, how: str, generator: torch.Generator) -> Tensor:
    """Turn each cube about its centre.

    Args:
        x: ``[B, C, S, S, S]``.
        how: ``cube`` (one of the 24 rotations of the voxels) and ``cube_flips`` (48) are exact; ``upright`` (about
            x3), ``turn`` (any rotation) and ``rotate`` (and reflections) are one trilinear resampling with zeros
            outside; ``turn_fourier`` and ``rotate_fourier`` are three rotations in a row, each of three shears by
            phases, which leave the noise as it is (the border must be empty or noise).
        generator: on the CPU.
    """
    n = len(x)
    if how.startswith("cube"):
        return turn_cubes(x, torch.randint(48 if how == "cube_flips" else 24, (n,), generator=generator))
    if how == "upright":
        angle = 2 * torch.pi * torch.rand(n, generator=generator, dtype=torch.float64)
        return _in_slices(turn, x, angle, torch.zeros(n, dtype=torch.bool))
    flips = torch.rand(n, generator=generator) < (0.5 if how.startswith("rotate") else 0.0)
    if how.endswith("fourier"):
        u = torch.rand(n, 3, generator=generator, dtype=torch.float64)
        about3, about1 = 2 * torch.pi * u[:, :2].T, (1 - 2 * u[:, 2]).acos()
        x = _in_slices(turn_fourier, x, about3[0], flips)
        x = _in_slices(turn_fourier, x.transpose(-3, -1), about1, torch.zeros_like(flips)).transpose(-3, -1)
        return _in_slices(turn_fourier, x, about3[1], torch.zeros_like(flips))
    matrix = random_rotations(n, 3, generator)
    matrix[flips] *= -1
    # grid_sample asks where each voxel comes from, in (x1, -x2, x3): f(g^-1 p)
    sense = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    back = (matrix.mT * sense) * sense[:, None]
    grid = F.affine_grid(F.pad(back, (0, 1)).to(x), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _in_slices(move: object, x: Tensor, angle: Tensor, flip: Tensor) -> Tensor:
    """Turn all slices ``[..., H, W]`` of a volume alike: they are channels of an image."""
    found = move(x.flatten(1, 2), angle.to(x), flip.to(x.device))  # type: ignore[operator]
    return found.unflatten(1, x.shape[1:3])


def turn_cubes(x: Tensor, element: Tensor) -> Tensor:
    """Move each cube by one of the 48 symmetries of the voxels: exact, no interpolation.

    Args:
        x: ``[B, C, S, S, S]``.
        element: int64 ``[B]``: `k % 4` quarter turns about x3, then the side `k // 4 % 6` to the front; from 24 on
            after the reflection of all three axes.
    """
    out = torch.empty_like(x)
    for k in element.unique().tolist():
        pick = element == k
        part = torch.rot90(x[pick].flip(-3, -2, -1) if k >= 24 else x[pick], k % 4, (-2, -1))
        side = k // 4 % 6
        out[pick] = torch.rot90(part, side, (-3, -1)) if side < 4 else torch.rot90(part, 2 * side - 9, (-3, -2))
    return out
