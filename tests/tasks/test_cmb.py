"""Simulated maps of the microwave background: lensing is exact, turns with the sky, and faults are seen."""

from __future__ import annotations

import math

import pytest
import torch

import steerable as st
from benchmarks.trained.delensing import Wiener, error, turned
from steerable.domains.homogeneous import Homogeneous
from steerable.domains.spectral import rotate_coefficients
from steerable.domains.sphere.sphere import frames_at
from steerable.groups.spherical import spherical_harmonics
from steerable.tasks import cmb

BAND = 8


def fields(spin: int, band: int = BAND):
    return Homogeneous(st.SO3(), st.SO2(), band - 1).fields(f"1x{spin}")


def some_frames(count: int = 12, seed: int = 1) -> torch.Tensor:
    return st.SO3().action(st.SO3().sample(count, torch.Generator().manual_seed(seed)))


def drawn(spin: int, count: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Fields and strong potentials."""
    generator = torch.Generator().manual_seed(seed)
    sky = cmb.draw(cmb.flat_power(BAND), count, generator, spin)
    return sky, cmb.draw(cmb.lensing_power(BAND, 0.3), count, generator)


@pytest.mark.parametrize("spin", [0, 1, 2, 3])
def test_series_are_those_of_the_dense_reference_in_any_frame(spin):
    g = st.SO3().sample(9, torch.Generator().manual_seed(2))
    f = fields(spin)
    c = torch.randn(3, f.type.size, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    expected = torch.einsum("nrd,bd->brn", f.evaluate(g), c)
    assert (cmb.fields_at(c, spin, BAND, st.SO3().action(g)) - expected).abs().max() < 1e-12
    sphere = st.Sphere.gauss(BAND)
    maps = st.nn.InverseSHT(sphere, f"1x{spin}", BAND).double()(c)
    assert (cmb.fields_at(c, spin, BAND, sphere.frames().reshape(-1, 3, 3)) - maps.flatten(2)).abs().max() < 1e-10


def test_gradient_is_that_of_autograd_poles_included():
    c, frames = drawn(0)[0], some_frames()
    frames = torch.cat([frames, torch.eye(3, dtype=torch.float64)[None]])
    p = frames[..., 2].clone().requires_grad_()
    values = math.sqrt(4 * math.pi) * spherical_harmonics(p, range(BAND)) @ c[0]
    (slope,) = torch.autograd.grad(values.sum(), p)
    found = cmb.gradient(c, BAND, frames)[0]
    assert (found - torch.einsum("nik,ni->kn", frames[..., :2], slope)).abs().max() < 1e-10


def test_frames_are_carried_along_geodesics():
    frames, d = some_frames(), torch.randn(12, 2, dtype=torch.float64)
    d[0] = 0
    d[1] = torch.tensor([1e-8, 0])
    moved = cmb.carried(frames, d)
    assert (moved.mT @ moved - torch.eye(3)).abs().max() < 1e-12
    assert torch.equal(moved[0], frames[0])
    assert ((moved[..., 2] * frames[..., 2]).sum(-1) - d.norm(dim=1).cos()).abs().max() < 1e-12
    assert (frames[..., 0] - moved[..., 0])[1].abs().max() < 2e-8
    halfway = cmb.carried(frames, d / 2)
    assert (cmb.carried(halfway, d / 2) - moved).abs().max() < 1e-12  # its own tangent is carried too


@pytest.mark.parametrize("spin", [0, 2])
def test_no_potential_gives_the_map_back(spin):
    c, phi = drawn(spin)
    frames = some_frames()
    assert (cmb.lensed_at(c, spin, 0 * phi, BAND, frames) - cmb.fields_at(c, spin, BAND, frames)).abs().max() < 1e-12
    assert (cmb.lensed_at(c, spin, phi, BAND, frames) - cmb.fields_at(c, spin, BAND, frames)).abs().max() > 0.1


def turned_error(spin: int, lens) -> float:
    """How far the lensed map of a turned sky and a turned potential is from the turned lensed map."""
    c, phi = drawn(spin)
    g = st.SO3().sample(1, torch.Generator().manual_seed(5))[0]
    sphere = st.Sphere.gauss(6)
    frames = sphere.frames().reshape(-1, 3, 3)
    turned = lens(*(rotate_coefficients(x, fields(n).type, g) for x, n in ((c, spin), (phi, 0))), frames)
    return float((turned - lens(c, phi, st.SO3().action(g).mT @ frames)).abs().max())


@pytest.mark.parametrize("spin", [0, 2])
def test_lensing_turns_with_sky_and_potential(spin):
    assert turned_error(spin, lambda c, phi, x: cmb.lensed_at(c, spin, phi, BAND, x)) < 1e-10


def test_planted_faults_of_lensing_are_caught():
    def moved(c, phi, x, wrong):
        slope = cmb.gradient(phi, BAND, x)[0].mT
        if wrong == "sine":  # d/d longitude in place of 1 / sin theta d/d longitude, in the frames of the sphere
            slope = slope * torch.stack([torch.ones(len(x)), torch.hypot(x[:, 0, 2], x[:, 1, 2])], -1)
        there = cmb.carried(x, slope)
        values = cmb.fields_at(c[:1], 2, BAND, there)
        if wrong == "transport":  # components turned the other way
            own = cmb.fields_at(c[:1], 2, BAND, upright(there))
            turn = torch.complex(*values[:, :].unbind(1)) / torch.complex(*own.unbind(1))
            z = torch.complex(*own.unbind(1)) / turn
            return torch.stack([z.real, z.imag], 1)
        return values

    for wrong in ("sine", "transport"):
        assert turned_error(2, lambda c, phi, x, w=wrong: moved(c, phi, x, w)) > 1e-3
    assert turned_error(2, lambda c, phi, x: moved(c, phi, x, "")) < 1e-10


def upright(frames: torch.Tensor) -> torch.Tensor:
    """The frames (south, east) at the same places."""
    out = frames[..., 2]
    angles = torch.atan2(torch.hypot(out[:, 0], out[:, 1]), out[:, 2]), torch.atan2(out[:, 1], out[:, 0])
    return frames_at(*angles)


def test_lensing_by_a_dipole_moves_towards_its_pole():
    potential = torch.zeros(1, 4, dtype=torch.float64)
    potential[0, 2] = -0.1  # -0.1 sqrt(3) cos theta: slopes towards the south
    frames = st.Sphere.gauss(6).frames().reshape(-1, 3, 3)
    theta = st.Sphere.gauss(6).angles()[..., 0].flatten()
    height = torch.zeros(1, 4, dtype=torch.float64)
    height[0, 2] = 1 / math.sqrt(3)  # cos theta
    d = 0.1 * math.sqrt(3) * theta.sin()
    assert (cmb.lensed_at(height, 0, potential, 2, frames)[0, 0] - (theta + d).cos()).abs().max() < 1e-12


@pytest.mark.parametrize("spin", [0, 2])
def test_spectrum_of_many_maps_is_the_given_one(spin):
    count, power = 400, cmb.acoustic_power(BAND)
    c = cmb.draw(power, count, torch.Generator().manual_seed(0), spin)
    found = cmb.power_spectrum(c, BAND, spin)
    if spin:
        assert found[:, 0].abs().max() == 0  # B modes
        found = found[:, 1]
    l = torch.arange(2, BAND)
    spread = (2 / (2 * l + 1) / count).sqrt()  # cosmic variance of the mean
    assert ((found.mean(0)[2:] / power[2:] - 1).abs() < 4 * spread).all()
    assert found.mean(0)[:2].abs().max() == 0
    maps = cmb.fields_at(c, spin, BAND, some_frames(4))
    variance = ((2 * l + 1) * power[2:]).sum() / (4 * math.pi)
    assert maps.square().sum(1).mean().item() == pytest.approx(variance.item(), rel=0.15)
    potential = cmb.draw(cmb.lensing_power(BAND, 0.05), 200, torch.Generator().manual_seed(1))
    slope = cmb.gradient(potential, BAND, some_frames(8))
    assert slope.square().sum(1).mean().sqrt().item() == pytest.approx(0.05, rel=0.1)


def test_dataset():
    options = {"sphere": "gauss(10)", "band": 8, "seed": 3}
    d = cmb.delensing(3, **options, noise=0, deflection=0)
    assert d.lensed.shape == d.unlensed.shape == (3, 1, 10, 20) and d.in_type == d.out_type == "1x0"
    assert (d.lensed - d.unlensed).abs().max() < 1e-5
    lensed = cmb.delensing(3, **options, noise=0, deflection=0.1)
    assert (lensed.unlensed - d.unlensed).abs().max() < 1e-6 and (lensed.lensed - d.unlensed).std() > 0.1
    finer = cmb.delensing(3, **options, noise=0, deflection=0.1, oversample=4)
    assert (finer.lensed - lensed.lensed).abs().max() < 2e-3  # what lensing moves above twice the band
    full = cmb.delensing(2, **options, fields="TQU", tracer=0.1, beam=0.3)
    assert full.lensed.shape == (2, 4, 10, 20) and full.unlensed.shape == (2, 3, 10, 20)
    assert full.in_type == "1x0 + 1x2 + 1x0"
    assert torch.equal(full.lensed, cmb.delensing(2, **options, fields="TQU", tracer=0.1, beam=0.3).lensed)
    noisy = cmb.delensing(40, "gauss(6)", deflection=0, noise=0.5)
    c = st.nn.SHT(noisy.sphere, "1x0", 6)(noisy.lensed - noisy.unlensed)
    assert cmb.power_spectrum(c, 6).mean().item() == pytest.approx(0.25, rel=0.15)
    for wrong, word in (({"fields": "B"}, "expected one of T, QU, TQU"), ({"sphere": "healpix(4)"}, "exact band"),
                        ({"noise": -1}, "no negative number"), ({"power": torch.ones(5)}, "expected 8")):  # fmt: skip
        with pytest.raises(ValueError, match=word):
            cmb.delensing(2, **{**options, **wrong})
    with pytest.raises(ValueError, match="expected a band from 3"):
        cmb.flat_power(2)


def test_wiener_filter_of_the_comparison_knows_no_direction():
    maps = cmb.delensing(30, "gauss(8)", fields="TQU", noise=0.3, tracer=0.1)
    found = Wiener(maps)
    area, pair = maps.sphere.weights().float(), (maps.lensed, maps.unlensed)
    left = error(found(pair[0]), pair[1], area)
    assert left < error(pair[0][:, :3], pair[1], area) < 1
    there = turned(pair, maps, seed=0)
    assert error(found(there[0]), there[1], area) == pytest.approx(left, rel=1e-5)
    answer = turned((pair[0], found(pair[0])), maps, seed=0)[1]
    assert (found(there[0]) - answer).abs().max() < 1e-4
