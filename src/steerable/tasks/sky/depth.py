"""How far is the wall? Depth from panoramas of rooms that are made up."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from steerable.data import InputError, Samples, Splits, Target
from steerable.data.rotations import check_poses
from steerable.data.sphere_map import sampling_of
from steerable.domains.sphere import Sphere
from steerable.groups import SO3
from steerable.tasks.sky.blocks import PARTS
from steerable.tasks.sky.globe import draw_rotations
from steerable.tasks.sky.rooms import Rooms, cast, disc, draw_rooms

DEPTH = Target("log_depth", "log m", everywhere=True)
# rooms that are rendered at once
_CHUNK = 20


def panorama_depth(
    root: str | Path | None = None,
    sampling: str = "gauss(24)",
    train: int = 300,
    validation: int = 60,
    test: int = 100,
    balls: int = 2,
    boxes: int = 3,
    rays: int = 7,
    train_pose: str = "any",
    pose: str = "any",
    seed: int = 0,
) -> Splits:
    """Panoramas ``[3, *shape]`` of rooms, and the logarithm of the distance in metres at every sample.

    A room is a box with balls and boxes in it, lit by a lamp, seen by a camera anywhere in it, see
    :class:`steerable.tasks.sky.rooms.Rooms`. Every room is drawn by itself: parts share nothing. The texture of
    surfaces has lengths of half a metre to two, which tells the scale. Colours, and logarithms of distances, are means
    over rays within a disc of the area of a sample. Colours are standardised by the part of training.

    Args:
        root: not used: nothing is read.
        sampling: of the panorama.
        train, validation, test: rooms of each part.
        balls, boxes: in each room.
        rays: of each sample.
        train_pose: how the camera is held in training: ``any`` way, ``upright`` (turned about the vertical) or
            ``none``.
        pose: how in validation and test.
        seed: of all draws.

    Raises:
        InputError: an unknown sampling or pose, no room, fewer than one ray, fewer than no furniture.
    """
    check_poses(train_pose=train_pose, pose=pose)
    if min(train, validation, test, rays) < 1 or min(balls, boxes) < 0:
        raise InputError(
            f"depth: {train}, {validation} and {test} rooms of {balls} balls and {boxes} boxes, {rays} rays a sample; "
            "expected at least 1 room and ray, and 0 balls and boxes."
        )
    sphere = sampling_of(sampling, "data.options.sampling")
    found = []
    for k, (count, how) in enumerate(((train, train_pose), (validation, pose), (test, pose))):
        generator = torch.Generator().manual_seed(seed * 1009 + k)
        rooms = draw_rooms(count, balls, boxes, generator)
        found.append(render(rooms, sphere, draw_rotations(count, how, generator), rays))
    over = (0, *range(2, found[0][0].dim()))
    mean, deviation = (f(found[0][0], dim=over, keepdim=True) for f in (torch.mean, torch.std))
    parts = [
        Samples((x - mean) / deviation, y, DEPTH, f"rooms ({name})", sampling=sampling)
        for (x, y), name in zip(found, PARTS, strict=True)
    ]
    numbers = {"mean": mean.flatten().tolist(), "scale": deviation.flatten().tolist()}
    return Splits(*parts, input="standardised", settings=numbers)


def render(rooms: Rooms, sphere: Sphere, rotations: Tensor, rays: int) -> tuple[Tensor, Tensor]:
    """Return colours ``[N, 3, *shape]`` and logarithms of distances ``[N, 1, *shape]``, float32.

    Args:
        rooms: N of them.
        sphere: where the panorama is sampled.
        rotations: of the panorama, elements of SO3 ``[N, 4]``: a sample p looks along ``g^-1 p`` of the room.
        rays: of each sample, over a disc of its mean area.
    """
    spread = disc(rays) * sphere.spacing / math.sqrt(math.pi)
    length = spread.norm(dim=-1, keepdim=True)
    local = torch.cat([spread * torch.sinc(length / math.pi), length.cos()], -1)  # exponential map in (south, east)
    look = torch.einsum("pij,rj->pri", sphere.frames().reshape(-1, 3, 3), local)
    matrix = SO3().action(rotations, 3)
    colours, depths = [], []
    for start in range(0, len(rotations), _CHUNK):
        part = rooms.part(start, start + _CHUNK)
        way = torch.einsum("nij,pri->nprj", matrix[start : start + _CHUNK], look).float()
        distance, colour = cast(part, way.flatten(1, 2))
        depths.append(distance.log().view(*way.shape[:3]).mean(-1))
        colours.append(colour.view(*way.shape).mean(2).mT)
    n = len(rotations)
    return torch.cat(colours).reshape(n, 3, *sphere.shape), torch.cat(depths).reshape(n, 1, *sphere.shape)
