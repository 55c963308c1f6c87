"""Our scenes in lenstronomy's words, and our images against its own where it is installed (an optional extra)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from steerable.tasks.lensing import lenstronomy
from steerable.tasks.lensing.draw import draw_scenes
from steerable.tasks.lensing.scene import Scene
from steerable.tasks.lensing.settings import LensSettings

LENSES: dict[str, dict[str, float]] = {
    "SIE": {"theta_E": 1.1, "e1": 0.12, "e2": -0.2, "center_x": 0.05, "center_y": -0.03},
    "EPL": {"theta_E": 1.2, "gamma": 2.2, "e1": -0.25, "e2": 0.1, "center_x": 0.0, "center_y": 0.1},
    "SHEAR": {"gamma1": 0.04, "gamma2": -0.07, "ra_0": 0.1, "dec_0": 0.2},
    "POINT_MASS": {"theta_E": 0.2, "center_x": 0.7, "center_y": 0.6},
    "NFW": {"Rs": 0.8, "alpha_Rs": 0.3, "center_x": -0.4, "center_y": 0.2},
    "PJAFFE": {"sigma0": 0.5, "Ra": 0.05, "Rs": 0.4, "center_x": 0.9, "center_y": -0.1},
}
SOURCES: dict[str, dict[str, float]] = {
    "SERSIC": {"amp": 2.0, "R_sersic": 0.2, "n_sersic": 1.5, "center_x": 0.1, "center_y": -0.05},
    "SERSIC_ELLIPSE": {
        "amp": 5.0, "R_sersic": 0.3, "n_sersic": 3.0, "e1": 0.2, "e2": -0.1, "center_x": 0.02, "center_y": 0.12,
    },
}  # fmt: skip
POINTS = np.array([0.31, -0.92, 1.4]), np.array([-0.52, 0.77, 0.08])


def _whole() -> Scene:
    return Scene.from_lenstronomy(
        list(LENSES), list(LENSES.values()), list(SOURCES), list(SOURCES.values()), dtype=torch.float64
    )


# Written by lenstronomy 1.14.2 at POINTS: alpha_x and alpha_y of each lens, brightness of each source.
GOLDEN: dict[str, list[list[float]]] = {
    "SIE": [
        [0.34910541711055404, -0.730565031021439, 1.0388321322115739],
        [-1.004580726887141, 0.6897295423484524, 0.25035837531328753],
    ],
    "EPL": [
        [0.7630361252659466, -1.0756881715182243, 1.205965782778141],
        [-1.0691067968502024, 0.6268510285500443, -0.06937475147858954],
    ],
    "SHEAR": [
        [0.0588, -0.08070000000000001, 0.060399999999999995],
        [0.014099999999999998, 0.048600000000000004, -0.0862],
    ],
    "POINT_MASS": [
        [-0.011091361535726985, -0.024422417367052345, 0.03682272488164125],
        [-0.03185211517952365, 0.002562846266912901, -0.027354024197790646],
    ],
    "NFW": [
        [0.2131125152070571, -0.2015168921773211, 0.289778563190521],
        [-0.21611409992828326, 0.22089351642514043, -0.019318570879368068],
    ],
    "PJAFFE": [
        [-0.0159798968111998, -0.007957086617673909, 0.022119453649399542],
        [-0.011375519763904942, 0.0038036622842726924, 0.007963003313783835],
    ],
    "SERSIC": [[0.1914770838280595, 0.0025235146522140945, 0.0025507751915917853]],
    "SERSIC_ELLIPSE": [[0.6009788655417235, 0.3074081850012004, 0.2124645171500122]],
}


@pytest.mark.parametrize("kind", list(GOLDEN))
def test_profiles_reproduce_values_that_lenstronomy_wrote(kind: str) -> None:
    if kind in LENSES:
        found = Scene.from_lenstronomy([kind], [LENSES[kind]]).deflection(*POINTS)
    else:
        found = (Scene.from_lenstronomy([], [], [kind], [SOURCES[kind]]).brightness(*POINTS),)
    for ours, theirs in zip(found, GOLDEN[kind], strict=True):
        assert ours.shape == (1, 3)
        np.testing.assert_allclose(ours[0], theirs, rtol=1e-7)


@pytest.mark.parametrize("batch", [1, 3])
def test_scenes_travel_both_ways(batch: int) -> None:
    def spread(values: dict[str, float]) -> dict[str, Any]:
        return values if batch == 1 else {n: v * np.linspace(1.0, 0.9, batch) for n, v in values.items()}

    lens, kwargs = ["SIE", "PJAFFE", "PJAFFE", "SHEAR"], [LENSES[k] for k in ("SIE", "PJAFFE", "PJAFFE", "SHEAR")]
    kwargs = [spread(kw) for kw in kwargs]
    light = [spread(SOURCES["SERSIC"])]
    scene = Scene.from_lenstronomy(lens, kwargs, ["SERSIC"], light)
    assert len(scene) == batch and [part.kind for part in scene.lens] == ["SIE", "PJAFFE", "SHEAR"]
    back = scene.to_lenstronomy()
    assert back[0] == lens and back[2] == ["SERSIC"]
    for ours, theirs in zip(back[1] + back[3], kwargs + light, strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
            assert isinstance(ours[name], float if batch == 1 else np.ndarray)
    again = Scene.from_lenstronomy(*back)
    for part, other in zip((*scene.lens, *scene.source), (*again.lens, *again.source), strict=True):
        assert all(torch.equal(part.values[n], other.values[n]) for n in part.values)
    one = scene[batch - 1].to_lenstronomy()
    assert all(isinstance(value, float) for kw in one[1] for value in kw.values())


def test_a_batch_is_its_scenes() -> None:
    kwargs = [[{**LENSES["SIE"], "theta_E": r}, LENSES["SHEAR"]] for r in (0.9, 1.0, 1.1)]
    light = [[SOURCES["SERSIC"]]] * 3
    batch = Scene.from_lenstronomy(["SIE", "SHEAR"], kwargs, ["SERSIC"], light)
    images = batch.image(24, 0.1, 0.15)
    for i in range(3):
        one = Scene.from_lenstronomy(["SIE", "SHEAR"], kwargs[i], ["SERSIC"], light[i]).image(24, 0.1, 0.15)
        assert (images[i] - one[0]).abs().max() < 1e-12
    assert images.dtype == torch.float64 and batch.image(24, 0.1, dtype=torch.float32).dtype == torch.float32
    assert len(Scene.cat(list(batch))) == 3


def test_values_keep_their_gradients() -> None:
    theta = torch.tensor([1.0, 1.1], dtype=torch.float64, requires_grad=True)
    scene = Scene.from_lenstronomy(["SIE"], [{"theta_E": theta, "e1": 0.1, "e2": 0.0}], ["SERSIC"], [SOURCES["SERSIC"]])
    scene.image(16, 0.2).sum().backward()
    assert theta.grad is not None and bool((theta.grad != 0).all())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["TNFW"], [{}]), "lens 0 is 'TNFW'; expected one of SIE, EPL"),
        ((["SIE"], []), "0 dictionaries in kwargs_lens"),
        ((["SIE"], [{"theta_E": 1.0, "e1": 0.0}]), "missing parameter 'e2'"),
        ((["SIE"], [{"theta_E": 1.0, "e1": 0.0, "e2": 0.0, "q": 1.0}]), "unknown parameter 'q'"),
        ((["SIE"], [{"theta_E": math.nan, "e1": 0.0, "e2": 0.0}]), "expected finite numbers"),
        ((["SIE"], [{"theta_E": 1.0, "e1": 0.9, "e2": 0.9}]), "expected an ellipticity"),
        ((["EPL"], [{"theta_E": 1.0, "gamma": 3.5, "e1": 0.0, "e2": 0.0}]), "above 1.0 and below 3.0"),
        ((["NFW"], [{"Rs": -1.0, "alpha_Rs": 1.0}]), "expected values above 0.0"),
        ((["PJAFFE"], [{"sigma0": 1.0, "Ra": 0.1, "Rs": 0.1}]), "core smaller than the cut"),
        ((["SIE"], [{"theta_E": [1.0, 2.0], "e1": [0.0] * 3, "e2": 0.0}]), "one length"),
        (([], [], ["GAUSSIAN"], [{}]), "source 0 is 'GAUSSIAN'; expected one of SERSIC"),
        (([], []), "at least one lens or source"),
        ((["SIE"], [{"theta_E": -1.0, "e1": 0.0, "e2": 0.0}]), "theta_E=-1.0; expected an Einstein radius"),
        (([], [], ["SERSIC"], [{"amp": 1.0, "R_sersic": 0.2, "n_sersic": 0.1}]), "above 0.17"),
        ((["SIE"], {"theta_E": 1.0, "e1": 0.0, "e2": 0.0}), "kwargs_lens is of type dict; expected a list"),
        ((["SIE"], [1.0]), "an entry of kwargs_lens or kwargs_source is 1.0; expected a dictionary"),
        ((["SHEAR"], [{"gamma1": None, "gamma2": 0.0}]), "gamma1=None; expected a number"),
        ((["SHEAR"], [{"gamma1": "0.1", "gamma2": 0.0}]), "gamma1='0.1'; expected a number"),
    ],
)
def test_what_makes_no_sense_is_named(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scene.from_lenstronomy(*arguments)


def test_points_may_be_anything_that_holds_numbers() -> None:
    scene = _whole()
    expected = scene.deflection(
        torch.tensor([0.3, 1.0], dtype=torch.float64), torch.tensor([0.2, -1.0], dtype=torch.float64)
    )[0]
    frozen = np.array([0.3, 1.0])
    frozen.flags.writeable = False
    for x, y in ((frozen, (0.2, -1.0)), ([0.3, 1], np.array([0.2, -1.0]))):
        assert torch.equal(scene.deflection(x, y)[0], expected)
    assert scene.deflection(0.3, 0.2)[0].shape == (1,)
    assert scene.deflection(np.zeros((2, 3)), np.ones((2, 3)))[1].shape == (1, 2, 3)
    with pytest.raises(ValueError, match="expected a number"):
        scene.deflection("here", 0.0)


def test_numbers_may_come_from_tables() -> None:
    """Columns of FITS tables are big-endian; arrays may be read-only or reversed; None is no source."""
    gamma1 = np.array([0.1, 0.2], dtype=">f8")
    scene = Scene.from_lenstronomy(["SHEAR"], [{"gamma1": gamma1[::-1], "gamma2": np.broadcast_to(0.0, 2)}], None, None)
    x = np.array([1.0, 2.0], dtype=">f4")
    expected = torch.tensor([[0.4, 0.2], [0.2, 0.1]], dtype=torch.float64)
    assert torch.allclose(scene.deflection(x[::-1], np.broadcast_to(0.0, 2))[0], expected)
    assert torch.equal(scene.deflection([torch.tensor(2.0), 1.0], [0.0, 0.0])[0], scene.deflection(x[::-1], 0 * x)[0])
    assert len(scene[np.int64(1)]) == len(scene[torch.tensor(1)]) == 1


def test_an_engine_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lenstronomy.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"steerable\[lenstronomy\]"):
        _whole().image(8, 0.1, engine="lenstronomy")


def test_images_refuse_what_cannot_be() -> None:
    scene = _whole()
    with pytest.raises(ValueError, match="fwhm is 40 pixels and the image has 20"):
        scene.image(20, 0.1, 4.0)
    with pytest.raises(ValueError, match="engine='pytorch'"):
        scene.image(20, 0.1, engine="pytorch")
    with pytest.raises(ValueError, match="above 0"):
        scene.image(0, 0.1)
    with pytest.raises(ValueError, match=r"pixels=\(20, 20\); expected a whole number"):
        scene.image((20, 20), 0.1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"dtype=torch.int64; expected torch.float32 or torch.float64"):
        scene.image(20, 0.1, dtype=torch.int64)
    with pytest.raises(ValueError, match="x='a'; expected a number"):
        scene.deflection("a", 0.0)
    with pytest.raises(ValueError, match="one shape for both"):
        scene.deflection(torch.zeros(3), torch.zeros(4))


def test_row_zero_is_the_lowest_y_and_the_unit_is_flux_per_pixel() -> None:
    light = {"amp": 1.0, "R_sersic": 0.1, "n_sersic": 1.0, "center_x": 0.3, "center_y": -0.6}
    scene = Scene.from_lenstronomy([], [], ["SERSIC"], [light])
    image = scene.image(41, 0.05)[0]
    row, column = divmod(int(image.argmax()), 41)
    assert (row - 20) * 0.05 == pytest.approx(-0.6) and (column - 20) * 0.05 == pytest.approx(0.3)
    fine = scene.image(164, 0.0125)[0]
    assert float(fine.sum()) == pytest.approx(float(scene.image(41, 0.05, supersampling=4)[0].sum()), rel=1e-12)


class TestAgainstLenstronomy:
    """The fraction of the peak by which images differ: 1e-5 smooth, 5e-4 with singular clumps."""

    @pytest.fixture(autouse=True)
    def _needs_it(self) -> None:
        pytest.importorskip("lenstronomy")

    def _difference(self, scene: Scene, **kwargs: Any) -> float:
        n, scale = 64, 0.05
        ours, theirs = (scene.image(n, scale, 0.087, engine=e, **kwargs) for e in ("torch", "lenstronomy"))
        return float((ours - theirs).abs().amax() / ours.amax())

    @pytest.mark.parametrize("label", range(5))
    def test_drawn_scenes(self, label: int) -> None:
        settings = LensSettings(classes=("none", "cdm", "wdm", "sidm", "vortex"))
        worst = self._difference(draw_scenes(settings, label, range(4), seed=11).scene)
        assert worst < (1e-5 if label == 0 else 5e-4)

    @pytest.mark.parametrize("kind", list(LENSES))
    def test_every_lens(self, kind: str) -> None:
        lens = ["SIE", kind] if kind != "SIE" else ["SIE"]
        scene = Scene.from_lenstronomy(lens, [LENSES[k] for k in lens], ["SERSIC_ELLIPSE"], [SOURCES["SERSIC_ELLIPSE"]])
        assert self._difference(scene) < 1e-5
        assert self._difference(scene, supersampling=2) < 1e-5

    def test_nfw_halos(self) -> None:
        settings = LensSettings(halo_profile="NFW")
        assert self._difference(draw_scenes(settings, 1, range(2), seed=1).scene) < 5e-4
