"""From raw images, still in the file or as bytes, to three prepared parts, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.parts import Splits
from steerable.data.recipe import Recipe, geometry, scale_steps
from steerable.data.samples import Samples
from steerable.data.splits import picture_keys, stratified_split
from steerable.data.target import Target

CHUNK = 512
SAMPLE = (256, 1000, 64)  # images of each part that are kept as they were read
COLOURS = ("grey", "rgb")


@dataclass(frozen=True)
class Raw:
    """Images that are read when they are asked for.

    Attributes:
        y: labels, int64 ``[N]``, or values, float32 ``[N]``.
        read: from sorted indices, int64 ``[n]``, to ``[n, C, H, W]``, bytes or floating.
        name: for messages.
    """

    y: Tensor
    read: Callable[[np.ndarray], np.ndarray]
    name: str

    @staticmethod
    def of(x: np.ndarray, y: np.ndarray, name: str) -> Raw:
        """Return images ``[N, C, H, W]`` that lie in memory."""
        return Raw(torch.from_numpy(np.ascontiguousarray(y).astype(np.int64)), lambda index: x[index], name)

    def keys(self) -> list[str]:
        """Return a key for each image; two have the same only if all pixels agree."""
        index = np.arange(len(self.y))
        parts = np.array_split(index, max(1, -(-len(index) // CHUNK)))
        return [key for part in parts for key in picture_keys(torch.from_numpy(np.ascontiguousarray(self.read(part))))]


@dataclass(frozen=True)
class Piece:
    """Some of the images of a :class:`Raw`, by their sorted indices."""

    raw: Raw
    index: Tensor

    @staticmethod
    def all(raw: Raw) -> Piece:
        """Return all images."""
        return Piece(raw, torch.arange(len(raw.y)))

    def few(self, per_class: int | None, meaning: tuple[str, ...] | Target) -> Piece:
        """Return the first `per_class` images of each class, as :meth:`Samples.limit` does; None: all.

        Raises:
            InputError: a number that it refuses.
        """
        return self if per_class is None else self._like(lambda data: data.limit(per_class), meaning)

    def sample(self, images: int | None, meaning: tuple[str, ...] | Target) -> Piece:
        """Return `images` of them, as :meth:`Samples.sample` does; None: all.

        Raises:
            InputError: a number that it refuses, or classes.
        """
        if images is not None and not isinstance(meaning, Target):
            raise InputError(
                f"{self.raw.name}: data.images is {images}, but the images have the classes {list(meaning)}; expected "
                "null. Set data.per_class instead."
            )
        return self if images is None else self._like(lambda data: data.sample(images), meaning)

    def spread(self, most: int) -> Piece:
        """Return at most `most` of the images, evenly spread over them."""
        keep = torch.linspace(0, len(self.index) - 1, min(most, len(self.index))).round().long()
        return Piece(self.raw, self.index[keep])

    def _like(self, choose: Callable[[Samples], Samples], meaning: tuple[str, ...] | Target) -> Piece:
        """Choose as `choose` does, on the answers and, in place of images, their numbers (exact below 2^24)."""
        numbers = self.index.float()[:, None, None, None]
        chosen = choose(Samples(numbers, self.raw.y[self.index], meaning, self.raw.name))
        return Piece(self.raw, chosen.x[:, 0, 0, 0].long())


@dataclass(frozen=True)
class Wish:
    """What a person asks of every data set.

    Attributes:
        scale: a named scale (:data:`steerable.data.recipe.SCALES`), or None: that of the reader.
        size: pad or crop to this side; None leaves the images as they are.
        bins: average blocks of this many pixels.
        colour: ``grey`` or ``rgb``; None: as in the file.
        per_class: training images of each class; None: all.
        images: training images in all, for values; None: all.
    """

    scale: str | None = None
    size: int | None = None
    bins: int = 1
    colour: str | None = None
    per_class: int | None = None
    images: int | None = None

    def recolour(self) -> Recipe:
        """Return the step that changes the colour.

        Raises:
            InputError: an unknown colour.
        """
        if self.colour not in (None, *COLOURS):
            raise InputError(f"data.options.colour is '{self.colour}'; expected grey, rgb or null (as in the file).")
        return Recipe() if self.colour is None else Recipe.of((self.colour, {}))

    def steps(self, own: Recipe) -> Recipe:
        """Return colour, the scale of the reader (`own`, unless another was named), then binning and size."""
        return self.recolour() + (own if self.scale is None else Recipe()) + geometry(self.size, self.bins)


def cut_validation(raw: Raw, fraction: float, seed: int, keys: list[str] | None = None) -> tuple[Piece, Piece]:
    """Cut a validation part from published training images, stratified and fixed by `seed`.

    Raises:
        InputError: a fraction outside (0, 1), or a class too small.
    """
    if not 0 < fraction < 1:
        raise InputError(f"data.options.val_fraction is {fraction}; expected a number between 0 and 1.")
    train, val = stratified_split(raw.y, (1 - fraction, fraction), seed, raw.keys() if keys is None else keys)
    return Piece(raw, train), Piece(raw, val)


def assemble(
    parts: tuple[Piece, Piece, Piece],
    meaning: tuple[str, ...] | Target,
    wish: Wish,
    own: Recipe,
    files: Mapping[str, str],
) -> Splits:
    """Read the pieces and prepare them.

    Bytes stay bytes until a chunk of them is prepared, so that beside the result only a chunk is held as floats.

    Args:
        parts: training, validation, test.
        meaning: the classes, or the target.
        wish: what was asked for.
        own: the scale of the reader, on images in ``[0, 1]``.
        files: sha256 of each file that was read, for the record.

    Raises:
        InputError: what :class:`Samples` refuses, or more images than fit into memory.
    """
    recipe = wish.steps(own)
    train = parts[0].few(wish.per_class, meaning).sample(wish.images, meaning)
    parts = (train, parts[1], parts[2])
    shapes = [tuple(recipe(_read(p, 0, 1)).shape[1:]) for p in parts]
    check_memory([(len(p.index), *s) for p, s in zip(parts, shapes, strict=True)], parts[0].raw.name)
    raw_size = _read(parts[0], 0, 1).shape[2:]
    images = [_prepare(p, recipe, s) for p, s in zip(parts, shapes, strict=True)]
    if wish.scale is not None:
        last = scale_steps(wish.scale, images[0])
        recipe = recipe + last
        for x in images:
            for k in range(0, len(x), CHUNK):
                x[k : k + CHUNK] = last(x[k : k + CHUNK])
    data = [Samples(x, p.raw.y[p.index], meaning, p.raw.name) for x, p in zip(images, parts, strict=True)]
    # a few images as they were, in the colour that the network takes: enough to calibrate and check exported files
    some = [p.spread(n) for p, n in zip(parts, SAMPLE, strict=True)]
    colour = wish.recolour()
    before = [Samples(colour(_read(p, 0, len(p.index))), p.raw.y[p.index], meaning, p.raw.name) for p in some]
    return Splits(
        *data, recipe=recipe, raw_size=(raw_size[0], raw_size[1]), files=dict(files), raw=Splits(*before),
        reading={} if wish.colour is None else {"colour": wish.colour},
    )  # fmt: skip


def _read(piece: Piece, start: int, stop: int) -> Tensor:
    x = piece.raw.read(piece.index[start:stop].numpy())
    images = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
    return images.div_(255) if x.dtype == np.uint8 else images


def _prepare(piece: Piece, recipe: Recipe, shape: tuple[int, ...]) -> Tensor:
    out = torch.empty(len(piece.index), *shape)
    for k in range(0, len(out), CHUNK):
        out[k : k + CHUNK] = recipe(_read(piece, k, k + CHUNK))
    return out


def free_memory() -> int | None:
    """Return how many bytes the system can still give away; None where it does not say."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    return None


def check_memory(shapes: list[tuple[int, ...]], name: str, free: int | None = None) -> None:
    """Refuse images that would not fit into memory.

    Args:
        shapes: ``[N, C, H, W]`` of each part.
        name: of the data set.
        free: bytes that are free; None asks the system.

    Raises:
        InputError: they need more.
    """
    free = free_memory() if free is None else free
    need = 4 * sum(int(np.prod(s, dtype=np.int64)) for s in shapes)
    if free is not None and need > free:
        raise InputError(
            f"{name}: {[s[0] for s in shapes]} images of {list(shapes[0][1:])} need {need / 2**30:.1f} GiB, and "
            f"{free / 2**30:.1f} GiB are free; expected less. Set data.per_class, or data.options.size, bins or colour."
        )


def admissible(side: int) -> int:
    """Return the smallest size from `side` on at which two layers of stride 2 stay exact: 1 + a multiple of 4."""
    return side + (1 - side) % 4
