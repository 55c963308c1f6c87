"""Images to calibrate on and to check with: those of the run, those of the command line, or noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steerable.data import Samples, Target
from steerable.data.errors import InputError
from steerable.data.folder import read_npz_images
from steerable.run.domains import domain_of
from steerable.run.inputs import find_inputs
from steerable.run.prepare import preparation
from steerable.run.readers import load_data
from steerable.run.rows import Want, resized_text
from steerable.run.store import data_config, is_dense, meaning

CHECKED, CALIBRATED, DENSE = 1000, 256, 32  # at most; the last of answers at every place


@dataclass(frozen=True)
class Images:
    """Images as a graph takes them that holds the recipe.

    Attributes:
        check: ``[N, C, H, W]``, or volumes, or fields on the sphere.
        truth: labels or values ``[N]`` of these, where they are known; those at every place ``[N, *places]``, values
            ``[N, K, *places]``, -1 or NaN where there is none.
        calibrate: ``[M, C, H, W]`` to calibrate a quantiser on; None: there are none.
        source: where they come from, for people.
        real: whether they are images at all.
        areas: of the places of fields on the sphere; None: they count alike.
    """

    check: Tensor
    truth: Tensor | None
    calibrate: Tensor | None
    source: str
    real: bool = True
    areas: Tensor | None = None


def spread_out(x: Tensor, most: int) -> Tensor:
    """Return the numbers of at most `most` images, evenly spread over ``[N, ...]``."""
    return torch.linspace(0, len(x) - 1, min(most, len(x))).round().long()


def pick(data: Samples, most: int) -> Samples:
    """Return at most `most` images, evenly spread; labels in order, so each class has its share."""
    order = torch.arange(len(data)) if data.dense else data.y.argsort(stable=True)
    return data.subset(order[spread_out(order, most)])


def most_of(record: Mapping[str, Any]) -> int:
    """Return how many samples are looked at: of many answers each fewer are enough."""
    return DENSE if is_dense(record) else CHECKED


def of_run(record: dict[str, Any], root: str | None) -> Images:
    """Return validation images of a run to check with and training images to calibrate on.

    Raises:
        InputError: the data is not there (any more), or has changed its shape.
    """
    config = data_config(record)
    data = load_data(config if root is None else dataclasses.replace(config, root=root), raw=True)
    raw = data.raw or data
    train, val = pick(raw.train, CALIBRATED), pick(raw.val, most_of(record))
    if not isinstance(val.x, Tensor) or not isinstance(train.x, Tensor):
        raise TypeError(f"{val.source}: {type(val.x).__name__}; expected tensors")
    check_shape(val.x, record, val.source)
    domain = domain_of(record)
    source = f"{len(val)} validation {domain.noun} of {val.source}"
    return Images(val.x, val.y, train.x, source, areas=domain.areas(val))


def of_words(words: list[str], record: dict[str, Any], run: str) -> Images:
    """Return the images of files and folders, both to check with and to calibrate on.

    One `.npz` file of images with `x` and `y` (or the target) has the truth, too.

    Raises:
        InputError: what cannot be used.
    """
    domain = domain_of(record)
    flat = domain.name == "plane" and not is_dense(record)
    if flat and len(words) == 1 and Path(words[0]).suffix == ".npz":
        what = meaning(record)
        try:
            data = read_npz_images(words[0], what if isinstance(what, Target) else None)
        except InputError:
            data = None  # images alone
        if data is not None and list(data.classes) == list(record["classes"]) and record["input"] == "pixels":
            check_shape(data.x, record, data.source)
            data = pick(data, CHECKED)
            return Images(data.x, data.y, data.x[spread_out(data.x, CALIBRATED)], f"{len(data)} images of {words[0]}")
    prepare, options = preparation(record, {})
    sources, _ = find_inputs(words, (), domain.files.listing, domain.files.extensions)
    want = Want.of(record, None, run)
    found: list[Tensor] = []
    resized = 0
    for row in domain.files.rows(sources, want, record, 64):
        if not isinstance(row.image, Tensor):
            raise InputError(f"{row.error}")
        found.append(row.image)
        resized += row.size is not None
        if len(found) == most_of(record):
            break
    x, _ = prepare(torch.stack(found), options)
    source = f"{len(x)} {domain.noun} of {', '.join(words[:3])}"
    source += f"; {resized_text(resized, len(x), want, False, domain.noun)}" if resized else ""
    return Images(x, None, x[spread_out(x, CALIBRATED)], source)


def check_shape(x: Tensor, record: dict[str, Any], source: str) -> None:
    """Refuse images of another shape than those of training.

    Raises:
        InputError: naming both.
    """
    shape = [record["in_channels"], *record["raw_size"]]
    if list(x.shape[1:]) != shape:
        noun = domain_of(record).noun
        raise InputError(f"{source}: {noun} of {list(x.shape[1:])}; expected {shape}, as in training. Cut or pad them.")


def noise(record: dict[str, Any]) -> Images:
    """Return 64 images of noise in [0, 1]; 8 of many answers each."""
    count = 8 if is_dense(record) else 64
    x = torch.rand(count, record["in_channels"], *record["raw_size"], generator=torch.Generator().manual_seed(0))
    return Images(x, None, None, f"{count} {domain_of(record).noun} of NOISE", real=False)


def find_images(record: dict[str, Any], words: list[str], root: str | None, run: str) -> tuple[Images, str]:
    """Return the images that were named, else those of the run, else noise.

    Returns:
        The images, and a warning where they are noise, else an empty text.

    Raises:
        InputError: images that were named and cannot be used.
    """
    if words:
        return of_words(words, record, run), ""
    try:
        return of_run(record, root), ""
    except InputError as e:
        if root is not None:
            raise
        return noise(record), (
            f"warning: the {domain_of(record).noun} of the run cannot be read ({' '.join(str(e).split())}): the file "
            "is checked on NOISE only. Say --root DIR or --images PATHS."
        )
