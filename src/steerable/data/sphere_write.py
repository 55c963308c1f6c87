"""A map on HEALPix as a FITS file, as software of the sky reads it, and our reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.sphere_map import UNSEEN
from steerable.domains.sphere import HealpixSphere, Sphere


def require_healpix(sphere: Sphere, what: str) -> HealpixSphere:
    """Return a HEALPix sampling.

    Args:
        sphere: any sampling.
        what: asked for a FITS file, for the message.

    Raises:
        InputError: another sampling, which FITS files of maps do not have.
    """
    if not isinstance(sphere, HealpixSphere):
        raise InputError(f"{what}: the maps lie on {sphere!r}; expected HEALPix. Write npy files of them.")
    return sphere


def write_healpix(
    path: str | Path,
    maps: Tensor,
    sphere: Sphere,
    names: Sequence[str],
    unit: str | Sequence[str] = "",
    nested: bool | None = None,
    polarised: bool = False,
    known: Tensor | None = None,
    header: Mapping[str, str] | None = None,
) -> None:
    """Write maps ``[C, 12 nside^2]`` as columns of a binary table, one row a pixel.

    Args:
        path: the file, which must not exist.
        maps: in the order of `sphere`; numbers, whole ones stay whole.
        sphere: a HEALPix sampling.
        names: of the columns, C of them.
        unit: of all columns, or C of them.
        nested: the order of the file: NESTED or RING; None: that of `sphere`.
        polarised: two columns are Q and U along south and east; the header then says so (``POLCCONV = 'COSMO'``).
        known: where there is something to write, bool ``[12 nside^2]`` in the order of `sphere`; elsewhere, and where
            maps are NaN, the file has UNSEEN, and -1 where numbers are whole.
        header: further keys, such as ``COORDSYS``.

    Raises:
        InputError: another sampling, another shape, or a file that exists.
    """
    from astropy.io import fits

    path = Path(path)
    grid = require_healpix(sphere, f"'{path}'")
    if maps.shape != (len(names), grid.num_points) or path.exists():
        there = "exists already" if path.exists() else f"maps are {list(maps.shape)} with the names {list(names)}"
        raise InputError(f"'{path}': {there}; expected a new file, maps [{len(names)}, {grid.num_points}] and C names.")
    units = [unit] * len(names) if isinstance(unit, str) else list(unit)
    gone = maps.isnan() if maps.is_floating_point() else torch.zeros_like(maps, dtype=torch.bool)
    gone = gone if known is None else gone | ~known.to(gone.device)
    fill = UNSEEN if maps.is_floating_point() else -1
    maps = (maps if maps.is_floating_point() else maps.long()).masked_fill(gone, fill) if gone.any() else maps
    order = grid.nested if nested is None else nested
    found = (maps if order == grid.nested else grid.reorder(maps, order)).cpu()
    if found.is_floating_point():
        kind, values = "E", found.to(torch.float32).numpy()
    else:
        values = found.numpy().astype(np.int64)
        kind, values = ("J", values.astype(np.int32)) if np.abs(values).max(initial=0) < 2**31 else ("K", values)
    columns = [fits.Column(n, kind, u or None, array=v) for n, u, v in zip(names, units, values, strict=True)]
    table = fits.BinTableHDU.from_columns(columns)
    about = {
        "PIXTYPE": "HEALPIX", "ORDERING": "NESTED" if order else "RING", "NSIDE": grid.nside, "FIRSTPIX": 0,
        "LASTPIX": grid.num_points - 1, "INDXSCHM": "IMPLICIT", "OBJECT": "FULLSKY",
    }  # fmt: skip
    more: dict[str, str | float] = {"POLCCONV": "COSMO"} if polarised else {}
    if gone.any() and maps.is_floating_point():
        more["BAD_DATA"] = UNSEEN
    for key, value in {**about, **more, **(header or {})}.items():
        table.header[key] = value
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
