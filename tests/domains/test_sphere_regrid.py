"""Fields from one sampling to another: second order, vectors stay vectors, gaps stay gaps."""

from __future__ import annotations

import math

import pytest
import torch

from steerable.domains.sphere import Regrid, Sphere, parse_sphere
from steerable.groups import O2, SO2, SO3

AXIS = torch.tensor([0.3, -0.8, 0.5], dtype=torch.float64)
TYPE = "1x0 + 1x1 + 1x2"


def fields(sphere, axis=AXIS):
    """A scalar, the solid rotation about an axis, and its square as a spin 2: smooth over the poles."""
    frames = sphere.frames()
    p = frames[..., 2]
    height = p @ axis
    wind = torch.linalg.cross(axis.expand_as(p), p)
    south, east = ((frames[..., k] * wind).sum(-1) for k in (0, 1))
    return torch.stack([height**2 + height, south, east, south**2 - east**2, 2 * south * east])


@pytest.mark.parametrize(
    ("name", "sizes", "to"),
    [
        ("gauss({})", (8, 16, 32), "icosahedral(2)"),
        ("healpix({})", (4, 8, 16), "equiangular(nlat=13, kind=cc)"),
        ("healpix({}, nested)", (4, 8, 16), "gauss(12)"),
        ("icosahedral({})", (2, 3, 4), "healpix(4)"),
        ("equiangular(nlat={}, kind=cc)", (9, 17, 33), "healpix(8, nested)"),
        ("gauss({0}, nlon={0})", (16, 32, 64), "fibonacci(99)"),
    ],
)
def test_the_error_falls_with_the_square_of_the_spacing(name, sizes, to):
    there = parse_sphere(to)
    errors = []
    for size in sizes:
        here = parse_sphere(name.format(size))
        found = here.regrid(fields(here), TYPE, there)
        errors.append(float((found - fields(there)).square().mean().sqrt()))
    assert errors[1] < 0.35 * errors[0] and errors[2] < 0.35 * errors[1]
    assert errors[2] < 5e-3


def test_a_vector_stays_a_vector_under_rotations():
    here, there = Sphere.gauss(24), Sphere.healpix(8)
    x = fields(here)[None]
    g = SO3().sample(1, torch.Generator().manual_seed(0))[0]
    moved = here.regrid(here.transform(x, SO2().type(TYPE), g), TYPE, there)
    expected = fields(there, SO3().action(g, 3) @ AXIS)
    assert float((moved - expected).abs().max()) < 0.03
    sky, poles = Sphere.healpix(8), Sphere.equiangular(nlat=9, kind="cc")
    x, expected = fields(sky), fields(poles)
    apart = [sky.regrid(x[k : k + 1], "1x0", poles) for k in range(5)]  # the planted fault: components as scalars
    assert float((torch.cat(apart) - expected).abs().max()) > 0.3
    assert float((sky.regrid(x, TYPE, poles) - expected).abs().max()) < 0.05


def test_constants_stay_and_what_is_unknown_stays_unknown():
    here, there = Sphere.healpix(8), Sphere.gauss(12)
    regrid = Regrid(here, there)
    assert torch.allclose(regrid(torch.full((2, 3, here.num_points), 7.0), "3x0"), torch.full((2, 3, 12, 24), 7.0))
    x = fields(here)
    x[:, here.points()[:, 2] > 0.5] = torch.nan
    found = regrid(x, TYPE)
    north = there.points()[..., 2]
    assert bool(found[:, north > 0.6].isnan().all()) and bool(found[:, north < 0.4].isfinite().all())
    part = Sphere.scattered(here.points()[here.points()[:, 2] < 0])  # half a sphere: nothing is near the north
    assert bool(part.regrid(torch.ones(1, part.num_points), "1x0", there)[:, 0].isnan().all())
    labels = regrid.labels((here.points()[:, 0] > 0).long())
    assert labels.dtype == torch.int64 and torch.equal(labels[6], (there.points()[6, :, 0] > 0).long())


