"""Density maps in MRC format (MRC2014), the standard of cryo-EM and the older one of crystallography."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from steerable.data.errors import InputError

EXTENSIONS = (".mrc", ".map", ".ccp4", ".mrc.gz", ".map.gz", ".ccp4.gz")
HEADER = 1024
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}


class DensityMap(NamedTuple):
    """A map of space.

    Attributes:
        rho: float32 ``[D, H, W]`` by the convention of the library: x1 along W, x2 **falling** along H, x3 along D, so
            that neither axes nor handedness depend on how the file was written.
        voxel: size of a voxel along x1, x2, x3 in Angstrom; 0 where the file does not say.
    """

    rho: np.ndarray
    voxel: tuple[float, float, float]


def read_mrc(path: str | Path) -> DensityMap:
    """Read a map; a file whose name ends in ``.gz`` is unpacked on the way.

    The header names the axes of columns, rows and sections (words 17 to 19; maps of crystals often have 3, 1, 2): they
    are brought to x, y, z. Rows of the result fall in y, since x2 is up.

    Args:
        path: the file.

    Raises:
        InputError: no file, no MRC file, a mode that holds no density, a file that is too short, values not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"'{path}' does not exist; expected a density map, {', '.join(EXTENSIONS)}. Mend the path.")
    raw = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as e:
            raise InputError(
                f"'{path}' cannot be unpacked ({e}); expected a whole gzip file. Fetch it again."
            ) from None
    if len(raw) < HEADER:
        raise InputError(f"'{path}' has {len(raw)} bytes; expected a header of {HEADER} and a map. Fetch it again.")
    order = next((o for o in "<>" if _sane(np.frombuffer(raw, f"{o}i4", 56))), None)
    if order is None:
        found = np.frombuffer(raw, "<i4", 4).tolist()
        raise InputError(
            f"'{path}' begins with {found}; expected three sizes and a mode of {list(MODES)} as of an MRC file. Is it "
            "still packed?"
        )
    words = np.frombuffer(raw, f"{order}i4", 56)
    columns, rows, sections, mode = (int(v) for v in words[:4])
    start, kind = HEADER + int(words[23]), np.dtype(f"{order}{MODES[mode]}")
    count = columns * rows * sections
    if start < HEADER or len(raw) < start + count * kind.itemsize:
        raise InputError(
            f"'{path}' has {len(raw)} bytes; expected {start + count * kind.itemsize} for {columns} x {rows} x "
            f"{sections} voxels of mode {mode}. Fetch it again."
        )
    rho = np.frombuffer(raw, kind, count, start).reshape(sections, rows, columns).astype(np.float32)
    if not np.isfinite(rho).all():
        raise InputError(f"'{path}' holds {int((~np.isfinite(rho)).sum())} voxels that are not finite; expected none.")
    axes = [int(v) for v in words[16:19]]
    if sorted(axes) != [1, 2, 3]:
        axes = [1, 2, 3]  # old programs leave zeros
    # the array is [section, row, column]; bring it to [z, y, x]
    place = {axis: 2 - k for k, axis in enumerate(axes)}
    rho = np.ascontiguousarray(rho.transpose(place[3], place[2], place[1])[:, ::-1])
    cell, grid = np.frombuffer(raw, f"{order}f4", 13)[10:13], words[7:10]
    voxel = tuple(float(c) / int(m) if int(m) > 0 else 0.0 for c, m in zip(cell, grid, strict=True))
    return DensityMap(rho, (voxel[0], voxel[1], voxel[2]))


def _sane(words: np.ndarray) -> bool:
    return bool((words[:3] > 0).all() and (words[:3] < 1 << 16).all() and int(words[3]) in MODES)
