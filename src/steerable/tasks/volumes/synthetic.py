"""Made-up volumes: one solid to be named, or several to be found."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.data import InputError, Regions, Samples, Splits
from steerable.data.rotations import check_poses, random_rotations
from steerable.tasks.volumes.solids import SOLIDS

TASKS = ("classify", "segment")
FOUND = ("ball", "box", "torus")


def volumes_synthetic(
    root: str | None = None,
    task: str = "classify",
    train: int = 400,
    validation: int = 160,
    test: int = 320,
    size: int = 25,
    noise: float = 0.5,
    stretch: float = 0.1,
    train_pose: str = "any",
    pose: str = "any",
    seed: int = 0,
) -> Splits:
    """Make volumes with noise, each voxel drawn from the distance to the surface: no interpolation anywhere.

    To classify: one solid of eight, near the centre, of which two (helix_right, helix_left) are mirror images. To
    segment: one ball, one box and one torus, smaller, at random places; each voxel is one of them or background.

    Args:
        root: not used: nothing is read.
        task: ``classify`` or ``segment``.
        train, validation, test: number of volumes of each part.
        size: side in voxels; 25, 13, 7 keep windows of stride 2 exact.
        noise: standard deviation of the noise of a voxel, where a solid has 1.
        stretch: solids are larger or smaller by up to this share along each of their axes.
        train_pose: how the training part is turned: ``any`` rotation, ``upright`` (about x3) or ``none``.
        pose: how validation and test are turned.
        seed: of all draws.

    Raises:
        InputError: an unknown task or pose, numbers that cannot be.
    """
    if task not in TASKS:
        raise InputError(f"data.options.task is '{task}'; expected one of {', '.join(TASKS)}.")
    check_poses(train_pose=train_pose, pose=pose)
    least = len(SOLIDS) if task == "classify" else 1
    if min(train, validation, test) < least or size < 8 or not (noise >= 0 and 0 <= stretch < 1):
        raise InputError(
            f"volumes_synthetic: {train}, {validation} and {test} volumes of side {size}, noise {noise}, stretch "
            f"{stretch}; expected at least {least} volumes of 8 voxels a side, noise 0 or more, stretch below 1."
        )
    make = one_solid if task == "classify" else several
    parts = []
    for k, (count, how) in enumerate(((train, train_pose), (validation, pose), (test, pose))):
        generator = torch.Generator().manual_seed(seed * 1009 + k)
        clean, y = make(count, size, stretch, how, generator)
        x = clean + noise * torch.randn(clean.shape, generator=generator)
        meaning = tuple(SOLIDS) if task == "classify" else Regions(("background", *FOUND))
        parts.append(Samples(x[:, None], y, meaning, f"volumes ({('train', 'validation', 'test')[k]})"))
    return Splits(*parts)


def grid(size: int) -> Tensor:
    """Return the places of voxels ``[S, S, S, 3]`` in a cube of half side 1: x1 along the last axis, x2 falling."""
    line = (2 * torch.arange(size, dtype=torch.float64) + 1) / size - 1
    x3, x2, x1 = torch.meshgrid(line, -line, line, indexing="ij")
    return torch.stack([x1, x2, x3], -1)


def turns(count: int, how: str, generator: torch.Generator) -> Tensor:
    """Draw rotations ``[count, 3, 3]``: ``any``, ``upright`` or ``none``."""
    if how == "none":
        return torch.eye(3, dtype=torch.float64).repeat(count, 1, 1)
    return random_rotations(count, 3, generator, upright=how == "upright")


def occupied(name: str, p: Tensor, turn: Tensor, centre: Tensor, scale: Tensor, width: float) -> Tensor:
    """Return how much of each voxel a solid fills, 0 to 1, ``[S, S, S]``.

    Args:
        name: of the solid.
        p: places of the voxels ``[S, S, S, 3]``.
        turn: ``[3, 3]``.
        centre: ``[3]``.
        scale: along the axes of the solid ``[3]``.
        width: of the soft edge, in the same unit as `p`.
    """
    own = ((p - centre) @ turn) / scale
    distance = SOLIDS[name](own.flatten(0, 2)).view(p.shape[:3]) * scale.amin()
    return torch.sigmoid(-4 * distance / width)


def one_solid(count: int, size: int, stretch: float, how: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return volumes ``[count, S, S, S]`` of one solid each, and which it is."""
    p, names = grid(size), list(SOLIDS)
    y, turn = torch.arange(count) % len(names), turns(count, how, generator)
    scale = 1 + stretch * (2 * torch.rand(count, 3, generator=generator, dtype=torch.float64) - 1)
    centre = 0.1 * (2 * torch.rand(count, 3, generator=generator, dtype=torch.float64) - 1)
    found = [occupied(names[int(y[k])], p, turn[k], centre[k], scale[k], 2 / size) for k in range(count)]
    return torch.stack(found).float(), y


def several(count: int, size: int, stretch: float, how: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return volumes ``[count, S, S, S]`` with one of each of :data:`FOUND`, and the number of what fills each voxel.

    Where two overlap the later one hides the earlier.
    """
    p = grid(size)
    volumes, labels = [], []
    for _ in range(count):
        turn = turns(len(FOUND), how, generator)
        scale = 0.55 * (1 + stretch * (2 * torch.rand(len(FOUND), 3, generator=generator, dtype=torch.float64) - 1))
        centre = 0.6 * (2 * torch.rand(len(FOUND), 3, generator=generator, dtype=torch.float64) - 1)
        volume, label = torch.zeros(p.shape[:3], dtype=torch.float64), torch.zeros(p.shape[:3], dtype=torch.int64)
        for k, name in enumerate(FOUND):
            part = occupied(name, p, turn[k], centre[k], scale[k], 2 / size)
            volume, label = torch.maximum(volume, part), torch.where(part > 0.5, k + 1, label)
        volumes.append(volume)
        labels.append(label)
    return torch.stack(volumes).float(), torch.stack(labels)
