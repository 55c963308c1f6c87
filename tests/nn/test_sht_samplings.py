"""Transforms on samplings whose weights alone are not enough: extended meridians, HEALPix, points."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from tests.nn.layer_checks import tooling

import steerable as st
import steerable.nn as snn
from steerable.domains import Homogeneous, RingSphere
from steerable.domains.spectral import dense, meridian
from steerable.groups import SO2, SO3
from steerable.groups.sampling import frame_over

MERIDIANS = {
    "mw": st.Sphere.equiangular(8, "mw"),
    "mw shifted": st.Sphere.equiangular(7, "mw", shift=0.5),
    "mwss": st.Sphere.equiangular(8, "mwss"),
    "cc": st.Sphere.equiangular(nlat=9, kind="cc"),
    "fejer": st.Sphere.equiangular(nlat=8, kind="fejer"),
}
POINTS = {
    "icosahedral": st.Sphere.icosahedral(2),
    "fibonacci": st.Sphere.fibonacci(200),
    "scattered": st.Sphere.scattered(torch.randn(400, 3, generator=torch.Generator().manual_seed(0))),
}


def values(sphere, type, band, c):
    """Samples ``[B, C, *shape]`` of coefficients, by dense matrices of the group."""
    fields = Homogeneous(SO3(), SO2(), band - 1).fields(type)
    theta, phi = sphere.angles().reshape(-1, 2).unbind(-1)
    found = torch.einsum("ncd,bd->bcn", fields.evaluate(frame_over(SO3(), phi, theta)), c)
    return found.reshape(*found.shape[:2], *sphere.shape)


def errors(sphere, type, band=None, **options):
    """Of the analysis of band-limited fields, and of the synthesis."""
    layer = snn.SHT(sphere, type, band, **options).double()
    c = torch.randn(2, layer.out_type.size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = values(sphere, type, layer.band, c)
    return float((layer(x) - c).abs().max()), float((layer.inverse().double()(c) - x).abs().max())


@pytest.mark.parametrize("name", MERIDIANS)
@pytest.mark.parametrize("type", ["1x0", "1x1", "1x2 + 2x3"])
def test_rings_hold_what_their_sampling_theorem_says(name, type):
    sphere = MERIDIANS[name]
    assert sphere.sampling_band > sphere.band and snn.SHT(sphere, type).band == sphere.sampling_band
    assert max(errors(sphere, type)) < 1e-11
    assert max(errors(sphere, type, sphere.band)) < 1e-11
    assert max(errors(sphere, type, precompute=False)) < 1e-11


def test_planted_parity_of_the_meridian_is_caught(monkeypatch):
    right = meridian._waves
    monkeypatch.setattr(meridian, "_waves", lambda theta, band: right(theta, band)[::-1])
    with pytest.raises((ValueError, RuntimeError, AssertionError)):
        assert errors(MERIDIANS["mwss"], "1x1")[0] < 1e-3


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("type", ["1x0", "1x1 + 1x2"])
def test_points_are_fitted(name, type):
    sphere = POINTS[name]
    assert not isinstance(sphere, RingSphere) and max(errors(sphere, type)) < 1e-11


@pytest.mark.parametrize("nested", [False, True])
def test_healpix_converges_with_iterations(nested):
    sphere = st.Sphere.healpix(8, nested)
    for type in ("1x0", "1x2"):
        found = [errors(sphere, type, 12, iterations=k) for k in range(4)]
        assert max(synthesis for _, synthesis in found) < 1e-11
        analysis = [a for a, _ in found]
        assert analysis[0] > 1e-3 and analysis[3] < 1e-4
        assert all(after < before / 3 for before, after in itertools.pairwise(analysis))


def test_tooling():
    layer = snn.SHT(st.Sphere.healpix(2), "1x0", 3, iterations=1)
    tooling(layer, torch.randn(2, 1, 48, dtype=torch.float64))
    layer = snn.InverseSHT(MERIDIANS["mw"], "1x1", 3 + 2)
    tooling(layer, torch.randn(2, layer.in_type.size, dtype=torch.float64))


def test_what_is_too_large_is_refused(monkeypatch):
    sphere = POINTS["fibonacci"]
    with pytest.raises(ValueError, match="band 11; expected 1 to 10"):
        snn.SHT(sphere, "1x0", 11)
    monkeypatch.setattr(dense, "LARGEST", 10000)
    with pytest.raises(ValueError, match="expected a smaller band, such as"):
        snn.SHT(sphere, "1x0")
    clumped = st.Sphere.scattered(torch.eye(3).repeat(50, 1) + 1e-3 * torch.randn(150, 3))
    with pytest.raises(ValueError, match="do not determine"):
        snn.SHT(clumped, "1x0", 5)


def _polarised(theta, phi, degrees, rng):
    """A random scalar and the map Q + i U = -sqrt((l - 2)! / (l + 2)!) eth^2 of it, whose E modes it is, and no B."""
    from scipy.special import sph_harm_y

    scalar, map = 0.0, 0.0
    sin, cos = np.sin(theta), np.cos(theta)
    for l in degrees:
        for m in range(l + 1):
            a = rng.normal() + (1j * rng.normal() if m else 0)
            y, first, second = (np.real(a * v) for v in sph_harm_y(l, m, theta, phi, diff_n=2))
            south, east = first[..., 0], first[..., 1]
            eth = second[..., 0, 0] - cos / sin * south - second[..., 1, 1] / sin**2
            eth = eth + 2j * (second[..., 0, 1] / sin - cos / sin**2 * east)
            scalar = scalar + y
            map = map - eth / math.sqrt((l - 1) * l * (l + 1) * (l + 2))
    return scalar, map


def test_copies_of_spin_two_are_b_and_minus_e():
    """E = -(a2 + a-2) / 2 and B = i (a2 - a-2) / 2 of Q along south and U from south to east, as in HEALPix."""
    pytest.importorskip("scipy", minversion="1.15")
    sphere = st.Sphere.gauss(8)
    theta, phi = (v.numpy() for v in sphere.angles().unbind(-1))
    scalar, map = _polarised(theta, phi, range(2, 7), np.random.default_rng(0))

    def coefficients(type, *channels):
        return snn.SHT(sphere, type, 8).double()(torch.from_numpy(np.stack(channels))[None])[0]

    wanted = coefficients("1x0", scalar)
    electric, magnetic = coefficients("1x2", map.real, map.imag), coefficients("1x2", -map.imag, map.real)
    for l in range(2, 8):
        degree, both = slice(l * l, (l + 1) ** 2), slice(2 * (l * l - 4), 2 * ((l + 1) ** 2 - 4))
        e, b = electric[both].view(2, -1), magnetic[both].view(2, -1)
        zero = torch.zeros_like(wanted[degree])
        assert (e - torch.stack([zero, -wanted[degree]])).abs().max() < 1e-12
        assert (b - torch.stack([wanted[degree], zero])).abs().max() < 1e-12


def test_one_fit_serves_both_directions_and_the_laws(monkeypatch):
    calls, solve = [], np.linalg.cholesky
    monkeypatch.setattr(dense.np.linalg, "cholesky", lambda a: calls.append(len(a)) or solve(a))
    sphere = st.Sphere.fibonacci(203)
    layer = snn.SHT(sphere, "2x0").double()
    layer.inverse()
    assert st.laws.sphere_errors(snn.Sequential(layer, layer.inverse().double())).max() < 1e-10
    assert calls == [layer.band**2, (layer.band // 2) ** 2]  # of the layer, and of the fields that the law draws
    monkeypatch.setattr(dense, "KEPT", 0)
    again = snn.SHT(sphere, "2x0").double()
    assert len(calls) == 3
    assert all(torch.equal(a, b) for a, b in zip(layer.buffers(), again.buffers(), strict=True))
