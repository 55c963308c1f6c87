from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch

from steerable.data.errors import InputError
from steerable.data.shards import read_shards
from steerable.tasks.lensing import CLASSES, LensSettings, dataset, load, simulate, simulate_files
from steerable.tasks.lensing.dataset import LensData, blind_fit, observe
from steerable.tasks.lensing.draw import draw_scenes
from steerable.tasks.lensing.macro import MacroFit, fit_macro
from steerable.tasks.lensing.render import noise_map
from steerable.tasks.lensing.scene import MACRO

pytest.importorskip("pyarrow")
SMALL = LensSettings(pixels=16, pixel_scale=0.2)


@pytest.fixture(scope="module")
def data() -> LensData:
    return simulate(3, seed=1, settings=SMALL)


def equal(a: LensData, b: LensData) -> bool:
    same = all(torch.equal(t, b.tensors()[name]) for name, t in a.tensors().items())
    return same and (a.ids, a.classes, a.settings, a.seed, a.split) == (b.ids, b.classes, b.settings, b.seed, b.split)


def test_same_seed_same_bits_and_prefixes_agree(data: LensData) -> None:
    again = simulate(3, seed=1, settings=SMALL)
    for name, tensor in data.tensors().items():
        assert torch.equal(tensor, again.tensors()[name]), name
    larger = simulate(20, seed=1, settings=SMALL)
    for label in range(len(CLASSES)):
        few, many = data.image[data.label == label], larger.image[larger.label == label]
        assert torch.allclose(few, many[:3], atol=1e-5 * float(many.max()))


def test_splits_and_seeds_are_apart(data: LensData) -> None:
    for other in (simulate(3, seed=1, split="test", settings=SMALL), simulate(3, seed=2, settings=SMALL)):
        distance = (data.macro[:, None, 0] - other.macro[None, :, 0]).abs()
        assert float(distance.min()) > 1e-9


def test_files_hold_the_bits_of_the_simulation(data: LensData, tmp_path) -> None:
    seen: list[tuple[int, int]] = []
    counts = {"train": 3, "test": 20}
    written = simulate_files(tmp_path / "set", counts, seed=1, settings=SMALL, progress=lambda *a: seen.append(a))
    assert seen[-1] == (69, 69)
    assert sorted(p.name for p in written.folder.iterdir()) == ["README.md", "manifest.json", "test", "train"]
    assert equal(load(written.folder / "train"), data)
    assert equal(load(written.folder / "test"), simulate(20, 1, "test", SMALL))
    assert data.ids[:2] == ("train/none/0", "train/none/1")
    assert data.inputs().shape == (9, 1, 16, 16)
    assert (
        "linearised at the true macro model"
        in json.loads((written.folder / "manifest.json").read_text())["description"]
    )
    # classes take turns in the files, so that a stream of shards is mixed
    assert read_shards(written.folder / "train")["label"].tolist() == [0, 1, 2] * 3
    assert simulate_files(written.folder, counts, seed=1, settings=SMALL).already


