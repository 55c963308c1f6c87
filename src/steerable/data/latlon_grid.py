"""Arrays on latitudes and longitudes, as files of climate data hold them, to a sampling of the sphere and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.sphere_map import check_huge, missing_pixels
from steerable.domains.sphere import EquiangularSphere, GaussSphere, LatLonSphere, Sphere

# share of a step by which a latitude may differ from its ring: files round; the nearest other grid differs by a quarter
_ROUNDED = 0.05
#: arrays of an `.npz` file that say where its maps lie
PLACES = ("latitude", "longitude")
#: how files of climate data become what is read
NETCDF = (
    "Climate data become .npz in one line of python: import numpy, xarray; ds = xarray.open_dataset('FILE.nc'); "
    "numpy.savez('FILE.npz', x=ds['t'].values, latitude=ds['lat'].values, longitude=ds['lon'].values) (netCDF4 has the "
    "same arrays), with y beside x for training; steerable.data.LatLonGrid(latitude, longitude) finds the sampling."
)


class LatLonGrid:
    """The sampling that a regular grid of the whole globe is, and the order of its rows and columns.

    Rows may run from either pole, longitudes from -180 or 0 or anywhere, in either direction, with or without a last
    column that repeats the first. Rows with both poles are `equiangular` of kind `cc`, rows half a step from the poles
    kind `fejer`, Gaussian latitudes `gauss`. Nothing is interpolated.

    Args:
        latitude: degrees north of each row ``[nlat]``.
        longitude: degrees east of each column ``[nlon]``.

    Raises:
        InputError: no degrees, unequal steps, a part of the globe, or latitudes of no sampling.

    Example:
        >>> grid = LatLonGrid(np.linspace(-90, 90, 181), np.arange(-180, 180))
        >>> grid.sampling
        'equiangular(nlat=181, kind=cc)'

    Attributes:
        sphere: the sampling.
        sampling: its name, as ``data.options.sampling``, ``Samples`` and ``create_model`` take it.
    """

    sphere: LatLonSphere
    sampling: str

    def __init__(self, latitude: Any, longitude: Any) -> None:
        lat, lon = _degrees("latitude", latitude), _degrees("longitude", longitude)
        if max(np.abs(lat)) > 90.001:
            raise InputError(
                f"LatLonGrid: latitudes from {min(lat):g} to {max(lat):g}; expected degrees from -90 to 90. Colatitudes"
                " are 90 - latitude; the order is (latitude, longitude)."
            )
        if np.ptp(lat) <= 3.2 and np.ptp(lon) <= 6.3:
            raise InputError(
                f"LatLonGrid: latitudes from {min(lat):g} to {max(lat):g}, longitudes from {min(lon):g} to "
                f"{max(lon):g}; expected degrees of the whole globe. Of radians take numpy.rad2deg."
            )
        self._shape = (len(lat), len(lon))
        self._upside = bool(lat[0] < lat[-1])
        self._rows = np.arange(len(lat))[:: -1 if self._upside else 1]
        self._columns, first = _eastward(lon)
        count = len(self._columns)
        shift = first * count / 360
        half = round(2 * shift) / 2  # files round, and a thousand rounded steps add up
        shift = half if abs(shift - half) < 1e-3 else round(shift, 6)
        self.sphere, self.sampling = _rings(lat[self._rows], count, shift)

    def maps(self, values: Any, mask_value: float | None = None) -> Tensor:
        """Bring values on the grid into the order of the sampling.

        Args:
            values: ``[..., nlat, nlon]``, array or tensor; what a masked array hides becomes NaN, as UNSEEN does.
            mask_value: what stands at missing values, such as ``1e20``: it becomes NaN, too.

        Returns:
            ``[..., *sphere.shape]``, north to south; floats as float32, whole numbers as they are, but where a
            `mask_value` is given.

        Raises:
            InputError: another shape, naming the likely reason; numbers above 1e19, which stand for something else.
        """
        if isinstance(values, np.ma.MaskedArray):
            values = values.astype(np.float64).filled(np.nan) if np.ma.is_masked(values) else values.data
        x = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
        if x.shape[-2:] != self._shape or x.dtype.kind not in "fiub":
            likely = " Longitude stands before latitude: swap the axes." if x.shape[-2:] == self._shape[::-1] else ""
            last = x.ndim > 2 and x.shape[-3:-1] == self._shape
            likely = " The channels stand last: move them before latitude." if last else likely
            raise InputError(
                f"LatLonGrid: values are {x.dtype} {list(x.shape)}; expected numbers [..., {self._shape[0]}, "
                f"{self._shape[1]}], latitude before longitude.{likely}"
            )
        missing = missing_pixels(x, mask_value)
        check_huge(x, missing, "LatLonGrid", "mask_value={}")
        x = np.where(missing, np.nan, x) if mask_value is not None or missing.any() else x
        x = np.ascontiguousarray(x[..., self._rows, :][..., self._columns])
        return torch.from_numpy(x.astype(np.float32) if x.dtype.kind == "f" else x)

    def wind(self, u: Any, v: Any, mask_value: float | None = None) -> Tensor:
        """Bring a vector field into the order and the frame of the sampling: fields of type ``1x1``.

        Args:
            u: component to the east ``[..., nlat, nlon]``.
            v: component to the north.
            mask_value: what stands at missing values, as in :meth:`maps`.

        Returns:
            ``[..., 2, *sphere.shape]``: components to the south, ``-v``, and to the east, ``u``.
        """
        return torch.stack([-self.maps(v, mask_value), self.maps(u, mask_value)], -3)

    def components(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Bring fields of type ``1x1`` back to the components of the file: the inverse of :meth:`wind`.

        Args:
            y: along south and east ``[..., 2, *sphere.shape]``.

        Returns:
            u, to the east, and v, to the north: ``[..., nlat, nlon]`` each, in the order of the grid.

        Raises:
            InputError: another length, or not two components.
        """
        if y.dim() < 3 or y.shape[-3] != 2:
            raise InputError(
                f"LatLonGrid: fields are {list(y.shape)}; expected [..., 2, {self.sphere.nlat}, {self.sphere.nlon}], "
                "along south and east. Of scalars take values."
            )
        south, east = self.values(y).unbind(-3)
        return east, -south

    def values(self, maps: Tensor) -> Tensor:
        """Bring maps back into the order of the grid: the inverse of :meth:`maps`.

        Args:
            maps: ``[..., *sphere.shape]``.

        Returns:
            ``[..., nlat, nlon]``, a repeated last column again.

        Raises:
            InputError: maps of another length.
        """
        if tuple(maps.shape[-2:]) != self.sphere.shape:
            raise InputError(
                f"LatLonGrid: maps are {list(maps.shape)}; expected [..., {self.sphere.nlat}, {self.sphere.nlon}] of "
                f"{self.sphere!r}. Give it maps of its own sampling."
            )
        columns = np.empty(self._shape[1], dtype=np.int64)
        columns[self._columns] = np.arange(len(self._columns))
        if len(columns) > len(self._columns):
            columns[-1] = columns[0]
        return maps[..., torch.from_numpy(self._rows.copy()), :][..., torch.from_numpy(columns)]

    def __repr__(self) -> str:
        return f"LatLonGrid({self._shape[0]} x {self._shape[1]}: {self.sampling})"


