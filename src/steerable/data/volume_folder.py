"""Your own volumes: a folder with one sub-folder for each class, or volumes and the class of each of their voxels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data.divide import divide
from steerable.data.errors import InputError, did_you_mean
from steerable.data.folder import PARTS
from steerable.data.label_values import class_numbers, class_values, joined
from steerable.data.parts import Splits
from steerable.data.recipe import Recipe
from steerable.data.resize import PADS, crop, pad_or_cut
from steerable.data.samples import Samples
from steerable.data.target import Regions
from steerable.data.volume_file import (
    EXTENSIONS,
    check_voxel,
    list_volumes,
    read_label_volumes,
    read_with_voxel,
    scale_volume,
)

RESIZE = ("crop", "scale")
VOXELS = ("equal", "any")
#: sub-folders of these names hold labels, not a class
LABELS = ("label", "labels", "mask", "masks")
#: names of classes, values, what is no class, whether the labels number things
Said = tuple[Sequence[str], Sequence[int] | None, int | None, bool]


def volume_folder(
    root: str | Path | None,
    scale: str = "standard",
    labels: str | None = None,
    classes: Sequence[str] = (),
    values: Sequence[int] | None = None,
    ignore: int | None = None,
    instances: bool = False,
    resize: str | None = None,
    side: int | list[int] | None = None,
    pad: str = "border",
    axes: str = "dhw",
    voxels: str = "equal",
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    split_seed: int = 0,
) -> Splits:
    """Read MRC (also packed by gzip), TIFF, npy and npz files of volumes.

    A file is one volume, but for npz files, which may hold several of one class.

    Args:
        root: the folder: one sub-folder for each class; or, with `labels`, volumes in any arrangement.
        scale: ``standard``: each volume to mean 0 and standard deviation 1; others in
            :func:`steerable.data.recipe.scale_steps`.
        labels: a segmentation: the sub-folder that holds, under the path that the volume has outside of it, whatever
            the ends of the two names, the class of each of its voxels: whole numbers, -1 where there is none.
        classes: of a segmentation: the names of the classes; empty: their numbers.
        values: of a segmentation: what stands in the labels, one number for each class in order, such as ``[0, 255]``;
            None: 0, 1, ... without a gap.
        ignore: of a segmentation: what stands, beside -1, where a voxel has no class.
        instances: of a segmentation: labels number single things: 0 is the first class, every other number the second.
        resize: ``crop`` (cut or pad about the centre; padded voxels have no label) or ``scale``
            (interpolate; labels take the nearest) to `side`; None: all files must have the same size.
        side: depth, height and width after that, or one number for all.
        pad: what stands in padded voxels: ``border``: the median of the outermost voxels, which is the background,
            bright or dark; ``zero``.
        axes: of npy and npz files: ``dhw`` (x1 along W, x2 falling along H, x3 along D), ``zyx`` (y growing along the
            rows) or ``xyz`` (x first, y growing). MRC files say it themselves.
        voxels: ``equal``: those of MRC and TIFF files must be cubes of one size, to one per cent, where the files say
            it; ``any``: volumes are taken as they are.
        fractions: shares of training, validation and test; stratified by class, equal volumes together.
        split_seed: which split.

    Raises:
        InputError: no folder, no volumes, an empty class, a class too small for the split, a volume without labels,
            values that are not said, files that cannot be read, volumes that differ in size or channels, voxels that
            are no cubes.
    """
    said = (("resize", resize, (None, *RESIZE)), ("voxels", voxels, VOXELS), ("pad", pad, PADS))
    for what, given, known in said:
        if given not in known:
            words = ", ".join("null" if k is None else k for k in known)
            hint = did_you_mean(str(given), [k for k in known if k])
            raise InputError(f"data.options.{what} is '{given}'; expected one of {words}.{hint}")
    size = None if side is None else tuple([side] * 3 if isinstance(side, int) else side)
    if (size is None) != (resize is None) or (size is not None and (len(size) != 3 or min(size) < 1)):
        raise InputError(
            f"data.options.resize is {resize} and data.options.side {side}; expected both or neither, and a side of at "
            "least 1 voxel, or depth, height and width."
        )
    if root is None or not Path(root).expanduser().is_dir():
        raise InputError(f"volumes: data.root '{root}' is not a folder; expected one with volumes. Mend data.root.")
    folder = Path(root).expanduser()
    if labels is None and (values is not None or ignore is not None or instances):
        raise InputError(
            f"data.options.values is {values}, ignore {ignore}, instances {instances}, but labels {labels}; expected "
            "the sub-folder of the labels that they are of. Set data.options.labels, or drop them."
        )
    files, names = _by_class(folder) if labels is None else (_volumes(folder, labels), [])
    answers = [] if labels is None else _partners(files, folder, labels)
    fit = None if size is None else _Fit(str(resize), size, pad)
    read = _read_all(files, folder, fit, axes, voxels == "equal")
    x, ids = read.x, read.ids
    if labels is None:
        known = tuple(sorted(set(names)))
        y = torch.tensor([known.index(names[r]) for r in read.rows])
        data = Samples(x, y, known, str(folder), ids)
    else:
        y = _read_labels(answers, files, read, fit, axes)
        y, given = _classes(y, (classes, values, ignore, instances), folder / str(labels))
        data = Samples(x, y, Regions(given), str(folder), ids)
    how = (
        {"axes": axes}
        | ({} if resize is None else {"resize": resize})
        | ({"pad": pad} if resize == "crop" else {})
        | ({} if read.voxel is None else {"voxel": read.voxel})
    )
    return Splits(*divide(data, fractions, split_seed, "volume"), reading=how).prepare(Recipe(), scale)


def _classes(y: Tensor, said: Said, where: Path) -> tuple[Tensor, tuple[str, ...]]:
    """The number of the class of each voxel, and their names, from what stands in the files and what is said of it."""
    classes, values, ignore, instances = said
    y = joined(y, (-1, ignore)) if instances else y
    if values is not None:
        known = class_values([y], values, ignore, -1, str(where), ("volumes", "labels"))
        names = tuple(classes) or tuple(map(str, known))
        if len(names) != len(known) or len(known) < 2 or min(known) < 0:
            raise InputError(
                f"volumes: data.options.values is {known} and data.options.classes {list(names)}; expected at least "
                "two values from 0 on, and one name for each. Mend one of the two."
            )
        return class_numbers(y, known), names
    y = y if ignore is None else torch.where(y == ignore, -1, y)
    least = max(2, int(y.max()) + 1)
    occur = y[y >= 0].unique().tolist()
    if not classes and len(occur) < least and occur != [0]:
        shown = ", ".join(map(str, occur[:10])) + (", ..." if len(occur) > 10 else "")
        raise InputError(
            f"volumes: the labels in '{where}' hold {shown}; expected 0, 1, ... without a gap. Say which they are, "
            "such as --data.options.values [0, 255]; where some do not occur, name all in data.options.classes."
        )
    return y, tuple(classes) or tuple(map(str, range(least)))


def _by_class(folder: Path) -> tuple[list[Path], list[str]]:
    """The files of the sub-folders, and the class of each."""
    kinds = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    listed = {kind.name: list_volumes(kind)[0] for kind in kinds}
    if len(listed) < 2:
        raise InputError(
            f"volumes: '{folder}' has the sub-folders {list(listed)}; expected two or more, one for each class, with "
            f"files of {', '.join(EXTENSIONS)}. Of a segmentation, name the folder of labels in data.options.labels."
        )
    answers = [k for k in listed if k.lower() in LABELS]
    if answers:
        raise InputError(
            f"volumes: '{folder}' has the sub-folder '{answers[0]}', which would be a class; expected one for each "
            f"class. Of a segmentation, say --data.options.labels={answers[0]}; if it is a class, give it another name."
        )
    parts = [k for k in listed if k.lower() in PARTS]
    if parts:
        raise InputError(
            f"volumes: '{folder}' has the sub-folders {parts}; expected one for each class. The split is made here: "
            "put the volumes of a class together."
        )
    empty = [k for k, files in listed.items() if not files]
    if empty:
        raise InputError(
            f"volumes: the sub-folder '{folder / empty[0]}' has no file of {', '.join(EXTENSIONS)}; expected volumes "
            "of its class. Fill or remove it."
        )
    return [f for files in listed.values() for f in files], [k for k, files in listed.items() for _ in files]


def _volumes(folder: Path, labels: str) -> list[Path]:
    """The volumes of a segmentation: all but the labels."""
    if not (folder / labels).is_dir():
        inside = sorted(p.name for p in folder.iterdir() if p.is_dir())
        raise InputError(
            f"data.options.labels is '{labels}'; expected a sub-folder of '{folder}', which has {inside}. Mend it."
        )
    found = [p for p in list_volumes(folder)[0] if not p.is_relative_to(folder / labels)]
    if not found:
        raise InputError(
            f"volumes: '{folder}' has no file of {', '.join(EXTENSIONS)} outside of '{labels}'; expected volumes."
        )
    return found


def _bare(path: Path) -> Path:
    """A path without the ends that say the format."""
    end = max((e for e in EXTENSIONS if path.name.lower().endswith(e)), key=len)
    return path.with_name(path.name[: -len(end)])


def _partners(files: list[Path], folder: Path, labels: str) -> list[Path]:
    """The file of labels of each volume, under its path, with or without the first folder of that."""
    there: dict[Path, Path] = {}
    for path in list_volumes(folder / labels)[0]:
        _alone(path, there.setdefault(_bare(path.relative_to(folder / labels)), path), "the same volume")
    found: list[Path] = []
    taken: dict[Path, Path] = {}
    for file in files:
        own = _bare(file.relative_to(folder))
        # volumes/a.mrc and labels/a.mrc; a.mrc and labels/a.mrc; b/a.mrc and labels/b/a.mrc
        match = there.get(own) or there.get(Path(*own.parts[1:]) if len(own.parts) > 1 else own)
        if match is None:
            raise InputError(
                f"volumes: '{file}' has no labels; expected '{folder / labels / own.name}' with one of the ends "
                f"{', '.join(EXTENSIONS)}. Add it, or move the volume away."
            )
        _alone(file, taken.setdefault(match, file), f"the labels '{match}'")
        found.append(match)
    return found


def _alone(path: Path, first: Path, what: str) -> None:
    if path != first:
        raise InputError(
            f"volumes: '{first}' and '{path}' are both of {what}; expected one volume and one file of labels of each "
            "name. Rename one of them, or lay the labels in folders like those of the volumes."
        )


class _Fit(NamedTuple):
    """How volumes are brought to a size: `how`, to which, and what stands in padded voxels."""

    how: str
    size: tuple[int, ...]
    pad: str


class _Read(NamedTuple):
    """Volumes ``[N, C, D, H, W]``, their names, the file of each, the shape in each file, the size of a voxel."""

    x: Tensor
    ids: tuple[str, ...]
    rows: list[int]
    shapes: list[tuple[int, ...]]
    voxel: str | None


def _read_all(files: list[Path], folder: Path, fit: _Fit | None, axes: str, equal: bool) -> _Read:
    found: list[Tensor] = []
    ids: list[str] = []
    shapes: list[tuple[int, ...]] = []
    like: float | None = None
    for path in files:
        x, voxel = read_with_voxel(path, axes)
        shapes.append(tuple(x.shape))
        bad = int((~torch.isfinite(x)).sum())
        if bad:
            raise InputError(f"'{path}' has {bad} of {x.numel()} voxels that are NaN or infinite; expected none.")
        if voxel is not None and equal:
            like = like or sum(voxel) / 3
            check_voxel(voxel, like, str(path))
        if fit is not None:
            x = pad_or_cut(x, fit.size, fit.pad) if fit.how == "crop" else scale_volume(x, fit.size)
        if found and x.shape[1:] != found[0].shape[1:]:
            raise InputError(
                f"'{path}' has {_shape(x.shape[1:])} (channels and voxels), '{files[0]}' {_shape(found[0].shape[1:])}; "
                "expected the same in all files. Set data.options.resize to crop or scale, and side."
            )
        found.append(x)
        name = path.relative_to(folder).as_posix()
        ids += [name] if len(x) == 1 else [f"{name}#{k}" for k in range(len(x))]
    rows = [row for row, x in enumerate(found) for _ in range(len(x))]
    return _Read(torch.cat(found), tuple(ids), rows, shapes, None if like is None else f"{like:.6g}")


def _read_labels(answers: list[Path], files: list[Path], read: _Read, fit: _Fit | None, axes: str) -> Tensor:
    """The class of each voxel ``[N, D, H, W]``, brought to the size of the volumes as these were."""
    parts = []
    for path, file, (count, _, *own) in zip(answers, files, read.shapes, strict=True):
        y = read_label_volumes(path, axes)
        if tuple(y.shape) != (count, *own):
            raise InputError(
                f"'{path}' has {_shape(y.shape)} labels (volumes and voxels), '{file}' {_shape((count, *own))}; "
                "expected one for each voxel."
            )
        if fit is not None and fit.how == "crop":
            y = crop(y, fit.size, -1)
        elif fit is not None:
            y = F.interpolate(y[:, None].double(), fit.size, mode="nearest-exact")[:, 0].long()
        parts.append(y)
    return torch.cat(parts)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
