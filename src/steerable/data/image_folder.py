"""Your own image files: a folder with one sub-folder for each class, or a folder and a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.files import as_values
from steerable.data.image_file import EXTENSIONS, extension, read_image_file
from steerable.data.images import ImageData
from steerable.data.parts import Splits
from steerable.data.recipe import geometry
from steerable.data.splits import picture_keys, stratified_split, value_bins
from steerable.data.table import read_columns
from steerable.data.target import Target


def list_images(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the image files below a folder, sorted, and the files of other kinds; hidden ones are left out."""
    names = sorted(p for p in folder.rglob("*") if p.is_file())
    shown = [p for p in names if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    images = [p for p in shown if extension(p) in EXTENSIONS]
    return images, [p for p in shown if extension(p) not in EXTENSIONS]


def image_folder(
    root: str | Path | None,
    target: str | None = None,
    scale: str = "none",
    table: str | None = None,
    id: str = "id",
    label: str = "label",
    unit: str = "",
    size: int | None = None,
    bins: int = 1,
    hdu: int | None = None,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    split_seed: int = 0,
) -> Splits:
    """Read FITS, npy, npz, PNG and JPEG files.

    Args:
        root: the folder: one sub-folder for each class, or image files of any arrangement that the table names.
        target: the column of the table that holds the values to predict; None: classes.
        scale: see :func:`steerable.data.recipe.scale_steps`.
        table: a CSV or Parquet file, in the folder or elsewhere; None: the sub-folders are the classes.
        id: the column with file names, relative to the folder.
        label: the column with the names of the classes, where there is no target.
        unit: of the target.
        size: pad or crop to this side, after binning; None leaves the images as they are.
        bins: average blocks of this many pixels.
        hdu: the HDU of FITS files; None: the first one with an image.
        fractions: shares of training, validation and test; stratified by class, or by quarters of the values.
        split_seed: which split.

    Raises:
        InputError: no folder, no images, files that cannot be read, images that differ in size or channels.
    """
    if root is None:
        raise InputError(f"images: the path is {root}; expected a folder of image files. Set data.root.")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise InputError(f"images: '{folder}' is not a folder; expected one with image files. Mend data.root.")
    if table is None:
        if target is not None:
            raise InputError(
                f"images: data.target is '{target}' without a table; expected a CSV or Parquet file with the columns "
                f"'{id}' and '{target}'. Set data.options.table."
            )
        files, names = _by_folder(folder)
    else:
        where = Path(table) if Path(table).is_file() else folder / table
        column = target or label
        found = read_columns(where, (id, column))
        files, names = [folder / str(f) for f in found[id]], found[column]
        _check_files(files, where)
    x = read_all(files, hdu)
    if target is None:
        classes = tuple(sorted({str(n) for n in names}))
        y = torch.tensor([classes.index(str(n)) for n in names], dtype=torch.int64)
        if len(classes) < 2:
            raise InputError(f"images: '{folder}' has the only class {list(classes)}; expected at least two classes.")
        data, strata = ImageData(x, y, classes, str(folder)), y
    else:
        y = as_values(np.asarray(names), str(table))
        data = ImageData(x, y, Target(target, unit), str(folder))
        strata = value_bins(y)
    index = stratified_split(strata, fractions, split_seed, picture_keys(x))
    return Splits(*(data.subset(i) for i in index)).prepare(geometry(size, bins), scale)


def _by_folder(folder: Path) -> tuple[list[Path], list[str]]:
    images, others = list_images(folder)
    if not images:
        raise InputError(
            f"images: '{folder}' holds no image file ({len(others)} other files); expected one sub-folder for each "
            f"class with files of {', '.join(EXTENSIONS)}."
        )
    loose = [p for p in images if p.parent == folder]
    if loose:
        raise InputError(
            f"images: '{loose[0]}' lies in no sub-folder; expected one sub-folder for each class. Move it, or name a "
            "table in data.options.table."
        )
    if others:
        raise InputError(
            f"images: '{others[0]}' is of another kind ({len(others)} of {len(others) + len(images)} files); expected "
            f"{', '.join(EXTENSIONS)}. Convert or remove it."
        )
    return images, [p.relative_to(folder).parts[0] for p in images]


def _check_files(files: list[Path], table: Path) -> None:
    seen: set[Path] = set()
    for row, file in enumerate(files, 1):
        if file in seen:
            raise InputError(f"the table '{table}' names '{file.name}' again in row {row}; expected each file once.")
        if not file.is_file():
            raise InputError(f"the table '{table}' names '{file}' in row {row}, which does not exist. Mend the table.")
        seen.add(file)


def read_all(files: list[Path], hdu: int | None = None) -> Tensor:
    """Read one image from each file, float32 ``[N, C, H, W]``.

    Raises:
        InputError: a file of several images, or images that differ in channels or size, naming two files.
    """
    images: list[Tensor] = []
    for file in files:
        image = read_image_file(file, hdu)
        if len(image) != 1:
            raise InputError(f"'{file}' holds {len(image)} images; expected one image a file. Use data.name folder.")
        if images and image.shape != images[0].shape:
            raise InputError(
                f"'{file}' has {describe(image)}, '{files[0]}' has {describe(images[0])}; expected the same channels "
                "and size in all files. Cut or convert the images first."
            )
        images.append(image)
    return torch.cat(images)


def describe(image: Tensor) -> str:
    """Return the channels and the size of ``[..., C, H, W]`` in words."""
    c, h, w = image.shape[-3:]
    return f"{c} channel{'s' * (c > 1)} of {h} x {w} pixels"
