"""Crops of real density maps, turned at random: which map is it, and where is it dense?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.data import InputError, Regions, Samples, Splits
from steerable.data.files import data_root
from steerable.data.mrc import EXTENSIONS, read_mrc
from steerable.data.rotations import check_poses, random_rotations
from steerable.tasks.volumes.synthetic import TASKS, grid

FOLDER = "density_maps"
# shares of the dense voxels of a map up to the end of training, and of validation
CUTS = (0.5, 0.7)


def density_maps(
    root: str | Path | None = None,
    task: str = "classify",
    maps: list[str] | None = None,
    train: int = 300,
    validation: int = 120,
    test: int = 240,
    size: int = 17,
    contour: float = 1.5,
    noise: float = 2.0,
    train_pose: str = "any",
    pose: str = "any",
    seed: int = 0,
) -> Splits:
    """Cut cubes out of density maps, around dense places, each turned and read off by trilinear interpolation.

    Each map is cut into three slabs across the axis along which it is longest, one for each part of the data, so that
    no voxel is seen in training and in the test; outside its slab a crop is 0. Maps are brought to mean 0
    and standard deviation 1 over the whole map, so that their units do not tell them apart.

    Args:
        root: the folder of the data sets, with a folder ``density_maps``, or a folder of maps; the environment variable
            ``STEERABLE_DATA`` otherwise.
        task: ``classify``: which map; ``segment``: which voxels of the clean crop are above the contour, where the
            network sees it with noise.
        maps: file names without their ends; None: all MRC files of the folder. One is enough to segment.
        train, validation, test: number of crops of each part, as many of each map as can be.
        size: side of a crop in voxels.
        contour: density that counts as dense, in standard deviations of the map above its mean.
        noise: standard deviation of the noise that is added, in the same unit.
        train_pose: how training crops are turned: ``any``, ``upright`` (about x3) or ``none``.
        pose: how validation and test crops are turned.
        seed: of all draws.

    Raises:
        InputError: no maps, an unknown task, pose or map, a slab without a dense voxel.
    """
    if task not in TASKS:
        raise InputError(f"data.options.task is '{task}'; expected one of {', '.join(TASKS)}.")
    check_poses(train_pose=train_pose, pose=pose)
    if min(train, validation, test) < 1 or size < 4 or not noise >= 0:
        raise InputError(
            f"density_maps: {train}, {validation} and {test} crops of side {size}, noise {noise}; expected at least 1 "
            "crop of 4 voxels a side, noise 0 or more."
        )
    found = find_maps(root, maps, 2 if task == "classify" else 1)
    names = tuple(found)
    parts = []
    for k, (count, how) in enumerate(((train, train_pose), (validation, pose), (test, pose))):
        generator = torch.Generator().manual_seed(seed * 1009 + k)
        y = torch.arange(count) % len(names)
        crops = torch.empty(count, 1, size, size, size)
        for j, (name, rho) in enumerate(found.items()):
            here = (y == j).nonzero()[:, 0]
            crops[here] = crop(slabs(rho, contour, name)[k], len(here), size, how, contour, generator)
        x = crops + noise * torch.randn(crops.shape, generator=generator)
        source = f"density maps ({('train', 'validation', 'test')[k]})"
        if task == "classify":
            parts.append(Samples(x, y, names, source))
        else:
            parts.append(Samples(x, (crops[:, 0] > contour).long(), Regions(("outside", "dense")), source))
    return Splits(*parts)


def find_maps(root: str | Path | None, names: list[str] | None, least: int) -> dict[str, Tensor]:
    """Return maps ``[D, H, W]`` of mean 0 and standard deviation 1 by their name.

    Raises:
        InputError: fewer than `least`, one that is not there, or one that is constant.
    """
    folder = data_root(root)
    folder = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    files = {p.name.split(".")[0]: p for p in sorted(folder.iterdir()) if p.name.lower().endswith(EXTENSIONS)}
    wanted = list(files) if names is None else names
    missing = [n for n in wanted if n not in files]
    if missing or len(wanted) < least:
        raise InputError(
            f"density_maps: maps {wanted} in '{folder}', which has {list(files)}; expected {least} or more of these, "
            f"files of {', '.join(EXTENSIONS)}. Mend data.root or data.options.maps."
        )
    found = {}
    for name in wanted:
        rho = read_mrc(files[name]).rho.astype(np.float64)
        if not rho.std() > 0:
            raise InputError(f"density_maps: '{files[name]}' has the one value {rho.flat[0]:g}; expected a density.")
        found[name] = torch.from_numpy((rho - rho.mean()) / rho.std()).float()
    return found


def slabs(rho: Tensor, contour: float, name: str) -> list[Tensor]:
    """Cut a map ``[D, H, W]`` in three across its longest axis, with half, a fifth and the rest of its dense voxels.

    Args:
        rho: the map.
        contour: what is dense.
        name: of the map, for messages.

    Raises:
        InputError: too few voxels are dense, or they lie in too few layers.
    """
    dense = (rho > contour).nonzero()
    axis = int(dense.double().std(0).argmax()) if len(dense) > 1 else 0
    place = dense[:, axis].sort().values
    ends = [int(place[int(c * len(place))]) for c in CUTS] if len(place) else [0, 0]
    if not len(place) or not place[0] < ends[0] < ends[1] <= place[-1]:
        raise InputError(
            f"density_maps: {len(dense)} voxels of '{name}' are above the contour {contour:g} (its highest is "
            f"{float(rho.max()):.2f}); expected enough for three parts. Lower data.options.contour."
        )
    return list(rho.tensor_split(ends, axis))


def crop(rho: Tensor, count: int, size: int, how: str, contour: float, generator: torch.Generator) -> Tensor:
    """Return cubes around dense voxels of a map, each turned about its centre: ``[count, 1, size, size, size]``.

    Args:
        rho: ``[D, H, W]``.
        count: how many.
        size: side.
        how: ``any``, ``upright`` or ``none``.
        contour: what is dense.
        generator: of all draws.
    """
    dense = (rho > contour).nonzero()
    at = torch.randint(len(dense), (count,), generator=generator)
    # voxels (d, h, w) are x3, -x2, x1 from the middle of the map
    shape = torch.tensor(rho.shape, dtype=torch.float64)
    place = (dense[at] - (shape - 1) / 2).flip(1) * torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    turn = torch.eye(3, dtype=torch.float64).repeat(count, 1, 1)
    if how != "none":
        turn = random_rotations(count, 3, generator, upright=how == "upright")
    p = grid(size).flatten(0, 2) * size / 2  # in voxels
    source = p @ turn + place[:, None]  # x = place + turn^-1 p
    half = shape.flip(0) * torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64) / 2
    where = (source / half).float().view(count, size, size, size, 3)
    parts = [
        F.grid_sample(rho[None, None].expand(len(w), 1, *rho.shape), w, padding_mode="zeros", align_corners=False)
        for w in where.split(64)
    ]
    return torch.cat(parts) if parts else torch.zeros(0, 1, size, size, size)
