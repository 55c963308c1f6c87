"""HEALPix against astropy-healpix, and by its own laws where that is missing."""

import math
import warnings

import numpy as np
import pytest
import torch
from tests.domains.sphere_fields import defect

from steerable.domains import HealpixSphere, Sphere

SIDES = (1, 2, 4, 8, 16, 32, 64)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("nside", SIDES)
def test_all_numbers_as_in_astropy(nside, nested):
    astropy_healpix = pytest.importorskip("astropy_healpix")
    units = pytest.importorskip("astropy.units")
    sphere, order = Sphere.healpix(nside, nested), "nested" if nested else "ring"
    pixel = np.arange(sphere.num_points)
    longitude, latitude = (x.value for x in astropy_healpix.healpix_to_lonlat(pixel, nside, order=order))
    theta, phi = sphere.angles().unbind(-1)
    assert np.abs(math.pi / 2 - latitude - theta.numpy()).max() < 1e-14
    assert np.abs(np.exp(1j * longitude) - np.exp(1j * phi.numpy())).max() < 1e-14
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of the pixels that have no neighbour there
        expected = astropy_healpix.neighbours(pixel, nside, order=order).T
    assert np.array_equal(expected, sphere.pixel_neighbours().numpy())
    rng = np.random.default_rng(nside)
    angles = np.stack([np.arccos(rng.uniform(-1, 1, 5000)), rng.uniform(-7, 7, 5000)], -1)
    expected = astropy_healpix.lonlat_to_healpix(
        angles[:, 1] * units.rad, (math.pi / 2 - angles[:, 0]) * units.rad, nside, order=order
    )
    assert np.array_equal(expected, sphere.pixel(torch.from_numpy(angles)).numpy())


@pytest.mark.parametrize("sphere", [*(Sphere.healpix(n) for n in (1, 2, 3, 6, 8)), Sphere.healpix(8, True)], ids=repr)
def test_numbers_by_their_laws(sphere):
    every = torch.arange(sphere.num_points)
    assert torch.equal(sphere.pixel(sphere.angles()), every) and torch.equal(sphere.number(*sphere.faces()), every)
    near = sphere.pixel_neighbours()
    missing = (near < 0).sum(1)
    if sphere.nside == 1:
        assert bool((missing == 2).all())
    else:
        assert int((missing == 1).sum()) == 24 and int(missing.max()) == 1
    # symmetric: whoever is my neighbour has me as one
    pairs = {(int(p), int(q)) for p in every for q in near[p] if q >= 0}
    assert pairs == {(q, p) for p, q in pairs} and len(pairs) == int((near >= 0).sum())
    # in order: away from the corners of base pixels they go round once, clockwise as the compass (SW, W, NW, N, ...)
    points, frames = sphere.points(), sphere.frames()
    if sphere.nside > 2:
        inside = (missing == 0).nonzero()[:, 0]
        away = points[near[inside]] - points[inside][:, None]
        tangent = away @ frames[inside][..., :2]  # south, east
        angle = torch.atan2(tangent[..., 1], -tangent[..., 0])
        turn = ((angle.roll(-1, 1) - angle) + math.pi) % (2 * math.pi) - math.pi
        assert bool((turn > 0).all()) and (turn.sum(1) - 2 * math.pi).abs().max() < 1e-9


def test_a_quarter_turn_keeps_the_neighbours_in_order():
    import steerable as st

    for nside, nested in ((1, False), (2, True), (4, False), (16, True)):
        sphere = Sphere.healpix(nside, nested)
        near, turn = sphere.pixel_neighbours(), sphere.permutation(st.C(4), torch.tensor(1))
        moved = torch.where(near < 0, -1, turn[near])
        assert torch.equal(near[turn], moved)
        assert not torch.equal(near, moved)


@pytest.mark.parametrize("nside", [1, 2, 8, 32])
def test_orders_parents_and_children(nside):
    rings, nested = Sphere.healpix(nside), Sphere.healpix(nside, nested=True)
    x = torch.randn(2, rings.num_points)
    assert torch.equal(nested.reorder(rings.reorder(x, nested=True), nested=False), x)
    assert torch.equal(rings.reorder(rings.angles().T, True).T, nested.angles()) and rings.ring_order is None
    assert torch.equal(nested.angles()[nested.ring_order], rings.angles())
    every = torch.arange(4 * rings.num_points)
    assert torch.equal(nested.finer().parents(), every // 4)
    assert torch.equal(nested.children(), every.reshape(-1, 4))
    for sphere in (rings, nested):
        assert torch.equal(
            sphere.finer().parents()[sphere.children()], torch.arange(sphere.num_points)[:, None].expand(-1, 4)
        )
    south, east, west, north = rings.finer().points()[rings.children()].unbind(1)
    if nside > 2:
        assert bool((north[:, 2] > south[:, 2]).all())
    assert (east - west).norm(dim=-1).min() > 0


def test_bands_and_ring_weights():
    area, ring = Sphere.healpix(4), Sphere.healpix(4, weighting="ring")
    assert area.band == 0 and area.usual_band == 8 and area != ring and area.coarser().finer() == area
    height, step = torch.cos(torch.from_numpy(ring.rings.colatitude)), 1e-12
    weight = {s: torch.from_numpy(s.rings.weight * s.rings.count) for s in (area, ring)}
    for l in range(1, 13):  # zonal harmonics below 3.6 nside
        zonal = torch.special.legendre_polynomial_p(height, l)
        assert abs(float((weight[ring] * zonal).sum())) < step
        assert l % 2 or abs(float((weight[area] * zonal).sum())) > 1e-6
    assert ring.weights().min() > 0 and abs(float(ring.weights().sum()) - 4 * math.pi) < 1e-12
    assert (area.weights() - 4 * math.pi / 192).abs().max() < 1e-15
    assert defect(ring, 4) < 2e-3 < 1e-2 < defect(area, 4)
    for nside in (1, 2, 3, 16, 128):
        weights = Sphere.healpix(nside, weighting="ring").rings.weight
        assert weights.min() > 0.9 * math.pi / (3 * nside**2)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (lambda: Sphere.healpix(0), "nside is 0; expected at least 1"),
        (lambda: Sphere.healpix(6, nested=True), "nside is 6, nested; expected at least 1, a power of two"),
        (lambda: Sphere.healpix(4, nested="NESTED"), "nested is 'NESTED'"),
        (lambda: Sphere.healpix(4, weighting="best"), "weighting is 'best'"),
        (lambda: Sphere.healpix(3).coarser(), "nside is 3; expected an even one"),
        (lambda: HealpixSphere.of(torch.zeros(191)), "a map of 191 pixels; expected 12 nside^2, as 108 or 192"),
        (lambda: Sphere.healpix(4).reorder(torch.zeros(3, 48), True), "that is a map of nside 2"),
        (lambda: Sphere.healpix(3).reorder(torch.zeros(108), True), "expected at least 1, a power of two"),
    ],
)
def test_errors(what, text):
    with pytest.raises(ValueError) as error:
        what()
    assert text in str(error.value) and "\n" not in str(error.value)


def test_sampling_of_a_map():
    assert HealpixSphere.of(torch.zeros(3, 192), nested=True) == Sphere.healpix(4, nested=True)
