"""One file of volumes, whatever its format, in the axes of the library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data import mrc, tiff
from steerable.data.errors import InputError, did_you_mean
from steerable.data.files import load_npz
from steerable.data.tiff import Size

EXTENSIONS = (*mrc.EXTENSIONS, *tiff.EXTENSIONS, ".npy", ".npz")
#: from arrays of another order of axes to [..., D, H, W] with x2 falling along H
AXES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "dhw": lambda x: x,
    "zyx": lambda x: x[..., ::-1, :],
    "xyz": lambda x: x.swapaxes(-1, -3)[..., ::-1, :],
}


def list_volumes(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of volumes below a folder, sorted, and the files of other kinds; hidden ones are left out."""
    names = sorted(p for p in folder.rglob("*") if p.is_file())
    shown = [p for p in names if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    volumes = [p for p in shown if p.name.lower().endswith(EXTENSIONS)]
    return volumes, [p for p in shown if p not in set(volumes)]


def read_volumes(path: str | Path, axes: str = "dhw") -> Tensor:
    """Read volumes as float32 ``[N, C, D, H, W]``; x1 along W, x2 falling along H, x3 along D.

    An MRC file, packed by gzip or not, holds one volume, whatever the order of its axes. So does a TIFF file: pages
    along D, rows from the top along H, and channels as it states them. A `.npy` file holds
    ``[D, H, W]`` or ``[C, D, H, W]``, a `.npz` file under `x` ``[N, D, H, W]`` or ``[N, C, D, H, W]``; 8-bit integers
    come into [0, 1].

    Args:
        path: the file.
        axes: of `.npy` and `.npz` files: ``dhw`` as here; ``zyx``: y grows along the rows; ``xyz``: x first, y growing.

    Raises:
        InputError: another format, a file that cannot be read, or an array of another number of axes.
    """
    return read_with_voxel(path, axes)[0]


def read_with_voxel(path: str | Path, axes: str = "dhw") -> tuple[Tensor, Size | None]:
    """Return what :func:`read_volumes` does, and the size of a voxel along x1, x2, x3 where the file says it.

    Raises:
        InputError: as there.
    """
    found, voxel = _arrays(Path(path), axes, "x")
    return as_volumes(found, str(path)), voxel


def read_label_volumes(path: str | Path, axes: str = "dhw") -> Tensor:
    """Read the class of every voxel, int64 ``[N, D, H, W]``, -1 where there is none; of `.npz` files the array `y`.

    Args:
        path: the file, in a format of :func:`read_volumes`.
        axes: as there.

    Raises:
        InputError: as there, or values that are no whole numbers from -1 on.
    """
    found, _ = _arrays(Path(path), axes, "y")
    whole = found.ndim == 4 and found.dtype.kind in "fiub" and bool(np.all(np.isfinite(found) & (found >= -1)))
    if not whole or not np.array_equal(found, np.round(found)):
        raise InputError(
            f"'{path}' has labels {found.dtype} {list(found.shape[1:])}; expected whole numbers [D, H, W], -1 where "
            "there is none. Threshold the map, and save the number of the class of each voxel."
        )
    return torch.from_numpy(np.ascontiguousarray(found).astype(np.int64))


def check_voxel(voxel: Size, like: float, path: str, who: str = "") -> None:
    """Refuse voxels that are no cubes, or of another size, to one per cent.

    Args:
        voxel: the size along x1, x2, x3.
        like: the size that is wanted.
        path: of the file, for the message.
        who: has voxels of that size; empty: the other files of a folder, whose option is named.

    Raises:
        InputError: naming the sizes.
    """
    if max(abs(v - like) for v in voxel) > 0.01 * like:
        size = " x ".join(f"{v:.4g}" for v in voxel)
        raise InputError(
            f"'{path}' has voxels of {size}; expected cubes of {like:.4g}, as {who or 'in the other files'}: "
            "with others a turn of space is no turn of voxels. Resample the map"
            + ("." if who else ", or set data.options.voxels to any, and model.group to turns about x3, such as D4.")
        )


def _arrays(path: Path, axes: str, key: str) -> tuple[np.ndarray, Size | None]:
    """Arrays ``[N, (C,) D, H, W]`` in the axes of the library, and the size of a voxel of an MRC file."""
    name = path.name.lower()
    if axes not in AXES:
        raise InputError(f"data.options.axes is '{axes}'; expected one of {', '.join(AXES)}.{did_you_mean(axes, AXES)}")
    if not name.endswith(EXTENSIONS):
        raise InputError(f"'{path}' ends in '{path.suffix}'; expected one of {', '.join(EXTENSIONS)}. Convert it.")
    if name.endswith(mrc.EXTENSIONS):
        found = mrc.read_mrc(path)
        return found.rho[None], found.voxel if min(found.voxel) > 0 else None
    if name.endswith(tiff.EXTENSIONS):
        try:
            return tiff.tiff_volume(path)
        except OSError as e:
            raise InputError(
                f"'{path}' cannot be read as tif ({str(e).splitlines()[0]}); expected a whole stack of pages."
            ) from None
    if name.endswith(".npz"):
        return AXES[axes](load_npz(path, (key,))[key]), None
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as e:
        raise InputError(
            f"'{path}' cannot be read ({str(e).splitlines()[0]}); expected an array [D, H, W] or [C, D, H, W]."
        ) from None
    if array.ndim not in (3, 4):
        raise InputError(f"'{path}' has shape {list(array.shape)}; expected [D, H, W] or [C, D, H, W].")
    return AXES[axes](array)[None], None


def as_volumes(x: np.ndarray, source: str) -> Tensor:
    """Turn ``[N, D, H, W]`` or ``[N, C, D, H, W]`` into float32 ``[N, C, D, H, W]``; 8-bit integers come into [0, 1].

    Raises:
        InputError: another number of axes, or values that are no numbers.
    """
    if x.ndim not in (4, 5) or x.dtype.kind not in "fiub":
        raise InputError(
            f"{source}: volumes are {x.dtype} {list(x.shape)}; expected numbers [N, D, H, W] or [N, C, D, H, W]."
        )
    with np.errstate(over="ignore"):
        found = torch.from_numpy(np.ascontiguousarray(x).astype(np.float32))
    found = found / 255 if x.dtype == np.uint8 else found
    return found[:, None] if x.ndim == 4 else found


def scale_volume(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Interpolate ``[N, C, D, H, W]`` to another size, trilinearly."""
    return F.interpolate(x, size, mode="trilinear", align_corners=False)
