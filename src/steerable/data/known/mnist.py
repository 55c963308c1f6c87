"""MNIST and Fashion-MNIST from the four idx files (LeCun, Cortes, Burges; Xiao, Rasul, Vollgraf 2017, 1708.07747)."""

from __future__ import annotations

from pathlib import Path

from steerable.data.known.assemble import Piece, Raw, Wish, assemble, cut_validation
from steerable.data.known.idx import read_idx
from steerable.data.known.source import Published, Source
from steerable.data.parts import Splits
from steerable.data.recipe import Recipe

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
MNIST = Published(
    "MNIST",
    "https://yann.lecun.com/exdb/mnist/ (mirror: https://ossci-datasets.s3.amazonaws.com/mnist/)",
    {
        f"{FILES[0]}.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        f"{FILES[1]}.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
        f"{FILES[2]}.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
        f"{FILES[3]}.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    },
)
FASHION = Published(
    "Fashion-MNIST",
    "https://github.com/zalandoresearch/fashion-mnist",
    {
        f"{FILES[0]}.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        f"{FILES[1]}.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
        f"{FILES[2]}.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
        f"{FILES[3]}.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    },
)
DIGITS = tuple(str(d) for d in range(10))
CLOTHES = (
    "t_shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot",
)  # fmt: skip


def mnist(
    root: str | Path | None = None,
    scale: str | None = None,
    per_class: int | None = None,
    size: int | None = 29,
    colour: str | None = None,
    val_fraction: float = 1 / 12,
    split_seed: int = 0,
    verify: bool = True,
) -> Splits:
    """Read 60000 training and 10000 test digits of 28 x 28 pixels, upright.

    Args:
        root: the folder with the idx files, plain or ``.gz``; the environment variable ``STEERABLE_DATA`` otherwise.
        scale: see :func:`steerable.data.recipe.scale_steps`; None divides by a fixed number, the background stays 0.
        per_class: training images of each class; None: all.
        size: pad or crop to this side; 29 keeps two layers of stride 2 exact.
        colour: ``grey``, ``rgb`` (three equal channels) or None.
        val_fraction: share of the training images that is kept for choices.
        split_seed: which share.
        verify: compare checksums and counts with the published ones.

    Returns:
        Three parts with images ``[N, 1, size, size]``; the published test images are the test part.

    Raises:
        InputError: missing, broken or other files.
    """
    wish = Wish(scale, size, 1, colour, per_class)
    return _read(Source(root, MNIST, verify), DIGITS, 0.3081, wish, val_fraction, split_seed)


def fashion_mnist(
    root: str | Path | None = None,
    scale: str | None = None,
    per_class: int | None = None,
    size: int | None = 29,
    colour: str | None = None,
    val_fraction: float = 1 / 12,
    split_seed: int = 0,
    verify: bool = True,
) -> Splits:
    """Read 60000 training and 10000 test pictures of clothes of 28 x 28 pixels.

    Args:
        root: the folder with the idx files; the other arguments are those of :func:`mnist`.

    Raises:
        InputError: missing, broken or other files.
    """
    wish = Wish(scale, size, 1, colour, per_class)
    return _read(Source(root, FASHION, verify), CLOTHES, 0.3530, wish, val_fraction, split_seed)


def _read(
    source: Source, classes: tuple[str, ...], spread: float, wish: Wish, val_fraction: float, split_seed: int
) -> Splits:
    found = source.read(FILES)
    raws = []
    for part, x_name, y_name, count in (("train", FILES[0], FILES[1], 60000), ("test", FILES[2], FILES[3], 10000)):
        x, y = read_idx(found[x_name], 3, source, x_name), read_idx(found[y_name], 1, source, y_name)
        source.count(x_name, len(x), count)
        if len(x) != len(y):
            raise source.wrong(f"{x_name} has {len(x)} images, {y_name} {len(y)} labels; expected one for each")
        if source.verify and x.shape[1:] != (28, 28):
            raise source.wrong(f"{x_name} has images of {list(x.shape[1:])}; expected [28, 28]")
        raws.append(Raw.of(x[:, None], y, f"{source.root} ({part})"))
    train, val = cut_validation(raws[0], val_fraction, split_seed)
    own = Recipe.of(("divide", {"by": spread}))
    return assemble((train, val, Piece.all(raws[1])), classes, wish, own, source.files)
