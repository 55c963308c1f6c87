"""Images one after another, out of files, each usable or with the reason why it is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from steerable.data.clouds import Clouds
from steerable.data.errors import InputError
from steerable.data.image_file import FITS, check_image, count_images, extension, iterate_images
from steerable.data.reading import Reading
from steerable.run.inputs import Source

#: samples of other sizes are taken as they are
WHOLE = "whole"


class Row(NamedTuple):
    """One image: its id, ``[C, H, W]`` (a volume, a point set) or what is wrong, its own size if that was another."""

    id: str
    image: Tensor | Clouds | None
    error: str | None = None
    size: tuple[int, ...] | None = None


class Want(NamedTuple):
    """What the images have to be like.

    Attributes:
        channels: number of channels.
        size: height and width; depth, height and width; nothing for point sets.
        resize: ``crop``, ``scale``, ``whole`` (as it is) or None: refuse other sizes.
        run: the name of the run, for messages.
        hdu: of FITS files.
        sky_up: turn FITS images over, whose first row is the lowest on the sky, so that row 0 is the highest.
        colour: make grey or coloured images so: ``grey`` or ``rgb``.
        full: whole numbers of 16 bits come into [0, 1].
        pad: what stands in padded pixels: ``border`` or ``zero``; runs that do not say it were padded with zeros.
    """

    channels: int
    size: tuple[int, ...]
    resize: str | None
    run: str
    hdu: int | None = None
    sky_up: bool = False
    colour: str | None = None
    full: bool = False
    pad: str = "zero"

    @staticmethod
    def of(record: Mapping[str, Any], resize: str | None, run: str, hdu: int | None = None) -> Want:
        """Return what the network of a run takes; how its own images were read is how further ones are.

        Args:
            record: of the run.
            resize: ``crop``, ``scale`` or ``whole``; None: as in training, where images of several sizes were read.
            run: its name.
            hdu: of FITS files.
        """
        how = record.get("reading") or {}
        return Want(
            int(record["in_channels"]), tuple(record["raw_size"]), resize or how.get("resize"), run, hdu,
            record["config"]["data"]["name"] == "lensing", how.get("colour"), how.get("depth") == "full",
            how.get("pad", "zero"),
        )  # fmt: skip

    def other(self, size: Sequence[int]) -> tuple[int, ...] | None:
        """The size of a file, where it is not the one that is wanted."""
        return None if tuple(size) == tuple(self.size) or self.resize == WHOLE else tuple(size)


def read_rows(sources: Iterable[Source], want: Want, chunk: int = 64) -> Iterator[Row]:
    """Yield the images of files in order.

    A file of many gives ``file#0``, ``file#1``, ...; what is left of one that breaks off is one row with an error.
    """
    for source in sources:
        many = count_images(source.path) > 1
        done, turn_over = 0, want.sky_up and extension(source.path) in FITS
        try:
            for part in iterate_images(source.path, want.hdu, chunk, check=False, full=want.full):
                for image in part.flip(-2) if turn_over else part:
                    name = f"{source.id}#{done}" if many else source.id
                    try:
                        found = usable(image, f"{source.path}#{done}" if many else str(source.path), want)
                        yield Row(name, found, size=want.other(image.shape[-2:]))
                    except InputError as e:
                        yield Row(name, None, str(e))
                    done += 1
        except InputError as e:
            yield Row(source.id, None, str(e))


def usable(image: Tensor, name: str, want: Want) -> Tensor:
    """Return an image ``[C, H, W]`` in the size that is wanted.

    Raises:
        InputError: other channels, another size without leave to resize, NaN.
    """
    if want.colour is not None:
        image = Reading(want.colour)(image[None], name)[0]
    c, h, w = image.shape
    if c != want.channels:
        raise InputError(
            f"'{name}' has {c} channel{'s' * (c > 1)}; expected {want.channels}, as the network in '{want.run}' saw. "
            "Give it images of the kind that it was trained on."
        )
    if (h, w) != want.size and want.resize is None:
        raise InputError(
            f"'{name}' has {h} x {w} pixels; expected {want.size[0]} x {want.size[1]}, as the network in '{want.run}' "
            "saw. Say --resize crop (cut or pad) or --resize scale (interpolate)."
        )
    check_image(image, name)
    if (h, w) == want.size or want.resize == WHOLE:
        return image
    size = (want.size[0], want.size[1])
    return Reading(resize=want.resize, side=size, pad=want.pad)(image[None], name)[0]


def resized_text(count: int, total: int, want: Want, asked: bool, noun: str = "images") -> str:
    """Return the line that says how many images were not of the size of training.

    Args:
        count: images of another size.
        total: images.
        want: what the images have to be like.
        asked: whether the command line said so; else it is how the run read its own images.
        noun: what they are called.
    """
    places = "voxels" if len(want.size) == 3 else "pixels"
    how = "cut or padded" if want.resize == "crop" else "interpolated"
    why = f"--resize {want.resize}" if asked else f"as the {noun} of '{want.run}' were in training"
    return f"{count} of {total} {noun} were not {' x '.join(map(str, want.size))} {places}: {how} to that size ({why})"


def batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Cut rows into lists of at most `size`, of one shape each."""
    held: list[Row] = []
    for row in rows:
        shapes = [r.image.shape for r in (*held, row) if isinstance(r.image, Tensor)]
        if shapes and shapes[-1] != shapes[0]:
            yield held
            held = []
        held.append(row)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held
