"""Panoramas to compress, as a data set in three parts."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from steerable.data import InputError, Samples, Splits, Target
from steerable.data.sphere_map import sampling_of
from steerable.tasks.panoramas.pictures import panorama, synthetic_panorama, turned_views
from steerable.tasks.panoramas.resample import panorama_sphere, resample

SETS = ("real", "synthetic")


def panoramas(
    root: str | Path | None = None,
    which: str = "real",
    sampling: str = "healpix(32, nested)",
    trade: float = 0.003,
    train: int = 192,
    validation: int = 12,
    test: int = 24,
    seed: int = 0,
) -> Splits:
    """Views of panoramas, turned any way before they are sampled, each its own truth.

    Real: training and validation see one photograph in other poses, in training with other colours and contrasts; the
    test is the Earth. Synthetic: pictures of their own for each part.

    Args:
        root: the folder of the data sets, with a folder ``sphere``; the environment variable ``STEERABLE_DATA``
            otherwise.
        which: ``real`` or ``synthetic``.
        sampling: nested HEALPix for `sphere_codec`, rows of an image for its plain twin.
        trade: what a unit of mean square error counts against a bit, see :class:`steerable.data.Target`.
        train, validation, test: number of views.
        seed: of all draws.

    Raises:
        InputError: another set, or a sampling that there is not.
    """
    if which not in SETS:
        raise InputError(f"data.options.which is '{which}'; expected one of {', '.join(SETS)}.")
    sphere = sampling_of(sampling, "panoramas")
    if min(train, validation, test) < 1:
        raise InputError(f"panoramas: {train}, {validation} and {test} views; expected at least 1 of each.")
    target = Target("colour", "", ("red", "green", "blue", "bits"), everywhere=True, trade=trade)
    parts = []
    for k, (count, part) in enumerate(((train, "train"), (validation, "validation"), (test, "test"))):
        if which == "real":
            name = "earth" if part == "test" else "photograph"
            image = panorama(name, root)
            small = panorama_sphere(torch.empty(256, 512))  # fine enough to turn, and cheaper
            pictures = [resample(image, panorama_sphere(image), small)]
        else:
            pictures = [synthetic_panorama(1000 * k + i, 192) for i in range(min(count, 8))]
        each = -(-count // len(pictures))
        views = [turned_views(p, sphere, each, seed + 97 * k + i) for i, p in enumerate(pictures)]
        x = torch.cat(views)[:count].float().clamp(0, 1)
        if part == "train":
            x = recoloured(x, torch.Generator().manual_seed(seed))
        y = torch.cat([x, torch.zeros_like(x[:, :1])], 1)
        parts.append(Samples(x, y, target, f"panoramas ({part})", sampling=sampling))
    return Splits(*parts)


def recoloured(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return maps ``[N, C, ...]`` in [0, 1] with their colours exchanged, each fainter or negative at random."""
    found = []
    for one in x:
        one = one[torch.randperm(len(one), generator=generator)]
        contrast, place, sign = torch.rand(3, generator=generator)
        contrast = 0.5 + 0.5 * contrast
        one = contrast * one + place * (1 - contrast)
        found.append(one if sign < 0.5 else 1 - one)
    return torch.stack(found)
