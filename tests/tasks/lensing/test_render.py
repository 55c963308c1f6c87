from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from steerable.tasks.lensing.draw import draw_scenes
from steerable.tasks.lensing.drawn import Drawn
from steerable.tasks.lensing.render import (
    add_noise,
    blur,
    noise_level,
    noise_map,
    pixel_grid,
    psf_matrix,
    render,
)
from steerable.tasks.lensing.scene import Part, Scene
from steerable.tasks.lensing.settings import LensSettings

SETTINGS = LensSettings()


def test_row_zero_is_the_top_of_the_sky() -> None:
    x, y = pixel_grid(SETTINGS)
    assert y[0, 0] > y[-1, 0]
    assert x[0, 0] < x[0, -1]


def test_a_centred_source_makes_a_ring_at_the_einstein_radius(plain_scene) -> None:
    image = render(plain_scene(theta_e=1.07), SETTINGS, torch.float64)[0]
    x, y = pixel_grid(SETTINGS, torch.float64)
    brightest = torch.hypot(x, y).flatten()[image.flatten().topk(60).indices]
    assert abs(float(brightest.mean()) - 1.07) < SETTINGS.pixel_scale / 2


@pytest.mark.parametrize("label", [0, 1, 2])
def test_turning_the_scene_by_90_degrees_turns_the_image_exactly(label: int) -> None:
    scene = draw_scenes(SETTINGS, label, range(3), seed=5)
    upright = render(scene, SETTINGS, torch.float64)
    for quarter in (1, 2, 3):
        turned = render(scene.turned(90.0 * quarter), SETTINGS, torch.float64)
        assert (turned - torch.rot90(upright, quarter, (-2, -1))).abs().max() / upright.max() < 1e-10
    assert (turned - upright).abs().max() / upright.max() > 0.1  # the image does change
    for settings in (SETTINGS, LensSettings(poisson_share=0.7)):
        sigma = noise_level(upright, settings)
        noisy = add_noise(upright, sigma, scene, settings)
        turned = add_noise(torch.rot90(upright, 1, (-2, -1)), sigma, scene.turned(90.0), settings)
        assert torch.equal(turned, torch.rot90(noisy, 1, (-2, -1)))


def test_turning_the_scene_by_30_degrees_turns_the_image_up_to_interpolation() -> None:
    fine = LensSettings(pixels=128, pixel_scale=0.025, psf_fwhm=0.15)
    scene = draw_scenes(fine, 0, range(2), seed=5)
    upright = render(scene, fine, torch.float64)
    turned = render(scene.turned(30.0), fine, torch.float64)
    angle = torch.deg2rad(torch.tensor(30.0, dtype=torch.float64))
    # grid_sample asks where each output pixel comes from, in (x, row) with rows down: R(-30) in sky coordinates.
    matrix = torch.stack(
        (torch.stack((angle.cos(), -angle.sin(), 0 * angle)), torch.stack((angle.sin(), angle.cos(), 0 * angle)))
    )
    grid = torch.nn.functional.affine_grid(matrix.expand(2, 2, 3), [2, 1, 128, 128], align_corners=False)
    resampled = torch.nn.functional.grid_sample(upright[:, None], grid, mode="bicubic", align_corners=False)[:, 0]
    x, y = pixel_grid(fine, torch.float64)
    disc = torch.hypot(x, y) < 1.5
    assert (turned - resampled)[:, disc].norm() / turned[:, disc].norm() < 1e-2  # cusps between pixel centres
    assert (turned - upright)[:, disc].norm() / turned[:, disc].norm() > 0.1


def test_lensing_conserves_surface_brightness(plain_scene) -> None:
    fine = LensSettings(pixels=512, pixel_scale=0.01, psf_fwhm=0.0)
    values = {"source_radius": 0.02, "source_x": 0.25, "source_y": 0.15, "sersic_index": 0.8}
    wide = {**values, "source_radius": 0.1}
    bare = render(plain_scene(theta_e=1e-9, **wide), fine, torch.float64).sum()
    sheared = render(plain_scene(theta_e=1e-9, g1=0.06, g2=-0.03, **wide), fine, torch.float64).sum()
    assert float(sheared / bare) == pytest.approx(1 / (1 - 0.06**2 - 0.03**2), rel=1e-4)
    bare = render(plain_scene(theta_e=1e-9, **values), fine, torch.float64).sum()
    lensed = render(plain_scene(theta_e=1.0, **values), fine, torch.float64).sum()
    beta = (0.25**2 + 0.15**2) ** 0.5
    assert float(lensed / bare) == pytest.approx(2.0 / beta, rel=0.01)  # both images of a singular isothermal sphere


