"""Rendered rooms: distances against closed forms, and cameras that turn."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from steerable.data import InputError
from steerable.domains.sphere import Sphere
from steerable.groups import SO3
from steerable.tasks.sky import draw_rotations, panorama_depth
from steerable.tasks.sky.depth import render
from steerable.tasks.sky.rooms import Rooms, cast, clearance, disc, draw_rooms


def rooms(count=3, balls=0, boxes=0, seed=0) -> Rooms:
    return draw_rooms(count, balls, boxes, torch.Generator().manual_seed(seed))


def level(count):
    return draw_rotations(count, "none", torch.Generator())


def wall(origin, size, way):
    """Distance to the walls of a box by the definition: where the first of six planes is crossed."""
    return min(
        (plane - o) / w for o, s, w in zip(origin, size, way, strict=True) for plane in (0.0, s) if (plane - o) * w > 0
    )


def test_an_empty_room_is_a_box():
    r, sphere = rooms(), Sphere.fibonacci(60)
    _, y = render(r, sphere, level(3), 1)
    points = sphere.points().tolist()
    right = torch.tensor(
        [[math.log(wall(r.camera[n].tolist(), r.size[n].tolist(), p)) for p in points] for n in range(3)]
    )
    assert (y[:, 0] - right).abs().max() < 1e-4
    moved = dataclasses.replace(r, camera=r.camera + 0.05)
    assert (render(moved, sphere, level(3), 1)[1][:, 0] - right).abs().max() > 1e-2


def test_balls_and_boxes_are_where_they_are():
    """Hits lie on the surface of what is seen, no nearer, and the ray to the middle of a ball stops a radius before."""
    r = rooms(40, 2, 3, seed=1)
    way = torch.nn.functional.normalize(torch.randn(40, 500, 3, generator=torch.Generator().manual_seed(2)), dim=-1)
    distance, colour = cast(r, way)
    hit = r.camera[:, None] + distance[..., None] * way
    furniture = clearance(hit, r.ball, r.radius, r.low, r.high)
    walls = torch.minimum(hit, r.size[:, None] - hit).amin(-1)
    assert torch.minimum(furniture, walls).abs().max() < 2e-3  # on the nearest surface, within none
    for share in (0.3, 0.7, 0.95):  # nothing lies before it
        before = r.camera[:, None] + share * distance[..., None] * way
        assert clearance(before, r.ball, r.radius, r.low, r.high).min() > -1e-4
    assert 0.02 < (furniture < 1e-3).float().mean() < 0.5 and colour.min() >= 0 and colour.max() <= 1
    one = rooms(40, 1, 0, seed=3)
    to = one.ball[:, 0] - one.camera
    assert torch.allclose(cast(one, torch.nn.functional.normalize(to, dim=-1)[:, None])[0][:, 0],
                          to.norm(dim=-1) - one.radius[:, 0], atol=1e-4)  # fmt: skip
    assert (clearance(r.camera[:, None], r.ball, r.radius, r.low, r.high) > 0).all()  # cameras are outside of things


def test_a_turned_camera_sees_the_turned_picture():
    """Turns about the vertical by a step roll the picture; a tilt and back is none."""
    r, sphere = rooms(4, 1, 1), Sphere.gauss(8)
    x, y = render(r, sphere, level(4), 3)
    step = torch.tensor([math.cos(math.pi / 16), 0, 0, math.sin(math.pi / 16)], dtype=torch.float64).expand(4, 4)
    turned_x, turned_y = render(r, sphere, step, 3)
    assert (turned_x - x.roll(1, -1)).abs().max() < 1e-4 and (turned_y - y.roll(1, -1)).abs().max() < 1e-4
    assert (turned_y - y.roll(-1, -1)).abs().max() > 1e-2  # the other way round
    cloud, g = Sphere.fibonacci(40), SO3().sample(1, torch.Generator().manual_seed(3))
    _, seen = render(rooms(1), cloud, g, 1)
    points = cloud.points() @ SO3().action(g[0], 3)  # g^-1 p
    assert torch.allclose(seen[0, 0], cast(rooms(1), points.float()[None])[0][0].log(), atol=1e-4)


def test_rays_fill_a_disc():
    p = disc(500)
    assert p.norm(dim=-1).max() <= 1 and p.mean(0).norm() < 0.02 and (p.square().sum(-1).mean() - 0.5).abs() < 0.01
    assert disc(1).tolist() == [[0.0, 0.0]]
    r, sphere = rooms(6, 2, 2), Sphere.gauss(8)
    one, few, many = (render(r, sphere, level(6), n)[0] for n in (1, 7, 80))
    assert (few - many).square().mean() < 0.5 * (one - many).square().mean()  # edges are smoothed


def test_depth():
    s = panorama_depth(None, "gauss(8)", 12, 3, 5, pose="upright")
    assert s.train.x.shape == (12, 3, 8, 16) and s.test.y.shape == (5, 1, 8, 16) and s.target.unit == "log m"
    assert s.train.x.mean((0, 2, 3)).abs().max() < 1e-5 and torch.isfinite(s.train.y).all()
    again = panorama_depth(None, "gauss(8)", 12, 3, 5, pose="upright")
    assert torch.equal(s.test.x, again.test.x) and not torch.equal(s.train.y[:3], s.val.y)
    assert not torch.equal(s.train.y, panorama_depth(None, "gauss(8)", 12, 3, 5, seed=1).train.y)
    with pytest.raises(InputError, match="0, 60 and 100 rooms"):
        panorama_depth(train=0)
    with pytest.raises(InputError, match="pose is 'head down'"):
        panorama_depth(pose="head down")