def test_files_do_not_depend_on_workers_or_size(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(dataset, "_SHARD", 1)
    monkeypatch.setattr(dataset, "_SCENES", 16)  # of a class in a shard
    for name, count, workers in (("one", 20, 1), ("two", 20, 2), ("more", 33, 1)):
        simulate_files(tmp_path / name, {"train": count}, settings=SMALL, classes=("none", "vortex"), workers=workers)
    shard = "train/shard-00000.parquet"
    for path in (shard, "train/shard-00001.parquet", "manifest.json"):
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()
    assert (tmp_path / "one" / shard).read_bytes() == (tmp_path / "more" / shard).read_bytes()


def test_chosen_classes(tmp_path) -> None:
    simulate_files(tmp_path / "set", {"test": 2}, settings=SMALL, classes=["vortex", "none"])
    found = load(tmp_path / "set" / "test")
    assert found.classes == ("vortex", "none")
    assert found.label.tolist() == [0, 0, 1, 1]
    assert (found.log10_axion_mass < 0).tolist() == [True, True, False, False]
    assert torch.equal(found.macro[2:], simulate(2, split="test", settings=SMALL, classes=["none"]).macro)


def test_a_new_column_is_written_and_read(tmp_path, monkeypatch) -> None:
    rows = dataset.rows

    def more(*args):
        found = rows(*args)
        return found | {"fit_chi2": found["sigma"].double() * 2, "fit_converged": found["sigma"] > 0}

    monkeypatch.setattr(dataset, "rows", more)
    quick = dataclasses.replace(SMALL, blind_fit=False)
    simulate_files(tmp_path / "set", {"train": 2}, settings=quick)
    found = load(tmp_path / "set" / "train")
    assert found.fit_residual is None
    assert found.fit_chi2 is not None and found.fit_chi2.dtype == torch.float64
    assert found.fit_converged is not None and bool(found.fit_converged.all())
    assert equal(found, simulate(2, settings=quick))


def refused(text: str):
    return pytest.raises(InputError, match=rf"\A[^\n]*{text}[^\n]*\Z")


def test_what_cannot_be_is_refused(tmp_path) -> None:
    for text, options in {
        r"got splits \['val'\]; expected some of": {"n_per_class": {"val": 2}},
        r"got splits \[\]": {"n_per_class": {}},
        "expected at least 1 in each split": {"n_per_class": {"train": 0}},
        "no class 'cmd'.*Did you mean 'cdm'": {"classes": ["cmd"]},
        "got classes .*each of them once": {"classes": ["cdm", "cdm"]},
        r"got classes \[\]": {"classes": []},
    }.items():
        with refused(text):
            simulate_files(tmp_path / "set", **({"n_per_class": {"train": 1}, "settings": SMALL} | options))
    assert list(tmp_path.iterdir()) == []
    with refused("expected at least 1"):
        simulate(0)


def test_changed_sets_are_refused(tmp_path) -> None:
    folder = simulate_files(tmp_path / "set", {"train": 1}, settings=SMALL).folder
    manifest = json.loads((folder / "manifest.json").read_text())

    def edited(change) -> None:
        text = json.loads(json.dumps(manifest))
        change(text)
        (folder / "manifest.json").write_text(json.dumps(text))

    edited(lambda m: m["parameters"].update(task="galaxies"))
    with refused("made by the task 'galaxies'; expected 'lensing'"):
        load(folder / "train")
    edited(lambda m: m["parameters"]["settings"].update(colour=1))
    with refused("settings that this steerable does not know .*unknown setting 'colour'"):
        load(folder / "train")
    edited(lambda m: m["parameters"]["settings"].update(classes=["none", "cdm"]))
    with refused("labels are 0 to 2; expected 0 to 1"):
        load(folder / "train")
    edited(lambda m: m["parameters"]["settings"].update(classes=["none", "fog", "cdm"]))
    with refused("classes=.*'fog', 'cdm'.*expected some of"):
        load(folder / "train")
    edited(lambda m: None)
    shard = folder / "train" / "shard-00000.parquet"
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    with refused("has sha256"):
        load(folder / "train")
    with refused("has no part 'test'"):
        load(folder / "test")
    with refused("does not exist"):
        load(tmp_path / "nothing" / "train")


def test_photon_noise_does_not_bias_the_fit() -> None:
    """Weights from the noisy pixels themselves would: the radius of the source by -1.1 standard deviations."""
    settings = LensSettings(poisson_share=0.8)
    scene = draw_scenes(settings, 0, range(40), seed=9)
    image, residual, sigma = observe(scene, settings)
    assert abs(float(residual.mean())) < 4 / math.sqrt(residual.numel())
    columns = [MACRO.index(name) for name in ("source_radius", "sersic_index", "amplitude")]

    def pulls(fit: MacroFit) -> torch.Tensor:
        return ((fit.macro - scene.macro) / fit.uncertainty)[:, columns].mean(0)

    fit = blind_fit(image, sigma, settings)
    assert bool(fit.converged.all())
    assert pulls(fit).abs().max() < 3.5 / math.sqrt(40)
    naive = fit_macro(image, noise_map(image, sigma, settings), settings.pixel_scale, settings.psf_fwhm)
    assert pulls(naive).abs().max() > 4.5 / math.sqrt(40)  # the planted fault
