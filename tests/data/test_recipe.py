"""Recipes: each step on known numbers, the way to JSON and back, and their symmetry."""

from __future__ import annotations

import json

import pytest
import torch

from steerable.data import InputError, Recipe, Samples, Splits
from steerable.data.recipe import SCALES, STEPS, geometry, noise, peak, scale_steps


def images(n=6, c=2, side=12):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, c, side, side, generator=generator)
    x[:, :, 4:8, 4:8] += 30
    return x


NUMBERS = {
    "centre": {"size": 9},
    "bin_pixels": {"factor": 3},
    "divide": {"by": 2.0},
    "asinh": {"by": 2.0},
    "noise": {"border": 0.2, "by": 1.0},
    "standardise": {"mean": 0.3, "std": 2.0},
    "fields": {"mean": (0.3, 1.0), "by": (2.0, 0.5), "known": (1, 1)},
}


@pytest.mark.parametrize("name", STEPS)
def test_each_step_treats_images_alone_and_commutes_with_turns(name):
    recipe = Recipe.of((name, NUMBERS.get(name, {})))
    x = images() if name != "centre" else images(side=13)
    if name in ("grey", "rgb"):
        x = images().repeat(1, 3, 1, 1)[:, : 3 if name == "grey" else 1]
    whole = recipe(x)
    assert torch.equal(torch.cat([recipe(part) for part in x.split(1)]), whole)
    assert torch.allclose(recipe(torch.rot90(x, 1, (-2, -1))), torch.rot90(whole, 1, (-2, -1)), atol=1e-5)
    assert torch.allclose(recipe(x.flip(-1)), whole.flip(-1), atol=1e-5)
    again = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
    assert again == recipe
    assert torch.equal(again(x), whole)


def test_steps_run_in_order():
    x = images()
    recipe = geometry(4, 2) + Recipe.of(("sqrt", {}), ("divide", {"by": 3.0}))
    middle = x[:, :, 2:10, 2:10].unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    assert torch.allclose(recipe(x), middle.sign() * middle.abs().sqrt() / 3, atol=1e-6)
    assert str(recipe) == "centre size=8, then bin_pixels factor=2, then sqrt, then divide by=3"
    assert str(Recipe()) == "as they are"


def test_peak():
    x = images()
    y = peak(x)
    assert torch.allclose(y.abs().amax((1, 2, 3)), torch.ones(6))
    assert torch.allclose(y[:, 0] / y[:, 1], x[:, 0] / x[:, 1])
    assert torch.equal(peak(torch.zeros(1, 1, 3, 3)), torch.zeros(1, 1, 3, 3))


def test_noise_measures_the_border():
    generator = torch.Generator().manual_seed(1)
    sky = torch.randn(4, 2, 100, 100, generator=generator)
    x = 7 * sky + 50
    y = noise(x)
    assert torch.allclose(y.sinh() * 2, sky, atol=0.1, rtol=0.1)
    bright = x.clone()
    bright[:, :, 40:60, 40:60] += 1e4  # a source inside changes nothing outside
    assert torch.equal(noise(bright)[:, :, :40], y[:, :, :40])
    bright[:, :, :5, :5] += 1e4  # and one in the frame little
    assert torch.allclose(noise(bright)[:, :, 20:40], y[:, :, 20:40], atol=0.1)


def test_noise_of_images_without_any():
    assert torch.equal(noise(torch.full((1, 1, 8, 8), 3.0)), torch.zeros(1, 1, 8, 8))
    padded = torch.zeros(1, 1, 20, 20)
    padded[:, :, 5:15, 5:15] = torch.randn(10, 10, generator=torch.Generator().manual_seed(0))
    y = noise(padded)
    assert torch.isfinite(y).all()
    assert 0.1 < float(y.std()) < 1


def test_scales():
    x = images()
    by = dict(scale_steps("dataset", x).steps[0][1])["by"]
    assert by == pytest.approx(float(x.std()))
    assert scale_steps("none", x) == Recipe()
    for name in SCALES:
        assert torch.isfinite(scale_steps(name, x)(x)).all()
    with pytest.raises(InputError, match="Did you mean 'noise'"):
        scale_steps("niose", x)
    with pytest.raises(InputError, match="one value"):
        scale_steps("dataset", torch.ones(2, 1, 3, 3))


@pytest.mark.parametrize(
    "value",
    [
        [{"step": "cente", "size": 3}],
        [{"step": "centre"}],
        [{"step": "centre", "size": "big"}],
        [{"step": "sqrt", "by": 2}],
        [{"size": 3}],
        [3],
        3,
    ],
)
def test_recipes_that_are_none(value):
    with pytest.raises(InputError, match="expected"):
        Recipe.from_json(value)


def test_parts_remember_what_was_done():
    parts = [Samples(k * images(), torch.zeros(6, dtype=torch.int64), ("a",)) for k in (1, 2, 3)]
    splits = Splits(*parts).prepare(geometry(8), "dataset")
    assert splits.raw_size == (12, 12)
    assert splits.train.size == (8, 8)
    for raw, done in zip(parts, (splits.train, splits.val, splits.test), strict=True):
        assert torch.equal(splits.recipe(raw.x), done.x)
    assert float(splits.train.x.std()) == pytest.approx(1, abs=1e-5)  # and the others by the same number
    assert float(splits.test.x.std()) > 2
    again = splits.prepare(Recipe.of(("sqrt", {})))
    assert again.raw_size == (12, 12)
    assert torch.equal(again.recipe(parts[0].x), again.train.x)
