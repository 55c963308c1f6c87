"""One data set in three parts, and what was done to its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from steerable.data.errors import InputError
from steerable.data.field_scale import field_recipe
from steerable.data.recipe import Recipe, scale_steps
from steerable.data.samples import Samples
from steerable.data.target import Target


@dataclass(frozen=True)
class Splits:
    """One data set in three parts. Choices are made on `val`; `test` is read once, at the end.

    Attributes:
        train, val, test: the parts.
        recipe: what :meth:`prepare` did to the images, so that it can be done again to others.
        raw_size: height and width before that; None: as now.
        input: what the images are before the recipe: ``"pixels"``, or something that is computed from them first.
        settings: numbers that such a computation needs, as plain JSON.
        files: sha256 of the published files that were read, by their path below the root.
        reading: what was done while reading, for who reads further images: ``colour`` (grey or rgb), ``depth`` (full:
            whole numbers by their full range), ``resize`` (crop or scale).
        raw: the parts before :meth:`prepare`, where they are still held; None: as now.

    Raises:
        InputError: parts that differ in their answers, channels or size.
    """

    train: Samples
    val: Samples
    test: Samples
    recipe: Recipe = field(default_factory=Recipe)
    raw_size: tuple[int, ...] | None = None
    input: str = "pixels"
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    reading: Mapping[str, str] = field(default_factory=dict)
    raw: Splits | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for part in (self.val, self.test):
            for what in ("domain", "sampling", "type", "classes", "regions", "target", "channels", "size"):
                a, b = getattr(self.train, what), getattr(part, what)
                if a != b:
                    raise InputError(
                        f"{part.source}: {what} {b} differ from those of {self.train.source}: {a}; "
                        "expected the same in each part. Prepare all three parts in one way."
                    )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels; empty for values."""
        return self.train.classes

    @property
    def target(self) -> Target | None:
        """What the values are; None for labels."""
        return self.train.target

    def prepare(self, recipe: Recipe, scale: str = "none", masks: Sequence[int] = ()) -> Splits:
        """Apply a recipe and then a named scale to the images of all parts.

        Args:
            recipe: steps that do not depend on the data.
            scale: one of :data:`steerable.data.recipe.SCALES`, or ``fields`` (on the sphere); this and ``dataset``
                measure the training part.
            masks: of fields on the sphere: for each channel the one that is 1 where it is known, for such a channel
                itself; nothing: there are none. What is not known is not measured.

        Raises:
            InputError: an unknown scale, or a step that cannot be done on images of this size.
        """
        domain = self.train.domain
        if domain == "points" and (recipe.steps or scale != "none"):
            raise InputError(
                f"{self.train.source}: data.scale is '{scale}' and the recipe '{recipe}'; expected none of point sets, "
                "which have no pixels. Leave data.scale at null."
            )
        if domain == "sphere" and (recipe.steps or scale not in ("none", "fields", "dataset")):
            raise InputError(
                f"{self.train.source}: data.scale is '{scale}' and the recipe '{recipe}'; expected none, fields or "
                "dataset: fields on the sphere have no border, and components of a field are not scaled by themselves."
            )
        if domain == "points":
            return self
        once = [part.with_images(recipe(part.x)) for part in (self.train, self.val, self.test)]
        if domain == "sphere" and scale != "none":
            last = field_recipe(once[0], masks, scale)
        else:
            last = scale_steps(scale, once[0].x)
        train, val, test = (part.with_images(last(part.x)) for part in once)
        return replace(
            self, train=train, val=val, test=test, recipe=self.recipe + recipe + last,
            raw_size=self.raw_size or self.train.size, raw=self.raw or self,
        )  # fmt: skip

    def limit(self, per_class: int | None = None, images: int | None = None) -> Splits:
        """Return the same validation and test parts with fewer training images.

        Args:
            per_class: training images of each class; None: all.
            images: training images in all, for values; None: all.

        Raises:
            InputError: more than there are, or the wrong one of the two.
        """
        if images is not None and self.target is None and not self.train.dense:
            raise InputError(
                f"{self.train.source}: data.images is {images}, but the images have the classes {list(self.classes)}; "
                "expected null. Set data.per_class instead."
            )
        train = self.train if per_class is None else self.train.limit(per_class)
        raw = None if self.raw is None else self.raw.limit(per_class, images)
        return replace(self, train=train if images is None else train.sample(images), raw=raw)
