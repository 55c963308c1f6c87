"""PatchCamelyon (Veeling et al. 2018, 1806.03962): patches of lymph nodes, with a tumour in the centre or without."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from steerable.data.known.assemble import Piece, Raw, Wish, assemble
from steerable.data.known.cifar import CENTRED
from steerable.data.known.hdf5 import dataset, open_hdf5, rows
from steerable.data.known.source import Published, Source
from steerable.data.parts import Splits

STEM = "camelyonpatch_level_2_split"
PUBLISHED = Published(
    "PatchCamelyon",
    "https://github.com/basveeling/pcam",
    {
        f"{STEM}_train_x.h5.gz": "md5:1571f514728f59376b705fc836ff4b63",
        f"{STEM}_train_y.h5.gz": "md5:35c2d7259d906cfc8143347bb8e05be7",
        f"{STEM}_valid_x.h5.gz": "md5:d5b63470df7cfa627aeec8b9dc0c066e",
        f"{STEM}_valid_y.h5.gz": "md5:2b85f58b927af9964a4c15b8f7e8f179",
        f"{STEM}_test_x.h5.gz": "md5:d8c2d60d490dbd479f8199bdfa0cf6ec",
        f"{STEM}_test_y.h5.gz": "md5:60a7035772fbdb7f34eb86d4420cf66a",
    },
)
CLASSES = ("normal", "tumour")
COUNTS = {"train": 262144, "valid": 32768, "test": 32768}


def pcam(
    root: str | Path | None = None,
    scale: str | None = None,
    per_class: int | None = None,
    size: int | None = 97,
    bins: int = 1,
    colour: str | None = None,
    val_per_class: int | None = None,
    test_per_class: int | None = None,
    verify: bool = True,
) -> Splits:
    """Read 262144 training, 32768 validation and 32768 test patches of 96 x 96 pixels in two classes.

    The published split is kept: its slides do not overlap. Patches are read from the files a piece at a time, and only
    those that are asked for. All of them take 35 GiB as numbers: set ``per_class`` (and ``val_per_class``,
    ``test_per_class``) or ``bins: 2, size: 49``.

    Args:
        root: the folder with the six ``.h5`` files, or ``.h5.gz`` (unpacked into the temporary folder on each run); the
            environment variable ``STEERABLE_DATA`` otherwise.
        scale: see :func:`steerable.data.recipe.scale_steps`; None subtracts a mean and divides by a spread, fixed ones.
        per_class: training images of each class, the first ones; None: all.
        size: pad or crop to this side; 97 keeps layers of stride 2 exact.
        bins: average blocks of this many pixels, after a crop to ``size * bins``.
        colour: ``grey``, ``rgb`` or None.
        val_per_class: validation images of each class, the first ones; None: all.
        test_per_class: test images of each class, the first ones; None: all. Scores on fewer are not those of papers.
        verify: compare checksums (of the packed files) and counts with the published ones.

    Returns:
        Three parts with images ``[N, 3, size, size]``.

    Raises:
        InputError: missing, broken or other files, no h5py, or more images than fit into memory.
    """
    source = Source(root, PUBLISHED, verify)
    wish = Wish(scale, size, bins, colour, per_class)
    with ExitStack() as stack:
        train, val, test = (_part(source, part, stack) for part in ("train", "valid", "test"))
        parts = (
            Piece.all(train),
            Piece.all(val).few(val_per_class, CLASSES),
            Piece.all(test).few(test_per_class, CLASSES),
        )
        return assemble(parts, CLASSES, wish, CENTRED, source.files)


def _part(source: Source, part: str, stack: ExitStack) -> Raw:
    x_path, y_path = source.path(f"{STEM}_{part}_x.h5"), source.path(f"{STEM}_{part}_y.h5")
    if x_path is None or y_path is None:
        raise source.missing([f"{STEM}_{part}_x.h5", f"{STEM}_{part}_y.h5"])
    x = dataset(stack.enter_context(open_hdf5(x_path)), "x", x_path)
    with open_hdf5(y_path) as file:
        y = np.asarray(dataset(file, "y", y_path)[()]).reshape(-1)
    if len(x.shape) != 4 or x.shape[-1] != 3 or x.dtype != np.uint8:
        raise source.wrong(f"'{x_path}' holds {x.dtype} {list(x.shape)}; expected bytes [N, 96, 96, 3]")
    source.count(f"'{x_path.name}'", len(x), COUNTS[part])
    if len(y) != len(x) or not np.isin(y, (0, 1)).all():
        raise source.wrong(f"'{y_path}' has {len(y)} labels {np.unique(y)[:4].tolist()} for {len(x)} patches")
    return _raw(x, y, x_path)


def _raw(x: object, y: np.ndarray, path: Path) -> Raw:
    return Raw(torch.from_numpy(y.astype(np.int64)), lambda i: np.moveaxis(rows(x, i, path), -1, 1), str(path))
