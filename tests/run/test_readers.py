"""The table of readers: options, targets, training sizes, and simulated lenses in each of their forms."""

from __future__ import annotations

import os
import types

import pytest
import torch

from steerable.data import InputError, Recipe
from steerable.run.config import DataConfig
from steerable.run.readers import READERS, lens_images, load_data

real = pytest.mark.skipif("STEERABLE_DATA" not in os.environ, reason="STEERABLE_DATA is not set")


@pytest.fixture(scope="module")
def lenses(tmp_path_factory):
    """A small simulated set."""
    pytest.importorskip("astropy")
    from steerable.run.cli import main

    out = tmp_path_factory.mktemp("lenses") / "set"
    small = ["--train=3", "--validation=2", "--test=2", "--settings.pixels=24", "--settings.pixel_scale=0.13"]
    assert main(["simulate", "lensing", f"--out={out}", *small]) == 0
    return out


def test_residuals_are_what_the_task_gives_to_its_networks(lenses):
    from steerable.tasks.lensing import load

    s = load_data(DataConfig("lensing", str(lenses)))
    found = load(lenses / "train")
    assert torch.equal(s.train.x, found.inputs())
    assert torch.equal(s.train.y, found.label)
    assert s.input == "residual"
    assert s.recipe == Recipe.of(("asinh", {"by": 2.0}))
    assert s.settings["pixel_scale"] == 0.13
    assert s.raw_size == (24, 24)


def test_images_are_scaled_by_their_noise(lenses):
    from steerable.tasks.lensing import load

    s = load_data(DataConfig("lensing", str(lenses), options={"input": "image"}))
    assert s.input == "pixels"
    assert s.recipe == Recipe.of(("noise", {}))
    assert torch.equal(s.recipe(load(lenses / "test").image[:, None]), s.test.x)
    peak = load_data(DataConfig("lensing", str(lenses), scale="peak", options={"input": "image"}))
    assert float(peak.train.x.amax()) == pytest.approx(1)


def test_the_mass_of_those_with_a_vortex(lenses):
    s = load_data(DataConfig("lensing", str(lenses), target="log10_axion_mass"))
    assert [len(p) for p in (s.train, s.val, s.test)] == [3, 2, 2]
    assert s.target.name == "log10_axion_mass"
    assert all(-25 < float(v) < -21 for v in s.train.y)


def test_lensing_refuses(lenses):
    for config, word in [
        (DataConfig("lensing", str(lenses), target="theta_E"), "expected log10_axion_mass"),
        (DataConfig("lensing", str(lenses), scale="peak"), "units of the noise already"),
        (DataConfig("lensing", str(lenses), options={"input": "pixels"}), "expected one of residual"),
        (DataConfig("lensing", str(lenses), options={"inptu": "image"}), "Did you mean 'input'?"),
    ]:
        with pytest.raises(InputError) as e:
            load_data(config)
        assert word in str(e.value)
        assert "\n" not in str(e.value)
    with pytest.raises(InputError, match=r"does not hold; expected one of \['residual'\]"):
        lens_images(types.SimpleNamespace(residual=torch.zeros(1, 2, 2)), "fit_residual")


def test_every_reader_explains_its_arguments():
    for name, reader in READERS.items():
        assert reader.__doc__, name
        assert "root:" in reader.__doc__ or "see :func:" in reader.__doc__, name


@real
@pytest.mark.parametrize("per_class", [10, 100, 500, None])
def test_digits_at_several_training_sizes(per_class):
    s = load_data(DataConfig("digits", per_class=per_class, options={"val_fraction": 0.05}))
    assert s.train.counts() == [per_class] * 10 if per_class else len(s.train) > 11000
    assert len(s.test) == 5000


@real
def test_finder_and_grade_at_several_training_sizes():
    finder = load_data(DataConfig("cfhtls", per_class=10))
    assert finder.train.counts() == [10, 10]
    small = load_data(DataConfig("cfhtls", target="grade", images=50))
    large = load_data(DataConfig("cfhtls", target="grade", images=100))
    assert (len(small.train), len(large.train)) == (50, 100)
    assert torch.equal(small.test.x, large.test.x)