def _flux_of_deflection(scene: Scene, radius: torch.Tensor) -> torch.Tensor:
    """[B] mass inside circles of `radius` [B]: the mean outward deflection times the radius (Gauss)."""
    ring = 2 * torch.pi * torch.arange(4000, dtype=torch.float64) / 4000
    cos, sin = ring.cos(), ring.sin()
    mass = []
    for one, r in zip(scene, radius.tolist(), strict=True):
        ax, ay = one.deflection(r * cos, r * sin)
        mass.append(float((ax * cos + ay * sin).mean()) * r)
    return torch.tensor(mass, dtype=torch.float64)


@pytest.mark.parametrize(
    ("kind", "profile"),
    [("cdm", "PJAFFE"), ("wdm", "PJAFFE"), ("sidm", "PJAFFE"), ("cdm", "NFW"), ("vortex", "PJAFFE")],
)
def test_clumps_take_their_mass_from_the_smooth_part(kind: str, profile: str) -> None:
    """All classes hold the same mass inside theta_e."""
    drawn = draw_scenes(LensSettings(classes=(kind,), halo_profile=profile), 0, range(40))
    theta_e, lens = drawn.macro[:, 0], drawn.scene.lens
    assert torch.allclose(_flux_of_deflection(_clumps(drawn), theta_e), drawn.mass_inside, rtol=0.01, atol=2e-4)
    whole = _flux_of_deflection(Scene((Part("SIE", {**lens[0].values, "theta_E": theta_e}),), ()), theta_e)
    assert (_flux_of_deflection(drawn.scene, theta_e) / whole - 1).abs().max() < 1e-3
    assert float(drawn.mass_inside.mean()) > 0.01  # and it is not nothing


