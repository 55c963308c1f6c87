"""One file of volumes, whatever its format, in the axes of the library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data import mrc
from steerable.data.errors import InputError
from steerable.data.files import load_npz

EXTENSIONS = (*mrc.EXTENSIONS, ".npy", ".npz")


def list_volumes(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of volumes below a folder, sorted, and the files of other kinds; hidden ones are left out."""
    names = sorted(p for p in folder.rglob("*") if p.is_file())
    shown = [p for p in names if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    return [p for p in shown if p.suffix.lower() in EXTENSIONS], [
        p for p in shown if p.suffix.lower() not in EXTENSIONS
    ]


def read_volumes(path: str | Path) -> Tensor:
    """Read volumes as float32 ``[N, C, D, H, W]``; x1 along W, x2 falling along H, x3 along D.

    An MRC file holds one volume, whatever the order of its axes. A `.npy` file holds ``[D, H, W]`` or
    ``[C, D, H, W]``, a `.npz` file under `x` ``[N, D, H, W]`` or ``[N, C, D, H, W]``; 8-bit integers come into [0, 1].

    Raises:
        InputError: another format, a file that cannot be read, or an array of another number of axes.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in EXTENSIONS:
        raise InputError(f"'{path}' ends in '{path.suffix}'; expected one of {', '.join(EXTENSIONS)}. Convert it.")
    if kind in mrc.EXTENSIONS:
        return torch.from_numpy(mrc.read_mrc(path).rho)[None, None]
    if kind == ".npz":
        return as_volumes(load_npz(path, ("x",))["x"], str(path))
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as e:
        raise InputError(
            f"'{path}' cannot be read ({str(e).splitlines()[0]}); expected an array [D, H, W] or [C, D, H, W]."
        ) from None
    if found.ndim not in (3, 4):
        raise InputError(f"'{path}' has shape {list(found.shape)}; expected [D, H, W] or [C, D, H, W].")
    return as_volumes(found[None], str(path))


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


def crop_volume(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Pad with zeros or crop ``[..., D, H, W]`` about the centre."""
    pad: list[int] = []
    for have, want in zip(x.shape[-3:], size, strict=True):
        low = (want - have) // 2 if want >= have else -((have - want) // 2)
        pad = [low, want - have - low, *pad]
    return F.pad(x, pad)


def scale_volume(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Interpolate ``[N, C, D, H, W]`` to another size, trilinearly."""
    return F.interpolate(x, size, mode="trilinear", align_corners=False)
