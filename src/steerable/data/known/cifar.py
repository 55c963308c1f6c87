"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): the Python batches, read without running them, or the binary version."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from steerable.data.known.assemble import Piece, Raw, Wish, assemble, cut_validation
from steerable.data.known.source import Published, Source
from steerable.data.known.unpickle import read_pickle
from steerable.data.parts import Splits
from steerable.data.recipe import Recipe

PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
BATCHES = tuple(f"data_batch_{k}" for k in range(1, 6))
CIFAR10 = Published(
    "CIFAR-10",
    PAGE,
    {
        "cifar-10-python.tar.gz": "md5:c58f30108f718f92721af3b95e74349a",
        "cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530",
        "data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
        "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
        "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "md5:40351d587109b95175f43aff81a1287e",
    },
    ("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"),
)
CIFAR100 = Published(
    "CIFAR-100",
    PAGE,
    {
        "cifar-100-python.tar.gz": "md5:eb9058c3a382ffc7106e4002c42a8d85",
        "cifar-100-binary.tar.gz": "md5:03b5dce01913d631647c71ecec9e9cb8",
        "train": "md5:16019d7e3df5f24257cddd939b257f8d",
        "test": "md5:f0ef6b0ae62326f3e7ffdfab6717acfc",
        "meta": "md5:7973b15100ade9c7d40fb424638fde48",
    },
    ("cifar-100-python.tar.gz", "cifar-100-binary.tar.gz"),
)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PIXELS = 3 * 32 * 32
# about the mean and the spread of natural pictures; padding comes after, so that it has the mean colour
CENTRED = Recipe.of(("standardise", {"mean": 0.473, "std": 0.251}))


def cifar10(
    root: str | Path | None = None,
    scale: str | None = None,
    per_class: int | None = None,
    size: int | None = 33,
    colour: str | None = None,
    val_fraction: float = 0.1,
    split_seed: int = 0,
    verify: bool = True,
) -> Splits:
    """Read 50000 training and 10000 test pictures of 32 x 32 pixels in ten classes.

    Args:
        root: the folder with the archive, or with its files: ``data_batch_1`` ... or ``data_batch_1.bin`` ...; the
            environment variable ``STEERABLE_DATA`` otherwise.
        scale: see :func:`steerable.data.recipe.scale_steps`; None subtracts a mean and divides by a spread, fixed ones.
        per_class: training images of each class; None: all.
        size: pad or crop to this side; 33 keeps layers of stride 2 exact (33, 17, 9, 5).
        colour: ``grey``, ``rgb`` or None.
        val_fraction: share of the training images that is kept for choices.
        split_seed: which share.
        verify: compare checksums and counts with the published ones.

    Returns:
        Three parts with images ``[N, 3, size, size]``; the published test images are the test part.

    Raises:
        InputError: missing, broken or other files, or pickles that ask for anything but arrays.
    """
    source = Source(root, CIFAR10, verify)
    raws = []
    for names, count in ((BATCHES, 50000), (("test_batch",), 10000)):
        x, y = _batches(source, names, "labels", 1)
        raws.append(_part(source, x, y, names[0], count, len(CLASSES)))
    train, val = cut_validation(raws[0], val_fraction, split_seed)
    wish = Wish(scale, size, 1, colour, per_class)
    return assemble((train, val, Piece.all(raws[1])), CLASSES, wish, CENTRED, source.files)


def cifar100(
    root: str | Path | None = None,
    scale: str | None = None,
    per_class: int | None = None,
    size: int | None = 33,
    colour: str | None = None,
    coarse: bool = False,
    val_fraction: float = 0.1,
    split_seed: int = 0,
    verify: bool = True,
) -> Splits:
    """Read 50000 training and 10000 test pictures of 32 x 32 pixels in 100 classes.

    Args:
        root: the folder with the archive or its files; further arguments are those of :func:`cifar10`.
        coarse: the 20 superclasses instead.

    Raises:
        InputError: missing, broken or other files, or pickles that ask for anything but arrays.
    """
    source = Source(root, CIFAR100, verify)
    kind, count = ("coarse", 20) if coarse else ("fine", 100)
    raws = []
    for name, images in (("train", 50000), ("test", 10000)):
        x, y = _batches(source, (name,), f"{kind}_labels", 2, 0 if coarse else 1)
        raws.append(_part(source, x, y, name, images, count))
    train, val = cut_validation(raws[0], val_fraction, split_seed)
    wish = Wish(scale, size, 1, colour, per_class)
    return assemble((train, val, Piece.all(raws[1])), _names(source, kind, count), wish, CENTRED, source.files)