def north_first(arrays: Mapping[str, np.ndarray], sphere: Sphere, source: str) -> dict[str, np.ndarray]:
    """Bring the maps of a file that has a `latitude` and a `longitude` into the order of its sampling.

    Args:
        arrays: of the file, by name. Maps are what ends in ``[..., nlat, nlon]`` and has more axes.
        sphere: the sampling that was said.
        source: what the file is called in a message.

    Returns:
        The arrays, without latitude and longitude; as they are where the file has none.

    Raises:
        InputError: one of the two without the other, what :class:`LatLonGrid` refuses, or another sampling.
    """
    rest = {k: v for k, v in arrays.items() if k not in PLACES}
    given = [k for k in PLACES if k in arrays]
    if not given:
        return rest
    if len(given) < len(PLACES):
        raise InputError(f"{source}: it has {given[0]} alone; expected {' and '.join(PLACES)}, or none. Save both.")
    try:
        grid = LatLonGrid(*(arrays[k] for k in PLACES))
    except InputError as e:
        raise InputError(f"{source}: {e}") from None
    if grid.sphere != sphere:
        raise InputError(
            f"{source}: its latitude and longitude are those of '{grid.sampling}'; expected {sphere!r}. Set "
            f"data.options.sampling to '{grid.sampling}'."
        )
    maps = [k for k, v in rest.items() if v.ndim > 2 and v.shape[-2:] == grid._shape]
    return rest | {k: rest[k][..., grid._rows, :][..., grid._columns] for k in maps}


