"""Icosahedral vertices, spirals, scattered points and the areas of their cells."""

import math

import numpy as np
import pytest
import torch
from tests.domains.sphere_fields import defect

import steerable as st
from steerable.domains import Sphere, SpherePoints
from steerable.domains.sphere.voronoi import voronoi_areas
from steerable.groups import SO2


def directions(n, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("level", [0, 1, 2, 4])
def test_icosahedral_mesh(level):
    sphere = Sphere.icosahedral(level)
    points, faces, near = sphere.points(), sphere.faces, sphere.hexagons
    v = 10 * 4**level + 2
    assert sphere.shape == (v,) and faces.shape == (20 * 4**level, 3) and near.shape == (v, 6)
    assert bool((torch.linalg.det(points[faces]) > 0).all())  # counter-clockwise from outside
    assert int((near < 0).sum()) == 12 and bool((near[:12, 5] == -1).all()) and bool((near[12:] >= 0).all())
    distance = torch.cdist(points, points)
    five = distance.topk(6, largest=False).values[:, -1].max()
    assert bool((distance[torch.arange(v)[:, None], near.clamp_min(0)][near >= 0] <= 1.25 * five).all())
    for p in range(0, v, max(1, v // 40)):
        ring = near[p][near[p] >= 0]
        assert int(ring[0]) == int(ring.min())
        tangent = (points[ring] - points[p]) @ sphere.frames()[p][:, :2]
        angle = torch.atan2(tangent[:, 1], tangent[:, 0])
        turn = (angle.roll(-1) - angle) % (2 * math.pi)
        assert bool((turn < 1.5).all()) and abs(float(turn.sum()) - 2 * math.pi) < 1e-9
    if level:
        coarse = sphere.coarser()
        assert torch.equal(points[: coarse.num_points], coarse.points())
        a, b = sphere.parents.T
        middle = torch.nn.functional.normalize(points[a] + points[b], dim=-1)
        assert (middle - points).abs().max() < 1e-15
    assert np.abs(voronoi_areas(points.numpy()) / sphere.weights().numpy() - 1).max() < 1e-11


def test_all_symmetries_of_the_icosahedron_permute_vertices_areas_and_neighbours():
    sphere = Sphere.icosahedral(2)
    near, weights = sphere.hexagons, sphere.weights()
    for group, order in ((st.icosahedral(), 60), (st.full_icosahedral(), 120)):
        seen = set()
        for g in group.elements:
            p = sphere.permutation(group, g)
            seen.add(tuple(p.tolist()))
            assert (sphere.points()[p] - sphere.points() @ group.action(g, 3).T).abs().max() < 1e-14
            assert (weights[p] - weights).abs().max() < 1e-14
            moved = torch.where(near < 0, -1, p[near])
            assert torch.equal(moved.sort(1).values, near[p].sort(1).values)
        assert len(seen) == order
    assert not sphere.is_exact(st.C(5), torch.tensor(1))


def test_no_band_is_exact():
    for sphere in (Sphere.icosahedral(2), Sphere.fibonacci(162), Sphere.scattered(torch.from_numpy(directions(162)))):
        assert sphere.band == 0 and sphere.usual_band == 9
    assert defect(Sphere.icosahedral(2), 3) < 1e-12  # the symmetry integrates degrees 1 to 5, and fails at 6
    assert defect(Sphere.icosahedral(2), 4) > 1e-3
    assert defect(Sphere.fibonacci(1000), 4) < 1e-3 < 1e-2 < defect(Sphere.fibonacci(30), 4)


def test_areas_of_cells():
    spatial = pytest.importorskip("scipy.spatial")
    near = directions(400)
    near[:200] = near[:200] * 0.02 + [0.3, 0.4, 0.86]  # a cluster: cells of its border reach far
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    for points in (directions(4, 1), directions(5, 2), directions(600, 3), near):
        expected = spatial.SphericalVoronoi(points).calculate_areas()
        assert np.abs(voronoi_areas(points) - expected).max() < 1e-11
    cube = np.array([[a, b, c] for a in (1, -1) for b in (1, -1) for c in (1, -1)]) / math.sqrt(3)
    assert np.abs(voronoi_areas(cube) - math.pi / 2).max() < 1e-14  # four on a circle
    twice = voronoi_areas(np.concatenate([cube, cube[:4]]))
    assert np.abs(twice[[0, 8, 7]] - np.array([1, 1, 2]) * math.pi / 4).max() < 1e-14
    octahedron = np.concatenate([np.eye(3), -np.eye(3)])
    assert np.abs(voronoi_areas(octahedron) - 2 * math.pi / 3).max() < 1e-14


def test_area_weights_integrate_better_than_equal_ones():
    xyz = torch.from_numpy(directions(2000, 4))
    height = xyz[:, 2] ** 2 - 1 / 3
    equal, area = (abs(float((Sphere.scattered(xyz, w).weights() * height).sum())) for w in (None, "area"))
    assert area < 0.1 * equal


def test_spiral():
    sphere = Sphere.fibonacci(1000)
    assert (sphere.points()[:, 2] - (1 - (2 * torch.arange(1000).double() + 1) / 1000)).abs().max() < 1e-15
    areas = voronoi_areas(sphere.points().numpy()) * 1000 / (4 * math.pi)
    assert areas.min() > 0.9 and areas.max() < 1.1
    assert repr(sphere) == "FibonacciSphere(1000)" and Sphere.fibonacci(1).points().shape == (1, 3)


def test_points_by_angles_and_value():
    xyz = torch.from_numpy(directions(20))
    a, b = Sphere.scattered(xyz), Sphere.scattered(2 * xyz, torch.ones(20))
    assert a == b and hash(a) == hash(b) and a != Sphere.scattered(xyz, "area") and a != Sphere.scattered(xyz[:19])
    same = SpherePoints.from_angles(a.angles())
    assert same == a and (same.points() - xyz).abs().max() < 1e-15
    assert (SpherePoints.from_angles(torch.tensor([[0.0, 1.0]])).frames()[0, 1, 1] - math.cos(1)).abs() < 1e-7


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (lambda: Sphere.icosahedral(-1), "level -1; expected 0 to 10"),
        (lambda: Sphere.icosahedral(0).coarser(), "level 0; expected at least 1"),
        (lambda: Sphere.fibonacci(0), "of 0 points"),
        (lambda: Sphere.fibonacci(7).coarser(), "7 points; expected at least 8"),
        (lambda: Sphere.scattered(torch.zeros(4, 3)), "expected finite directions [N, 3], none of them zero"),
        (lambda: Sphere.scattered(torch.full((4, 3), math.nan)), "expected finite directions"),
        (lambda: Sphere.scattered(torch.ones(4, 2)), "points are [4, 2]"),
        (lambda: Sphere.scattered(torch.eye(3), torch.ones(4)), "weights are [4]; expected [3], none negative"),
        (lambda: Sphere.scattered(torch.eye(3), "areas"), "weights are 'areas'; expected 'area', a tensor or None"),
        (lambda: Sphere.scattered(torch.eye(3), "area"), "3 different points, all on one circle"),
        (lambda: Sphere.scattered(torch.eye(3)).finer(), "has no finer sampling of its kind"),
        (lambda: SpherePoints.from_angles(torch.ones(3)), "angles are [3]"),
    ],
)
def test_errors(what, text):
    with pytest.raises(ValueError) as error:
        what()
    assert text in str(error.value) and "\n" not in str(error.value)


def test_angles_and_weights_that_cannot_be():
    for angles in ([[3.15, 0.0]], [[-0.1, 0.0]], [[math.nan, 0.0]], [[1.0, math.inf]]):
        with pytest.raises(ValueError, match="expected colatitude"):
            SpherePoints.from_angles(torch.tensor([[1.0, 0.0], *angles]))
    float32 = torch.tensor([[math.pi, 0.0], [0.0, 1.0]], dtype=torch.float32)
    assert float(SpherePoints.from_angles(float32).points()[0, 2]) == pytest.approx(-1, abs=1e-12)
    for weights in ([1.0, math.inf], [1.0, math.nan], [0.0, 0.0], [-1.0, 2.0], [1.0]):
        with pytest.raises(ValueError, match=r"expected \[2\], none negative, all finite, not all 0"):
            SpherePoints(torch.eye(3)[:2], torch.tensor(weights))


def cap(count=4000, height=0.8):
    """The part of a spiral above a height, and the area of each of its points."""
    points = Sphere.fibonacci(count).points()
    return points[points[:, 2] > height], 4 * math.pi / count


def test_areas_of_a_part_of_the_sky_are_kept():
    from steerable.nn import SphereConv

    points, area = cap()
    part = Sphere.scattered(points, torch.full((len(points),), area, dtype=torch.float64), total="given")
    scaled = Sphere.scattered(points, torch.full((len(points),), area, dtype=torch.float64))
    assert float(part.flat_weights().sum()) == pytest.approx(len(points) * area, rel=1e-12)
    assert part != scaled and float(scaled.flat_weights().sum()) == pytest.approx(4 * math.pi, rel=1e-12)
    assert part.spacing == pytest.approx(math.sqrt(area)) and part.coarser().total == "given"
    torch.manual_seed(0)
    whole = Sphere.fibonacci(4000)
    conv = SphereConv(SO2().type("1x0"), SO2().type("1x1"), whole, 0.2, quadrature=0).double()
    x = torch.randn(1, 1, 4000, dtype=torch.float64)
    inside, deep = whole.points()[:, 2] > 0.8, points[:, 2] > math.cos(math.acos(0.8) - 0.21)
    wanted = conv(x)[..., inside][..., deep]
    for sphere, factor in ((part, 1.0), (scaled, 4 * math.pi / (len(points) * area))):
        here = SphereConv(SO2().type("1x0"), SO2().type("1x1"), sphere, 0.2, quadrature=0).double()
        here.load_state_dict(conv.state_dict())
        assert (here(x[..., inside])[..., deep] - factor * wanted).abs().max() < 1e-10 * factor


def test_cells_end_at_their_reach():
    points, area = cap()
    with pytest.warns(UserWarning, match=r"largest Voronoi cell has \d+ times the median area.*reach="):
        far = Sphere.scattered(points, "area").flat_weights()
    near = Sphere.scattered(points, "area", total="given", reach=1.2 * math.sqrt(area)).flat_weights()
    assert far.max() > 100 * far.median() and near.max() < 3 * near.median()
    covered = 2 * math.pi * (1 - 0.8)
    assert abs(float(near.median()) / area - 1) < 0.02 and 1 < float(near.sum()) / covered < 1.15
    xyz = directions(300)
    assert np.abs(voronoi_areas(xyz, 1.5) - voronoi_areas(xyz)).max() < 1e-12
    assert np.abs(voronoi_areas(xyz, 1e-3) / (2 * math.pi * (1 - math.cos(1e-3))) - 1).max() < 1e-8
    corner = (1 - math.cos(0.7)) * 2 * math.pi  # a disc within one face of a cube
    assert np.abs(voronoi_areas(np.concatenate([np.eye(3), -np.eye(3)]), 0.7) - corner).max() < 1e-14


def test_totals_that_cannot_be():
    points = torch.eye(3)
    for options, text in (
        ({"total": "given"}, "total is 'given' for weights None"),
        ({"weights": torch.ones(3), "total": "sky"}, "total is 'sky'"),
        ({"weights": torch.ones(3), "reach": 0.1}, "reach is 0.1 for weights that are given"),
        ({"weights": "area", "reach": 2.0}, "cells reach 2.0 radians"),
    ):
        with pytest.raises(ValueError, match=text):
            Sphere.scattered(points, **options)
