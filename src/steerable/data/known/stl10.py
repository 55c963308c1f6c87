"""STL-10 in its binary form (Coates, Lee, Ng 2011, AISTATS): bytes, each channel written column by column."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from steerable.data.known.assemble import Piece, Raw, Wish, assemble, cut_validation
from steerable.data.known.cifar import CENTRED
from steerable.data.known.source import Published, Source
from steerable.data.parts import Splits

TAR = "stl10_binary.tar.gz"
PUBLISHED = Published(
    "STL-10",
    "https://cs.stanford.edu/~acoates/stl10/",
    {
        TAR: "md5:91f7769df0f17e558f3565bffb0c7dfb",
        "train_X.bin": "md5:918c2871b30a85fa023e0c44e0bee87f",
        "train_y.bin": "md5:5a34089d4802c674881badbb80307741",
        "test_X.bin": "md5:7f263ba9f9e0b06b93213547f721ac82",
        "test_y.bin": "md5:36f9794fa4beb8a2c72628de14fa638e",
    },
    (TAR,),
)
CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
SIDE = 96
FILES = ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin")


def stl10(
    root: str | Path | None = None,
    scale: str | None = None,
    per_class: int | None = None,
    size: int | None = 97,
    bins: int = 1,
    colour: str | None = None,
    val_fraction: float = 0.1,
    split_seed: int = 0,
    verify: bool = True,
) -> Splits:
    """Read 5000 labelled training and 8000 test pictures of 96 x 96 pixels in ten classes.

    Args:
        root: the folder with the archive or its ``.bin`` files; the environment variable ``STEERABLE_DATA`` otherwise.
        scale: see :func:`steerable.data.recipe.scale_steps`; None subtracts a mean and divides by a spread, fixed ones.
        per_class: training images of each class; None: all.
        size: pad or crop to this side; 97 keeps layers of stride 2 exact (97, 49, 25, 13).
        bins: average blocks of this many pixels.
        colour: ``grey``, ``rgb`` or None.
        val_fraction: share of the training images that is kept for choices.
        split_seed: which share.
        verify: compare checksums and counts with the published ones.

    Returns:
        Three parts with images ``[N, 3, size, size]``; the published test images are the test part.

    Raises:
        InputError: missing, broken or other files.
    """
    source = Source(root, PUBLISHED, verify)
    found = source.read(FILES)
    raws = []
    for part, count in (("train", 5000), ("test", 8000)):
        x, y = found[f"{part}_X.bin"], np.frombuffer(found[f"{part}_y.bin"], np.uint8)
        if len(x) % (3 * SIDE * SIDE):
            raise source.wrong(f"{part}_X.bin has {len(x)} bytes; expected a multiple of {3 * SIDE * SIDE}")
        # columns first: the last two axes are exchanged
        images = np.frombuffer(x, np.uint8).reshape(-1, 3, SIDE, SIDE).swapaxes(2, 3)
        source.count(f"{part}_X.bin", len(images), count)
        if len(images) != len(y):
            raise source.wrong(f"{part}_X.bin has {len(images)} pictures, {part}_y.bin {len(y)} labels")
        if y.min() < 1 or y.max() > 10:
            raise source.wrong(f"{part}_y.bin has labels from {y.min()} to {y.max()}; expected 1 to 10")
        raws.append(Raw.of(images, y.astype(np.int64) - 1, f"{source.root} ({part})"))
    train, val = cut_validation(raws[0], val_fraction, split_seed)
    wish = Wish(scale, size, bins, colour, per_class)
    return assemble((train, val, Piece.all(raws[1])), CLASSES, wish, CENTRED, source.files)
