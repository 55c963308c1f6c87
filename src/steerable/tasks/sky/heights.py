"""How high is the ground? From the colours of the Earth."""

from __future__ import annotations

from pathlib import Path

from steerable.data import Samples, Splits, Target
from steerable.tasks.sky.blocks import hidden
from steerable.tasks.sky.earth import elevation, marble
from steerable.tasks.sky.one_globe import of_one_globe
from steerable.tasks.sky.views import Survey

HEIGHT = Target("elevation", "km", everywhere=True)


@of_one_globe()
def earth_elevation(
    root: str | Path | None,
    survey: Survey,
) -> Splits:
    """Height of the ground, below 0 in the sea, from Blue Marble, a picture of the Earth without clouds; by place.

    The picture shows shallow water a little brighter, so that the depth of the sea can be told in part. Colours and
    heights are smoothed alike, see :class:`steerable.tasks.sky.globe.Globe`; colours are standardised by the places of
    training. Every part sees the whole globe, and has the heights of its own blocks only, see
    :class:`steerable.tasks.sky.blocks.Blocks`.

    Args:
        root: the folder of the data sets, with a folder ``sphere``; the environment variable ``STEERABLE_DATA``
            otherwise.

    Raises:
        InputError: no data, or what :class:`Survey` refuses.
    """
    colours = survey.globe(*marble(root))
    there, height = elevation(root)
    heights = survey.globe(there, height[None])
    seen, numbers = survey.standardised([colours.views(v.rotations) for v in survey.views])
    parts = []
    for x, views in zip(seen, survey.views, strict=True):
        y = hidden(heights.views(views.rotations), views.mine)
        parts.append(Samples(x, y, HEIGHT, f"elevation ({views.part})", sampling=survey.sampling))
    return Splits(*parts, input="standardised", settings=numbers)
