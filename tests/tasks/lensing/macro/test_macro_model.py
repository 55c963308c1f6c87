"""The analytic Jacobian agrees with automatic and numeric derivatives, circles and centres included."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from steerable.tasks.lensing.draw import draw_scenes
from steerable.tasks.lensing.macro import Optics, SmoothModel
from steerable.tasks.lensing.macro.optics import binned
from steerable.tasks.lensing.render import blur, pixel_grid, psf_matrix, smooth_image
from steerable.tasks.lensing.scene import MACRO
from steerable.tasks.lensing.settings import LensSettings

SETTINGS = LensSettings(pixels=24, pixel_scale=0.13, psf_fwhm=0.3)


def optics(dtype: torch.dtype = torch.float64) -> Optics:
    return Optics.build(24, 0.13, 0.3, dtype)


def macros(seed: int = 0, count: int = 5) -> Tensor:
    """Random smooth lenses whose centres are not on the axis of the image; some nearly, one exactly circular in e."""
    generator = torch.Generator().manual_seed(seed)
    macro = draw_scenes(LensSettings(), 0, range(count), seed=seed).macro.clone()
    macro[:, 5:7] = 0.2 * torch.randn(count, 2, generator=generator, dtype=torch.float64)
    macro[0, 1:3] *= 0.01
    macro[1, 1:3] *= 0.05 / macro[1, 1:3].norm()
    macro[2, 11:13] *= 1e-2
    return macro


def automatic(macro: Tensor) -> tuple[Tensor, Tensor]:
    x, y = pixel_grid(SETTINGS, torch.float64)
    psf = psf_matrix(SETTINGS, torch.float64)

    def images(shift: Tensor) -> Tensor:
        return blur(smooth_image(macro + shift, x, y), psf)

    zero = macro.new_zeros(14)
    return images(zero), torch.func.jacfwd(images)(zero).movedim(-1, 1)


def jacobian_error(jacobian: Tensor, reference: Tensor) -> Tensor:
    """[P] largest relative distance of the columns over the images."""
    return ((jacobian - reference).flatten(2).norm(dim=2) / reference.flatten(2).norm(dim=2)).amax(0)


def numeric(model: SmoothModel, parameters: Tensor, step: float = 1e-6) -> Tensor:
    shifts = step * torch.eye(parameters.shape[1], dtype=torch.float64)
    return torch.stack([(model(parameters + h)[0] - model(parameters - h)[0]) / (2 * step) for h in shifts], 1)


def test_jacobian_is_that_of_the_simulator() -> None:
    macro = macros()
    image, jacobian = SmoothModel(optics())(macro)
    reference_image, reference = automatic(macro)
    assert float((image - reference_image).abs().max()) < 1e-12
    assert float(jacobian_error(jacobian, reference).max()) < 1e-10


def test_a_planted_fault_is_caught() -> None:
    macro = macros()
    _, reference = automatic(macro)
    for column in range(14):
        wrong = SmoothModel(optics())(macro)[1]
        wrong[:, column] *= 1.001
        error = jacobian_error(wrong, reference)
        assert float(error[column]) > 5e-4
        assert float(error.sum() - error[column]) < 1e-9


def test_single_precision_is_good_to_1e_4() -> None:
    macro = macros()
    _, jacobian = SmoothModel(optics(torch.float32))(macro)
    assert jacobian.dtype == torch.float32
    assert float(jacobian_error(jacobian.double(), automatic(macro)[1]).max()) < 1e-4


@pytest.mark.parametrize("e", [0.0, 1e-9, 1e-4, 0.00999, 0.01001])
def test_circles_are_no_special_case(e: float) -> None:
    macro = macros()[:2]
    macro[:, [1, 2, 11, 12]] = e * torch.tensor([0.6, -0.8, -0.8, 0.6], dtype=torch.float64)
    model = SmoothModel(optics())
    # At step 1e-6 the numeric derivative is good to 1e-8 or so; the steep core of the source costs another digit.
    assert float(jacobian_error(model(macro)[1], numeric(model, macro)).max()) < 1e-6


def test_a_pixel_at_the_lens_centre_stays_finite() -> None:
    odd = Optics.build(25, 0.1, 0.2)
    macro = macros()
    macro[:, 5:7] = 0.0  # the middle pixel is the centre
    image, jacobian = SmoothModel(odd)(macro)
    assert torch.isfinite(image).all() and torch.isfinite(jacobian).all()
    near = macro.clone()
    near[:, 5:7] = 1e-7
    assert float((SmoothModel(odd)(near)[0] - image).abs().max()) < 0.5 * float(image.max())


def test_lens_light_has_its_derivatives() -> None:
    model = SmoothModel(optics(), lens_light=2)
    assert model.names[:14] == MACRO
    assert model.names[14:21] == ("light_x", "light_y", "light_radius", "light_index", "light_e1", "light_e2",
                                  "light_amplitude")  # fmt: skip
    assert model.names[-1] == "light_amplitude2"
    light = torch.tensor([0.03, -0.02, 0.5, 2.5, 0.1, 0.2, 3.0, 0.1, 0.1, 0.9, 1.0, -0.1, 0.05, 0.7]).double()
    parameters = torch.cat((macros(), light.expand(5, -1)), 1)
    image, jacobian = model(parameters)
    assert float(jacobian_error(jacobian, numeric(model, parameters)).max()) < 1e-6
    alone = SmoothModel(optics())(parameters[:, :14])[0]
    assert float((image - alone).min()) > 0.0


def test_power_law_contains_the_isothermal_lens_and_has_its_derivatives() -> None:
    macro = macros()
    plain, jacobian = SmoothModel(optics())(macro)
    model = SmoothModel(optics(), slope=True)
    two = torch.cat((macro, torch.full((5, 1), 2.0, dtype=torch.float64)), 1)
    image, full = model(two)
    assert float((image - plain).abs().max()) < 1e-11
    assert float(jacobian_error(full[:, :14], jacobian).max()) < 1e-9
    two[:, 14] = torch.tensor([1.6, 1.8, 2.0, 2.2, 2.5])
    assert float(jacobian_error(model(two)[1], numeric(model, two)).max()) < 1e-6


def test_power_law_has_its_surface_density() -> None:
    """div alpha = 2 kappa = (3 - slope) (theta_e / R)^(slope - 1)."""
    from steerable.tasks.lensing.macro.powerlaw import power_law_derivatives

    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 4, 100, generator=generator, dtype=torch.float64)
    theta_e, e1, e2, slope = (torch.rand(4, 4, 1, generator=generator, dtype=torch.float64) * 0.4).unbind(0)
    theta_e, slope = theta_e + 0.8, slope + 1.8
    parts = power_law_derivatives(x, y, theta_e, e1, e2, slope)
    e, angle = torch.hypot(e1, e2), 0.5 * torch.atan2(e2, e1)
    q = (1 - e) / (1 + e)
    major, minor = angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x
    radius = (q * major**2 + minor**2 / q).sqrt()
    expected = (3.0 - slope) * (theta_e / radius) ** (slope - 1.0)
    assert torch.allclose(parts["dx"][0] + parts["dy"][1], expected, rtol=1e-10)
    assert torch.allclose(parts["dx"][1], parts["dy"][0], rtol=1e-9, atol=1e-12)  # no curl


def test_a_psf_image_does_what_the_gaussian_does() -> None:
    scale, fwhm = 0.13, 0.3
    sigma = fwhm / scale / 2.3548200450309493
    ticks = torch.arange(-5, 6, dtype=torch.float64)
    taps = torch.exp(-0.5 * (ticks / sigma) ** 2)
    kernel = torch.outer(taps, taps)
    macro = macros()
    by_image = SmoothModel(Optics.build(24, scale, kernel))(macro)[0]
    assert float((by_image - SmoothModel(optics())(macro)[0]).abs().max()) < 1e-6
    assert abs(Optics.width(kernel, scale) - sigma * scale) < 1e-3
    skew = torch.zeros(3, 3, dtype=torch.float64)
    skew[0, 2] = 1.0  # all light goes one pixel up and one to the right
    maps = torch.zeros(1, 24, 24, dtype=torch.float64)
    maps[0, 10, 10] = 1.0
    assert float(Optics.build(24, scale, skew).blur(maps)[0, 9, 11]) == 1.0


def test_binned_optics_follow_the_binned_image() -> None:
    settings = LensSettings()
    scene = draw_scenes(settings, 0, range(4), seed=3).macro
    fine = SmoothModel(Optics.build(64, 0.05, 0.087))(scene)[0]
    coarse = SmoothModel(Optics.build(64, 0.05, 0.087, factor=2))(scene)[0]
    difference = (coarse - binned(fine, 2)).norm() / coarse.norm()
    assert float(difference) < 0.1
    assert binned(torch.ones(1, 11, 11), 2).shape == (1, 5, 5)


def test_the_model_turns_with_its_parameters() -> None:
    scene = draw_scenes(LensSettings(), 0, range(3), seed=5)
    upright = SmoothModel(optics())(scene.macro)[0]
    turned = SmoothModel(optics())(scene.turned(90.0).macro)[0]
    assert float((torch.rot90(upright, 1, (-2, -1)) - turned).abs().max()) < 1e-12


def test_errors_are_one_line() -> None:
    cases = [
        (lambda: Optics.build(24, 0.1, 3.0), "larger than the image"),
        (lambda: Optics.build(24, 0.1, torch.ones(31, 31)), "larger than the image"),
        (lambda: Optics.build(24, 0.1, torch.ones(4, 5)), "odd sides"),
        (lambda: Optics.build(24, 0.1, torch.zeros(5, 5)), "sums to"),
        (lambda: Optics.build(24, 0.0, 0.1), "pixel_scale"),
        (lambda: Optics.build(24, 0.1, float("nan")), "FWHM"),
        (lambda: SmoothModel(optics(), lens_light=3), "lens_light"),
    ]
    for call, text in cases:
        with pytest.raises(ValueError, match=text) as caught:
            call()
        assert "\n" not in str(caught.value)
