"""Numbers that stand for missing values: in answers, in arrays on latitudes and longitudes, in maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steerable.data import InputError, LatLonGrid
from steerable.data.sphere_folder import sphere_folder
from steerable.data.sphere_map import UNSEEN, as_maps
from steerable.domains.sphere import Sphere


def save(folder, **arrays):
    np.savez(folder / "all.npz", **{"x": np.random.default_rng(0).standard_normal((20, 1, 8, 16)), **arrays})


def test_answers_that_are_not_known(tmp_path):
    y = np.random.default_rng(1).standard_normal((20, 2, 8, 16)).astype(np.float32)
    y[:, :, 0] = UNSEEN
    save(tmp_path, y=y)
    data = sphere_folder(tmp_path, sampling="gauss(8)")
    assert data.train.y.isnan().double().mean() == 1 / 8 and data.train.y[:, :, 1:].abs().max() < 10
    y[:, :, 1] = 9.96921e36
    save(tmp_path, y=y)
    with pytest.raises(InputError, match=r"'y': 640 of 5120 values .* such as 9\.969210?\d*e\+36; expected.* "
                       r"--data\.options\.target_mask_value=9\.96921"):  # fmt: skip
        sphere_folder(tmp_path, sampling="gauss(8)")
    data = sphere_folder(tmp_path, sampling="gauss(8)", target_mask_value=9.96921e36)
    assert data.train.y.isnan().double().mean() == 2 / 8
    y = np.arange(20.0)
    y[3] = UNSEEN
    save(tmp_path, y=y)
    with pytest.raises(InputError, match="NaN or infinite"):
        sphere_folder(tmp_path, sampling="gauss(8)")
    with pytest.raises(InputError, match=r"data\.options\.target_mask_value is 'none'; expected the number"):
        sphere_folder(tmp_path, sampling="gauss(8)", target_mask_value="none")


def test_what_the_message_says_can_be_typed(tmp_path):
    """The number in a message is the one that is missing, to all digits that count."""
    sphere = Sphere.gauss(8)
    for value in (1e20, np.float32(9.96921e36), -3.4e38):
        x = np.ones((1, 1, 8, 16), np.float32)
        x[0, 0, 2, 3] = value
        with pytest.raises(InputError, match=r"1 of 128 values are above 1e\+19") as e:
            as_maps(x, sphere, "maps")
        told = str(e.value).split("--data.options.mask_value=")[1].split(";")[0]
        assert as_maps(x, sphere, "maps", float(told))[0, 1].sum() == 127
    x[0, 0, 2, 3] = np.nan
    with pytest.raises(InputError, match=r"Train with --data\.options\.mask_value=\.nan"):
        as_maps(x, sphere, "maps")
    assert as_maps(x, sphere, "maps", nan=True).isnan().sum() == 1


def test_arrays_on_latitudes_and_longitudes():
    grid = LatLonGrid(np.linspace(-90, 90, 19), np.arange(0, 360, 10.0))
    t = np.ones((19, 36), np.float32)
    t[0, 0], t[1, 0] = UNSEEN, np.nan
    assert grid.maps(t).isnan().sum() == 2
    t[2, 0] = 1e20
    with pytest.raises(InputError, match=r"LatLonGrid: 1 of 684 values .* such as 1e\+20; .* say mask_value=1e\+20"):
        grid.maps(t)
    assert grid.maps(t, mask_value=1e20).isnan().sum() == 3
    assert grid.wind(t, 0 * t, 1e20)[0].isnan().sum() == 1 and grid.wind(t, t, 1e20).isnan().sum() == 6
    whole = np.full((19, 36), 7)
    whole[0] = -99
    assert grid.maps(whole).dtype == torch.int64 and grid.maps(whole, -99).isnan().sum() == 36
