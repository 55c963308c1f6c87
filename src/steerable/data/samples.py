"""Images, volumes, point sets or fields on the sphere with an answer each: what readers return and training reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from steerable.data.checks import DOMAINS, check_answers, check_fields, check_images, field_type
from steerable.data.clouds import Clouds
from steerable.data.errors import InputError
from steerable.data.target import Regions, Target
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.fields.type import FieldType


@dataclass(frozen=True)
class Samples:
    """Images, volumes, point sets or fields on the sphere, each with an answer: one, or one at every place.

    Attributes:
        x: images, float32 ``[N, C, H, W]``, finite; or volumes ``[N, C, D, H, W]``; or N :class:`Clouds`; or fields on
            the sphere ``[N, C, *shape]`` in the shape of their sampling.
        y: labels, int64 ``[N]``, each in ``range(len(meaning))``; or values, float32, finite: ``[N]``, or ``[N, K]``
            where the target is a vector. At every place: labels of regions, int64 ``[N, *places]``, -1 where there is
            none; values, float32 ``[N, K, *places]``, NaN where there is none.
        meaning: of `y`: the name of each class, in the order of the labels; or the :class:`Target` of the values; or
            the :class:`Regions` of a segmentation.
        source: what the samples are called in an error message (a path or the name of a data set).
        ids: the name of each sample, N of them, or none at all.
        sampling: of the sphere, such as ``gauss(32)`` (see :func:`steerable.domains.sphere.parse_sphere`); empty: they
            are no fields on the sphere.
        type: the fields of `x` on the sphere, such as ``2x0 + 1x2`` (two scalars and a spin 2); empty: scalars.

    Raises:
        InputError: a shape, dtype, value or label that cannot be used. Readers are the only place where values are
            looked at; the networks themselves look at shapes only.
    """

    x: Tensor | Clouds
    y: Tensor
    meaning: tuple[str, ...] | Target | Regions
    source: str = "images"
    ids: tuple[str, ...] = ()
    sampling: str = ""
    type: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.x, Clouds):  # they look at themselves
            check_images(self.x, self.source, self.sphere)
        check_fields(self.fields, self.type, self.channels, self.sampling, self.source)
        check_answers(self.x, self.y, self.meaning, self.source, self.sampling)
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
        """Whether there is a label at every pixel, voxel or sample of the sphere."""
        return isinstance(self.meaning, Regions)

    @property
    def dense(self) -> bool:
        """Whether there is a label, or a value, at every pixel, voxel or sample of the sphere."""
        return self.regions or (isinstance(self.meaning, Target) and self.meaning.everywhere)

    @property
    def places(self) -> tuple[int, ...]:
        """The shape of all places that have an answer of their own; nothing where a sample has one."""
        return self.size if self.dense else ()

    @property
    def domain(self) -> str:
        """Where they live: ``plane``, ``volume``, ``points`` or ``sphere``."""
        if self.sampling:
            return "sphere"
        return "points" if isinstance(self.x, Clouds) else DOMAINS[self.x.ndim]

    @property
    def sphere(self) -> Sphere | None:
        """Where the samples of fields on the sphere lie.

        Raises:
            InputError: a sampling that there is not.
        """
        try:
            return parse_sphere(self.sampling) if self.sampling else None
        except ValueError as e:
            raise InputError(f"{self.source}: {e}") from None

    @property
    def fields(self) -> FieldType | None:
        """The type of `x` on the sphere, fields of SO2.

        Raises:
            InputError: a text that is no type.
        """
        return field_type(self.type, self.channels, self.source) if self.sampling else None

    @property
    def target(self) -> Target | None:
        """What the values are; None for labels."""
        return self.meaning if isinstance(self.meaning, Target) else None

    @property
    def outputs(self) -> int:
        """How many numbers a network answers, at each place where there are answers: classes, or entries of a value."""
        return self.meaning.size if isinstance(self.meaning, Target) else len(self.classes)

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return self.x.shape[1]

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width in pixels; depth, height and width in voxels; shape of a sampling; nothing for points."""
        return tuple(self.x.shape[2:])

    def counts(self) -> list[int]:
        """Return the number of images of each class; for values and regions one number, that of all images."""
        one = not self.regions and self.target is None
        return torch.bincount(self.y, minlength=len(self.classes)).tolist() if one else [len(self)]

    def rest(self) -> Samples:
        """Return the values without the baseline of their target: what a network learns."""
        if self.target is None or not self.target.baseline or not isinstance(self.x, Clouds):
            return self
        known = self.x.totals() @ torch.tensor(self.target.baseline, dtype=torch.float64)
        return replace(self, y=(self.y.double() - known).float(), meaning=replace(self.target, baseline=()))

    def with_images(self, x: Tensor | Clouds) -> Samples:
        """Return other images ``[N, C, H, W]``, volumes or point sets with the same answers."""
        return replace(self, x=x)

    def subset(self, index: Tensor | Sequence[int]) -> Samples:
        """Return the images at `index`, int64 ``[M]``, in that order."""
        index = torch.as_tensor(index, dtype=torch.int64)
        ids = tuple(self.ids[i] for i in index.tolist()) if self.ids else ()
        return replace(self, x=self.x[index], y=self.y[index], ids=ids)

    def limit(self, per_class: int) -> Samples:
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

    def sample(self, count: int) -> Samples:
        """Return `count` images, drawn by a hash of their number: a larger sample holds every smaller one.

        Raises:
            InputError: `count` below 1 or above the number of images.
        """
        if not 1 <= count <= len(self):
            raise InputError(f"{self.source}: {count} images were asked for; expected 1 to {len(self)}.")
        order = sorted(range(len(self)), key=lambda i: hashlib.sha256(str(i).encode()).hexdigest())
        return self.subset(sorted(order[:count]))
