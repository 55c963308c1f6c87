"""Images, volumes or point sets with an answer each: the one container that readers return and training reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from steerable.data.clouds import Clouds
from steerable.data.errors import InputError
from steerable.data.target import Regions, Target

DOMAINS = {4: "plane", 5: "volume"}


@dataclass(frozen=True)
class ImageData:
    """Images, volumes or point sets with one label or one value each, or with a label at every pixel or voxel.

    Attributes:
        x: images, float32 ``[N, C, H, W]``, finite; or volumes ``[N, C, D, H, W]``; or N :class:`Clouds`.
        y: labels, int64 ``[N]``, each in ``range(len(meaning))``; or values, float32, finite: ``[N]``, or ``[N, K]``
            where the target is a vector; or labels of regions, int64 ``[N, (D,) H, W]``.
        meaning: of `y`: the name of each class, in the order of the labels; or the :class:`Target` of the values; or
            the :class:`Regions` of a segmentation.
        source: what the images are called in an error message (a path or the name of a data set).
        ids: the name of each image, N of them, or none at all.

    Raises:
        InputError: a shape, dtype, value or label that cannot be used. Readers are the only place where values are
            looked at; the networks themselves look at shapes only.
    """

    x: Tensor | Clouds
    y: Tensor
    meaning: tuple[str, ...] | Target | Regions
    source: str = "images"
    ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.x, Clouds):  # they look at themselves
            check_images(self.x, self.source)
        if isinstance(self.meaning, Target):
            check_values(self.y, len(self.x), self.meaning, self.source)
            check_baseline(self.x, self.meaning, self.source)
        else:
            places = self.size if isinstance(self.meaning, Regions) else ()
            check_labels(self.y, (len(self.x), *places), self.classes, self.source)
        if self.ids and len(self.ids) != len(self.x):
            raise InputError(f"{self.source}: {len(self.ids)} names of {len(self.x)} images; expected one for each.")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each label; empty for values."""
        if isinstance(self.meaning, Regions):
            return self.meaning.names
        return () if isinstance(self.meaning, Target) else self.meaning

    @property
    def regions(self) -> bool:
        """Whether there is a label at every pixel or voxel."""
        return isinstance(self.meaning, Regions)

    @property
    def domain(self) -> str:
        """Where they live: ``plane``, ``volume`` or ``points``."""
        return "points" if isinstance(self.x, Clouds) else DOMAINS[self.x.ndim]

    @property
    def target(self) -> Target | None:
        """What the values are; None for labels."""
        return self.meaning if isinstance(self.meaning, Target) else None

    @property
    def outputs(self) -> int:
        """How many numbers a network answers for one image: one for each class, a single value, or a vector."""
        return self.meaning.size if isinstance(self.meaning, Target) else len(self.classes)

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return self.x.shape[1]

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width in pixels; depth, height and width in voxels; nothing for point sets."""
        return tuple(self.x.shape[2:])

    def counts(self) -> list[int]:
        """Return the number of images of each class; for values and regions one number, that of all images."""
        one = self.target is None and not self.regions
        return torch.bincount(self.y, minlength=len(self.classes)).tolist() if one else [len(self)]

    def rest(self) -> ImageData:
        """Return the values without the baseline of their target: what a network learns."""
        if self.target is None or not self.target.baseline or not isinstance(self.x, Clouds):
            return self
        known = self.x.totals() @ torch.tensor(self.target.baseline, dtype=torch.float64)
        return replace(self, y=(self.y.double() - known).float(), meaning=replace(self.target, baseline=()))

    def with_images(self, x: Tensor | Clouds) -> ImageData:
        """Return other images ``[N, C, H, W]``, volumes or point sets with the same answers."""
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
        if self.target is not None or self.regions:
            what = "has regions" if self.target is None else f"is the value {self.target}"
            raise InputError(
                f"{self.source}: {per_class} images a class were asked for, but the answer {what}; "
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
    """Refuse what is not float32 ``[N, C, H, W]`` or ``[N, C, D, H, W]`` with N > 0 and finite pixels.

    Raises:
        InputError: naming `name` and what was found.
    """
    if x.ndim not in DOMAINS:
        raise InputError(
            f"{name}: images have shape {list(x.shape)}; expected [N, C, H, W], or [N, C, D, H, W] for volumes. Add "
            "the missing axis."
        )
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


def check_labels(y: Tensor, shape: tuple[int, ...], classes: tuple[str, ...], name: str) -> None:
    """Refuse what is not int64 of a shape, ``[N]`` or one label for each pixel or voxel, with numbers of `classes`.

    Raises:
        InputError: naming `name` and what was found.
    """
    if y.shape != shape or y.dtype != torch.int64:
        raise InputError(
            f"{name}: labels are {y.dtype} {list(y.shape)}; expected torch.int64 {list(shape)}, one for each "
            f"{'image' if len(shape) == 1 else 'place in each image'}."
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


def check_baseline(x: Tensor | Clouds, target: Target, name: str) -> None:
    """Refuse a baseline that has no feature of a point for each of its numbers, or that of a vector.

    Raises:
        InputError: naming `name` and what was found.
    """
    channels = x.channels if isinstance(x, Clouds) else 0
    if target.baseline and (len(target.baseline) != channels or target.columns):
        raise InputError(
            f"{name}: a baseline of {len(target.baseline)} numbers of {target} for {channels} features of points; "
            "expected one for each, and a single value."
        )
