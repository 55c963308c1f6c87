"""Frames, transport, neighbours and symmetries of samplings of the sphere."""

import math

import numpy as np
import pytest
import torch

import steerable as st
from steerable.domains import RingSphere, Sphere
from steerable.domains.sphere.neighbours import logarithm, sphere_neighbours
from steerable.domains.sphere.voronoi import triangle_areas

ALL = [
    Sphere.gauss(6),
    Sphere.equiangular(6, "mw"),
    Sphere.equiangular(nlat=9, kind="cc"),
    Sphere.equiangular(nlat=6, kind="fejer", shift=0.5),
    Sphere.healpix(2),
    Sphere.healpix(4, nested=True),
    Sphere.healpix(3),
    Sphere.icosahedral(1),
    Sphere.fibonacci(50),
    Sphere.scattered(torch.randn(60, 3, generator=torch.Generator().manual_seed(0)), "area"),
]
RINGS = [s for s in ALL if isinstance(s, RingSphere)]


def apart(a, b):
    """Angles modulo a turn."""
    return float(((a - b + math.pi) % (2 * math.pi) - math.pi).abs().max())


@pytest.mark.parametrize("sphere", ALL, ids=repr)
def test_frames_are_right_handed_and_weights_sum_to_the_sphere(sphere):
    f = sphere.frames().reshape(-1, 3, 3)
    assert (f.mT @ f - torch.eye(3)).abs().max() < 1e-14 and (torch.linalg.det(f) - 1).abs().max() < 1e-14
    assert (sphere.points().reshape(-1, 3) - f[..., 2]).abs().max() < 1e-14
    theta, phi = sphere.angles().reshape(-1, 2).unbind(-1)
    assert (f[:, 1, 1] - phi.cos()).abs().max() < 1e-13 and (f[:, 2, 2] - theta.cos()).abs().max() < 1e-13
    assert sphere.points().shape == (*sphere.shape, 3) and sphere.weights().shape == sphere.shape
    assert abs(float(sphere.flat_weights().sum()) - 4 * math.pi) < 1e-12 and sphere.flat_weights().min() > 0


def test_transport_around_a_triangle_turns_by_its_area():
    g = torch.Generator().manual_seed(3)
    corners = Sphere.scattered(torch.randn(3, 3, generator=g) * 0.3 + torch.tensor([0.3, -0.2, 1.0])).frames()
    corners = corners if torch.linalg.det(corners[..., 2]) > 0 else corners.flip(0)
    a, b, c = corners
    turned = sum(logarithm(to[None], of[None])[1] for to, of in ((b, a), (c, b), (a, c)))
    area = triangle_areas(*(p[..., 2].numpy() for p in (a, b, c)))
    assert abs(area) > 1e-3 and apart(turned, torch.from_numpy(np.atleast_1d(area))) < 1e-13
    back = logarithm(a[None], b[None])[1] + logarithm(b[None], a[None])[1]
    assert apart(back, torch.zeros(1)) < 1e-14


