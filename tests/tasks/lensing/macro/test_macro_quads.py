"""Quads: all images of a source, their positions in an image, and the lens from the positions."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from torch import Tensor

from steerable.tasks.lensing.macro import find_images, fit_point_images, measure_peaks, quad_picture
from steerable.tasks.lensing.macro.lens_equation import lens_jacobian, source_position


@functools.cache
def quads(count: int = 6) -> tuple[Tensor, Tensor]:
    """(positions [B, 4, 2], lens and source [B, 9]) of random quads."""
    generator = torch.Generator().manual_seed(0)
    positions, truth = [], []
    while len(positions) < count:
        u = torch.rand(9, generator=generator, dtype=torch.float64).tolist()
        e, g = 0.05 + 0.25 * u[1], 0.02 + 0.1 * u[2]
        lens = torch.tensor([
            0.8 + 0.8 * u[0], e * math.cos(6.28 * u[3]), e * math.sin(6.28 * u[3]), g * math.cos(6.28 * u[4]),
            g * math.sin(6.28 * u[4]), 0.1 * u[5], 0.1 * u[6],
        ], dtype=torch.float64)  # fmt: skip
        source = lens[5:7] + 0.1 * torch.tensor([u[7] - 0.5, u[8] - 0.5], dtype=torch.float64)
        images = find_images(lens, source, grid=24)
        if len(images) == 4:
            positions.append(images)
            truth.append(torch.cat((lens, source)))
    return torch.stack(positions), torch.stack(truth)


def test_images_solve_the_lens_equation() -> None:
    positions, truth = quads()
    for images, row in zip(positions, truth, strict=True):
        lens = row[:7].expand(4, 7)
        assert float((source_position(lens, images) - row[7:]).abs().max()) < 1e-9
        numeric = torch.func.vmap(torch.func.jacfwd(source_position, argnums=1))(lens, images)
        assert torch.allclose(lens_jacobian(lens, images), numeric, atol=1e-9)
        signs = torch.linalg.det(lens_jacobian(lens, images)).sign()
        assert float(signs.sum()) == 0.0  # two minima, two saddles
    ring = find_images(torch.tensor([1.0, 0, 0, 0, 0, 0, 0]), torch.tensor([0.3, 0.0]), grid=24)
    assert torch.allclose(ring.sort(0).values[:, 0], torch.tensor([-0.7, 1.3]).double(), atol=1e-6)


@pytest.mark.parametrize("free_centre", [False, True])
def test_noise_free_quads_give_their_lens(free_centre: bool) -> None:
    positions, truth = quads()
    fit = fit_point_images(positions, centre=truth[:, 5:7], centre_sigma=0.01 if free_centre else None)
    assert bool(fit.converged.all()) and set(fit.reason) == {"converged"}
    assert fit.degrees == 1
    assert float((fit.parameters - truth).abs().max()) < 1e-6
    assert float(fit.rms.max()) < 1e-9
    assert float((fit.predicted - positions).abs().max()) < 1e-8


def test_measured_positions_give_a_sensible_chi2() -> None:
    positions, truth = quads()
    noise = 0.003 * torch.randn(positions.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    fit = fit_point_images(positions + noise, centre=truth[:, 5:7], sigma=0.003)
    assert float(fit.rms.max()) < 0.005
    assert 0.0 < float(fit.chi2.mean()) < 5.0  # one degree of freedom
    assert float((fit.parameters[:, 0] - truth[:, 0]).abs().median()) < 0.02


def test_turned_quads_give_turned_lenses() -> None:
    positions, truth = quads()
    turned = torch.stack((-positions[..., 1], positions[..., 0]), -1)
    centre = torch.stack((-truth[:, 6], truth[:, 5]), -1)
    fit = fit_point_images(turned, centre=centre)
    expected = truth[:, [0, 1, 2, 3, 4, 6, 5, 8, 7]] * torch.tensor([1, -1, -1, -1, -1, -1, 1, -1, 1]).double()
    assert float((fit.parameters - expected).abs().max()) < 1e-6


def test_four_points_that_are_no_quad_are_called_so() -> None:
    square = torch.tensor(
        [[0.1, 1.0], [0.3, 1.0], [0.5, 1.0], [0.7, 1.0]]
    )  # four images on one side: no lens does that
    fit = fit_point_images(square, sigma=0.003)
    assert float(fit.rms[0]) > 0.01 or not bool(fit.converged[0])


def test_peaks_are_measured() -> None:
    y, x = torch.meshgrid(torch.arange(60.0), torch.arange(60.0), indexing="ij")
    truth = [(50.0, 20.3, 14.6), (30.0, 35.1, 40.8), (20.0, 44.4, 21.9), (10.0, 12.7, 45.2)]
    image = 0.5 + 0.01 * x
    for height, column, row in truth:
        image = image + height * torch.exp(-0.5 * ((x - column) ** 2 + (y - row) ** 2) / 1.4**2)
    peaks = measure_peaks(image, 4)
    assert len(peaks) == 4
    for i, (height, column, row) in enumerate(truth):
        assert abs(float(peaks.column[i]) - column) < 1e-3 and abs(float(peaks.row[i]) - row) < 1e-3
        assert abs(float(peaks.height[i]) - height) < 0.02 and abs(float(peaks.width[i]) - 1.4) < 0.01
    faint = measure_peaks(image, 1, start=torch.tensor([[46, 12]]))
    assert abs(float(faint.column[0]) - 12.7) < 1e-3
    with pytest.raises(ValueError, match="found 4 peaks"):
        measure_peaks(image, 9, separation=6)
    with pytest.raises(ValueError, match="without NaN"):
        measure_peaks(image / 0.0 * 0.0, 1)


def test_picture_of_a_quad() -> None:
    pytest.importorskip("matplotlib")
    positions, truth = quads()
    fit = fit_point_images(positions[:1], centre=truth[:1, 5:7])
    image = torch.randn(50, 50, generator=torch.Generator().manual_seed(0))
    assert quad_picture(image, 0.05, positions[0], fit, truth[0, 5:7], "a quad").startswith(b"\x89PNG")


def test_errors_are_one_line() -> None:
    good = quads()[0][0]
    broken = good.clone()
    broken[0, 0] = float("nan")
    cases = [
        (lambda: fit_point_images(good[:3]), "K >= 4"),
        (lambda: fit_point_images(broken), "not finite"),
        (lambda: fit_point_images(good[[0, 0, 1, 2]]), "distinct"),
        (lambda: fit_point_images(good, sigma=0.0), "above 0"),
    ]
    for call, text in cases:
        with pytest.raises(ValueError, match=text) as caught:
            call()
        assert "\n" not in str(caught.value)
