"""The public benchmark with its quirks, and the shortcut that they open."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from steerable.tasks.lensing import Drawn, LensSettings, Part, Scene, draw_scenes, published_settings, render
from steerable.tasks.lensing.cosmology import einstein_radius
from steerable.tasks.lensing.published import BACKGROUND, published_einstein_radius
from steerable.tasks.lensing.render import add_noise, noise_level
from steerable.tasks.lensing.shortcut import shortcuts

AXION, CDM, NO_SUB = range(3)  # alphabetical, as published


def test_einstein_radii_are_those_of_luminosity_distances() -> None:
    settings = published_settings("I")
    assert published_einstein_radius(1e12, settings) == pytest.approx(1.2815, abs=5e-5)
    assert published_einstein_radius(1e12, settings) / einstein_radius(1e12) == pytest.approx(0.76989, abs=1e-5)
    assert published_einstein_radius(3e8, settings) == pytest.approx(0.02220, abs=5e-6)


def test_sub_halos_are_always_25_and_weigh_four_per_cent() -> None:
    settings = published_settings("I")
    drawn = draw_scenes(settings, CDM, range(400))
    part = drawn.clumps()
    assert part is not None and part.kind == "POINT_MASS" and part.values["theta_E"].shape == (400, 25)
    unit = published_einstein_radius(1e12, settings) ** 2 / 1e12
    solar = part.values["theta_E"] ** 2 / unit
    assert float(solar.mean()) == pytest.approx(1.51e9, rel=0.05)
    assert float(solar.median()) == pytest.approx(2.8e8, rel=0.1)
    radius = torch.hypot(part.values["center_x"], part.values["center_y"])
    assert float(radius.min()) > 0.25 and float(radius.max()) < 2.0
    assert float(radius.mean()) == pytest.approx(1.125, rel=0.02)  # uniform in radius, not in area
    assert [p.kind for p in drawn.scene.lens] == ["SIE", "SHEAR", "POINT_MASS"]  # nothing is taken from the smooth part


def test_every_image_has_the_same_lens() -> None:
    drawn = draw_scenes(published_settings("II"), NO_SUB, range(20))
    same = [0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13]
    assert (drawn.macro[:, same] - drawn.macro[:1, same]).abs().max() == 0
    assert drawn.macro[:, 7:9].abs().max() < 0.35 and drawn.macro[:, 7:9].std() > 0.1


def test_vortex_length_and_mass_law() -> None:
    settings = published_settings("I")
    drawn = draw_scenes(settings, AXION, range(300))
    assert drawn.log10_axion_mass.min() >= -24 and drawn.log10_axion_mass.max() <= -22
    assert torch.allclose(drawn.vortex[:, 1], 0.03 * 10 ** (-22 - drawn.log10_axion_mass))
    part = drawn.clumps()
    assert part is not None and part.values["theta_E"].shape[1] == 100
    reach = torch.hypot(part.values["center_x"], part.values["center_y"]).amax(1)
    assert torch.allclose(reach, drawn.vortex[:, 1])


def test_model_one_has_the_published_signal_to_noise_and_the_others_no_noise() -> None:
    settings = published_settings("I")
    drawn = draw_scenes(settings, NO_SUB, range(12))
    image = render(drawn, settings)
    sigma = noise_level(image, settings)
    assert 22 < float((image.amax((1, 2)) / sigma).median()) < 28  # peak over background
    noisy = add_noise(image, sigma, drawn, settings)
    corner = (noisy - image)[:, :20, :20] * settings.pixel_scale**2
    assert float(corner.std()) == pytest.approx(BACKGROUND, rel=0.6)
    for model in ("II", "III"):
        quiet = published_settings(model)
        one = draw_scenes(quiet, CDM, range(2))
        clean = render(one, quiet)
        assert torch.equal(add_noise(clean, noise_level(clean, quiet), one, quiet), 2 * clean)
    with pytest.raises(ValueError, match="model='IV'"):
        published_settings("IV")
    with pytest.raises(ValueError, match="classes="):
        published_settings("I", classes=("wdm",))


def test_the_shortcut_is_found_where_there_is_one() -> None:
    small = {"train": 150, "validation": 60, "test": 150}
    loud = shortcuts(published_settings("I", pixels=48, pixel_scale=0.12), **small)
    assert [len(s.classes) for s in loud] == [3, 2, 2, 2]
    assert loud[0].shown and loud[0].accuracy > 0.7 and "SHORTCUT" in str(loud[0])
    quiet = shortcuts(LensSettings(pixels=48, pixel_scale=0.07), **small)
    assert not any(s.shown for s in quiet), [str(s) for s in quiet]


@pytest.mark.slow
def test_physical_scenes_have_no_shortcut_on_thousands_of_images() -> None:
    found = shortcuts(LensSettings(classes=("none", "cdm", "wdm", "sidm", "vortex")), train=1500, test=1500)
    assert len(found) == 11 and found[1].images == 3000
    assert not any(s.shown for s in found), [str(s) for s in found]


@pytest.mark.slow
def test_halos_in_place_of_isothermal_mass_would_be_a_shortcut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: mass is conserved, but the halos make the lens shallower, and the light is spread wider."""

    def shallower(*args: Any, **kwargs: Any) -> Drawn:
        drawn = draw_scenes(*args, **kwargs)
        sie, shear, *clumps = drawn.scene.lens
        if not clumps or clumps[0].kind != "CONVERGENCE":
            return drawn
        lowered = sie.values["theta_E"] - drawn.mass_inside / drawn.macro[:, 0]
        lens = (Part("SIE", {**sie.values, "theta_E": lowered}), shear, clumps[1])
        return dataclasses.replace(drawn, scene=Scene(lens, drawn.scene.source))

    monkeypatch.setattr("steerable.tasks.lensing.shortcut.draw_scenes", shallower)
    found = shortcuts(LensSettings(classes=("cdm", "vortex")), train=1000, test=1500)
    assert found[0].shown, str(found[0])
