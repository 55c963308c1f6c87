"""Volumes, regions and point sets with their truth out of an `.npz` file, for scoring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from steerable.data import Clouds, Regions, Samples, Target
from steerable.data.files import as_images, as_labels, as_values, load_npz
from steerable.data.point_file import PointReading, read_points
from steerable.data.sphere_map import as_maps, check_huge, missing_pixels, read_mask_value, sampling_of
from steerable.data.volume_file import as_volumes
from steerable.run.domains.sphere import map_reading


def read_npz_samples(path: str, what: tuple[str, ...] | Target | Regions, record: Mapping[str, Any]) -> Samples:
    """Read what a run was trained on, from one file.

    Args:
        path: with `x` (volumes or images) or `positions` and `ptr` (point sets, with `elements` or `features`); and the
            truth: `y` with labels, or the values under the name of the target.
        what: the answers of the run mean.
        record: of the run.

    Raises:
        InputError: arrays that are missing or have other shapes.
    """
    key = what.name if isinstance(what, Target) else "y"
    domain = record.get("domain", "plane")
    if domain == "points":
        truth = load_npz(path, ("positions", key))[key]
        reading = PointReading.from_json(record["input_settings"])
        sets = read_points(path)
        x = Clouds.of([reading(one, f"{path}#{k}") for k, one in enumerate(sets)], path)
    elif domain == "sphere":
        return read_npz_maps(path, what, record)
    else:
        z = load_npz(path, ("x", key))
        truth = z[key]
        x = as_volumes(z["x"], path) if domain == "volume" else as_images(z["x"], path)
    if isinstance(what, Target):
        return Samples(x, as_values(truth, path), what, path)
    return Samples(x, as_labels(truth, path), what, path)


def read_npz_maps(path: str, what: tuple[str, ...] | Target | Regions, record: Mapping[str, Any]) -> Samples:
    """Read fields on the sphere ``x [N, C, *shape]`` with their truth, on the sampling of a run and as it read its own.

    Args:
        path: the file; values at every place are ``[N, K, *shape]``, labels ``[N, *shape]``.
        what: the answers of the run mean.
        record: of the run.

    Raises:
        InputError: arrays that are missing or have other shapes.
    """
    key = what.name if isinstance(what, Target) else "y"
    z = load_npz(path, ("x", key))
    options = record["config"]["data"]["options"]
    x = as_maps(z["x"], sampling_of(record["sampling"], path), path, **map_reading(record))
    if not isinstance(what, Target):
        return Samples(x, as_labels(z[key], path), what, path, sampling=record["sampling"], type=record["type"])
    y = z[key][:, None] if what.everywhere and z[key].ndim == x.ndim - 1 else z[key]
    missing = missing_pixels(y, read_mask_value(options.get("target_mask_value"), "target_mask_value"))
    check_huge(y, missing, f"{path}, '{key}'", "data.options.target_mask_value={} in training")
    y = as_values(np.where(missing, np.nan, y) if missing.any() else y, path)
    return Samples(x, y, what, path, sampling=record["sampling"], type=record["type"])
