"""Fields of the Earth from files, in one orientation: row 0 in the north, columns eastwards from longitude 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from steerable.data.files import data_root, load_npz
from steerable.data.latlon_grid import LatLonGrid
from steerable.domains.sphere import LatLonSphere

FOLDER = "sphere"
#: codes of the file by the name of the class; the Bay of Bengal (56) is part of the Indian Ocean
BASINS = {"Atlantic": (1,), "Pacific": (2,), "Indian": (3, 56), "Southern": (10,), "Arctic": (11,)}
#: classes of places; other seas are those with a code of their own: Mediterranean, Baltic, Hudson Bay, ...
SURFACES = ("land", *BASINS, "other seas")


@dataclass(frozen=True)
class Air:
    """The monthly mean of the air at some levels, on 241 x 480 places with both poles.

    Attributes:
        sphere: the sampling.
        level: pressures in hPa ``[K]``.
        height: geopotential height in metres, float64 ``[K, *shape]``.
        wind: components along south and east in metres a second, ``[K, 2, *shape]``.
    """

    sphere: LatLonSphere
    level: tuple[int, ...]
    height: Tensor
    wind: Tensor


def source_file(root: str | Path | None, name: str) -> Path:
    """Return a file of the folder ``sphere`` of the data, or of the folder itself.

    Raises:
        InputError: no folder.
    """
    folder = data_root(root)
    return (folder / FOLDER if (folder / FOLDER).is_dir() else folder) / name


def elevation(root: str | Path | None = None) -> tuple[LatLonSphere, Tensor]:
    """Height of the ground, and depth of the sea below 0, in kilometres: float64 ``[540, 1080]`` and its sampling.

    Raises:
        InputError: no such file.
    """
    z = load_npz(source_file(root, "etopo20_elevation.npz"), ("elevation", "latitude", "longitude"))
    grid = LatLonGrid(z["latitude"], z["longitude"])
    return grid.sphere, grid.maps(z["elevation"]).double() / 1000


def marble(root: str | Path | None = None) -> tuple[LatLonSphere, Tensor]:
    """The Earth in colours without clouds, values from 0 to 1: float64 ``[3, 512, 1024]`` and its sampling.

    Raises:
        InputError: no such file.
    """
    rgb = load_npz(source_file(root, "earth_blue_marble_rgb.npz"), ("rgb",))["rgb"].transpose(2, 0, 1)
    rows, columns = (180 * (np.arange(n) + 0.5) / rgb.shape[1] for n in rgb.shape[1:])
    grid = LatLonGrid(90 - rows, columns - 180)
    return grid.sphere, grid.maps(rgb).double() / 255


def basins(root: str | Path | None = None) -> tuple[LatLonSphere, Tensor]:
    """The class of each cell of a degree, numbers of :data:`SURFACES`, int64 ``[180, 360]``, and its sampling.

    Raises:
        InputError: no such file.
    """
    z = load_npz(source_file(root, "ocean_basin_mask_1deg.npz"), ("basin", "latitude", "longitude"))
    grid = LatLonGrid(z["latitude"], z["longitude"])
    code = grid.maps(z["basin"]).long()
    found = torch.where(code < 0, 0, len(SURFACES) - 1)
    for k, codes in enumerate(BASINS.values(), 1):
        found[torch.isin(code, torch.tensor(codes))] = k
    return grid.sphere, found


def air(root: str | Path | None = None) -> Air:
    """Read geopotential and wind of one month.

    Raises:
        InputError: no such file.
    """
    names = ("z", "u", "v", "longitude", "latitude", "level")
    z = load_npz(source_file(root, "era_interim_monthly_uvz.npz"), names)
    grid = LatLonGrid(z["latitude"], z["longitude"])
    level = tuple(int(p) for p in z["level"])
    return Air(grid.sphere, level, grid.maps(z["z"]).double() / 9.80665, grid.wind(z["u"], z["v"]).double())


def pick(x: Tensor, points: Tensor) -> Tensor:
    """Return the cell of an equirectangular picture ``[H, W]`` that holds each direction ``[..., 3]``.

    Rows from the north; the left border of the first column is longitude 0.
    """
    height, width = x.shape
    theta = torch.atan2(points[..., :2].norm(dim=-1), points[..., 2])
    phi = torch.remainder(torch.atan2(points[..., 1], points[..., 0]), 2 * math.pi)
    row = (theta / math.pi * height).long().clamp(max=height - 1)
    return x[row, (phi / (2 * math.pi) * width).long().clamp(max=width - 1)]