def test_psf_repeats_the_border_and_keeps_flux() -> None:
    psf = psf_matrix(SETTINGS, torch.float64)
    ones = torch.ones(64, 64, dtype=torch.float64)
    assert (blur(ones, psf) - 1).abs().max() < 1e-14  # zero padding would darken the border
    dot = torch.zeros(64, 64, dtype=torch.float64)
    dot[30, 31] = 1.0
    assert float(blur(dot, psf).sum()) == pytest.approx(1.0, abs=1e-12)
    image = torch.randn(64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ndimage = pytest.importorskip("scipy.ndimage")
    sigma = 0.087 / 0.05 / 2.3548200450309493
    want = ndimage.gaussian_filter(image.numpy(), sigma, mode="nearest", truncate=5)
    assert (blur(image, psf) - torch.from_numpy(want)).abs().max() < 1e-12


def test_peak_signal_to_noise() -> None:
    scene = draw_scenes(SETTINGS, 0, range(20))
    image = render(scene, SETTINGS)
    noise = add_noise(image, noise_level(image, SETTINGS), scene, SETTINGS) - image
    assert torch.allclose(image.amax((1, 2)) / noise.std((1, 2)), torch.full((20,), 50.0), rtol=0.05)
    assert noise.mean((1, 2)).abs().max() < 0.05 * image.max() / 50 * 2


def _clumps(drawn: Drawn) -> Scene:
    part = drawn.clumps()
    assert part is not None
    return Scene((part,), ())


def test_images_are_differentiable_in_every_parameter() -> None:
    tiny = LensSettings(pixels=6, pixel_scale=0.5, psf_fwhm=0.6)
    scene = draw_scenes(tiny, 1, range(2)).scene
    names = [(i, name) for i, part in enumerate((*scene.lens, *scene.source)) for name in part.values]

    def image(*values: torch.Tensor) -> torch.Tensor:
        parts = [dict(part.values) for part in (*scene.lens, *scene.source)]
        for (i, name), value in zip(names, values, strict=True):
            parts[i][name] = value
        made = [Part(old.kind, new) for old, new in zip((*scene.lens, *scene.source), parts, strict=True)]
        return render(Scene(tuple(made[:-1]), (made[-1],)), tiny, torch.float64)

    inputs = []
    for i, name in names:
        value = (*scene.lens, *scene.source)[i].values[name]
        inputs.append((value[:, :5] if value.ndim == 2 else value).clone().requires_grad_(name != "Ra"))
    assert torch.autograd.gradcheck(image, inputs, eps=1e-7, atol=1e-4, rtol=1e-3)


def test_photon_noise_has_the_variance_of_its_map() -> None:
    settings = LensSettings(poisson_share=0.8, pixels=48)
    drawn = draw_scenes(settings, 0, [0] * 400)
    drawn = dataclasses.replace(drawn, seed=torch.arange(400))
    image = render(drawn, settings, torch.float64)
    sigma = noise_level(image, settings)
    noise = add_noise(image, sigma, drawn, settings) - image
    ratio = noise.square().mean(0) / noise_map(image, sigma, settings)[0].square()
    assert float(ratio.mean()) == pytest.approx(1.0, abs=0.01)
    assert float(ratio.std()) == pytest.approx(math.sqrt(2 / 400), rel=0.15)
    assert float(noise_map(image, sigma, settings)[0].max()) == pytest.approx(float(sigma[0]))
    flat = noise_map(image, sigma, dataclasses.replace(settings, poisson_share=0.0))
    assert float((noise.square().mean(0) / flat[0].square()).mean()) < 0.5  # a constant map would be wrong


@pytest.mark.parametrize("kind", ["SIE", "EPL"])
def test_a_round_lens_turns_exactly_too(kind: str) -> None:
    values = {"theta_E": 1.1, "e1": 0.0, "e2": 0.0, "center_x": 0.1, "center_y": -0.05}
    lens = values if kind == "SIE" else {**values, "gamma": 2.2}
    source = {"amp": 1.0, "R_sersic": 0.15, "n_sersic": 1.0, "center_x": 0.1}
    scene = Scene.from_lenstronomy([kind], [lens], ["SERSIC"], [source])
    upright, turned = render(scene, SETTINGS, torch.float64), render(scene.turned(90.0), SETTINGS, torch.float64)
    assert (turned - torch.rot90(upright, 1, (-2, -1))).abs().max() / upright.max() < 1e-10


def test_a_clump_of_no_strength_has_a_derivative_by_it() -> None:
    """Where would a sub-halo change the image? That is asked at strength 0."""
    one = torch.ones(1, 2, dtype=torch.float64)
    strength = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    many = Part("PJAFFE", {"sigma0": strength, "Ra": 0.01 * one, "Rs": 0.3 * one, "center_x": 0.2 * one,
                           "center_y": 0.1 * one})  # fmt: skip
    ax, _ = Scene((many,), ()).deflection(*torch.tensor([[1.0], [0.0]], dtype=torch.float64))
    (gradient,) = torch.autograd.grad(ax.sum(), strength)
    tiny = Part("PJAFFE", {**many.values, "sigma0": 1e-6 * one})
    bent, _ = Scene((tiny,), ()).deflection(*torch.tensor([[1.0], [0.0]], dtype=torch.float64))
    assert torch.allclose(gradient.sum() * 1e-6, bent.sum(), rtol=1e-9)


def test_an_empty_batch_has_no_images() -> None:
    lenses = [{"theta_E": 1.0, "gamma": 2.1, "e1": 0.1, "e2": 0.0}, {"theta_E": 0.1, "e1": 0.0, "e2": 0.0}]
    source = {"amp": 1.0, "R_sersic": 0.15, "n_sersic": 1.0}
    scene = Scene.from_lenstronomy(["EPL", "SIE"], lenses, ["SERSIC"], [source])
    assert scene[[]].image(8, 0.1).shape == (0, 8, 8)


@pytest.mark.parametrize("share", [1.0, 1.5, -0.1])
def test_a_pixel_without_noise_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=f"poisson_share={share}; expected a share between 0 and 1, 1 excluded"):
        LensSettings(poisson_share=share)
