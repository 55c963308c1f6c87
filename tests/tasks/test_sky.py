"""Fields of the Earth and the sky: orientation, turned views with their frames, and no place in two parts."""

from __future__ import annotations

import math
import os

import pytest
import torch

from steerable.data import InputError
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.groups import SO2, SO3
from steerable.tasks.sky import draw_rotations, earth, wind
from steerable.tasks.sky.blocks import Blocks, hidden, standardised
from steerable.tasks.sky.globe import Globe, places
from steerable.tasks.sky.views import Survey

real = pytest.mark.skipif("STEERABLE_DATA" not in os.environ, reason="STEERABLE_DATA is not set")
SEED = torch.Generator


def turns(n=3, seed=5):
    return SO3().sample(n, torch.Generator().manual_seed(seed))


def tangent(points, frames, vector):
    """Components along south and east ``[2, ...]`` of vectors of space given at points."""
    return torch.einsum("...ij,...i->j...", frames[..., :2], vector)


def solid_wind(sphere, axis):
    """The velocity of a solid body that turns about an axis: ``axis x p``."""
    p = sphere.points()
    return tangent(p, sphere.frames(), torch.linalg.cross(axis.expand_as(p), p))


# ---- views


SAMPLINGS = [("gauss(12)", 1e-6), ("healpix(8)", 1e-6), ("icosahedral(3)", 1e-6), ("equiangular(16, dh)", 1e-6)]


@pytest.mark.parametrize(("name", "bound"), SAMPLINGS)
def test_solid_body_winds_turn_as_vectors(name, bound):
    """A wind about an axis, turned by g, is the wind about the turned axis: frames and signs are right."""
    source, sphere = Sphere.equiangular(nlat=41, kind="cc"), parse_sphere(name)
    axis = torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)
    globe = Globe(source, solid_wind(source, axis), "1x1", sphere, 0.0)
    rotations = turns()
    views = globe.views(rotations)
    for g, view in zip(rotations, views, strict=True):
        right = solid_wind(sphere, SO3().action(g, 3) @ axis)
        assert (view - right).abs().max() < bound
        wrong = solid_wind(sphere, SO3().action(SO3().inverse(g), 3) @ axis)  # the other way round
        assert (view - wrong).abs().max() > 0.1
    scalars = Globe(source, solid_wind(source, axis), "2x0", sphere, 0.0).views(rotations)  # frames forgotten
    assert (scalars - views).abs().max() > 0.1


def test_views_are_the_transform_of_the_sphere():
    """Turning the globe is ``Sphere.transform`` of the upright view, spins 0, 1, 2: exact, for views hold a band."""
    source, sphere = Sphere.equiangular(nlat=64, nlon=128, kind="fejer", shift=0.5), Sphere.gauss(12)
    x = torch.randn(6, *source.shape, generator=torch.Generator().manual_seed(0))
    fields = SO2().type("2x0 + 1x1 + 1x2")
    globe = Globe(source, x, "2x0 + 1x1 + 1x2", sphere, 0.7)
    upright = globe.views(draw_rotations(1, "none", torch.Generator()))
    for g in turns():
        error = (globe.views(g[None]) - sphere.transform(upright, fields, g)).abs().max() / upright.abs().max()
        assert error < 2e-6
        swapped = sphere.transform(upright, SO2().type("4x0 + 1x2"), g)
        assert (globe.views(g[None]) - swapped).abs().max() / upright.abs().max() > 0.1


def test_smoothing_is_the_gaussian_of_the_sphere():
    source, sphere = Sphere.equiangular(nlat=64, nlon=128, kind="fejer", shift=0.5), Sphere.gauss(12)
    z = source.points()[..., 2]
    upright = draw_rotations(1, "none", torch.Generator())
    cubic = (5 * z**3 - 3 * z) / 2  # degree 3
    found = Globe(source, cubic[None], "", sphere, 0.7).views(upright)[0, 0]
    exact = (5 * sphere.points()[..., 2] ** 3 - 3 * sphere.points()[..., 2]) / 2
    damped = exact * math.exp(-3 * 4 * (0.7 * sphere.spacing) ** 2 / 2)
    assert (found - damped).abs().max() < 1e-6 < 0.01 < (found - exact).abs().max()
    with pytest.raises(InputError, match="smoothing is -1"):
        Globe(source, cubic[None], "", sphere, -1)


def test_poses():
    axis = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    moved = {p: SO3().action(draw_rotations(20, p, torch.Generator().manual_seed(1)), 3) for p in ("any", "upright")}
    assert torch.allclose(moved["upright"] @ axis, axis.expand(20, 3)) and len(moved["upright"].unique(dim=0)) == 20
    assert (moved["any"] @ axis - axis).norm(dim=-1).max() > 1
    g = turns(1)
    sphere = Sphere.gauss(4)
    assert torch.allclose(places(sphere, g)[0], sphere.points() @ SO3().action(g[0], 3))
    with pytest.raises(InputError, match="pose is 'sideways'"):
        draw_rotations(1, "sideways", torch.Generator())


# ---- blocks


def distance(a, b):
    return torch.acos((a @ b.T).clamp(-1, 1))


