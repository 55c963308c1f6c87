"""Fields on the sphere in units of their own: by area, over what is known, written down in the recipe."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steerable.data import InputError, Recipe
from steerable.data.recipe import scale_steps
from steerable.data.sphere_folder import sphere_folder
from steerable.domains.sphere import Sphere

OPTIONS = {"sampling": "gauss(8)", "type": "2x0 + 1x1"}


def weather(count=40, gaps=0.0, seed=0):
    """Pressure (1e5 Pa), humidity (0.01) and a wind along south and east (10 m/s), warm at the equator."""
    rng = np.random.default_rng(seed)
    lat = np.sin(np.linspace(1.4, -1.4, 8))[:, None]
    x = rng.standard_normal((count, 4, 8, 16))
    x = x * np.array([500, 0.002, 10, 10])[:, None, None] + np.array([1e5, 0.01, 0, 3])[:, None, None]
    x[:, 0] += 2000 * lat**2
    if gaps:
        x[:, :, rng.random((8, 16)) < gaps] = np.nan
        x[(rng.random((count, 1, 8, 16)) < gaps).repeat(4, 1)] = np.nan
    return x, rng.standard_normal((count, 8, 16))


def read(folder, x, y, **more):
    np.savez(folder / "all.npz", x=x, y=y)
    return sphere_folder(folder, **{**OPTIONS, **more})


def test_each_field_has_its_own_unit(tmp_path):
    data = read(tmp_path, *weather())
    w = Sphere.gauss(8).weights().expand(8, 16)
    w = w / w.sum()
    x = data.train.x.double()
    mean = (x * w).sum((-1, -2)).mean(0)
    square = (x.square() * w).sum((-1, -2)).mean(0)
    assert torch.allclose(mean[:2], torch.zeros(2, dtype=torch.float64), atol=1e-3)  # by area: the poles weigh less
    assert torch.allclose(square[:2], torch.ones(2, dtype=torch.float64), atol=1e-3)
    assert float(square[2:].mean()) == pytest.approx(1, abs=1e-3)  # one spread for both components ...
    assert float(mean[3]) == pytest.approx(3 / (((10**2 * 2 + 3**2) / 2) ** 0.5), rel=0.1)  # ... and no mean
    ((name, numbers),) = data.recipe.steps
    assert name == "fields" and dict(numbers)["by"][2] == dict(numbers)["by"][3]
    again = Recipe.from_json(data.recipe.to_json())
    assert again == data.recipe and torch.equal(again(data.raw.test.x), data.test.x)
    assert "mean=1" in str(again)
    plain = read(tmp_path, *weather(), scale="dataset")  # keeps its meaning: one number, and the small field vanishes
    assert plain.recipe.steps[0][0] == "divide" and float(plain.train.x[:, 1].std()) < 1e-6


@pytest.mark.parametrize("scale", ["fields", "dataset"])
@pytest.mark.parametrize("mask", ["map", "fields"])
def test_what_is_missing_is_not_measured(tmp_path, scale, mask):
    x, y = weather(gaps=0.2)
    data = read(tmp_path, x, y, mask_value=".nan", mask=mask, scale=scale)
    count = 5 if mask == "map" else 7
    known = data.train.x[:, 4:] == 1
    assert data.train.channels == count and data.train.type == f"2x0 + 1x1 + {count - 4}x0"
    assert set(data.train.x[:, 4:].unique().tolist()) == {0, 1}  # the channels of masks stay as they are
    assert (data.train.x[:, :4][~known[:, :1].expand(-1, 4, -1, -1)] == 0).all()
    raw = data.raw.train.x
    numbers = dict(data.recipe.steps[0][1])
    there = raw[:, 4] == 1
    if scale == "fields":
        w = (Sphere.gauss(8).weights().expand(8, 16) * there).double()
        mean = float((raw[:, 0] * w).sum() / w.sum())
        assert numbers["mean"][0] == pytest.approx(mean, rel=1e-6) and abs(mean - 1e5) < 2000  # zeros would pull it
        assert numbers["mean"][2:] == (0,) * (count - 2) and numbers["by"][4:] == (1,) * (count - 4)
    else:
        values = torch.cat([raw[:, c][there] for c in range(4)])
        assert numbers["by"] == (pytest.approx(float(values.std())),) * 4 + (1,) * (count - 4)


def test_one_field_may_be_missing_alone(tmp_path):
    x, y = weather()
    x[:, 1, 2:4] = np.nan
    x[:, 3, 0] = np.nan  # one component: the vector is missing
    data = read(tmp_path, x, y, mask_value=".nan", mask="fields").train
    known = data.x[:, 4:].mean((0, 3))
    assert known[0].tolist() == [1] * 8 and known[1, 2:4].tolist() == [0, 0] and known[2, 0] == 0
    assert (data.x[:, 0, 2:4] != 0).all() and (data.x[:, 2, 0] == 0).all()
    whole = read(tmp_path, x, y, mask_value=".nan").train  # one mask for all: what is missing once is missing
    assert (whole.x[:, 0, 2:4] == 0).all() and whole.channels == 5
    with pytest.raises(InputError, match=r"data\.options\.mask is 'some'; expected one of map, fields"):
        read(tmp_path, x, y, mask_value=".nan", mask="some")
    with pytest.raises(InputError, match="without a mask_value"):
        read(tmp_path, *weather(), mask="fields")


def test_a_constant_field_and_other_scales(tmp_path):
    x, y = weather()
    x[:, 0] = 101325.1
    data = read(tmp_path, x, y)
    assert (data.train.x[:, 0] == 0).all() and float(data.train.x[:, 1].std()) == pytest.approx(1, rel=0.1)
    (tmp_path / "flat").mkdir()
    for part in ("train", "val", "test"):
        np.savez(tmp_path / "flat" / f"{part}.npz", x=np.ones_like(x[:5]), y=y[:5])
    with pytest.raises(InputError, match="all fields of 5 training maps are constant"):
        sphere_folder(tmp_path / "flat", sampling="gauss(8)")
    with pytest.raises(InputError, match="expected none, fields or dataset"):
        read(tmp_path, x, y, scale="standard")
    with pytest.raises(InputError, match=r"expected one of none, peak, .*Of fields on the sphere there is fields, too"):
        scale_steps("fields", torch.randn(2, 1, 8, 8))
    with pytest.raises(InputError, match="for maps of 3 channels; expected one for each"):
        data.recipe(torch.zeros(1, 3, 8, 16))


def test_the_step_can_be_exported():
    class Step(torch.nn.Module):
        def forward(self, x):
            return recipe(x)

    recipe = Recipe.of(("fields", {"mean": [1e5, 0.0], "by": [500.0, 1.0], "known": [1, 1]}))
    x = 1e5 + torch.randn(3, 2, 48)
    size = {0: torch.export.Dim("n", min=2)}
    program = torch.export.export(Step(), (x,), dynamic_shapes=(size,)).module()
    assert torch.equal(program(x[:2]), recipe(x[:2]))
