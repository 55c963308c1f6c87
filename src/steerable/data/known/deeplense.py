"""The simulated lenses of DeepLense (Alexander et al. 2020, 1909.07346; github.com/mwt5345/DeepLenseSim): npy files.

A file of the class axion holds ``[image, mass]``, an array of objects; the others hold the image itself. Taking ``[0]``
of every file, as published loaders do, returns the first row of pixels of a plain image: here the kind of each file
decides. The mass is in eV, 1e-24 to 1e-22, and too small for single precision as it is: its logarithm is the target.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from steerable.data.errors import InputError
from steerable.data.files import data_root
from steerable.data.known.assemble import Piece, Raw, Wish, admissible, assemble, cut_validation
from steerable.data.known.unpickle import read_npy
from steerable.data.parts import Splits
from steerable.data.recipe import Recipe
from steerable.data.splits import stratified_split, value_bins
from steerable.data.target import Target

PAGE = "https://github.com/mwt5345/DeepLenseSim (Model_I, Model_II, Model_III: two archives each, train and test)"
MASS = Target("log10_axion_mass", "log10 eV")
PARTS = {"train": ("train", "Train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "Test")}


def deeplense(
    root: str | Path | None = None,
    target: str | None = None,
    scale: str | None = None,
    per_class: int | None = None,
    images: int | None = None,
    size: int | None = None,
    bins: int = 1,
    val_fraction: float = 0.1,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    split_seed: int = 0,
) -> Splits:
    """Read a release that was unpacked: class folders (axion, cdm, no_sub) of npy files, in train and test or without.

    Args:
        root: the folder: with ``train`` and ``test`` in it (and ``val``, if there is one), or the class folders.
        target: ``log10_axion_mass`` for a regression on the files that hold a mass; None: the classes.
        scale: see :func:`steerable.data.recipe.scale_steps`; None divides by the peak, then takes asinh(x / 0.1).
        per_class: training images of each class; None: all.
        images: training images in all, for a regression; None: all.
        size: pad or crop to this side; None: the next one at which layers of stride 2 stay exact (150: 153, 64: 65).
        bins: average blocks of this many pixels.
        val_fraction: share of the training images that is kept for choices, where there is no ``val``.
        fractions: shares of training, validation and test, where there is no ``test``.
        split_seed: which split.

    Returns:
        Three parts with images ``[N, C, size, size]``.

    Raises:
        InputError: no such folder, files that are no images, a raw mass asked for, or masses that are none.
    """
    if target not in (None, MASS.name):
        raise InputError(
            f"deeplense: data.target is '{target}'; expected {MASS.name} or null for the classes. The mass, near "
            "1e-23 eV, vanishes in single precision: its logarithm is learned."
        )
    folder = data_root(root)
    found = {part: next((folder / n for n in names if (folder / n).is_dir()), None) for part, names in PARTS.items()}
    if found["train"] is None or found["test"] is None:
        raw, classes = _part(folder, target)
        keys = [str(k) for k in range(len(raw.y))]
        index = stratified_split(raw.y if target is None else value_bins(raw.y), fractions, split_seed, keys)
        parts = Piece(raw, index[0]), Piece(raw, index[1]), Piece(raw, index[2])
    else:
        raw, classes = _part(found["train"], target)
        last, others = _part(found["test"], target)
        _same(classes, others, found["test"])
        if found["val"] is not None:
            middle, others = _part(found["val"], target)
            _same(classes, others, found["val"])
            parts = Piece.all(raw), Piece.all(middle), Piece.all(last)
        else:
            keys = [str(k) for k in range(len(raw.y))]
            strata = Raw(raw.y if target is None else value_bins(raw.y), raw.read, raw.name)
            train, val = cut_validation(strata, val_fraction, split_seed, keys)
            parts = Piece(raw, train.index), Piece(raw, val.index), Piece.all(last)
    side = raw.read(np.array([0])).shape[-1]
    own = Recipe.of(("peak", {}), ("asinh", {"by": 0.1}))
    wish = Wish(scale, size or admissible(side // bins), bins, None, per_class, images)
    return assemble(parts, MASS if target else classes, wish, own, {})


def read_lens(path: Path) -> tuple[np.ndarray, float | None]:
    """Return the image, float32 ``[C, H, W]``, and log10 of the mass in eV, or None, of one file.

    Raises:
        InputError: the file is broken, asks for code, or holds neither an image nor ``[image, mass]``.
    """
    content = read_npy(path)
    mass: float | None = None
    if isinstance(content, np.ndarray) and content.dtype.hasobject:
        if content.shape != (2,) or not isinstance(content[0], np.ndarray):
            raise InputError(f"'{path}' holds objects {list(content.shape)}; expected [image, mass]. Fetch it again.")
        content, mass = content[0], _log_mass(content[1], path)
    if not isinstance(content, np.ndarray) or content.dtype.kind not in "fiu" or content.ndim not in (2, 3):
        what = f"{content.dtype} {list(content.shape)}" if isinstance(content, np.ndarray) else type(content).__name__
        raise InputError(f"'{path}' holds {what}; expected an image [H, W], [C, H, W] or [H, W, C]. Leave it out.")
    image = content.astype(np.float32)
    image = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0) if image.shape[-1] <= 4 else image
    if image.shape[0] > 4 or min(image.shape) < 1 or not np.isfinite(image).all():
        raise InputError(f"'{path}' holds {list(content.shape)} with NaN or too many channels; expected an image.")
    return image, mass


def _log_mass(value: object, path: Path) -> float:
    number = float(value.reshape(())) if isinstance(value, np.ndarray) and value.size == 1 else value
    if isinstance(number, (int, float)) and 0 < number < 1e-10:
        return math.log10(number)
    if isinstance(number, (int, float)) and -30 <= number <= -10:  # Model IV stores the logarithm
        return float(number)
    raise InputError(f"'{path}' has the mass {str(value)[:40]}; expected eV between 1e-30 and 1e-10, or its logarithm.")


def _part(folder: Path, target: str | None) -> tuple[Raw, tuple[str, ...]]:
    """The files of a folder with one sub-folder for each class."""
    inside = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    files = [(p, f) for p in inside for f in sorted(p.glob("*.npy"))]
    classes = tuple(p.name for p in inside if any(q is p for q, _ in files))
    if len(classes) < (1 if target else 2):
        raise InputError(
            f"deeplense: '{folder}' has the class folders {list(classes)} with npy files; expected at least two, such "
            f"as axion, cdm and no_sub (or train and test with these). Unpack a release from {PAGE}"
        )
    paths = [f for _, f in files]
    y = torch.tensor([classes.index(p.name) for p, _ in files], dtype=torch.int64)
    if target is not None:
        masses = [read_lens(f)[1] for f in paths]
        keep = [i for i, m in enumerate(masses) if m is not None]
        if not keep:
            raise InputError(
                f"deeplense: none of {len(paths)} files in '{folder}' holds a mass; expected [image, mass] in some. "
                f"Fetch the class axion from {PAGE}"
            )
        paths = [paths[i] for i in keep]
        y = torch.tensor([masses[i] for i in keep], dtype=torch.float32)
    first = read_lens(paths[0])[0].shape

    def read(index: np.ndarray) -> np.ndarray:
        images = []
        for i in index.tolist():
            image = read_lens(paths[i])[0]
            if image.shape != first:
                raise InputError(
                    f"'{paths[i]}' has {list(image.shape)}, '{paths[0]}' has {list(first)}; expected one shape. Leave "
                    "out one kind."
                )
            images.append(image)
        return np.stack(images)

    return Raw(y, read, str(folder)), classes


def _same(classes: tuple[str, ...], others: tuple[str, ...], folder: Path) -> None:
    if classes != others:
        raise InputError(
            f"deeplense: '{folder}' has the classes {list(others)}; expected {list(classes)}, as in training."
        )
