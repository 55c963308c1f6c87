"""Your own image files: a folder with one sub-folder for each class, or a folder and a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.data.divide import divide
from steerable.data.errors import InputError
from steerable.data.files import as_values
from steerable.data.image_file import EXTENSIONS, extension, pixel_depth, read_image_file
from steerable.data.parts import Splits
from steerable.data.reading import Reading
from steerable.data.recipe import Recipe, geometry
from steerable.data.samples import Samples
from steerable.data.table import read_columns
from steerable.data.target import Target

PARTS = ("train", "training", "val", "valid", "validation", "test")
#: sub-folders of these names hold masks, where their files have the names of others
MASKS = ("label", "labels", "mask", "masks")


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
    colour: str | None = None,
    depth: str = "file",
    resize: str | None = None,
    side: int | list[int] | None = None,
    pad: str = "border",
    recipe: list[dict[str, Any]] | None = None,
    hdu: int | None = None,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    split_seed: int = 0,
) -> Splits:
    """Read FITS, TIFF, npy, npz, PNG and JPEG files.

    Folders inside the folder of a class belong to that class.

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
        colour: ``grey`` or ``rgb``: make all images so; None: all files must have the same channels.
        depth: ``full``: whole numbers of 8 or 16 bits by their full range, into [0, 1]; ``file``: 8 bits only, and all
            files must have the same depth.
        resize: ``crop`` (cut or pad about the centre) or ``scale`` (interpolate) to `side`; None: all files must have
            the same size.
        side: height and width after that, or one number for both.
        pad: what stands in padded pixels: ``border``: the median of the border of each channel, which is the
            background, bright or dark; ``zero``.
        recipe: the steps of a saved run, in place of size, bins and scale.
        hdu: the HDU of FITS files; None: the first one with an image.
        fractions: shares of training, validation and test; stratified by class, or by quarters of the values.
        split_seed: which split.

    Raises:
        InputError: no folder, no images, an empty class, a class too small for the split, files that cannot be read,
            images that differ in size, channels or depth and were not to be brought together.
    """
    if recipe is not None and (size is not None or bins != 1 or scale != "none"):
        raise InputError(
            f"images: size {size}, bins {bins} and scale '{scale}' beside the recipe of a saved run; expected none of "
            "them, since the recipe says it all. Drop them."
        )
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
    reading = Reading.of(colour, depth, resize, side, pad)
    if target is None and len(set(map(str, names))) < 2:
        raise InputError(
            f"images: '{folder}' has the only class {sorted(set(map(str, names)))}; expected at least two classes."
        )
    x = read_all(files, hdu, reading)
    ids = tuple(f.relative_to(folder).as_posix() if f.is_relative_to(folder) else str(f) for f in files)
    if target is None:
        classes = tuple(sorted({str(n) for n in names}))
        y = torch.tensor([classes.index(str(n)) for n in names], dtype=torch.int64)
        data = Samples(x, y, classes, str(folder), ids)
    else:
        y = as_values(np.asarray(names), str(table))
        data = Samples(x, y, Target(target, unit), str(folder), ids)
    parts = Splits(*divide(data, fractions, split_seed), reading=reading.to_json())
    return parts.prepare(geometry(size, bins, pad) if recipe is None else Recipe.from_json(recipe), scale)


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
    inside = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    empty = [p for p in inside if not any(f.is_relative_to(p) for f in images)]
    if empty:
        raise InputError(f"images: the class folder '{empty[0]}' holds no image; expected some. Fill or remove it.")
    for kind in inside:
        if kind.name.lower() in MASKS and _is_of_others(kind, images):
            raise InputError(
                f"images: each file in '{kind}' has the name of another image, as masks have, and would be a class; "
                "expected one sub-folder for each class. Of a segmentation, say --config segmentation (folders images "
                "and masks); if it is a class, give the folder another name."
            )
    parts = [p.name for p in inside if p.name.lower() in PARTS]
    if len(parts) > 1 and any(q.is_dir() for p in inside for q in p.iterdir()):
        raise InputError(
            f"images: '{folder}' has the parts {parts}; expected one sub-folder for each class, which is split here. "
            f"Set data.root to '{folder / parts[0]}', or put each class into one folder."
        )
    if others:
        raise InputError(
            f"images: '{others[0]}' is of another kind ({len(others)} of {len(others) + len(images)} files); expected "
            f"{', '.join(EXTENSIONS)}. Convert or remove it."
        )
    return images, [p.relative_to(folder).parts[0] for p in images]


def _is_of_others(kind: Path, images: list[Path]) -> bool:
    """Whether each image below a folder has the bare name of one elsewhere."""
    own = {p.stem for p in images if p.is_relative_to(kind)}
    return own <= {p.stem for p in images if not p.is_relative_to(kind)}


def _check_files(files: list[Path], table: Path) -> None:
    seen: set[Path] = set()
    for row, file in enumerate(files, 1):
        if file in seen:
            raise InputError(f"the table '{table}' names '{file.name}' again in row {row}; expected each file once.")
        if not file.is_file():
            raise InputError(f"the table '{table}' names '{file}' in row {row}, which does not exist. Mend the table.")
        seen.add(file)


def read_all(files: list[Path], hdu: int | None = None, reading: Reading | None = None) -> Tensor:
    """Read one image from each file, float32 ``[N, C, H, W]``; see :func:`read_with_sizes`."""
    return read_with_sizes(files, hdu, reading)[0]


def read_with_sizes(
    files: list[Path], hdu: int | None = None, reading: Reading | None = None
) -> tuple[Tensor, list[tuple[int, ...]]]:
    """Read one image from each file, float32 ``[N, C, H, W]``, and return the size that each had there.

    Args:
        files: their paths.
        hdu: of FITS files.
        reading: how unlike images are brought together; None: they are not.

    Raises:
        InputError: a file of several images, or images that differ in channels, size or depth, naming two files.
    """
    reading = reading or Reading()
    images: list[Tensor] = []
    sizes: list[tuple[int, ...]] = []
    depths: dict[str, Path] = {}
    for file in files:
        if not reading.full and (depth := pixel_depth(file)):
            other = next((d for d in depths if d != depth), None)
            if other is not None:
                raise InputError(
                    f"'{file}' has pixels of {depth}, '{depths[other]}' of {other}; expected one depth in all files. "
                    "Set data.options.depth to full, which divides whole numbers by their range."
                )
            depths[depth] = file
        raw = read_image_file(file, hdu, reading.full)
        if len(raw) != 1:
            raise InputError(
                f"'{file}' holds {len(raw)} images; expected one image a file. Save each in a file of its own; stacks "
                "along Z are volumes, for --config volume_folder."
            )
        sizes.append(tuple(raw.shape[-2:]))
        image = reading(raw, str(file))
        if images and image.shape != images[0].shape:
            raise InputError(
                f"'{file}' has {describe(image)}, '{files[0]}' has {describe(images[0])}; expected the same channels "
                "and size in all files. Set data.options.colour to grey or rgb, and resize and side, or convert them."
            )
        images.append(image)
    return torch.cat(images), sizes


def describe(image: Tensor) -> str:
    """Return the channels and the size of ``[..., C, H, W]`` in words."""
    c, h, w = image.shape[-3:]
    return f"{c} channel{'s' * (c > 1)} of {h} x {w} pixels"
