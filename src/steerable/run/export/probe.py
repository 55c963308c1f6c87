"""A file proves itself: two computed images whose answer stands in its header."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from steerable.data.errors import InputError

if TYPE_CHECKING:
    from steerable.run.answer.answerer import Answerer

SOME = 256  # answers at places that stand in a header
SLACK = {"program": 1e-3, "onnx": 1e-3, "int8": 0.05}  # other machines round otherwise


def probe_images(record: Mapping[str, Any], prepared: bool) -> Tensor:
    """Return two images of rings and waves in [0, 1], a closed formula of the pixel, float32 ``[2, C, H, W]``.

    Volumes are alike in their slices but for a shift; maps on the sphere are filled in the order of their samples.

    Args:
        record: of the run.
        prepared: the images skip the recipe, so they have the size that it makes.
    """
    from steerable.run.store import recipe

    size, c = list(record["raw_size"]), int(record["in_channels"])
    h, w = size[-2:] if len(size) > 1 else (1, size[0])
    row = torch.arange(h, dtype=torch.float64)[:, None]
    column = torch.arange(w, dtype=torch.float64)[None]
    slices = torch.arange(math.prod(size) // (h * w), dtype=torch.float64)[:, None, None]
    images = []
    for k in range(2):
        planes = []
        for channel in range(c):
            a, b = 0.37 + 0.11 * channel + 0.05 * k, 0.23 + 0.07 * channel
            far = ((row - 0.4 * h).square() + (column - (0.5 + 0.1 * k) * w).square()) / (0.1 * h * w)
            planes.append(0.5 + 0.25 * torch.sin(a * row + b * column + 0.31 * slices) + 0.25 * torch.exp(-far))
        images.append(torch.stack(planes))
    x = torch.stack(images).float().reshape(2, c, *size)
    return recipe(record)(x) if prepared else x


def check_probe(answerer: Any) -> None:
    """Compare the answer of a file with the one in its header.

    Raises:
        InputError: they differ: the file was changed, or is run by something that computes otherwise.
    """
    header = answerer.header
    found, expected = answer(answerer), torch.tensor(header["probe"], dtype=torch.float64)
    if found.shape != expected.shape:
        worst = float("inf")
    else:
        worst = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not worst <= SLACK[header["kind"]]:
        raise InputError(
            f"'{answerer.source}' answers its own probe with a difference of {worst:.1e} (relative); expected at most "
            f"{SLACK[header['kind']]:.0e}: the file was changed, or this machine computes otherwise. Export it again."
        )


def answer(answerer: Answerer) -> Tensor:
    """Return what `answerer` says to the probe, ``[S, 2, K]``; of many answers at every place some, evenly spread."""
    inside = not answerer.recipe.steps
    found = answerer.each(probe_images(answerer.record, prepared=not inside))
    if found.ndim == 3:
        return found
    found = found.flatten(2)
    return found[:, :, torch.linspace(0, found.shape[2] - 1, min(SOME, found.shape[2])).round().long()]