def gap(parts, points):
    """The smallest distance of places of different parts."""
    groups = [points[parts == k] for k in range(3)]
    return min(float(distance(groups[i], groups[j]).min()) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_blocks_keep_the_parts_apart():
    points = Sphere.fibonacci(6000).points()
    margin = math.radians(4)
    blocks = Blocks.deal(20, margin, 3)
    parts = blocks.parts(points)
    share = torch.bincount(blocks.part) / len(blocks.part)
    assert (share - torch.tensor([0.6, 0.15, 0.25])).abs().max() < 0.04
    assert gap(parts, points) >= margin
    assert gap(Blocks.deal(20, 0.0, 3).parts(points), points) < 0.7 * margin  # without a margin it is not kept
    # what is left out lies near another part
    assert 0.1 < (parts == -1).double().mean() < 0.4
    left, owner = points[parts == -1], blocks.part[blocks.number(points)]
    same = owner == blocks.part[blocks.number(left)][:, None]
    assert distance(left, points).masked_fill(same, 9).amin(1).max() < 2 * margin
    assert torch.equal(parts, Blocks.deal(20, margin, 3).parts(points))
    assert not torch.equal(parts, Blocks.deal(20, margin, 4).parts(points))
    for wide in (60, 5, 0):
        with pytest.raises(InputError, match="width"):
            Blocks.deal(wide, margin, 0)


def test_no_place_of_the_test_is_trained():
    survey = Survey.of("gauss(16)", (6, 2, 4), "any", "any", 25.0, 1.0, 0)
    groups = [v.places[v.mine] for v in survey.views]
    assert (
        min(float(distance(groups[i], groups[j]).min()) for i, j in ((0, 1), (0, 2), (1, 2))) >= survey.sphere.spacing
    )
    # blocks that stay where they are while the globe turns would leak
    fixed = [v.places[survey.blocks.parts(survey.sphere.points()).expand(len(v.places), -1, -1) == k]
             for k, v in enumerate(survey.views)]  # fmt: skip
    assert float(distance(fixed[0], fixed[2]).min()) < survey.sphere.spacing / 4


def test_hidden_and_standardised():
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    known = torch.rand(2, 4, 5) < 0.5
    assert torch.equal(torch.isfinite(hidden(x, known)), known[:, None].expand(2, 3, 4, 5))
    weight = torch.rand(4, 5, dtype=torch.float64)
    s = standardised(torch.cat([x[0], torch.ones(1, 4, 5)]), weight)
    assert ((s * weight).sum((1, 2))[:3] / weight.sum()).abs().max() < 1e-12
    assert torch.allclose((s**2 * weight).sum((1, 2))[:3] / weight.sum(), torch.ones(3).double()) and (s[3] == 0).all()


# ---- the earth


@real
def test_wind_is_geostrophic_out_of_the_tropics():
    """The fields are on the right side: with the wind mirrored, or latitude upside down, the law fails."""
    month = earth.air()
    z = month.sphere.points()[..., 2]
    k, step = 1, math.radians(0.75)
    factor = 9.80665 / (2 * 7.292e-5 * 6.371e6)
    south = torch.gradient(month.height[k], spacing=step, dim=0)[0] * factor
    east = torch.gradient(month.height[k], spacing=step, dim=1)[0] * factor / (1 - z**2).sqrt().clamp(min=1e-3)
    band = (z.abs() > math.sin(math.radians(20))) & (z.abs() < math.sin(math.radians(80)))
    law = torch.stack([-east / z, south / z])[:, band]  # (south, east) = (-v, u), v = g/f dZ/east, u = g/f dZ/south
    found = month.wind[k][:, band]
    assert (law - found).square().mean().sqrt() < 0.12 * found.square().mean().sqrt()
    assert (law * torch.tensor([[-1.0], [1.0]]) - found)[0].square().mean() > 2 * found[0].square().mean()


@real
def test_wind():
    s = wind(sampling="gauss(16)", train=2, validation=1, test=1, width=30)
    assert s.train.x.shape == (6, 2, 16, 32) and s.test.y.shape == (3, 2, 16, 32)
    assert s.train.type == "2x0" and s.target.type == "1x1" and s.train.sphere == Sphere.gauss(16)
    assert torch.equal(s.train.x, wind(sampling="gauss(16)", train=2, validation=1, test=1, width=30).train.x)
    known = torch.isfinite(s.train.y)
    assert torch.equal(known[:, 0], known[:, 1]) and torch.equal(known[:2], known[2:4])  # the same places at each level
    sine = s.train.x[:, 1]
    assert (sine.abs()[known[:, 0]] >= math.sin(math.radians(15)) - 1e-6).all()
    flat = wind(sampling="gauss(16)", train=1, validation=1, test=1, width=30, levels=[500], train_pose="none")
    assert torch.allclose(flat.train.x[0, 1].double(), Sphere.gauss(16).points()[..., 2], atol=1e-6)
    west = flat.train.y[0, 1][torch.isfinite(flat.train.y[0, 1])]
    assert west.mean() > 3  # westerlies
    with pytest.raises(InputError, match=r"levels is \[300\]; expected some of \[200, 500, 850\]"):
        wind(levels=[300])
    with pytest.raises(InputError, match="tropics is 90"):
        wind(tropics=90)
    with pytest.raises(InputError, match="expected one of gauss"):
        wind(sampling="ring(3)")
