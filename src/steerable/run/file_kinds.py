"""Files that a network can be given, by where it lives: images, volumes or point sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from steerable.data import Clouds
from steerable.data.errors import InputError
from steerable.data.image_file import EXTENSIONS, count_images, find_reader
from steerable.data.image_folder import list_images
from steerable.data.point_file import FORMATS, PointReading, read_points
from steerable.data.point_folder import list_points
from steerable.data.volume_file import EXTENSIONS as VOLUMES
from steerable.data.volume_file import crop_volume, list_volumes, read_volumes, scale_volume
from steerable.run.inputs import Source
from steerable.run.rows import Row, Want, read_rows


class FileKind(NamedTuple):
    """Files of one domain.

    Attributes:
        extensions: of their names.
        listing: those of a folder, and the others.
        count: how many samples a file holds; 1 where that cannot be told quickly.
        check: raises InputError where a name cannot be read.
        rows: the samples of files in order; from the files, what is wanted, and the record of the run.
    """

    extensions: tuple[str, ...]
    listing: Callable[[Path], tuple[list[Path], list[Path]]]
    count: Callable[[Path], int]
    check: Callable[[Path], Any]
    rows: Callable[[Iterable[Source], Want, Mapping[str, Any], int], Iterator[Row]]


def _images(sources: Iterable[Source], want: Want, record: Mapping[str, Any], chunk: int) -> Iterator[Row]:
    return read_rows(sources, want, chunk)


def _each(
    sources: Iterable[Source], read: Callable[[Path], Sequence[Any]], make: Callable[[Any, str], Row]
) -> Iterator[Row]:
    """Yield a row for each sample; a file of many gives ``file#0``, ``file#1``, ...; what cannot be used says why."""
    for source in sources:
        try:
            found = read(source.path)
        except InputError as e:
            yield Row(source.id, None, str(e))
            continue
        for k, sample in enumerate(found):
            name = source.id if len(found) == 1 else f"{source.id}#{k}"
            try:
                yield make(sample, name)
            except InputError as e:
                yield Row(name, None, str(e))


def volume_rows(sources: Iterable[Source], want: Want, record: Mapping[str, Any], chunk: int) -> Iterator[Row]:
    """Yield volumes ``[C, D, H, W]``."""

    def make(volume: Tensor, name: str) -> Row:
        return Row(name, usable_volume(volume, name, want), resized=tuple(volume.shape[1:]) != tuple(want.size))

    return _each(sources, read_volumes, make)


def usable_volume(x: Tensor, name: str, want: Want) -> Tensor:
    """Return a volume ``[C, D, H, W]`` in the size that is wanted.

    Raises:
        InputError: other channels, another size without leave to resize, NaN.
    """
    if len(x) != want.channels:
        raise InputError(
            f"'{name}' has {len(x)} channels; expected {want.channels}, as the network in '{want.run}' saw. Give it "
            "volumes of the kind that it was trained on."
        )
    size = tuple(want.size)
    if tuple(x.shape[1:]) != size and want.resize is None:
        have, need = (" x ".join(map(str, s)) for s in (x.shape[1:], size))
        raise InputError(
            f"'{name}' has {have} voxels; expected {need}, as the network in '{want.run}' saw. Say --resize crop (cut "
            "or pad) or --resize scale (interpolate)."
        )
    bad = int((~torch.isfinite(x)).sum())
    if bad:
        raise InputError(f"'{name}' has {bad} of {x.numel()} voxels that are NaN or infinite; expected finite values.")
    if tuple(x.shape[1:]) == size:
        return x
    return crop_volume(x, size) if want.resize == "crop" else scale_volume(x[None], size)[0]


def point_rows(sources: Iterable[Source], want: Want, record: Mapping[str, Any], chunk: int) -> Iterator[Row]:
    """Yield point sets, read as those of training were."""
    reading = PointReading.from_json(record["input_settings"])

    def make(sample: Any, name: str) -> Row:
        cloud = Clouds.of([reading(sample, name)], f"'{name}'")
        if cloud.channels != want.channels:
            raise InputError(
                f"'{name}' has {cloud.channels} features a point; expected {want.channels}, as the network in "
                f"'{want.run}' saw."
            )
        return Row(name, cloud)

    return _each(sources, read_points, make)


def _check(extensions: Iterable[str]) -> Callable[[Path], None]:
    known = tuple(extensions)

    def check(path: Path) -> None:
        if not path.is_file() or path.suffix.lower() not in known:
            what = "does not exist" if not path.is_file() else f"ends in '{path.suffix}'"
            raise InputError(f"'{path}' {what}; expected a file of {', '.join(known)}. Mend the path.")

    return check


KINDS: Mapping[str, FileKind] = {
    "plane": FileKind(EXTENSIONS, list_images, count_images, find_reader, _images),
    "volume": FileKind(VOLUMES, list_volumes, lambda path: 1, _check(VOLUMES), volume_rows),
    "points": FileKind(tuple(FORMATS), list_points, lambda path: 1, _check(FORMATS), point_rows),
}


def kind_of(record: Mapping[str, Any]) -> FileKind:
    """Return the files that the network of a run can be given."""
    return KINDS[record.get("domain", "plane")]


def together(samples: list[Tensor | Clouds]) -> Tensor | Clouds:
    """Return samples as one batch."""
    if isinstance(samples[0], Tensor):
        return torch.stack([s for s in samples if isinstance(s, Tensor)])
    return Clouds.of([(s.features, s.positions) for s in samples if isinstance(s, Clouds)])
