"""Your own images: a folder of `.npz` files, with or without a split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from steerable.data.errors import InputError
from steerable.data.files import as_images, as_labels, load_npz
from steerable.data.images import ImageData, Splits
from steerable.data.resize import centre
from steerable.data.splits import picture_keys, stratified_split

PARTS = ("train", "val", "test")


def read_npz_images(path: str | Path, size: int | None = None) -> ImageData:
    """Read one file with `x` (``[N, H, W]`` or ``[N, C, H, W]``), `y` (whole numbers) and, optionally, `classes`.

    Args:
        path: the `.npz` file.
        size: pad or crop to this side; None leaves the images as they are.

    Raises:
        InputError: what :class:`ImageData` and :func:`load_npz` refuse.
    """
    z = load_npz(path, ("x", "y"), optional=("classes",))
    x, y = as_images(z["x"], str(path)), as_labels(z["y"], str(path))
    classes = z.get("classes")
    count = int(y.max()) + 1 if len(y) else 0
    names = tuple(str(c) for c in (classes if classes is not None else np.arange(count)))
    return ImageData(x if size is None else centre(x, size), y, names, str(path))


def npz_folder(
    root: str | Path | None,
    size: int | None = None,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    split_seed: int = 0,
) -> Splits:
    """Read a folder of images: either `train.npz`, `val.npz` and `test.npz`, or files of any name, which are split.

    Args:
        root: the folder.
        size: pad or crop to this side; None leaves the images as they are.
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
    named = {f.stem: f for f in files}
    present = [p for p in PARTS if p in named]
    if present:
        if len(present) < len(PARTS):
            raise InputError(
                f"folder: '{folder}' has the parts {present}; expected all of {list(PARTS)}. Add the others."
            )
        return Splits(*(read_npz_images(named[p], size) for p in PARTS))
    parts = [read_npz_images(f, size) for f in files]
    first = parts[0]
    for part in parts[1:]:
        if part.x.shape[1:] != first.x.shape[1:]:
            raise InputError(
                f"{part.source}: images of {list(part.x.shape[1:])}, but {first.source} has "
                f"{list(first.x.shape[1:])}; expected one shape. Set data.size or mend the files."
            )
    classes = max((p.classes for p in parts), key=len)
    whole = ImageData(torch.cat([p.x for p in parts]), torch.cat([p.y for p in parts]), classes, str(folder))
    index = stratified_split(whole.y, fractions, split_seed, picture_keys(whole.x))
    return Splits(*(whole.subset(i) for i in index))
