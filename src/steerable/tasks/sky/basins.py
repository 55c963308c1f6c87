"""Which ocean is this? A segmentation of the globe."""

from __future__ import annotations

from pathlib import Path

import torch

from steerable.data import InputError, Regions, Samples, Splits
from steerable.tasks.sky.earth import SURFACES, basins, elevation, marble, pick
from steerable.tasks.sky.one_globe import of_one_globe
from steerable.tasks.sky.views import PREPARED, Survey

# height in kilometres at which the input begins to grow as a logarithm: shelves and plains are told apart
_KNEE = 0.5
#: what the network may see
INPUTS = ("elevation", "colour", "both")


@of_one_globe()
def ocean_basins(
    root: str | Path | None,
    survey: Survey,
    input: str = "elevation",
) -> Splits:
    """Land, five oceans and the other seas from the height of the ground, or from colours; split by place.

    Where an ocean ends is partly a convention (the Southern Ocean begins at 50 degrees south), and which ocean it is
    can be told only from the shapes of the coasts around: what a network needs is reach. Every part of the data sees
    the whole globe, and has the labels of its own blocks only, see :class:`steerable.tasks.sky.blocks.Blocks`.

    Heights are compressed, ``asinh(h / 500 m)``, then inputs are smoothed, see
    :class:`steerable.tasks.sky.globe.Globe`, and standardised by the places of training. A label is that of the cell of
    one degree in which the sample lies.

    Args:
        root: the folder of the data sets, with a folder ``sphere``; the environment variable ``STEERABLE_DATA``
            otherwise.
        input: ``elevation``, ``colour`` (Blue Marble, three channels) or ``both``.

    Raises:
        InputError: no data, another input, or what :class:`Survey` refuses.
    """
    if input not in INPUTS:
        raise InputError(f"data.options.input is '{input}'; expected one of {', '.join(INPUTS)}.")
    globes = []
    if input != "colour":
        sphere, height = elevation(root)
        globes.append(survey.globe(sphere, (height / _KNEE).asinh()[None]))
    if input != "elevation":
        globes.append(survey.globe(*marble(root)))
    seen = [torch.cat([g.views(v.rotations) for g in globes], 1) for v in survey.views]
    label = basins(root)[1]
    parts = []
    for x, views in zip(survey.standardised(seen)[0], survey.views, strict=True):
        y = torch.where(views.mine, pick(label, views.places), -1)
        parts.append(Samples(x, y, Regions(SURFACES), f"ocean basins ({views.part})", sampling=survey.sampling))
    return Splits(*parts, input=PREPARED)