def _degrees(what: str, given: Any) -> np.ndarray:
    """Distinct numbers in one direction ``[n]``, float64."""
    x = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given)
    if x.ndim != 1 or x.dtype.kind not in "fiu" or len(x) < 2 or not np.isfinite(x).all():
        raise InputError(
            f"LatLonGrid: {what} is {x.dtype} {list(x.shape)}; expected finite degrees [n], one for each "
            f"{'row' if what == 'latitude' else 'column'}. A grid whose {what} differs within rows or columns is none "
            "of latitudes and longitudes: interpolate it first."
        )
    x = x.astype(np.float64)
    if what == "longitude":
        x = np.rad2deg(np.unwrap(np.deg2rad(x)))
    if not (np.diff(x) > 0).all() and not (np.diff(x) < 0).all():
        raise InputError(f"LatLonGrid: {what} turns back on itself; expected rising or falling degrees. Sort it.")
    return x


def _eastward(lon: np.ndarray) -> tuple[np.ndarray, float]:
    """Columns eastwards from the first longitude at or after 0, each once, and that longitude."""
    steps = np.abs(np.diff(lon))
    step = abs(lon[-1] - lon[0]) / (len(lon) - 1)
    if (np.abs(steps - step) > _ROUNDED * step).any():
        raise InputError(
            f"LatLonGrid: steps of longitude from {steps.min():g} to {steps.max():g} degrees; expected equal ones. "
            "Interpolate to equal steps."
        )
    count = round(360 / step)
    if abs(count * step - 360) > _ROUNDED * step * 2 or count not in (len(lon), len(lon) - 1):
        raise InputError(
            f"LatLonGrid: {len(lon)} longitudes from {min(lon):g} to {max(lon):g} degrees in steps of {step:g}; "
            "expected the whole circle, once. A region is no field on the sphere: fill the rest with NaN and set "
            "data.options.mask_value, or take steerable.Sphere.scattered."
        )
    at = np.mod(lon[:count], 360)
    at = np.where(360 - at < _ROUNDED * step, at - 360, at)  # a rounded 0
    columns = np.argsort(at)
    return columns, float(at[columns[0]])


def _rings(lat: np.ndarray, nlon: int, shift: float) -> tuple[LatLonSphere, str]:
    """The sampling whose rings lie at latitudes from north to south, and its name."""
    n = len(lat)
    moved = f", shift={shift:g}" if shift else ""
    tries: list[tuple[LatLonSphere, str]] = []
    for kind, usual in (("cc", 2 * n - 2), ("fejer", 2 * n), ("mw", 2 * n - 1)):
        wide = "" if nlon == usual else f", nlon={nlon}"
        tries.append((EquiangularSphere(kind, n, nlon, shift), f"equiangular(nlat={n}, kind={kind}{wide}{moved})"))
    wide = "" if nlon == 2 * n else f", nlon={nlon}"
    tries.append((GaussSphere(n, nlon, shift), f"gauss({n}{wide}{moved})"))
    for sphere, name in tries:
        if np.abs(90 - np.rad2deg(sphere.rings.colatitude) - lat).max() <= _ROUNDED * 180 / n:
            return sphere, name
    raise InputError(
        f"LatLonGrid: {n} latitudes from {lat[0]:g} to {lat[-1]:g} degrees, {lat[0] - lat[1]:g} the first step; "
        f"expected the whole globe: both poles (steps of {180 / (n - 1):g}), rows half a step from them "
        f"({90 - 90 / n:g} the first), or Gaussian latitudes. Fill missing rows with NaN and set "
        "data.options.mask_value, or interpolate."
    )
