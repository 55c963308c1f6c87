"""Helpers for real images, and real images themselves where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from steerable.tasks.lensing.macro import (
    annulus,
    border_noise,
    find_images,
    fit_macro,
    fit_picture,
    fit_point_images,
    measure_peaks,
    outside_discs,
    without_lens_colour,
)


def real(name: str) -> dict[str, np.ndarray]:
    path = Path(os.environ.get("STEERABLE_DATA", "/nowhere")) / "strong_lenses" / name
    if not path.is_file():
        pytest.skip(f"{name} is not in STEERABLE_DATA")
    return dict(np.load(path))


def test_border_noise_is_robust() -> None:
    image = 5.0 + 2.0 * torch.randn(2, 80, 80, generator=torch.Generator().manual_seed(0))
    image[:, 20:60, 20:60] += 1000.0  # not in the border
    image[1, :8, :20] += 50.0  # a neighbour in it
    image[1, 3, 70] = float("nan")
    level, sigma = border_noise(image)
    assert float((level - 5.0).abs().max()) < 0.2
    assert float((sigma - 2.0).abs().max()) < 0.15
    ticks = torch.linspace(-1, 1, 80)
    glow = image[:1] + 60.0 * torch.exp(-3 * (ticks[:, None] ** 2 + ticks**2))  # light up to the border
    assert float((border_noise(glow)[1] - 2.0).abs().max()) < 0.15
    many = torch.randn(60, 80, 80, generator=torch.Generator().manual_seed(2))
    assert abs(float(border_noise(many)[1].mean()) - 1.0) < 0.007  # no bias on mere noise
    clipped = torch.randn(1, 60, 60, generator=torch.Generator().manual_seed(1)).sub(1.0).clamp_min(0.0)
    assert 0.2 < float(border_noise(clipped)[1]) < 1.0  # 84 % are zero
    with pytest.raises(ValueError, match="constant"):
        border_noise(torch.ones(1, 40, 40))
    with pytest.raises(ValueError, match="width=30"):
        border_noise(image[:, :40, :40], width=30)
    with pytest.raises(ValueError, match=r"\[B, n, n\]"):
        border_noise(image[0])
    with pytest.raises(ValueError, match="finite pixels"):
        border_noise(image * float("nan"))


def test_masks() -> None:
    ring = annulus(40, 0.1, 0.5, 1.0)
    assert abs(float(ring.sum()) * 0.01 - np.pi * 0.75) < 0.1
    away = annulus(41, 0.1, 0.0, 0.05, centre=(1.0, 0.5))
    assert away.nonzero().tolist() == [[15, 30]]  # up is towards row 0
    mask = outside_discs(41, 0.1, [(1.0, 0.5, 0.05), (-1.0, 0.0, 0.05)])
    assert int((~mask).sum()) == 2 and not bool(mask[15, 30])
    with pytest.raises(ValueError, match="inner < outer"):
        annulus(40, 0.1, 1.0, 0.5)


def test_the_colour_of_the_lens_is_taken_out() -> None:
    y, x = torch.meshgrid(torch.linspace(3, -3, 60), torch.linspace(-3, 3, 60), indexing="ij")
    noise = 0.01 * torch.randn(2, 1, 60, 60, generator=torch.Generator().manual_seed(0))
    galaxy = torch.exp(-(x**2 + y**2) / 0.5)
    arc = torch.exp(-(((x**2 + y**2).sqrt() - 1.8) ** 2) / 0.02) * (x > 0)
    red, blue = galaxy + 0.05 * arc + noise[0], 0.4 * galaxy + arc + noise[1]
    rest, k = without_lens_colour(blue, red, 0.1)
    assert abs(float(k) - 0.4) < 0.02
    assert float(rest[0, 30, 30].abs()) < 0.1 and float(rest.max()) > 0.8
    with pytest.raises(ValueError, match="twice"):
        without_lens_colour(blue, red[:, :50, :50], 0.1)


def test_pictures() -> None:
    pytest.importorskip("matplotlib")
    image = torch.randn(3, 24, 24, generator=torch.Generator().manual_seed(0))
    fit = fit_macro(image, 1.0, 0.1, 0.2)
    assert fit_picture(image, fit, 0.1, columns=2).startswith(b"\x89PNG")
    mask = annulus(24, 0.1, 0.2, 1.0)
    assert fit_picture(image, fit, 0.1, ["a", "b", "c"], mask=mask).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="fit of 3"):
        fit_picture(image[:2], fit, 0.1)


def space(index: str) -> Tensor:
    data = real("lens_finding_challenge_sample.npz")
    image = torch.from_numpy(data["x_space"][data["id_space"] == index]).double()
    level, sigma = border_noise(image)
    return (image - level[:, None, None]) / sigma[:, None, None]


def test_a_challenge_lens_is_fitted_with_its_light() -> None:
    fit = fit_macro(space("100014"), 1.0, 0.1, 0.18, lens_light=1)
    assert fit.reason == ("converged",)
    assert float(fit.chi2_per_pixel[0]) < 1.05
    assert 1.0 < float(fit["theta_e"][0]) < 1.2
    dark = fit_macro(space("100014"), 1.0, 0.1, 0.18)
    assert dark.reason[0] != "converged"  # without the light of the lens nothing fits, and it says so


def test_a_neighbour_is_named() -> None:
    fit = fit_macro(space("100003"), 1.0, 0.1, 0.18, lens_light=1)
    assert abs(float(fit["theta_e"][0]) - 4.54) < 0.1
    assert "a neighbour" in fit.reason[0]


def test_wfi2033_by_its_four_images() -> None:
    image = torch.from_numpy(real("WFI2033_HST_F814W.npz")["x"]).double().flip(0)
    peaks = measure_peaks(image, 4)
    galaxy = measure_peaks(image, 1, window=3, start=torch.tensor([[60.0, 55.0]]))
    scale = 0.0499
    middle = (image.shape[0] - 1) / 2
    positions = scale * torch.stack((peaks.column - middle, middle - peaks.row), 1)
    centre = scale * torch.stack((galaxy.column - middle, middle - galaxy.row), 1)[0]
    assert abs(float(torch.cdist(positions, positions).max()) - 2.53) < 0.02
    held = fit_point_images(positions, centre=centre, sigma=0.003)
    assert bool(held.converged[0]) and 0.01 < float(held.rms[0]) < 0.04  # one SIE + shear at the galaxy: a poor fit
    loose = fit_point_images(positions, centre=centre, sigma=0.003, centre_sigma=0.05)
    assert bool(loose.converged[0]) and float(loose.rms[0]) < 0.002
    assert 1.05 < float(loose.parameters[0, 0]) < 1.2
    assert len(find_images(loose.parameters[0, :7], loose.parameters[0, 7:])) == 4
