"""Your own maps of the sphere: a folder of `.npz` files, with or without a split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from steerable.data.checks import field_type
from steerable.data.divide import divide
from steerable.data.errors import InputError
from steerable.data.files import as_labels, load_npz
from steerable.data.folder import PARTS
from steerable.data.latlon_grid import PLACES, north_first
from steerable.data.parts import Splits
from steerable.data.recipe import Recipe
from steerable.data.samples import Samples
from steerable.data.sphere_file import list_maps, mend_of
from steerable.data.sphere_map import (
    as_maps,
    check_huge,
    known_by,
    missing_pixels,
    read_mask_value,
    sampling_of,
    with_masks,
)
from steerable.data.target import Regions, Target

NPZ = (
    "save both by numpy.savez('all.npz', x=x, y=y), where maps from FITS or npy files are "
    "steerable.data.read_maps(file, sampling, nan=True)."
)


def sphere_folder(
    root: str | Path | None,
    target: str | None = None,
    scale: str = "fields",
    sampling: str = "gauss(32)",
    type: str = "",
    target_type: str = "",
    columns: Sequence[str] = (),
    unit: str | Sequence[str] = "",
    mask_value: float | None = None,
    mask: str = "map",
    target_mask_value: float | None = None,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    split_seed: int = 0,
) -> Splits:
    """Read a folder of maps: either `train.npz`, `val.npz` and `test.npz`, or files of any name, which are split.

    A file holds `x`, maps ``[N, *shape]`` or ``[N, C, *shape]``, and their answers under `y`:

    * whole numbers ``[N]``: classes, with names under `classes` if you like;
    * whole numbers ``[N, *shape]``: the class of every sample, -1 where there is none;
    * other numbers ``[N]`` or ``[N, K]``: values;
    * other numbers ``[N, *shape]`` or ``[N, K, *shape]``: values at every sample, NaN where there is none.

    With `latitude` ``[nlat]`` and `longitude` ``[nlon]``, as files of climate data have them, maps may run from the
    south or from -180 degrees: they are brought into the order of the sampling. Components of vectors are along south
    and east all the same.

    Files without a split are divided by samples: where the samples are views of one globe, or times that are close,
    make the parts yourself.

    Args:
        root: the folder.
        target: the array that holds the answers as values; None: `y`.
        scale: ``fields``: scalars of `x` lose their mean, and every field is divided by its spread (one for the
            components of a vector), by area, over the known pixels of the training part; ``dataset``: all channels by
            one number, the standard deviation of the training part, where they are of one kind and unit; ``none``.
        sampling: where maps lie, such as ``gauss(32)`` or ``healpix(16, nested)``.
        type: the fields of `x`, such as ``1x0 + 1x2`` (a scalar and a spin 2); empty: scalars.
        target_type: the fields that values at every sample are, such as ``1x1``; empty: scalars.
        columns: names of the K entries of a value.
        unit: of a value, or of each of its K entries.
        mask_value: what stands at missing pixels of `x`, such as ``-1.6375e30`` or ``.nan``: they become 0, and a
            channel is added that says where the map is known. It is neither measured nor scaled.
        mask: ``map``: one such channel; where one channel of `x` is missing, all are taken to be. ``fields``: one for
            each field of `type`.
        target_mask_value: what stands at missing places of the answers, beside NaN and UNSEEN, such as ``1e20``.
        fractions: shares of training, validation and test where the folder has no split.
        split_seed: which split.

    Raises:
        InputError: no folder, an empty one, a part missing, maps of another length, missing pixels without
            `mask_value`, numbers above 1e19, files that differ in what they hold.
    """
    if root is None or not Path(root).expanduser().is_dir():
        raise InputError(
            f"sphere: data.root is '{root}'; expected a folder of .npz files with x and y. Mend data.root."
        )
    mask_value = read_mask_value(mask_value)
    if mask_value is None and mask != "map":
        raise InputError(f"data.options.mask is '{mask}' without a mask_value; expected both. Set mask_value to .nan.")
    answer_mask = read_mask_value(target_mask_value, "target_mask_value")
    folder = Path(root).expanduser()
    files = {f.stem: f for f in sorted(folder.glob("*.npz"))}
    present = [p for p in PARTS if p in files]
    if not files or 0 < len(present) < len(PARTS):
        maps, others = list_maps(folder)
        loose, mend = len(maps) - len(files), "Add what is missing."
        mend = next((m for m in (mend_of(p, "") for p in others) if m), mend)
        raise InputError(
            f"sphere: '{folder}' holds the .npz files {list(files)}; expected all of {list(PARTS)}, or files of other "
            "names with x and y. " + (f"{loose} other maps have no answers: {NPZ}" if loose else mend)
        )

    def read(path: Path) -> Samples:
        return read_sphere(path, target, sampling, type, target_type, columns, unit, mask_value, mask, answer_mask)

    def prepared(splits: Splits) -> Splits:
        if mask_value is None:
            return splits.prepare(Recipe(), scale)
        fields = field_type(splits.train.type, splits.train.channels, str(folder)).fields
        return splits.prepare(Recipe(), scale, known_by(mask, fields))

    if present:
        return prepared(Splits(*(read(files[p]) for p in PARTS)))
    parts = [read(f) for f in files.values()]
    first = max(parts, key=lambda p: len(p.classes))
    for part in parts:
        if part.x.shape[1:] != first.x.shape[1:] or part.target != first.target or part.regions != first.regions:
            raise InputError(
                f"{part.source}: {part.meaning} of maps {list(part.x.shape[1:])}, but {first.source} has "
                f"{first.meaning} of {list(first.x.shape[1:])}; expected files alike."
            )
    x, y = (torch.cat([getattr(p, k) for p in parts]) for k in "xy")
    whole = Samples(x, y, first.meaning, str(folder), sampling=sampling, type=first.type)
    return prepared(Splits(*divide(whole, fractions, split_seed, "map")))


def read_sphere(
    path: Path, target: str | None, sampling: str, type: str, target_type: str, columns: Sequence[str],
    unit: str | Sequence[str], mask_value: float | None, mask: str = "map", target_mask_value: float | None = None,
) -> Samples:  # fmt: skip
    """Read one file; arguments as those of :func:`sphere_folder`.

    Raises:
        InputError: what :class:`Samples`, :func:`as_maps` and :func:`load_npz` refuse.
    """
    source, key = str(path), target or "y"
    sphere = sampling_of(sampling, source)
    z = north_first(load_npz(path, ("x", key), optional=("classes", *PLACES)), sphere, source)
    x = as_maps(z["x"], sphere, source, mask_value, mask, type)
    own = z["x"].shape[1] if z["x"].ndim > len(sphere.shape) + 1 else 1
    fields = with_masks(type, own, x.shape[1] - own)
    y, everywhere = z[key], z[key].shape[-len(sphere.shape) :] == sphere.shape and z[key].ndim > len(sphere.shape)
    if target is None and y.dtype.kind in "iub":
        labels = as_labels(y.astype(np.int64) if y.dtype.kind == "b" else y, source)
        count = max(int(labels.max()) + 1 if labels.numel() else 0, 2 * everywhere)
        names = tuple(str(c) for c in z.get("classes", np.arange(count)))
        return Samples(x, labels, Regions(names) if everywhere else names, source, sampling=sampling, type=fields)
    values, meaning = _values(y, everywhere, len(sphere.shape), key, unit, tuple(columns), target_type, source,
                              target_mask_value)  # fmt: skip
    return Samples(x, values, meaning, source, sampling=sampling, type=fields)


def _values(
    y: np.ndarray, everywhere: bool, axes: int, name: str, unit: str | Sequence[str], columns: tuple[str, ...],
    type: str, source: str, mask_value: float | None,
) -> tuple[Tensor, Target]:  # fmt: skip
    """Values ``[N]``, ``[N, K]`` or ``[N, K, *shape]`` and what they are."""
    if y.dtype.kind not in "fiu":
        raise InputError(f"{source}: values of '{name}' are {y.dtype}; expected numbers. Choose another data.target.")
    y = y[:, None] if everywhere and y.ndim == axes + 1 else y
    y = y[:, 0] if not everywhere and y.ndim == 2 and y.shape[1] == 1 else y
    entries = y.shape[1] if y.ndim > 1 else 1
    names = columns or (tuple(f"{name}_{k}" for k in range(entries)) if entries > 1 else ())
    try:
        units = () if isinstance(unit, str) else tuple(unit)
        one = unit if isinstance(unit, str) else ""
        meaning = Target(name, one, names if entries > 1 else (), everywhere=everywhere, type=type, units=units)
    except ValueError as e:
        raise InputError(f"{source}: {e}") from None
    missing = missing_pixels(y, mask_value)
    check_huge(y, missing, f"{source}, '{name}'", "--data.options.target_mask_value={}")
    return torch.from_numpy(np.where(missing, np.nan, y).astype(np.float32)), meaning
