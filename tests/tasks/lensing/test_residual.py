from __future__ import annotations

import torch

from steerable.tasks.lensing.dataset import observe
from steerable.tasks.lensing.draw import draw_scenes
from steerable.tasks.lensing.render import add_noise, blur, noise_level, pixel_grid, psf_matrix, render, smooth_image
from steerable.tasks.lensing.residual import network_input, smooth_jacobian, smooth_residual
from steerable.tasks.lensing.settings import LensSettings

SETTINGS = LensSettings()


def test_jacobian_agrees_with_finite_differences() -> None:
    scene = draw_scenes(SETTINGS, 0, range(2), seed=1)
    image, jacobian = smooth_jacobian(scene.macro, SETTINGS, torch.float64)
    assert torch.allclose(image, render(scene, SETTINGS, torch.float64), atol=1e-12)
    for column in range(14):
        step = torch.zeros(14, dtype=torch.float64)
        step[column] = 1e-6
        upper = smooth_jacobian(scene.macro + step, SETTINGS, torch.float64)[0]
        lower = smooth_jacobian(scene.macro - step, SETTINGS, torch.float64)[0]
        numeric = (upper - lower) / 2e-6
        assert (numeric - jacobian[..., column]).norm() < 1e-4 * numeric.norm()


def test_residual_is_the_projection_by_automatic_derivatives() -> None:
    """The definition once more, with forward-mode derivatives and a least-squares solver."""
    x, y = pixel_grid(SETTINGS, torch.float64)
    psf = psf_matrix(SETTINGS, torch.float64)
    for label in range(3):
        scene = draw_scenes(SETTINGS, label, range(3), seed=6)
        image = render(scene, SETTINGS, torch.float64)
        sigma = noise_level(image, SETTINGS)
        image = add_noise(image, sigma, scene, SETTINGS)
        zero = torch.zeros(14, dtype=torch.float64)
        images = lambda shift, macro=scene.macro: blur(smooth_image(macro + shift, x, y), psf)  # noqa: E731
        columns = torch.func.jacfwd(images)(zero).flatten(1, 2)
        columns = columns / columns.norm(dim=1, keepdim=True)
        difference = (image - images(zero)).flatten(1)[..., None]
        rest = difference - columns @ torch.linalg.lstsq(columns, difference).solution
        expected = (rest[..., 0] / sigma[:, None]).unflatten(1, (64, 64))
        assert (smooth_residual(image, sigma, scene.macro, SETTINGS) - expected).abs().max() < 1e-5
        single = smooth_residual(image.float(), sigma.float(), scene.macro, SETTINGS)
        assert (single - expected).square().mean().sqrt() < 1e-4


def test_residual_of_a_smooth_lens_is_white_noise() -> None:
    scene = draw_scenes(SETTINGS, 0, range(40), seed=2)
    _, residual, _ = observe(scene, SETTINGS)
    chi2 = residual.square().mean((1, 2))
    assert abs(float(chi2.mean()) - (4096 - 14) / 4096) < 0.01  # fourteen degrees of freedom were fitted
    assert float((chi2 - 1).abs().max()) < 0.1
    _, silent, _ = observe(scene, SETTINGS, noise=False)
    assert float(silent.abs().max()) < 0.02  # float32


def test_residual_is_orthogonal_to_what_a_smooth_lens_can_do() -> None:
    scene = draw_scenes(SETTINGS, 1, range(3), seed=2)
    image, jacobian = smooth_jacobian(scene.macro, SETTINGS, torch.float64)
    generator = torch.Generator().manual_seed(0)
    wanted = torch.randn(3, 14, 1, generator=generator, dtype=torch.float64) * 1e-3
    moved = image + (jacobian.flatten(1, 2) @ wanted).unflatten(1, (64, 64))[..., 0]
    sigma = torch.full((3,), float(image.max()) / 50, dtype=torch.float64)
    assert smooth_residual(moved, sigma, scene.macro, SETTINGS).abs().max() < 1e-5  # absorbed, up to the ridge


def test_clumps_leave_more_than_noise() -> None:
    medians = []
    for label in range(3):
        _, residual, _ = observe(draw_scenes(SETTINGS, label, range(60), seed=3), SETTINGS)
        medians.append(float(residual.square().mean((1, 2)).median()))
    none, cdm, vortex = medians
    assert none < 1.02 < vortex < cdm


def test_residual_turns_with_the_sky() -> None:
    for label in range(3):
        scene = draw_scenes(SETTINGS, label, range(2), seed=4)
        _, upright, _ = observe(scene, SETTINGS)
        _, turned, _ = observe(scene.turned(90.0), SETTINGS)
        assert (turned - torch.rot90(upright, 1, (-2, -1))).abs().max() < 0.02  # float32 in units of the noise


def test_chunks_change_nothing() -> None:
    scene = draw_scenes(SETTINGS, 1, range(5), seed=4)
    image, residual, sigma = observe(scene, SETTINGS)
    assert torch.allclose(smooth_residual(image, sigma, scene.macro, SETTINGS, chunk=2), residual, atol=1e-3)
    assert network_input(residual).shape == (5, 1, 64, 64)
