"""Arrays on latitudes and longitudes: which sampling they are, and in which order."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from steerable.data import InputError, LatLonGrid
from steerable.data.sphere_file import read_maps
from steerable.data.sphere_folder import read_sphere, sphere_folder
from steerable.domains.sphere import parse_sphere
from steerable.run.domains.sphere import SPHERE

LON = {"east": np.arange(0, 360, 7.5), "dateline": np.arange(-180, 180, 7.5), "west": np.arange(0, 360, 7.5)[::-1]}
LON |= {"closed": np.linspace(0, 360, 49), "both": np.linspace(-180, 180, 49), "half": np.arange(3.75, 360, 7.5)}
GAUSS = 90 - np.rad2deg(parse_sphere("gauss(24)").angles()[:, 0, 0].numpy())
LAT = {"cc": np.linspace(90, -90, 25), "fejer": np.arange(86.25, -90, -7.5), "gauss": GAUSS.astype(np.float32)}


def field(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """A function of the place ``[nlat, nlon]`` that no symmetry of a grid keeps."""
    t, p = np.deg2rad(latitude.astype(float))[:, None], np.deg2rad(longitude)[None]
    return np.sin(t) + np.cos(t) * (np.cos(p - 0.3) + 0.5 * np.sin(2 * p))


@pytest.mark.parametrize("rows", LAT)
@pytest.mark.parametrize("columns", LON)
@pytest.mark.parametrize("upside", [False, True])
def test_every_order_of_a_grid_is_the_same_field_on_the_sphere(rows: str, columns: str, upside: bool):
    lat, lon = LAT[rows][:: -1 if upside else 1], LON[columns]
    grid = LatLonGrid(lat, lon)
    given = field(lat, lon)
    x = grid.maps(given)
    theta, phi = grid.sphere.angles().unbind(-1)
    there = torch.sin(torch.pi / 2 - theta) + theta.sin() * ((phi - 0.3).cos() + 0.5 * (2 * phi).sin())
    assert x.dtype == torch.float32
    assert float((x - there).abs().max()) < 1e-5
    assert parse_sphere(grid.sampling) == grid.sphere
    assert float((grid.values(x) - torch.as_tensor(given)).abs().max()) < 1e-5


def test_names_of_the_usual_grids():
    assert LatLonGrid(np.linspace(90, -90, 181), np.arange(360)).sampling == "equiangular(nlat=181, kind=cc)"
    assert LatLonGrid(np.linspace(90, -90, 721), np.arange(0, 360, 0.25)).sampling == "equiangular(nlat=721, kind=cc)"
    half = LatLonGrid(np.arange(-89.5, 90), np.arange(-179.5, 180))
    assert half.sampling == "equiangular(nlat=180, kind=fejer, shift=0.5)"
    wide = LatLonGrid(np.linspace(90, -90, 73), np.arange(0, 360, 3.75))
    assert wide.sampling == "equiangular(nlat=73, kind=cc, nlon=96)"
    assert parse_sphere(wide.sampling) == wide.sphere


def test_rounded_steps_do_not_add_up():
    """ETOPO20 has 1080 steps of 0.3333333 degrees from 20.1666667: half a step from Greenwich all the same."""
    grid = LatLonGrid(np.arange(-89.8333333, 90, 0.3333333), 20.1666667 + 0.3333333 * np.arange(1080))
    assert grid.sampling == "equiangular(nlat=540, kind=fejer, shift=0.5)"


def test_a_wind_stands_in_the_frame_of_the_sphere():
    grid = LatLonGrid(LAT["cc"][::-1], LON["dateline"])
    u, v = np.random.default_rng(0).normal(size=(2, 3, 25, 48))
    y = grid.wind(u, v)
    assert y.shape == (3, 2, 25, 48)
    assert torch.equal(y[:, 0], -grid.maps(v))
    assert torch.equal(y[:, 1], grid.maps(u))


def test_hidden_values_become_nan_and_labels_stay_whole():
    grid = LatLonGrid(LAT["cc"], LON["east"])
    z = np.ma.masked_greater(field(LAT["cc"], LON["east"]), 1.0)
    assert torch.equal(grid.maps(z).isnan(), torch.as_tensor(z.mask))
    assert grid.maps(np.ones((25, 48), dtype=np.int64)).dtype == torch.int64


@pytest.mark.parametrize(
    ("lat", "lon", "says"),
    [
        (np.linspace(0, 180, 25), LON["east"], "Colatitudes are 90 - latitude"),
        (LON["east"], LAT["cc"], "the order is"),
        (np.deg2rad(LAT["cc"]), np.deg2rad(LON["east"]), "numpy.rad2deg"),
        (np.linspace(60, -60, 25), LON["east"], "Fill missing rows with NaN"),
        (np.linspace(82.5, -82.5, 23), LON["east"], "expected the whole globe"),
        (LAT["cc"], np.arange(0, 180, 7.5), "the whole circle, once"),
        (LAT["cc"], np.sort(np.random.default_rng(0).uniform(0, 360, 48)), "Interpolate to equal steps"),
        (np.zeros((25, 48)), LON["east"], "interpolate it first"),
        (np.roll(LAT["cc"], 3), LON["east"], "turns back on itself"),
    ],
)
def test_other_grids_are_refused_with_the_mend(lat: np.ndarray, lon: np.ndarray, says: str):
    with pytest.raises(InputError, match=says):
        LatLonGrid(lat, lon)


def test_arrays_of_another_shape_are_refused_with_the_likely_reason():
    grid = LatLonGrid(LAT["cc"], LON["east"])
    with pytest.raises(InputError, match="swap the axes"):
        grid.maps(np.zeros((48, 25)))
    with pytest.raises(InputError, match="channels stand last"):
        grid.maps(np.zeros((25, 48, 3)))
    with pytest.raises(InputError, match="maps of its own sampling"):
        grid.values(torch.zeros(24, 48))


def test_components_are_the_inverse_of_wind():
    for columns in LON.values():
        grid = LatLonGrid(LAT["cc"][::-1], columns)
        u, v = (torch.as_tensor(field(LAT["cc"][::-1], columns)) * k for k in (1, 2))
        back = grid.components(grid.wind(u[None], v[None]))
        for found, given in zip(back, (u, v), strict=True):
            assert found.shape == (1, *given.shape) and float((found[0] - given).abs().max()) < 1e-5
    with pytest.raises(InputError, match="Of scalars take values"):
        grid.components(torch.zeros(3, 25, 48))


def test_maps_with_latitudes_are_read_from_the_north(tmp_path):
    lat, lon = LAT["cc"], LON["east"]
    x = np.stack([field(lat, lon) * k for k in (1.0, 2.0)])[:, None]
    y = np.concatenate([x, -x], 1)
    upside, shifted = slice(None, None, -1), np.roll(np.arange(48), 24)
    turned = {k: v[..., upside, :][..., shifted] for k, v in (("x", x), ("y", y))}
    places = {"latitude": lat[upside], "longitude": (lon[shifted] + 180) % 360 - 180}
    named = "equiangular(nlat=25, kind=cc)"
    found = []
    for name, arrays in (("plain", {"x": x, "y": y}), ("turned", turned | places)):
        np.savez(tmp_path / f"{name}.npz", **arrays)
        found.append(read_sphere(tmp_path / f"{name}.npz", None, named, "", "1x1", (), "", None))
    assert torch.equal(found[0].x, found[1].x) and torch.equal(found[0].y, found[1].y)
    assert torch.equal(torch.stack(read_maps(tmp_path / "turned.npz", named)), found[0].x)
    for changed, says in (
        ({"latitude": lat[upside]}, "latitude alone; expected latitude and longitude"),
        (places | {"latitude": np.linspace(0, 60, 25)}, "turned.npz: LatLonGrid"),
        (places | {"longitude": lon + 3.75}, "Set data.options.sampling to 'equiangular(nlat=25, kind=cc, shift=0.5)'"),
    ):
        np.savez(tmp_path / "turned.npz", **turned, **changed)
        with pytest.raises(InputError, match=re.escape(says)):
            read_maps(tmp_path / "turned.npz", named)


def test_files_of_climate_data_are_refused_with_the_line_that_reads_them(tmp_path):
    (tmp_path / "t.nc").touch()
    for call in (
        lambda: read_maps(tmp_path / "t.nc", "gauss(8)"),
        lambda: sphere_folder(tmp_path),
        lambda: SPHERE.files.check(tmp_path / "t.nc"),
    ):
        with pytest.raises(InputError, match=r"xarray\.open_dataset.*netCDF4.*LatLonGrid"):
            call()
