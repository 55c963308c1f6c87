"""Rotated MNIST, the published benchmark (Larochelle et al. 2007, ICML): amat files, inside or outside of their zip."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from steerable.data.known.assemble import Piece, Raw, Wish, assemble, cut_validation
from steerable.data.known.mnist import DIGITS
from steerable.data.known.source import Published, Source
from steerable.data.parts import Splits
from steerable.data.recipe import Recipe

TRAIN = "mnist_all_rotation_normalized_float_train_valid.amat"
TEST = "mnist_all_rotation_normalized_float_test.amat"
ZIP = "mnist_rotation_new.zip"
PUBLISHED = Published(
    "rotated MNIST",
    "http://www.iro.umontreal.ca/~lisa/icml2007data/mnist_rotation_new.zip",
    {ZIP: "md5:0f9a947ff3d30e95cd685462cbf3b847"},
    (ZIP,),
)
SIDE = 28
LINES = 2000  # parsed at a time: a number takes up ten characters


def rotated_mnist(
    root: str | Path | None = None,
    scale: str | None = None,
    per_class: int | None = None,
    size: int | None = 29,
    colour: str | None = None,
    val_fraction: float = 1 / 6,
    split_seed: int = 0,
    verify: bool = True,
) -> Splits:
    """Read 12000 training and 50000 test digits of 28 x 28 pixels, turned by uniform random angles.

    The last columns of the files are the labels. Rows of pixels are taken in the order of the file.

    Args:
        root: the folder with the two amat files or their zip; the environment variable ``STEERABLE_DATA`` otherwise.
        scale: see :func:`steerable.data.recipe.scale_steps`; None divides by a fixed number, the background stays 0.
        per_class: training images of each class; None: all.
        size: pad or crop to this side; 29 keeps two layers of stride 2 exact.
        colour: ``grey``, ``rgb`` (three equal channels) or None.
        val_fraction: share of the 12000 that is kept for choices; the publication kept 2000.
        split_seed: which share.
        verify: compare the checksum of the zip, and the counts, with the published ones.

    Returns:
        Three parts with images ``[N, 1, size, size]``; the published test images are the test part.

    Raises:
        InputError: missing, broken or other files.
    """
    source = Source(root, PUBLISHED, verify)
    raws = []
    for name, count in ((TRAIN, 12000), (TEST, 50000)):
        x, y = read_amat(source.read([name])[name], source, name)
        source.count(name, len(x), count)
        raws.append(Raw.of(x, y, f"{source.root} ({'train' if name == TRAIN else 'test'})"))
    train, val = cut_validation(raws[0], val_fraction, split_seed)
    own = Recipe.of(("divide", {"by": 0.2970}))
    wish = Wish(scale, size, 1, colour, per_class)
    return assemble((train, val, Piece.all(raws[1])), DIGITS, wish, own, source.files)


def read_amat(content: bytes, source: Source, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images, float32 ``[N, 1, 28, 28]``, and labels, int64 ``[N]``, of lines of 784 pixels and a label.

    Raises:
        InputError: a line with another number of columns, text, pixels outside [0, 1], or labels other than digits.
    """
    blocks: list[np.ndarray] = []
    file, done = io.BytesIO(content), 0
    while lines := [line for line in (file.readline() for _ in range(LINES)) if line.strip()]:
        try:
            block = np.loadtxt(lines, dtype=np.float32, ndmin=2)
        except ValueError as e:
            raise source.wrong(f"{name} cannot be read from line {done + 1} on ({str(e).splitlines()[0]})") from None
        if block.shape[1] != SIDE * SIDE + 1:
            raise source.wrong(
                f"{name} has lines of {block.shape[1]} numbers; expected {SIDE * SIDE + 1}, the pixels and the label"
            )
        blocks.append(block)
        done += len(block)
    if not blocks:
        raise source.wrong(f"{name} has {done} lines; expected one for each image")
    x = np.concatenate([b[:, :-1] for b in blocks])
    label = np.concatenate([b[:, -1] for b in blocks])
    if not (np.isfinite(x).all() and x.min() >= -1e-3 and x.max() <= 1 + 1e-3):
        raise source.wrong(f"{name} has pixels from {x.min():g} to {x.max():g}; expected [0, 1]")
    if not np.isin(label, np.arange(10)).all():
        raise source.wrong(f"{name} has labels from {label.min():g} to {label.max():g}; expected the digits 0 to 9")
    return x.reshape(-1, 1, SIDE, SIDE), label.astype(np.int64)
