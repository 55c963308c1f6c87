"""A map on HEALPix as a FITS file, as software of the sky reads it, and our reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError
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
    unit: str = "",
    nested: bool | None = None,
    polarised: bool = False,
) -> None:
    """Write maps ``[C, 12 nside^2]`` as columns of a binary table, one row a pixel.

    Args:
        path: the file, which must not exist.
        maps: in the order of `sphere`; numbers, whole ones stay whole.
        sphere: a HEALPix sampling.
        names: of the columns, C of them.
        unit: of all columns.
        nested: the order of the file: NESTED or RING; None: that of `sphere`.
        polarised: two columns are Q and U along south and east; the header then says so (``POLCCONV = 'COSMO'``).

    Raises:
        InputError: another sampling, another shape, or a file that exists.
    """
    from astropy.io import fits

    path = Path(path)
    grid = require_healpix(sphere, f"'{path}'")
    if maps.shape != (len(names), grid.num_points) or path.exists():
        there = "exists already" if path.exists() else f"maps are {list(maps.shape)} with the names {list(names)}"
        raise InputError(f"'{path}': {there}; expected a new file, maps [{len(names)}, {grid.num_points}] and C names.")
    order = grid.nested if nested is None else nested
    found = (maps if order == grid.nested else grid.reorder(maps, order)).cpu()
    if found.is_floating_point():
        kind, values = "E", found.to(torch.float32).numpy()
    else:
        values = found.numpy().astype(np.int64)
        kind, values = ("J", values.astype(np.int32)) if np.abs(values).max(initial=0) < 2**31 else ("K", values)
    columns = [fits.Column(n, kind, unit or None, array=v) for n, v in zip(names, values, strict=True)]
    table = fits.BinTableHDU.from_columns(columns)
    about = {
        "PIXTYPE": "HEALPIX", "ORDERING": "NESTED" if order else "RING", "NSIDE": grid.nside, "FIRSTPIX": 0,
        "LASTPIX": grid.num_points - 1, "INDXSCHM": "IMPLICIT", "OBJECT": "FULLSKY",
    }  # fmt: skip
    for key, value in {**about, **({"POLCCONV": "COSMO"} if polarised else {})}.items():
        table.header[key] = value
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