@pytest.mark.parametrize("targets", [None, *ALL[2:6], ALL[-1]], ids=repr)
@pytest.mark.parametrize("sphere", RINGS, ids=repr)
def test_pairs_on_rings_are_those_that_a_search_finds(sphere, targets):
    for radius in (0.0123, 0.7123, 1.9, 3.1):
        fast, slow = sphere.neighbours(radius, targets), Sphere.neighbours(sphere, radius, targets)
        assert torch.equal(fast.target, slow.target) and torch.equal(fast.source, slow.source)
        assert (fast.num_targets, fast.num_sources) == (slow.num_targets, slow.num_sources)
        if fast.num_edges:
            far = slow.distance > 3  # near the opposite point all of them lose digits
            assert (fast.offset - slow.offset)[~far].abs().max() < 1e-12
            assert apart(fast.transport[~far], slow.transport[~far]) < 1e-12
            assert (fast.weight - slow.weight).abs().max() < 1e-14
        order = fast.target * sphere.num_points + fast.source
        assert bool((order[1:] > order[:-1]).all())
    for radius in (0, math.pi, -1.0, math.nan):
        with pytest.raises(ValueError, match="expected radians between 0 and pi"):
            sphere.neighbours(radius, targets)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("short", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize(
    "sphere", [Sphere.gauss(4), Sphere.equiangular(3, "cc"), Sphere.healpix(2), Sphere.icosahedral(1)]
)
def test_no_radius_below_pi_reaches_an_antipode(sphere, short):
    """There a point has no logarithm; a chord of nearly two does not tell."""
    near = sphere.neighbours(math.pi - short)
    found = sphere_neighbours(*2 * (sphere.frames().reshape(-1, 3, 3),), sphere.flat_weights(), math.pi - short)
    points = sphere.points().reshape(-1, 3)
    opposite = int(((points @ points.T) < -1 + 1e-12).sum())
    assert opposite and near.num_edges == found.num_edges == len(points) ** 2 - opposite
    assert bool(near.transport.isfinite().all()) and bool(found.offset.isfinite().all())
    assert torch.equal(near.source, found.source) and (near.offset - found.offset).abs().max() < 1e-10


@pytest.mark.parametrize("sphere", RINGS, ids=repr)
def test_the_meridian_holds_the_first_sample_of_each_ring(sphere):
    meridian, rings = sphere.meridian(), sphere.rings
    first = torch.from_numpy(rings.start)
    first = first if sphere.ring_order is None else sphere.ring_order[first]
    assert meridian.shape == (len(rings.count),)
    assert (meridian.frames() - sphere.frames().reshape(-1, 3, 3)[first]).abs().max() < 1e-14
    near, every = sphere.neighbours(0.7123, meridian), sphere.neighbours(0.7123)
    for t in range(len(first)):
        here, there = near.target == t, every.target == first[t]
        assert torch.equal(near.source[here], every.source[there])
        assert (near.offset[here] - every.offset[there]).abs().max() < 1e-13


def test_samples_of_a_pole_see_each_other_with_the_turn_of_their_frames():
    sphere = Sphere.equiangular(nlat=9, kind="cc")
    near = sphere.neighbours(0.1, sphere.meridian())
    pole = near.target == 0
    assert int(pole.sum()) == 16 and near.offset[pole].abs().max() == 0
    assert apart(near.transport[pole], near.source[pole].double() * 2 * math.pi / 16) < 1e-14


@pytest.mark.parametrize("sphere", ALL, ids=repr)
def test_symmetries_are_seen_at_once_and_as_by_search(sphere):
    groups = [st.C(4), st.C(3), st.C(16), st.octahedral(), st.full_octahedral(), st.icosahedral()]
    for group in groups:
        for g in group.elements[:: max(1, len(group.elements) // 12)]:
            matrix, points = group.action(g, 3), sphere.points().reshape(-1, 3)
            moved = points @ matrix.T
            truth = bool(torch.cdist(moved, points).amin(1).max() < 1e-7)
            assert sphere.is_exact(group, g) == truth
            if truth and not getattr(sphere, "pole_rings", ()):
                assert (points[sphere.permutation(group, g)] - moved).abs().max() < 1e-13
    with pytest.raises(ValueError, match="between samples; expected a symmetry"):
        sphere.permutation(st.SO3(), st.SO3().sample(1, torch.Generator().manual_seed(1))[0])


def test_a_turn_moves_the_samples_of_a_pole_with_all_others():
    sphere = Sphere.equiangular(nlat=5, kind="cc")
    moved = sphere.permutation(st.C(8), torch.tensor(1)).reshape(sphere.shape)
    assert torch.equal(moved, torch.arange(40).reshape(5, 8).roll(-1, 1))


def test_exactness_is_known_at_once_for_large_grids():
    turn = st.C(1024)
    for sphere in (Sphere.gauss(512), Sphere.equiangular(nlat=513, kind="cc"), Sphere.healpix(256)):
        assert sphere.is_exact(turn, torch.tensor(256)) and not sphere.is_exact(st.C(3), torch.tensor(1))
    tilt = torch.tensor([1.0, 2e-8, 0.0, 0.0], dtype=torch.float64)  # about x1, by 4e-8
    assert not Sphere.gauss(512).is_exact(st.SO3(), tilt) and Sphere.gauss(512).is_exact(st.SO3(), tilt**20)
    assert Sphere.gauss(512).is_exact(turn, torch.tensor(1)) and not Sphere.healpix(256).is_exact(turn, torch.tensor(1))
