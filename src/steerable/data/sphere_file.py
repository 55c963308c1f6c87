"""One file of maps of the sphere, whatever its format, in the order of a sampling."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.files import load_npz
from steerable.data.latlon_grid import NETCDF, PLACES, north_first
from steerable.data.sphere_map import as_maps, missing_pixels, sampling_of
from steerable.domains.sphere import HealpixSphere, Sphere

FITS = (".fits", ".fit", ".fits.gz")
EXTENSIONS = (*FITS, ".npy", ".npz")
#: the column of a partial map that says which pixels it holds
PIXEL = "PIXEL"
#: files of climate data
CLIMATE = (".nc", ".nc4", ".cdf", ".grib", ".grib2", ".grb", ".zarr")


def list_maps(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of maps below a folder, sorted, and the files of other kinds; hidden ones are left out."""
    names = sorted(p for p in folder.rglob("*") if p.is_file())
    shown = [p for p in names if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    return [p for p in shown if is_map(p)], [p for p in shown if not is_map(p)]


def is_map(path: Path) -> bool:
    """Whether the name of a file has one of :data:`EXTENSIONS`."""
    return path.name.lower().endswith(EXTENSIONS)


def mend_of(path: Path, otherwise: str) -> str:
    """What to do with a file that is not read: how climate data become an `.npz` file, or what is said otherwise."""
    return NETCDF if path.name.lower().endswith(CLIMATE) else otherwise


def read_maps(
    path: str | Path, sampling: str | Sphere, mask_value: float | None = None, columns: Sequence[str] | None = None,
    hdu: int | None = None, mask: str = "map", type: str = "", nan: bool = False,
) -> list[Tensor]:  # fmt: skip
    """Read maps as float32 ``[C, *shape]`` each, in the order of the samples of a sampling.

    A `.npy` file holds one map ``[*shape]`` or ``[C, *shape]``, or ``[N, C, *shape]``; a `.npz` file under `x` maps
    ``[N, *shape]`` or ``[N, C, *shape]``, brought into the order of the sampling where it has a `latitude`
    and a `longitude` as well; 8-bit integers come into [0, 1]. A FITS file holds one HEALPix map, a
    column of its first binary table (or of that in `hdu`) for each channel; it is reordered from the ``ORDERING`` of
    its header to that of the sampling, and U is brought to the convention of HEALPix where the header says
    ``POLCCONV = 'IAU'``. Where it says ``INDXSCHM = 'EXPLICIT'`` the file holds a part of the sky, its pixels named by
    the column PIXEL: all others are missing.

    Args:
        path: the file.
        sampling: or its name, such as ``healpix(16, nested)``.
        mask_value: what stands at missing pixels; there the map becomes 0, and a channel is added that is 1 elsewhere,
            see :func:`steerable.data.sphere_map.as_maps`. UNSEEN in FITS files is -1.6375e30.
        columns: of a FITS file, by name; None: all.
        hdu: of a FITS file, its number from 0; None: the first binary table.
        mask: ``map``: one such channel; ``fields``: one for each field of `type`.
        type: the fields of the file; empty: scalars.
        nan: missing pixels become NaN, as an `.npz` file for training has them, and no channel is added.

    Raises:
        InputError: another format, a file that cannot be read, another length or NSIDE, missing pixels without
            `mask_value`, numbers above 1e19.

    Example:
        >>> x = torch.stack([read_maps(file, "healpix(64)", nan=True)[0] for file in files])
        >>> np.savez("maps/all.npz", x=x, y=y)
    """
    path = Path(path)
    sphere = sampling_of(sampling, str(path))
    if not is_map(path):
        raise InputError(
            f"'{path}' ends in '{path.suffix}'; expected one of {', '.join(EXTENSIONS)}. {mend_of(path, 'Convert it.')}"
        )
    if not path.is_file():
        raise InputError(f"'{path}' does not exist; expected a file of maps. Mend the path.")
    if path.name.lower().endswith(FITS):
        fill = math.nan if mask_value is None else mask_value
        found = read_healpix(path, sphere, columns, fill, hdu)[None]
        return list(as_maps(found, sphere, str(path), mask_value, mask, type, nan))
    if path.suffix.lower() == ".npz":
        x = north_first(load_npz(path, ("x",), PLACES), sphere, str(path))["x"]
        return list(as_maps(x, sphere, str(path), mask_value, mask, type, nan))
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as e:
        raise InputError(
            f"'{path}' cannot be read ({str(e).splitlines()[0]}); expected an array [{_shape(sphere)}], "
            f"[C, {_shape(sphere)}] or [N, C, {_shape(sphere)}]."
        ) from None
    found = found if found.ndim > 1 + len(sphere.shape) else found[None]
    return list(as_maps(found, sphere, str(path), mask_value, mask, type, nan))


def read_healpix(
    path: Path, sphere: Sphere, columns: Sequence[str] | None = None, missing: float = math.nan, hdu: int | None = None
) -> np.ndarray:
    """Return the maps of a binary table of a FITS file ``[C, 12 nside^2]`` in the order of `sphere`.

    Args:
        path: the file.
        sphere: a HEALPix sampling.
        columns: by name; None: all, but that of the pixels.
        missing: what stands where a partial map has no pixel.
        hdu: of the table, from 0; None: the first one.

    Raises:
        InputError: no such table, columns that it does not have or of another length, no ORDERING, pixels that there
            are not or that come twice, another NSIDE or sampling, or the convention of the IAU without one column U.
    """
    if not isinstance(sphere, HealpixSphere):
        raise InputError(f"'{path}' is a FITS file, of a HEALPix map; expected {sphere!r}. Save it as .npy on that.")
    header, table = first_table(path, hdu)
    order = str(header.get("ORDERING", "")).strip().upper()
    scheme = str(header.get("INDXSCHM", "IMPLICIT")).strip().upper()
    nested = order in ("NESTED", "NEST")
    if order not in ("RING", "NESTED", "NEST") or scheme not in ("IMPLICIT", "EXPLICIT"):
        raise InputError(
            f"'{path}': ORDERING is '{order}', INDXSCHM '{scheme}'; expected RING or NESTED, and IMPLICIT (a value for "
            "every pixel of the sky) or EXPLICIT (pixels by number). Write the map with its order."
        )
    pixels = pixel_numbers(table, header, str(path)) if scheme == "EXPLICIT" else None
    names = [n for n in table if pixels is None or n.upper() != PIXEL] if columns is None else list(columns)
    wrong = [n for n in names if n not in table]
    if wrong or not names:
        raise InputError(f"'{path}' has the columns {list(table)}; expected {names}. Mend the names of the columns.")
    maps = [np.asarray(table[n]).astype(np.float64).reshape(-1) for n in names]
    lengths = {len(m) for m in maps}
    side = int(header.get("NSIDE", round((len(maps[0]) / 12) ** 0.5)))
    if lengths != {12 * side**2 if pixels is None else len(pixels)}:
        need = 12 * side**2 if pixels is None else len(pixels)
        raise InputError(f"'{path}': columns of {sorted(lengths)} pixels with NSIDE {side}; expected {need} for each.")
    if side != sphere.nside:
        like = f"healpix({side}{', nested' if sphere.nested else ''})"
        raise InputError(
            f"'{path}' has NSIDE {side}; expected {sphere.nside}, that of the sampling. Degrade the map, or set "
            f"data.options.sampling to {like} and train again."
        )
    if str(header.get("POLCCONV", "")).strip().upper() == "IAU":
        check_iau(names, list(table), str(path))
        # what stands at missing pixels keeps its sign
        seen = [~(missing_pixels(m, None) | missing_pixels(m, missing)) for m in maps]
        turns = [k & odd_in_u(n) for k, n in zip(seen, names, strict=True)]
        maps = [np.where(k, -m, m) for k, m in zip(turns, maps, strict=True)]
    values = np.stack(maps)
    if pixels is not None:
        whole = np.full((len(maps), 12 * side**2), missing)
        whole[:, pixels] = values
        values = whole
    found = torch.from_numpy(values)
    if nested != sphere.nested:
        found = HealpixSphere(side, nested).reorder(found, sphere.nested)
    return found.numpy()


#: words of a column that say that it holds no Stokes parameter itself
_SPREADS = {"COV", "ERR", "ERROR", "HITS", "RMS", "SIGMA", "STD", "STDDEV", "UNC", "VAR", "WEIGHT"}
#: columns without a part of U
_EVEN = {"I", "T", "Q", "V", "TT", "II", "QQ", "UU", "TEMPERATURE", "INTENSITY", "TMAP", "IMAP", "QMAP"}


def _words(name: str) -> set[str]:
    return set(re.split(r"[^A-Z]+", name.strip().upper())) - {""}


def is_u(name: str) -> bool:
    """Whether a column is the Stokes parameter U: one of its words is, as in ``STOKES_U``, ``U_143``, ``UMAP``."""
    words = _words(name)
    return not words & _SPREADS and any(re.fullmatch(r"U(MAP|STOKES|POL)?|(MAP|STOKES|POL)U", w) for w in words)


def odd_in_u(name: str) -> bool:
    """Whether the numbers of a column change sign with U: ``U``, ``STOKES_U``, ``QU_COV``; not ``UU_COV``."""
    return is_u(name) or any(re.fullmatch(r"[ITQV]U|U[ITQV]", w) for w in _words(name))


def check_iau(names: Sequence[str], columns: Sequence[str], source: str) -> None:
    """Refuse a file in the convention of the IAU whose column U is not known by its name.

    Args:
        names: of the columns that are read.
        columns: all of the file.
        source: the file.

    Raises:
        InputError: not exactly one is U, where one of those that are read may be.
    """
    found = [n for n in columns if is_u(n)]
    if len(found) != 1 and not all(_words(n) & _EVEN and not is_u(n) for n in names):
        raise InputError(
            f"'{source}' has POLCCONV 'IAU' and the columns {list(columns)}, of which {found or 'none'} are U by name; "
            "expected exactly one, whose sign is changed. Name it U, or change its sign and write POLCCONV 'COSMO'."
        )


def pixel_numbers(table: Mapping[str, np.ndarray], header: Mapping[str, Any], source: str) -> np.ndarray:
    """Return the pixel of each row of a partial map, int64 ``[n]``.

    Raises:
        InputError: no column PIXEL or no NSIDE, or numbers that are no pixels, or come twice.
    """
    name = next((n for n in table if n.upper() == PIXEL), None)
    if name is None or "NSIDE" not in header or table[name].dtype.kind not in "iu":
        kind = None if name is None else table[name].dtype
        raise InputError(
            f"'{source}' is a partial map (INDXSCHM EXPLICIT) with the columns {list(table)}, {PIXEL} {kind}, NSIDE "
            f"{header.get('NSIDE')}; expected whole numbers in {PIXEL}, and NSIDE. Write the map with both."
        )
    pixels = table[name].astype(np.int64).reshape(-1)
    count = 12 * int(header["NSIDE"]) ** 2
    bad = int(((pixels < 0) | (pixels >= count)).sum())
    twice = len(pixels) - len(np.unique(pixels))
    if bad or twice or not len(pixels):
        raise InputError(
            f"'{source}' is a partial map of {len(pixels)} rows, {bad} of them outside 0 to {count - 1} and {twice} "
            "of a pixel that another has; expected each pixel once. Mend the file."
        )
    return pixels


def first_table(path: Path, hdu: int | None = None) -> tuple[Any, dict[str, np.ndarray]]:
    """Return the header and the columns of a binary table of a FITS file.

    Args:
        path: the file.
        hdu: its number, from 0; None: the first one.

    Raises:
        InputError: none, or a file that cannot be read.
    """
    header, names, table = _open_table(path, hdu, values=True)
    return header, {n: table[n] for n in names}


def map_header(path: Path, hdu: int | None = None) -> tuple[dict[str, str], list[str]]:
    """Return what a FITS file says of its frame on the sky (COORDSYS), and the columns of maps.

    Args:
        path: the file.
        hdu: as in :func:`first_table`.

    Raises:
        InputError: no binary table, or a file that cannot be read.
    """
    header, names, _ = _open_table(path, hdu, values=False)
    said = {k: str(header[k]).strip() for k in ("COORDSYS",) if str(header.get(k, "")).strip()}
    partial = str(header.get("INDXSCHM", "")).strip().upper() == "EXPLICIT"
    return said, [n for n in names if not partial or n.upper() != PIXEL]


def _open_table(path: Path, hdu: int | None, values: bool) -> tuple[Any, list[str], dict[str, np.ndarray]]:
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            warnings.filterwarnings("error", message=".*truncated.*")
            with path.open("rb") as raw, fits.open(raw, memmap=False, lazy_load_hdus=False) as file:
                for k, unit in enumerate(file):
                    if isinstance(unit, fits.BinTableHDU) and hdu in (None, k):
                        names = [str(n) for n in getattr(unit.columns, "names", None) or ()]
                        return unit.header, names, {n: np.array(unit.data[n]) for n in names if values}
                kinds = [type(unit).__name__ for unit in file]
    except (OSError, ValueError, TypeError, fits.VerifyError, AstropyWarning) as e:
        raise InputError(
            f"'{path}' cannot be read ({str(e).splitlines()[0]}); expected a FITS file with a HEALPix map."
        ) from None
    where = "" if hdu is None else f" as number {hdu}, counted from 0 (--hdu)"
    raise InputError(f"'{path}' holds {kinds}; expected a binary table{where}, as HEALPix maps are written.")


def _shape(sphere: Sphere) -> str:
    return ", ".join(map(str, sphere.shape))
