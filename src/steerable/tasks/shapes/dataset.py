"""The data set of shapes: drawn anew for each seed, the same on every machine."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.data import Clouds, InputError, Samples, Splits
from steerable.data.point_file import PointReading
from steerable.data.rotations import check_poses, random_rotations
from steerable.tasks.shapes.surfaces import SHAPES


def shapes(
    root: str | None = None,
    train: int = 440,
    validation: int = 220,
    test: int = 440,
    points: int = 128,
    noise: float = 0.02,
    stretch: float = 0.15,
    missing: float = 0.0,
    train_pose: str = "any",
    pose: str = "any",
    seed: int = 0,
) -> Splits:
    """Make point sets of eleven shapes, of which two (helix_right, helix_left) are mirror images.

    Each is stretched along its own axes, turned, blurred by noise, perhaps cut, and brought to mean 0 and root mean
    square distance 1, so that neither place nor size tells the class.

    Args:
        root: not used: nothing is read.
        train, validation, test: number of point sets of each part, as many of each shape as can be.
        points: of each set, before some are taken away.
        noise: standard deviation of the noise on each coordinate, in units of the size of a shape.
        stretch: each axis of a shape is longer or shorter by up to this share.
        missing: the share of points that is cut off by a plane, as where a scanner sees one side.
        train_pose: how the training part is turned: ``any`` rotation, ``upright`` (about the third axis) or ``none``.
        pose: how validation and test are turned.
        seed: of all draws.

    Raises:
        InputError: numbers or a pose that cannot be.
    """
    check_poses(train_pose=train_pose, pose=pose)
    if min(train, validation, test) < len(SHAPES) or points < 8:
        raise InputError(
            f"shapes: {train}, {validation} and {test} sets of {points} points; expected at least {len(SHAPES)} sets, "
            "one of each shape, and 8 points."
        )
    if not (0 <= missing < 0.9 and 0 <= stretch < 1 and noise >= 0):
        raise InputError(
            f"shapes: missing {missing}, stretch {stretch}, noise {noise}; expected missing from 0 to 0.9, stretch "
            "below 1, noise 0 or more."
        )
    parts = []
    for k, (count, how) in enumerate(((train, train_pose), (validation, pose), (test, pose))):
        generator = torch.Generator().manual_seed(seed * 1009 + k)
        y = torch.arange(count) % len(SHAPES)
        place = torch.stack([draw(int(i), points, stretch, generator) for i in y])
        if how != "none":
            turn = random_rotations(count, 3, generator, upright=how == "upright")
            place = place @ turn.mT
        place = place + noise * torch.randn(place.shape, generator=generator, dtype=torch.float64)
        place = standard(cut(place, missing, generator))
        m = place.shape[1]
        x = Clouds(torch.ones(count * m, 1), place.flatten(0, 1).float(), torch.arange(count + 1) * m, "shapes")
        parts.append(Samples(x, y, tuple(SHAPES), f"shapes ({('train', 'validation', 'test')[k]})"))
    return Splits(*parts, input="points", settings=PointReading(normalise=True).to_json())


def draw(shape: int, points: int, stretch: float, generator: torch.Generator) -> Tensor:
    """Draw points on one shape, stretched along its axes: ``[points, 3]``.

    Args:
        shape: its number in :data:`SHAPES`.
        points: how many.
        stretch: see :func:`shapes`.
        generator: of all draws.
    """
    u = torch.rand(2, points, generator=generator, dtype=torch.float64)
    scale = 1 + stretch * (2 * torch.rand(3, generator=generator, dtype=torch.float64) - 1)
    return list(SHAPES.values())[shape](u[0], u[1]) * scale


def cut(place: Tensor, missing: float, generator: torch.Generator) -> Tensor:
    """Take away the share `missing` of the points ``[N, P, 3]`` of each set that lie farthest in a random direction."""
    keep = place.shape[1] - round(missing * place.shape[1])
    if keep == place.shape[1]:
        return place
    direction = torch.randn(len(place), 3, 1, generator=generator, dtype=torch.float64)
    order = (place @ direction)[..., 0].argsort(dim=1, stable=True)[:, :keep]
    return place.gather(1, order[..., None].expand(-1, -1, 3))


def standard(place: Tensor) -> Tensor:
    """Bring points ``[N, P, 3]`` to mean 0 and root mean square distance 1."""
    place = place - place.mean(1, keepdim=True)
    return place / place.square().sum(-1).mean(1).sqrt()[:, None, None]