def test_a_vector_with_one_unknown_component_is_unknown():
    here, there = Sphere.gauss(12), Sphere.healpix(4)
    regrid, x = Regrid(here, there), fields(here)
    whole = regrid(x, TYPE)
    x[2, 2:5, 3:9] = torch.nan  # east is unknown there; in other frames south is made of east, too
    found = regrid(x, TYPE)
    gone = found[2].isnan()
    assert bool(gone.any()) and torch.equal(found[1].isnan(), gone)
    assert torch.equal(found[[0, 3, 4]], whole[[0, 3, 4]])
    apart = ~gone & ((found[1] - whole[1]).abs() > 1e-12)  # beside the gap the nearest vector, as it is
    assert float((found[1] - whole[1])[apart].abs().max()) < 0.3
    first, second = x.clone(), x.clone()
    first[1][x[2].isnan()], second[1][x[2].isnan()] = 1e3, -1e3  # what nobody may look at
    assert torch.equal(*(regrid(v, TYPE).nan_to_num() for v in (first, second)))


def test_places_far_from_all_samples_have_no_value_and_no_label():
    points = Sphere.healpix(8).points()
    north, south = (Sphere.scattered(points[sign * points[:, 2] > 0.5]) for sign in (1, -1))
    there = Sphere.healpix(4)
    regrid, far = Regrid(north, there), there.points()[:, 2] < 0
    for dtype in (torch.int64, torch.uint8, torch.bool):
        labels = regrid.labels(torch.ones(north.num_points, dtype=dtype))
        assert bool((labels[far] == -1).all()) and bool((labels[there.points()[:, 2] > 0.5] == 1).all())
    x = torch.ones(1, 2, north.num_points)
    assert bool(north.regrid(x, "1x1", south).isnan().all())  # not one pair
    assert bool((Regrid(north, south).labels(x[0, 0].long()) == -1).all())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_fields_on_a_gpu_stay_there():
    here, there = Sphere.gauss(12), Sphere.healpix(4)
    x = fields(here).float()
    x[0, :3] = torch.nan
    regrid = Regrid(here, there)
    found = regrid(x.cuda(), TYPE)
    assert found.is_cuda and torch.allclose(found.cpu(), regrid(x, TYPE), atol=1e-5, equal_nan=True)
    assert regrid.labels(x[1].long().cuda()).is_cuda


def test_it_is_differentiable_and_refuses_what_it_cannot_take():
    here, there = Sphere.gauss(8), Sphere.icosahedral(1)
    x = torch.randn(2, 2, 8, 16, requires_grad=True)
    here.regrid(x, "1x1", there).square().sum().backward()
    assert x.grad is not None and math.isfinite(float(x.grad.sum()))
    for wrong, type, says in (
        (x[:, :1], "1x1", "expected .*2, 8, 16"),
        (x[..., :8], "1x1", "expected .*8, 16"),
        (x, O2().type("1x1"), "of a type of SO2"),
    ):
        with pytest.raises(ValueError, match=says):
            here.regrid(wrong, type, there)


def test_types_and_samplings_go_by_name_in_methods_too():
    here, g = Sphere.gauss(8), SO3().sample(1, torch.Generator().manual_seed(0))[0]
    x = torch.randn(2, 2, 8, 16)
    assert torch.equal(here.transform(x, "1x1", g), here.transform(x, SO2().type("1x1"), g))
    assert torch.equal(here.regrid(x, "1x1", "icosahedral(1)"), here.regrid(x, "1x1", Sphere.icosahedral(1)))
    for sphere, coarse in ((here, "gauss(4)"), (here, "healpix(1)"), (Sphere.healpix(2), "gauss(3)")):
        values = torch.randn(1, *sphere.shape)
        assert torch.equal(sphere.pooling(coarse)(values), sphere.pooling(parse_sphere(coarse))(values))


@pytest.mark.parametrize(
    ("shape", "g", "says"),
    [
        ((2, 8, 16), torch.zeros(4), r"\[2, 8, 16\] of the type '1x1'; expected \[B, 2, 8, 16\]"),
        ((1, 3, 8, 16), torch.zeros(4), r"expected \[B, 2, 8, 16\]"),
        ((1, 2, 16, 8), torch.zeros(4), "lies on its side"),
        ((1, 2, 8, 16), torch.eye(3), r"the rotation is \[3, 3\]; .*from_action"),
    ],
)
def test_a_turn_refuses_what_it_cannot_take(shape, g, says):
    with pytest.raises(ValueError, match=says):
        Sphere.gauss(8).transform(torch.zeros(shape), "1x1", g)
