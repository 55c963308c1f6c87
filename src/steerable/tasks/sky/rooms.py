"""Rooms of boxes and balls, and what a ray sees in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# where no ray hits
_FAR = 1e6
# places that are tried for a camera, and how far from furniture it is to be
_TRIES, _CLEAR = 12, 0.5


@dataclass(frozen=True, eq=False)
class Rooms:
    """N rooms from the corner 0 to ``size``, each with balls and upright boxes, a lamp and a camera; x3 is up, metres.

    Attributes:
        size: ``[N, 3]``.
        ball, radius: centres ``[N, B, 3]`` and radii ``[N, B]``.
        low, high: corners of the boxes ``[N, K, 3]``.
        lamp, camera: ``[N, 3]``.
        colour: of the six walls (low then high along each axis), the balls and the boxes, ``[N, 6 + B + K, 3]``.
        wave: of the texture of each of them, in radians a metre, ``[N, 6 + B + K, 3]``.
    """

    size: Tensor
    ball: Tensor
    radius: Tensor
    low: Tensor
    high: Tensor
    lamp: Tensor
    camera: Tensor
    colour: Tensor
    wave: Tensor

    def part(self, start: int, stop: int) -> Rooms:
        """Return some of the rooms."""
        return Rooms(*(getattr(self, k)[start:stop] for k in self.__dataclass_fields__))


def draw_rooms(count: int, balls: int, boxes: int, generator: torch.Generator) -> Rooms:
    """Draw rooms 3 to 8 metres wide and 2.4 to 3.4 high, with furniture inside and a camera away from it.

    Args:
        count: of rooms.
        balls, boxes: in each.
        generator: of all draws.
    """

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    size = torch.cat([uniform(3, 8, 2), uniform(2.4, 3.4, 1)], 1)
    radius = uniform(0.2, 0.6, balls)
    ball = radius[..., None] + (size[:, None] - 2 * radius[..., None]) * uniform(0, 1, balls, 3)
    extent = torch.cat([uniform(0.3, 1.2, boxes, 2), uniform(0.3, 1.8, boxes, 1)], 2)
    low = (size[:, None] - extent) * uniform(0, 1, boxes, 3) * torch.tensor([1.0, 1.0, 0.0])  # on the floor
    lamp = size * torch.cat([uniform(0.2, 0.8, 2), uniform(0.85, 0.95, 1)], 1)
    tries = 0.3 + (size[:, None] - 0.6) * uniform(0, 1, _TRIES, 3)
    room = clearance(tries, ball, radius, low, low + extent).clamp(max=_CLEAR)
    camera = tries[torch.arange(count), (room - 1e-4 * torch.arange(_TRIES)).argmax(1)]  # the first that is clear
    things = 6 + balls + boxes
    way = torch.nn.functional.normalize(torch.randn(count, things, 3, generator=generator), dim=-1)
    wave = way * uniform(3, 12, things, 1)  # half a metre to two metres
    return Rooms(size, ball, radius, low, low + extent, lamp, camera, uniform(0.2, 1.0, things, 3), wave)


def clearance(points: Tensor, ball: Tensor, radius: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Distance from points ``[N, P, 3]`` to the nearest ball or box, negative within a ball, ``[N, P]``."""
    found = torch.full(points.shape[:2], _FAR)
    if ball.shape[1]:
        found = ((points[:, :, None] - ball[:, None]).norm(dim=-1) - radius[:, None]).amin(-1)
    if low.shape[1]:
        outside = (low[:, None] - points[:, :, None]).clamp(min=0) + (points[:, :, None] - high[:, None]).clamp(min=0)
        found = torch.minimum(found, outside.norm(dim=-1).amin(-1))
    return found


def cast(rooms: Rooms, directions: Tensor) -> tuple[Tensor, Tensor]:
    """What rays from the cameras see: distance in metres ``[N, P]`` and colour ``[N, P, 3]`` from 0 to 1.

    Surfaces are matt (Lambert's law) with a wave of brightness, lit by the lamp and a little from everywhere; nothing
    throws a shadow.

    Args:
        rooms: N of them.
        directions: unit vectors of the room ``[N, P, 3]``.
    """
    d = torch.where(directions.abs() < 1e-9, 1e-9, directions)
    o = rooms.camera[:, None]
    walls = torch.where(d > 0, rooms.size[:, None] - o, -o) / d
    distance, axis = walls.min(-1)
    forward = d.gather(-1, axis[..., None])[..., 0] > 0
    thing = 2 * axis + forward
    normal = torch.nn.functional.one_hot(axis, 3) * torch.where(forward, -1.0, 1.0)[..., None]
    for k in range(rooms.radius.shape[1]):
        to = rooms.ball[:, k : k + 1] - o
        along = (d * to).sum(-1)
        left = rooms.radius[:, k : k + 1] ** 2 - (to.square().sum(-1) - along**2)
        t = torch.where((left > 0) & (along > 0), along - left.clamp(min=0).sqrt(), _FAR)
        near = t < distance
        distance = torch.where(near, t, distance)
        out = torch.nn.functional.normalize(t[..., None] * d - to, dim=-1)
        thing, normal = torch.where(near, 6 + k, thing), torch.where(near[..., None], out, normal)
    for k in range(rooms.low.shape[1]):
        first, second = ((c[:, k : k + 1] - o) / d for c in (rooms.low, rooms.high))
        enter, axis = torch.minimum(first, second).max(-1)
        leave = torch.maximum(first, second).amin(-1)
        near = (enter > 0) & (enter < leave) & (enter < distance)
        distance = torch.where(near, enter, distance)
        out = torch.nn.functional.one_hot(axis, 3) * -d.gather(-1, axis[..., None]).sign()
        thing = torch.where(near, 6 + rooms.radius.shape[1] + k, thing)
        normal = torch.where(near[..., None], out, normal)
    hit = o + distance[..., None] * d
    colour, wave = (torch.take_along_dim(v, thing[..., None], 1) for v in (rooms.colour, rooms.wave))
    to = rooms.lamp[:, None] - hit
    far = to.square().sum(-1)
    lit = 0.3 + 2.0 * ((normal * to).sum(-1) / far.sqrt().clamp(min=1e-6)).clamp(min=0) / (1 + far)
    bright = lit * (1 + 0.35 * (hit * wave).sum(-1).sin())
    return distance, (colour * bright[..., None]).clamp(0, 1)


def disc(count: int) -> Tensor:
    """Return places spread evenly over the unit disc, ``[count, 2]``; one: the middle."""
    k = torch.arange(count, dtype=torch.float64)
    r = (k / (count - 0.5)).sqrt() if count > 1 else 0 * k
    angle = k * math.pi * (3 - math.sqrt(5))
    return torch.stack([r * angle.cos(), r * angle.sin()], -1)