def _batches(
    source: Source, names: tuple[str, ...], key: str, labels: int, which: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return bytes [N, 3, 32, 32] and labels [N]; `labels` bytes stand before each picture of the binary version."""
    binary = not source.has(*names) and (
        source.has(*(f"{n}.bin" for n in names))
        or (
            not any(source.has(a) for a in source.published.archives if "python" in a)
            and any(source.has(a) for a in source.published.archives)
        )
    )
    wanted = [f"{n}.bin" if binary else n for n in names]
    xs, ys = [], []
    for name, content in source.read(wanted).items():
        if binary:
            if not content or len(content) % (labels + PIXELS):
                raise source.wrong(f"{name} has {len(content)} bytes; expected a multiple of {labels + PIXELS}")
            table = np.frombuffer(content, np.uint8).reshape(-1, labels + PIXELS)
            xs.append(table[:, labels:])
            ys.append(table[:, which].astype(np.int64))
            continue
        batch = read_pickle(content, f"{source.root}/{name}")
        found = {_text(k): v for k, v in batch.items()} if isinstance(batch, dict) else {}
        if not {"data", key} <= found.keys():
            raise source.wrong(f"{name} has the keys {sorted(found)}; expected data and {key}")
        x = found["data"]
        if not isinstance(x, np.ndarray) or x.dtype != np.uint8 or x.ndim != 2 or x.shape[1] != PIXELS:
            raise source.wrong(f"{name} has data {_describe(x)}; expected bytes [N, {PIXELS}]")
        try:
            y = np.asarray(found[key], dtype=np.int64)
        except (TypeError, ValueError) as e:
            raise source.wrong(f"{name} has {key} that are no whole numbers ({e})") from None
        if y.shape != (len(x),):
            raise source.wrong(f"{name} has {len(x)} pictures and {key} {list(y.shape)}; expected one for each")
        xs.append(x)
        ys.append(y)
    return np.concatenate(xs).reshape(-1, 3, 32, 32), np.concatenate(ys)


def _part(source: Source, x: np.ndarray, y: np.ndarray, name: str, count: int, classes: int) -> Raw:
    source.count(f"the part of {name}", len(x), count)
    if y.min() < 0 or y.max() >= classes:
        raise source.wrong(f"{name} has labels from {y.min()} to {y.max()}; expected 0 to {classes - 1}")
    return Raw.of(x, y, f"{source.root} ({'test' if name.startswith('test') else 'train'})")


def _names(source: Source, kind: str, count: int) -> tuple[str, ...]:
    """The names of the classes: from `meta`, or from the text file of the binary version; numbers where both lack."""
    text = f"{kind}_label_names.txt"
    if source.has("meta") or source.has("cifar-100-python.tar.gz"):
        meta = read_pickle(source.read(["meta"])["meta"], f"{source.root}/meta")
        found = {_text(k): v for k, v in meta.items()} if isinstance(meta, dict) else {}
        names = tuple(_text(n) for n in found.get(f"{kind}_label_names", ()))
    elif source.has(text) or source.has("cifar-100-binary.tar.gz"):
        names = tuple(source.read([text])[text].decode("ascii", "replace").split())
    else:
        return tuple(str(k) for k in range(count))
    if len(names) != count:
        raise source.wrong(f"there are {len(names)} {kind} names of classes; expected {count}")
    return names


def _text(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _describe(x: object) -> str:
    return f"{x.dtype} {list(x.shape)}" if isinstance(x, np.ndarray) else type(x).__name__
