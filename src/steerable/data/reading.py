"""What makes one kind of images of unlike files: colour, depth and size, decided once and written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from steerable.data.errors import InputError, did_you_mean
from steerable.data.recipe import grey, rgb
from steerable.data.resize import PADS, pad_or_cut, resample

RESIZE = ("crop", "scale")
COLOUR: dict[str, Callable[[Tensor], Tensor]] = {"grey": grey, "rgb": rgb}
DEPTHS = ("file", "full")


@dataclass(frozen=True)
class Reading:
    """How images of files are brought to one colour, depth and size; each None leaves it and wants it equal.

    Attributes:
        colour: ``grey`` or ``rgb``.
        depth: ``full``: unsigned whole numbers of 8 or 16 bits by their full range, into [0, 1]; ``file``: 8 bits only,
            others as they are.
        resize: ``crop`` (cut or pad about the centre) or ``scale`` (interpolate; the two sides on their own).
        side: height and width after that.
        pad: what stands in padded pixels: ``border`` (the median of the border of each channel, see
            :func:`steerable.data.resize.background`) or ``zero``.

    Raises:
        InputError: another word, or one of resize and side without the other.
    """

    colour: str | None = None
    depth: str = "file"
    resize: str | None = None
    side: tuple[int, int] | None = None
    pad: str = "border"

    def __post_init__(self) -> None:
        for what, given, known in (
            ("colour", self.colour, (None, *COLOUR)),
            ("depth", self.depth, DEPTHS),
            ("resize", self.resize, (None, *RESIZE)),
            ("pad", self.pad, PADS),
        ):
            if given not in known:
                words = ", ".join("null" if k is None else k for k in known)
                hint = did_you_mean(str(given), [k for k in known if k])
                raise InputError(f"data.options.{what} is '{given}'; expected one of {words}.{hint}")
        if (self.side is None) != (self.resize is None):
            raise InputError(
                f"data.options.resize is {self.resize} and data.options.side {self.side}; expected both or neither. "
                "Say resize scale (or crop) and the side in pixels."
            )
        if self.side is not None and min(self.side) < 1:
            raise InputError(f"data.options.side is {list(self.side)}; expected at least 1 pixel.")

    @staticmethod
    def of(
        colour: str | None, depth: str, resize: str | None, side: int | list[int] | None, pad: str = "border"
    ) -> Reading:
        """Build from the options of a reader; one number is both sides.

        Raises:
            InputError: what the class refuses, or sides that are no numbers.
        """
        pair = [side, side] if isinstance(side, int) else side
        if pair is not None and (len(pair) != 2 or not all(isinstance(n, int) for n in pair)):
            raise InputError(f"data.options.side is {side}; expected one number, or height and width.")
        return Reading(colour, depth, resize, None if pair is None else (pair[0], pair[1]), pad)

    @property
    def full(self) -> bool:
        """Whether whole numbers are divided by their full range."""
        return self.depth == "full"

    def __call__(self, images: Tensor, name: str) -> Tensor:
        """Return ``[N, C, H, W]`` in the colour and size that are wanted.

        Raises:
            InputError: neither grey nor colour, where a colour is wanted.
        """
        if self.colour is not None:
            if images.shape[1] not in (1, 3):
                raise InputError(
                    f"'{name}' has {images.shape[1]} channels; expected 1 or 3 to make it {self.colour}. Set "
                    "data.options.colour to null."
                )
            images = COLOUR[self.colour](images)
        if self.side is None or self.resize is None or tuple(images.shape[-2:]) == self.side:
            return images
        return pad_or_cut(images, self.side, self.pad) if self.resize == "crop" else resample(images, *self.side)

    def to_json(self) -> Mapping[str, str]:
        """Return what was decided, for the record; the size stands there already."""
        pad = self.pad if self.resize == "crop" else None
        found = {"colour": self.colour, "depth": self.depth, "resize": self.resize, "pad": pad}
        return {k: v for k, v in found.items() if v is not None}
