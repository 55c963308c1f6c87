"""Your own images: a folder of `.npz` files, with or without a split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from steerable.data.divide import divide
from steerable.data.errors import InputError
from steerable.data.files import as_images, as_labels, as_values, load_npz
from steerable.data.parts import Splits
from steerable.data.recipe import geometry
from steerable.data.samples import Samples
from steerable.data.target import Regions, Target

PARTS = ("train", "val", "test")


def read_npz_images(path: str | Path, target: Target | None = None) -> Samples:
    """Read one file with `x` (``[N, H, W]`` or ``[N, C, H, W]``), `y` (whole numbers) and, optionally, `classes`.

    Volumes are ``[N, C, D, H, W]``; labels at every place, ``[N, (D,) H, W]``, make a segmentation.

    Args:
        path: the `.npz` file.
        target: values to read instead of `y`: the array of that name.

    Raises:
        InputError: what :class:`Samples` and :func:`load_npz` refuse.
    """
    key = "y" if target is None else target.name
    z = load_npz(path, ("x", key), optional=("classes",))
    x = as_images(z["x"], str(path))
    if target is not None:
        return Samples(x, as_values(z[key], str(path)), target, str(path))
    y, classes = as_labels(z["y"], str(path)), z.get("classes")
    count = int(y.max()) + 1 if y.numel() else 0
    names = tuple(str(c) for c in (classes if classes is not None else np.arange(max(count, 2 * (y.ndim > 1)))))
    return Samples(x, y, Regions(names) if y.ndim > 1 and len(names) > 1 else names, str(path))


def npz_folder(
    root: str | Path | None,
    target: str | None = None,
    scale: str = "none",
    unit: str = "",
    size: int | None = None,
    pad: str = "border",
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    split_seed: int = 0,
) -> Splits:
    """Read a folder of images: either `train.npz`, `val.npz` and `test.npz`, or files of any name, which are split.

    Args:
        root: the folder.
        target: the array that holds the values to predict; None: the labels `y`.
        scale: see :func:`steerable.data.recipe.scale_steps`.
        unit: of the target.
        size: pad or crop to this side; None leaves the images as they are.
        pad: what stands in padded pixels: ``border``: the median of the border of each channel; ``zero``.
        fractions: shares of training, validation and test where the folder has no split.
        split_seed: which split.

    Raises:
        InputError: no folder, an empty one, a part missing, images that differ in size or channels.
    """
    if root is None:
        raise InputError(f"folder: the path is {root}; expected a folder of .npz files. Set data.root.")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise InputError(f"folder: '{folder}' is not a folder; expected one with .npz files. Mend data.root.")
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise InputError(
            f"folder: '{folder}' holds no .npz file ({len(list(folder.iterdir()))} other entries); expected train.npz, "
            "val.npz and test.npz, or any .npz files with x and y. Save images there with numpy.savez."
        )
    what = None if target is None else Target(target, unit)
    named = {f.stem: f for f in files}
    present = [p for p in PARTS if p in named]
    if present:
        if len(present) < len(PARTS):
            raise InputError(
                f"folder: '{folder}' has the parts {present}; expected all of {list(PARTS)}. Add the others."
            )
        return Splits(*(read_npz_images(named[p], what) for p in PARTS)).prepare(geometry(size, pad=pad), scale)
    parts = [read_npz_images(f, what) for f in files]
    first = parts[0]
    for part in parts[1:]:
        if part.x.shape[1:] != first.x.shape[1:]:
            raise InputError(
                f"{part.source}: images of {list(part.x.shape[1:])}, but {first.source} has "
                f"{list(first.x.shape[1:])}; expected one shape. Cut or pad the images first."
            )
    names = max((p.classes for p in parts), key=len)
    meaning = what or (Regions(names) if first.regions else names)
    whole = Samples(torch.cat([p.x for p in parts]), torch.cat([p.y for p in parts]), meaning, str(folder))
    return Splits(*divide(whole, fractions, split_seed)).prepare(geometry(size, pad=pad), scale)
