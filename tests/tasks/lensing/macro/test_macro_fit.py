"""The blind fit recovers smooth lenses, turns with the sky, and says when it fails."""

from __future__ import annotations

import dataclasses
import functools

import pytest
import torch
from torch import Tensor

from steerable.tasks.lensing.draw import draw_scenes
from steerable.tasks.lensing.macro import Optics, SmoothModel, annulus, fit_macro
from steerable.tasks.lensing.macro.bounds import Bounds
from steerable.tasks.lensing.macro.levenberg import _promise
from steerable.tasks.lensing.render import add_noise, noise_level, render
from steerable.tasks.lensing.settings import LensSettings

SETTINGS = LensSettings()
SCALE, FWHM = SETTINGS.pixel_scale, SETTINGS.psf_fwhm


@functools.cache
def observed(count: int = 12, label: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(noisy image, sigma, noise-free image, macro) of lenses of set F; seed 901 was used for nothing else."""
    scene = draw_scenes(SETTINGS, label, range(count), seed=901)
    clean = render(scene, SETTINGS)
    sigma = noise_level(clean, SETTINGS)
    return add_noise(clean, sigma, scene, SETTINGS), sigma, clean, scene.macro


def test_a_dozen_lenses_are_recovered_without_the_truth() -> None:
    image, sigma, clean, macro = observed()
    fit = fit_macro(image, sigma, SCALE, FWHM)
    truth = ((image - clean) / sigma[:, None, None]).square().mean((1, 2)).double()
    assert bool(fit.converged.all())
    assert set(fit.reason) == {"converged"}
    assert float((fit.chi2_per_pixel - truth).max()) < 0.0005  # below the truth by the fourteen numbers it fitted
    assert float((fit.chi2_per_pixel - truth).mean()) < 0.0
    assert float((fit["theta_e"] - macro[:, 0]).abs().max()) < 0.01
    pull = (fit.parameters - macro) / fit.uncertainty  # in standard deviations
    assert 0.6 < float(pull.square().mean().sqrt()) < 1.5
    assert torch.allclose(fit.residual.double().square().mean((1, 2)), fit.chi2_per_pixel, rtol=1e-3)
    assert torch.allclose((image - fit.model) / sigma[:, None, None], fit.residual, atol=1e-4)
    assert fit.macro.shape == (12, 14)
    table = fit.table()
    assert len(table["theta_e"]) == len(table["reason"]) == 12
    with pytest.raises(KeyError, match="no parameter"):
        fit["mass"]


def test_a_turned_image_gives_turned_parameters() -> None:
    image, sigma, _, _ = observed(4)
    upright = fit_macro(image[:4], sigma[:4], SCALE, FWHM, dtype=torch.float64)
    turned = fit_macro(torch.rot90(image[:4], 1, (-2, -1)), sigma[:4], SCALE, FWHM, dtype=torch.float64)
    scene = draw_scenes(SETTINGS, 0, range(4), seed=0)
    expected = dataclasses.replace(scene, macro=upright.macro).turned(90.0).macro
    assert torch.allclose(turned.chi2_per_pixel, upright.chi2_per_pixel, atol=2e-5)
    assert float(((turned.macro - expected) / upright.uncertainty).abs().max()) < 0.1
    assert torch.allclose(turned.residual, torch.rot90(upright.residual, 1, (-2, -1)), atol=0.1)


def test_the_same_input_gives_the_same_result() -> None:
    image, sigma, _, _ = observed(3)
    calls: list[tuple[int, int]] = []
    first = fit_macro(image[:3], sigma[:3], SCALE, FWHM, batch=2, progress=lambda a, b: calls.append((a, b)))
    again = fit_macro(image[:3], sigma[:3], SCALE, FWHM, batch=2)
    assert torch.equal(first.parameters, again.parameters) and torch.equal(first.residual, again.residual)
    assert calls == [(2, 3), (3, 3)]
    apart = fit_macro(image[:3], sigma[:3], SCALE, FWHM, batch=3)
    assert torch.allclose(first.chi2_per_pixel, apart.chi2_per_pixel, atol=1e-4)


def test_masked_pixels_do_not_count() -> None:
    image, sigma, _, macro = observed(3)
    spoilt = image[:3].clone()
    spoilt[:, 5:20, 5:20] = 7.0  # a bright neighbour
    spoilt[:, 40, 3] = float("nan")
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[4:21, 4:21] = False
    mask[40, 3] = False
    fit = fit_macro(spoilt, sigma[:3], SCALE, FWHM, mask=mask)
    assert bool(fit.converged.all())
    assert float((fit.chi2_per_pixel - 1.0).abs().max()) < 0.1
    assert float((fit["theta_e"] - macro[:3, 0]).abs().max()) < 0.02
    assert torch.isfinite(fit.residual).all()
    assert float(fit.residual[:, 10, 10].min()) > 10.0  # what was hidden is shown
    blind = fit_macro(spoilt.nan_to_num(0.0), sigma[:3], SCALE, FWHM)
    assert float(blind.chi2_per_pixel.min()) > 2.0
    assert all("more than noise" in word or "not converged" in word for word in blind.reason)


def test_a_noise_map_weighs_the_pixels() -> None:
    _, sigma, clean, _ = observed(3)
    generator = torch.Generator().manual_seed(0)
    factor = torch.where(torch.arange(64) < 32, 1.0, 6.0).expand(3, 64, 64)
    noise = sigma[:3, None, None] * factor
    rough = clean[:3] + noise * torch.randn(3, 64, 64, generator=generator)
    noise[:, 0, 0] = float("inf")
    fit = fit_macro(rough, noise, SCALE, FWHM)
    assert bool(fit.converged.all())
    assert float((fit.chi2_per_pixel - 1.0).abs().max()) < 0.1
    assert float((fit.residual[:, :, 40:].square().mean() - 1.0).abs()) < 0.1


def test_failures_are_reported() -> None:
    noise = torch.randn(3, 48, 48, generator=torch.Generator().manual_seed(1))
    fit = fit_macro(noise, 1.0, 0.05, 0.1)
    assert not bool(fit.converged.any())
    assert all(word.startswith("no lens") for word in fit.reason)
    assert torch.isfinite(fit.parameters).all() and torch.isfinite(fit.residual).all()
    nothing = fit_macro(torch.zeros(1, 48, 48), 1.0, 0.05, 0.1)
    assert not bool(nothing.converged[0])
    assert torch.isfinite(nothing.parameters).all()
    # Two lenses in one image: the fit may settle, but it does not call it a good one.
    image, sigma, _, _ = observed(2)
    both = image[:1] + torch.roll(image[1:2], (20, 20), (1, 2)) * sigma[0] / sigma[1]
    double = fit_macro(both, sigma[:1], SCALE, FWHM)
    assert double.reason[0] != "converged"
    assert float(double.chi2_per_pixel[0]) > 1.5
    short = fit_macro(image[:2], sigma[:2], SCALE, FWHM, iterations=1)
    assert not bool(short.converged.all())
    assert "not converged after 1 iterations" in short.reason[0] + short.reason[1]


def test_the_start_may_be_given_and_priors_hold() -> None:
    image, sigma, _, macro = observed(2)
    fit = fit_macro(image[:2], sigma[:2], SCALE, FWHM, starts=macro[:2, None])
    assert fit.start_names == ("given 0",) and bool(fit.converged.all())
    held = fit_macro(image[:2], sigma[:2], SCALE, FWHM, prior={"lens_x": (0.05, 1e-5)})
    assert float((held["lens_x"] - 0.05).abs().max()) < 1e-3
    assert float((held.chi2_per_pixel - fit.chi2_per_pixel).min()) > 0.0
    with pytest.raises(ValueError, match="prior"):
        fit_macro(image[:2], sigma[:2], SCALE, FWHM, prior={"mass": (0.0, 1.0)})
    with pytest.raises(ValueError, match="starts of 3 parameters"):
        fit_macro(image[:2], sigma[:2], SCALE, FWHM, starts=torch.ones(2, 1, 3))


def test_light_of_the_lens_is_fitted_with_the_arcs() -> None:
    _, sigma, _, macro = observed(3)
    light = torch.tensor([0.02, -0.01, 0.35, 2.0, 0.1, -0.05, 1.5], dtype=torch.float64)
    truth = torch.cat((macro[:3], light.expand(3, -1)), 1)
    model = SmoothModel(Optics.build(64, SCALE, FWHM, torch.float32), lens_light=1)
    noise = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(3))
    image = model(truth)[0] + sigma[:3, None, None] * noise
    fit = fit_macro(image, sigma[:3], SCALE, FWHM, lens_light=1)
    assert bool(fit.converged.all())
    assert float((fit.chi2_per_pixel - noise.square().mean((1, 2))).max()) < 0.01
    assert float((fit["light_radius"] - 0.35).abs().max()) < 0.05
    without = fit_macro(image, sigma[:3], SCALE, FWHM)
    assert float(without.chi2_per_pixel.min()) > 1.2
    assert "more than noise" in without.reason[0]


def test_the_slope_can_be_fitted() -> None:
    _, sigma, _, macro = observed(2)
    truth = torch.cat((macro[:2], torch.tensor([[1.85], [2.15]], dtype=torch.float64)), 1)
    image = SmoothModel(Optics.build(64, SCALE, FWHM, torch.float32), slope=True)(truth)[0]
    image = image + sigma[:2, None, None] * torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(4))
    fit = fit_macro(image, sigma[:2], SCALE, FWHM, slope=True)
    assert bool(fit.converged.all())
    assert float(((fit["slope"] - truth[:, 14]) / fit.uncertainty[:, 14]).abs().max()) < 4.0


def test_bounds_go_there_and_back() -> None:
    names = SmoothModel(Optics.build(16, 0.1, 0.2), lens_light=1, slope=True).names
    bounds = Bounds.build(names, 3.2, 0.05)
    free = torch.randn(6, len(names), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    parameters = bounds.outward(free)
    assert torch.allclose(bounds.inward(parameters), free, atol=1e-8)
    numeric = torch.stack(
        [(bounds.outward(free + h) - bounds.outward(free - h)) / 2e-6 for h in 1e-6 * torch.eye(len(names)).double()], 2
    )
    assert torch.allclose(bounds.jacobian(parameters), numeric, atol=1e-7)
    wild = bounds.outward(100.0 * free)
    linear = [names.index("amplitude"), names.index("light_amplitude")]
    assert bool((wild[:, 0] > 0).all()) and float(wild[:, 1:3].norm(dim=1).max()) <= 0.9
    assert set(bounds.touched(wild)) != {""} and len(linear) == 2
    turned = free.clone()
    turned[:, 1], turned[:, 2] = -free[:, 2], free[:, 1]  # a spin-2 direction survives the map
    assert torch.allclose(bounds.outward(turned)[:, 1], -parameters[:, 2])


def test_errors_are_one_line() -> None:
    image = torch.zeros(2, 32, 32)
    broken = image.clone()
    broken[1, 3, 4] = float("nan")
    cases = [
        (lambda: fit_macro(broken, 1.0, 0.05, 0.1), "image 1 has 1 pixels that are NaN"),
        (lambda: fit_macro(image[0], 1.0, 0.05, 0.1), r"\[B, n, n\]"),
        (lambda: fit_macro(image[:, :20], 1.0, 0.05, 0.1), r"\[B, n, n\]"),
        (lambda: fit_macro(image.int(), 1.0, 0.05, 0.1), "floating"),
        (lambda: fit_macro(image[:, :6, :6], 1.0, 0.05, 0.1), "at least 8 x 8"),
        (lambda: fit_macro(image, 0.0, 0.05, 0.1), "above 0"),
        (lambda: fit_macro(image, torch.ones(3), 0.05, 0.1), "sigma of shape"),
        (lambda: fit_macro(image, 1.0, 0.05, 5.0), "larger than the image"),
        (lambda: fit_macro(image, 1.0, -0.05, 0.1), "pixel_scale"),
        (lambda: fit_macro(image, 1.0, 0.05, 0.1, mask=torch.ones(32, 32)), "mask"),
        (lambda: fit_macro(image, 1.0, 0.05, 0.1, mask=torch.zeros(32, 32, dtype=torch.bool)), "pixels that count"),
        (lambda: fit_macro(image, 1.0, 0.05, 0.1, starts=torch.ones(14)), "starts"),
    ]
    for call, text in cases:
        with pytest.raises(ValueError, match=text) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_annulus_hides_the_centre() -> None:
    mask = annulus(64, SCALE, 0.4, 1.5)
    image, sigma, _, macro = observed(2)
    fit = fit_macro(image[:2], sigma[:2], SCALE, FWHM, mask=mask)
    assert bool(fit.converged.all())
    assert float((fit["theta_e"] - macro[:2, 0]).abs().max()) < 0.02


def test_equations_that_are_not_finite_promise_no_minimum() -> None:
    """A derivative that overflows gives no step; no step is not a minimum."""
    a, g = torch.eye(3, dtype=torch.float64).repeat(3, 1, 1), torch.ones(3, 3, dtype=torch.float64)
    a[1, 0, 0], g[2, 1] = float("nan"), float("inf")
    assert torch.isfinite(_promise(a, g)).tolist() == [True, False, False]
