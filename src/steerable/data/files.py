"""Where data lies and how an `.npz` file is opened: with one-line errors and without pickle."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError

VARIABLE = "STEERABLE_DATA"


def data_root(root: str | Path | None = None) -> Path:
    """Return the folder of the real data: `root`, or else the environment variable ``STEERABLE_DATA``.

    Raises:
        InputError: neither is given, or the folder does not exist.
    """
    where = root if root is not None else os.environ.get(VARIABLE)
    if not where:
        raise InputError(
            f"data: no folder was given and the environment variable {VARIABLE} is not set; expected the folder that "
            f"holds the data sets. Run `export {VARIABLE}=/path/to/data` or set data.root."
        )
    path = Path(where).expanduser()
    if not path.is_dir():
        raise InputError(
            f"data: '{path}' is not a folder; expected the one that holds the data. Mend {VARIABLE} or root."
        )
    return path


def load_npz(path: str | Path, keys: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Read arrays of an `.npz` file; pickled objects are refused.

    Args:
        path: the file.
        keys: names that must be there.
        optional: names that are returned where they are there.

    Raises:
        InputError: no such file, not an `.npz` file, a missing key, an array of objects.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"data: the file '{path}' does not exist; expected an .npz file with {list(keys)}. Mend the path."
        )
    try:
        with np.load(path, allow_pickle=False) as z:
            missing = [k for k in keys if k not in z.files]
            if missing:
                raise InputError(
                    f"{path}: the keys {missing} are missing, it has {sorted(z.files)}; expected {list(keys)}. "
                    "Save the arrays under these names."
                )
            return {k: z[k] for k in (*keys, *optional) if k in z.files}
    except InputError:
        raise
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, AttributeError) as e:
        raise InputError(
            f"{path}: cannot be read as .npz ({str(e).splitlines()[0]}); expected plain arrays written by numpy.savez."
        ) from None


def as_images(x: np.ndarray, source: str, full: bool = False) -> Tensor:
    """Turn ``[N, H, W]`` or ``[N, C, H, W]`` into float32 ``[N, C, H, W]``; integers of 8 bits come into ``[0, 1]``.

    Volumes ``[N, C, D, H, W]`` keep their axes.

    Args:
        x: the images.
        source: their name.
        full: integers of 16 bits come into ``[0, 1]``, too, and others are refused.

    Raises:
        InputError: another number of axes, values that are no numbers, or integers without a known range.
    """
    if x.ndim not in (3, 4, 5):
        raise InputError(
            f"{source}: images have shape {list(x.shape)}; expected [N, H, W] or [N, C, H, W], or [N, C, D, H, W]."
        )
    if x.dtype.kind not in "fiub":
        raise InputError(f"{source}: images are of type {x.dtype}; expected numbers. Save them as uint8 or float32.")
    if full and x.dtype.kind in "iu" and x.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{source}: pixels are {x.dtype}, of no known range; expected 8 or 16 bits without sign, or floating "
            "numbers. Convert the file, or set data.options.depth to file."
        )
    with np.errstate(over="ignore"):  # what single precision cannot hold becomes infinite and is refused with the NaN
        images = torch.from_numpy(np.ascontiguousarray(x).astype(np.float32))
    images = images / 255 if x.dtype == np.uint8 else images / 65535 if full and x.dtype == np.uint16 else images
    return images[:, None] if x.ndim == 3 else images


def as_labels(y: np.ndarray, source: str) -> Tensor:
    """Turn whole numbers ``[N]`` into int64 ``[N]``.

    Raises:
        InputError: labels that are no whole numbers.
    """
    if y.dtype.kind not in "iu":
        raise InputError(
            f"{source}: labels are of type {y.dtype}; expected whole numbers 0, 1, ... Number the classes."
        )
    return torch.from_numpy(y.astype(np.int64))


def as_values(y: np.ndarray, source: str) -> Tensor:
    """Turn numbers ``[N]`` into float32 ``[N]``.

    Raises:
        InputError: values that are no numbers.
    """
    if y.dtype.kind not in "fiu":
        raise InputError(f"{source}: values are of type {y.dtype}; expected numbers. Choose another data.target.")
    return torch.from_numpy(y.astype(np.float32))
