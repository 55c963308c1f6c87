"""Labelled images: the one container that readers return and training reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.data.errors import InputError


@dataclass(frozen=True)
class ImageData:
    """Images with one label each.

    Attributes:
        x: images, float32 ``[N, C, H, W]``, finite.
        y: labels, int64 ``[N]``, each in ``range(len(classes))``.
        classes: the name of each label, in the order of the labels.
        source: what the images are called in an error message (a path or the name of a data set).

    Raises:
        InputError: a shape, dtype, value or label that cannot be used. Readers are the only place where values are
            looked at; the networks themselves look at shapes only.
    """

    x: Tensor
    y: Tensor
    classes: tuple[str, ...]
    source: str = "images"

    def __post_init__(self) -> None:
        x, y, name = self.x, self.y, self.source
        if x.ndim != 4:
            raise InputError(f"{name}: images have shape {list(x.shape)}; expected [N, C, H, W]. Add the missing axis.")
        if len(x) == 0:
            raise InputError(f"{name}: 0 images; expected at least one. Check the path and the split.")
        if x.dtype != torch.float32:
            raise InputError(f"{name}: images are {x.dtype}; expected torch.float32. Convert them with .float().")
        bad = int((~torch.isfinite(x)).flatten(1).any(1).sum())
        if bad:
            first = int((~torch.isfinite(x)).flatten(1).any(1).nonzero()[0])
            raise InputError(
                f"{name}: {bad} of {len(x)} images hold NaN or infinite pixels (first: image {first}); expected finite "
                "values. Drop these images or fill the pixels before training."
            )
        if y.shape != (len(x),) or y.dtype != torch.int64:
            raise InputError(
                f"{name}: labels are {y.dtype} {list(y.shape)}; expected torch.int64 [{len(x)}], one for each image."
            )
        low, high = int(y.min()), int(y.max())
        if low < 0 or high >= len(self.classes):
            raise InputError(
                f"{name}: labels run from {low} to {high}; expected 0 to {len(self.classes) - 1} for the "
                f"{len(self.classes)} classes {list(self.classes)}. Mend the labels or name every class."
            )

    def __len__(self) -> int:
        return len(self.x)

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return self.x.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.x.shape[2], self.x.shape[3]

    def counts(self) -> list[int]:
        """Return the number of images of each class."""
        return torch.bincount(self.y, minlength=len(self.classes)).tolist()

    def subset(self, index: Tensor | Sequence[int]) -> ImageData:
        """Return the images at `index`, int64 ``[M]``, in that order."""
        index = torch.as_tensor(index, dtype=torch.int64)
        return ImageData(self.x[index], self.y[index], self.classes, self.source)

    def limit(self, per_class: int) -> ImageData:
        """Return the first `per_class` images of each class, in the order in which they stand.

        Raises:
            InputError: `per_class` below 1, or a class that has fewer.
        """
        if per_class < 1:
            raise InputError(f"{self.source}: {per_class} images a class were asked for; expected at least 1.")
        short = {c: n for c, n in zip(self.classes, self.counts(), strict=True) if n < per_class}
        if short:
            raise InputError(f"{self.source}: {per_class} images a class were asked for, but there are only {short}.")
        keep = torch.cat([(self.y == k).nonzero()[:per_class, 0] for k in range(len(self.classes))])
        return self.subset(keep.sort().values)


@dataclass(frozen=True)
class Splits:
    """One data set in three parts. Choices are made on `val`; `test` is read once, at the end.

    Raises:
        InputError: parts that differ in classes, channels or size.
    """

    train: ImageData
    val: ImageData
    test: ImageData

    def __post_init__(self) -> None:
        for part in (self.val, self.test):
            for what in ("classes", "channels", "size"):
                a, b = getattr(self.train, what), getattr(part, what)
                if a != b:
                    raise InputError(
                        f"{part.source}: {what} {b} differ from those of {self.train.source}: {a}; "
                        "expected the same in each part. Prepare all three parts in one way."
                    )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels."""
        return self.train.classes

    def limit(self, per_class: int | None) -> Splits:
        """Return the same validation and test parts with at most `per_class` training images a class (None: all)."""
        return self if per_class is None else Splits(self.train.limit(per_class), self.val, self.test)
