"""Images with an answer each: the one container that readers return and training reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.target import Target


@dataclass(frozen=True)
class ImageData:
    """Images with one label or one value each.

    Attributes:
        x: images, float32 ``[N, C, H, W]``, finite.
        y: labels, int64 ``[N]``, each in ``range(len(meaning))``; or values, float32, finite: ``[N]``, or ``[N, K]``
            where the target is a vector.
        meaning: of `y`: the name of each class, in the order of the labels; or the :class:`Target` of the values.
        source: what the images are called in an error message (a path or the name of a data set).
        ids: the name of each image, N of them, or none at all.

    Raises:
        InputError: a shape, dtype, value or label that cannot be used. Readers are the only place where values are
            looked at; the networks themselves look at shapes only.
    """

    x: Tensor
    y: Tensor
    meaning: tuple[str, ...] | Target
    source: str = "images"
    ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_images(self.x, self.source)
        if isinstance(self.meaning, Target):
            check_values(self.y, len(self.x), self.meaning, self.source)
        else:
            check_labels(self.y, len(self.x), self.meaning, self.source)
        if self.ids and len(self.ids) != len(self.x):
            raise InputError(f"{self.source}: {len(self.ids)} names of {len(self.x)} images; expected one for each.")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each label; empty for values."""
        return () if isinstance(self.meaning, Target) else self.meaning

    @property
    def target(self) -> Target | None:
        """What the values are; None for labels."""
        return self.meaning if isinstance(self.meaning, Target) else None

    @property
    def outputs(self) -> int:
        """How many numbers a network answers for one image: one for each class, a single value, or a vector."""
        return self.meaning.size if isinstance(self.meaning, Target) else len(self.meaning)

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return self.x.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.x.shape[2], self.x.shape[3]

    def counts(self) -> list[int]:
        """Return the number of images of each class; for values one number, that of all images."""
        return torch.bincount(self.y, minlength=len(self.classes)).tolist() if self.classes else [len(self)]

    def with_images(self, x: Tensor) -> ImageData:
        """Return other images ``[N, C, H, W]`` with the same answers."""
        return replace(self, x=x)

    def subset(self, index: Tensor | Sequence[int]) -> ImageData:
        """Return the images at `index`, int64 ``[M]``, in that order."""
        index = torch.as_tensor(index, dtype=torch.int64)
        ids = tuple(self.ids[i] for i in index.tolist()) if self.ids else ()
        return replace(self, x=self.x[index], y=self.y[index], ids=ids)

    def limit(self, per_class: int) -> ImageData:
        """Return the first `per_class` images of each class, in the order in which they stand.

        Raises:
            InputError: `per_class` below 1, a class that has fewer, or values instead of labels.
        """
        if self.target is not None:
            raise InputError(
                f"{self.source}: {per_class} images a class were asked for, but the answer is the value {self.target}; "
                "expected a number of images in all. Set data.images instead of data.per_class."
            )
        if per_class < 1:
            raise InputError(f"{self.source}: {per_class} images a class were asked for; expected at least 1.")
        short = {c: n for c, n in zip(self.classes, self.counts(), strict=True) if n < per_class}
        if short:
            raise InputError(f"{self.source}: {per_class} images a class were asked for, but there are only {short}.")
        keep = torch.cat([(self.y == k).nonzero()[:per_class, 0] for k in range(len(self.classes))])
        return self.subset(keep.sort().values)

    def sample(self, count: int) -> ImageData:
        """Return `count` images, drawn by a hash of their number: a larger sample holds every smaller one.

        Raises:
            InputError: `count` below 1 or above the number of images.
        """
        if not 1 <= count <= len(self):
            raise InputError(f"{self.source}: {count} images were asked for; expected 1 to {len(self)}.")
        order = sorted(range(len(self)), key=lambda i: hashlib.sha256(str(i).encode()).hexdigest())
        return self.subset(sorted(order[:count]))


def check_images(x: Tensor, name: str) -> None:
    """Refuse what is not float32 ``[N, C, H, W]`` with N > 0 and finite pixels.

    Raises:
        InputError: naming `name` and what was found.
    """
    if x.ndim != 4:
        raise InputError(f"{name}: images have shape {list(x.shape)}; expected [N, C, H, W]. Add the missing axis.")
    if len(x) == 0:
        raise InputError(f"{name}: 0 images; expected at least one. Check the path and the split.")
    if x.dtype != torch.float32:
        raise InputError(f"{name}: images are {x.dtype}; expected torch.float32. Convert them with .float().")
    broken = (~torch.isfinite(x)).flatten(1).any(1)
    if broken.any():
        raise InputError(
            f"{name}: {int(broken.sum())} of {len(x)} images hold NaN or infinite pixels (first: image "
            f"{int(broken.nonzero()[0])}); expected finite values. Drop these images or fill the pixels first."
        )


def check_labels(y: Tensor, count: int, classes: tuple[str, ...], name: str) -> None:
    """Refuse what is not int64 ``[count]`` with numbers of `classes`.

    Raises:
        InputError: naming `name` and what was found.
    """
    if y.shape != (count,) or y.dtype != torch.int64:
        raise InputError(
            f"{name}: labels are {y.dtype} {list(y.shape)}; expected torch.int64 [{count}], one for each image."
        )
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= len(classes):
        raise InputError(
            f"{name}: labels run from {low} to {high}; expected 0 to {len(classes) - 1} for the {len(classes)} classes "
            f"{list(classes)}. Mend the labels or name every class."
        )


def check_values(y: Tensor, count: int, target: Target, name: str) -> None:
    """Refuse what is not float32 ``[count]``, finite: a column ``[count, 1]`` would broadcast against ``[count]``.

    The values of a vector are ``[count, K]``.

    Raises:
        InputError: naming `name` and what was found.
    """
    shape = (count, len(target.columns)) if target.columns else (count,)
    if y.shape != shape or y.dtype != torch.float32:
        raise InputError(
            f"{name}: values of {target} are {y.dtype} {list(y.shape)}; expected torch.float32 {list(shape)}, one "
            f"{'row ' if target.columns else ''}for each image."
        )
    broken = ~torch.isfinite(y.flatten(1).sum(1) if target.columns else y)
    if broken.any():
        raise InputError(
            f"{name}: {int(broken.sum())} of {count} values of {target} are NaN or infinite (first: image "
            f"{int(broken.nonzero()[0])}); expected finite values. Drop these images."
        )
