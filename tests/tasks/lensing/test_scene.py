from __future__ import annotations

import math

import pytest
import torch

from steerable.tasks.lensing.draw import draw_scenes
from steerable.tasks.lensing.drawn import Drawn
from steerable.tasks.lensing.halos import halo_masses, mean_halo_mass
from steerable.tasks.lensing.settings import LensSettings

SETTINGS = LensSettings()


def _mass(drawn: Drawn) -> torch.Tensor:
    """Masses [B, K] of sub-halos or vortex points, arcsec^2."""
    part = drawn.clumps()
    assert part is not None
    v = part.values
    return 2 * v["sigma0"] * v["Ra"] * v["Rs"] if part.kind == "PJAFFE" else v["theta_E"] ** 2


def _position(drawn: Drawn) -> torch.Tensor:
    part = drawn.clumps()
    assert part is not None
    return torch.stack((part.values["center_x"], part.values["center_y"]), -1)


def _kolmogorov(samples: torch.Tensor) -> float:
    """sqrt(n) times the distance of samples in [0, 1] from the uniform law; above 1.63 for p < 0.01."""
    ordered = samples.sort().values
    n = len(ordered)
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    return math.sqrt(n) * float(torch.maximum((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def test_sub_halo_masses_follow_the_mass_function() -> None:
    scene = draw_scenes(SETTINGS, 1, range(60), seed=3)
    mass = _mass(scene)[_mass(scene) > 0] / SETTINGS.mass_unit
    low, high = (m**-0.9 for m in SETTINGS.halo_masses)
    assert _kolmogorov((low - mass**-0.9) / (low - high)) < 1.63
    u = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    assert float(halo_masses(u, SETTINGS).mean()) == pytest.approx(mean_halo_mass(SETTINGS), rel=1e-3)
    assert (_mass(scene).diff(dim=1) <= 0).all()


def test_sub_halo_numbers_are_poisson_and_their_mass_is_the_fraction() -> None:
    scene = draw_scenes(SETTINGS, 1, range(400), seed=1)
    count = (_mass(scene) > 0).sum(1).double()
    rate = 0.05 * SETTINGS.halo_field**2 / (mean_halo_mass(SETTINGS) * SETTINGS.mass_unit)
    assert abs(float(count.mean()) - rate) < 4 * math.sqrt(rate / 400)
    assert 0.8 < float(count.var()) / rate < 1.25
    near = _position(scene).norm(dim=-1) < scene.macro[:, :1]
    fraction = (_mass(scene) * near).sum(1) / scene.macro[:, 0] ** 2  # whole halos, by their centres
    assert abs(float(fraction.mean()) - 0.05) < 4 * float(fraction.std()) / 20
    radius = _position(scene).norm(dim=-1)[_mass(scene) > 0]
    assert _kolmogorov((radius / SETTINGS.halo_field) ** 2) < 1.63  # constant surface density


def test_vortex_length_is_inverse_to_the_axion_mass() -> None:
    scene = draw_scenes(SETTINGS, 2, range(300), seed=2)
    half_length = scene.vortex[:, 1]
    assert float(half_length.min()) >= 0.3 and float(half_length.max()) <= 3.0
    assert _kolmogorov(torch.log10(half_length / 0.3)) < 1.63
    assert torch.allclose(_mass(scene).sum(1), 0.03 * scene.macro[:, 0] ** 2)
    expected = torch.minimum(scene.macro[:, 0] / half_length, torch.ones(300, dtype=torch.float64))
    assert (scene.mass_inside / _mass(scene).sum(1) - expected).abs().max() < 2 / 64


def test_all_classes_share_the_macro_prior() -> None:
    macros = [draw_scenes(SETTINGS, label, range(300), seed=4).macro for label in range(3)]
    for column in range(14):
        means = torch.stack([macro[:, column].mean() for macro in macros])
        error = macros[0][:, column].std() / math.sqrt(300)
        assert float(means.max() - means.min()) <= 5 * float(error) + 1e-12


def test_turning_is_a_group_action_on_parameters() -> None:
    scene = draw_scenes(SETTINGS, 1, range(4))
    there = scene.turned(30.0).turned(60.0)
    once = scene.turned(90.0)
    assert torch.allclose(there.macro, once.macro, atol=1e-12)
    assert torch.allclose(_position(there), _position(once), atol=1e-12)
    back = once.turned(-90.0)
    assert torch.allclose(back.macro, scene.macro, atol=1e-12)
    assert back.scene.turn == 0.0


def test_bad_requests_are_named() -> None:
    with pytest.raises(ValueError, match="split='val'"):
        draw_scenes(SETTINGS, 0, range(1), split="val")
    with pytest.raises(ValueError, match="label=3"):
        draw_scenes(SETTINGS, 3, range(1))
    with pytest.raises(ValueError, match="no indices"):
        draw_scenes(SETTINGS, 0, range(0))


def _solar(kind: str, count: int = 150) -> tuple[torch.Tensor, torch.Tensor]:
    """(mask [B, K] of the halos there are, their masses in solar masses)."""
    settings = LensSettings(classes=(kind,))
    mass = _mass(draw_scenes(settings, 0, range(count), seed=6))
    return mass > 0, mass / settings.mass_unit


def test_warm_halos_are_thinned_by_the_half_mode_law() -> None:
    there, mass = _solar("wdm")
    fine = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    cold = halo_masses(fine, SETTINGS).sort().values
    kept = (1 + SETTINGS.half_mode_mass / cold) ** -SETTINGS.half_mode_slope
    rate = 0.05 * SETTINGS.halo_field**2 / (mean_halo_mass(SETTINGS) * SETTINGS.mass_unit) * float(kept.mean())
    assert abs(float(there.sum(1).double().mean()) - rate) < 4 * math.sqrt(rate / 150)
    law = kept.cumsum(0) / kept.sum()
    place = torch.searchsorted(cold, mass[there]).clamp_max(99_999)
    assert _kolmogorov(law[place]) < 1.63
    steeper = ((1 + SETTINGS.half_mode_mass / cold) ** (-SETTINGS.half_mode_slope - 0.7)).cumsum(0)
    assert _kolmogorov((steeper / steeper[-1])[place]) > 1.63  # the planted fault


def test_self_interacting_halos_have_the_cold_masses_and_cores() -> None:
    there, mass = _solar("sidm")
    low, high = (m**-0.9 for m in SETTINGS.halo_masses)
    assert _kolmogorov((low - mass[there] ** -0.9) / (low - high)) < 1.63
    drawn = draw_scenes(LensSettings(classes=("sidm",)), 0, range(3), seed=6)
    part = drawn.clumps()
    assert part is not None
    mask = part.values["sigma0"] > 0
    assert torch.allclose((part.values["Ra"] / part.values["Rs"])[mask], torch.tensor(0.3, dtype=torch.float64))
