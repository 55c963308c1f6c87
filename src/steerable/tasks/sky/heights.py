"""How high is the ground? From the colours of the Earth."""

from __future__ import annotations

from pathlib import Path

from steerable.data import Samples, Splits, Target
from steerable.tasks.sky.blocks import hidden
from steerable.tasks.sky.earth import elevation, marble
from steerable.tasks.sky.globe import Globe
from steerable.tasks.sky.views import Survey

HEIGHT = Target("elevation", "km", everywhere=True)


def earth_elevation(
    root: str | Path | None = None,
    sampling: str = "gauss(32)",
    train: int = 24,
    validation: int = 4,
    test: int = 8,
    train_pose: str = "any",
    pose: str = "any",
    width: float = 20.0,
    margin: float = 1.0,
    smoothing: float = 0.7,
    seed: int = 0,
) -> Splits:
    """Height of the ground, below 0 in the sea, from Blue Marble, a picture of the Earth without clouds; by place.

    The picture shows shallow water a little brighter, so that the depth of the sea can be told in part. Colours and
    heights are smoothed alike, see :class:`steerable.tasks.sky.globe.Globe`; colours are standardised by the places of
    training. Every part sees the whole globe, and has the heights of its own blocks only, see
    :class:`steerable.tasks.sky.blocks.Blocks`.

    Args:
        root: the folder of the data sets, with a folder ``sphere``; the environment variable ``STEERABLE_DATA``
            otherwise.
        sampling: where fields are sampled.
        train, validation, test: views of the globe of each part.
        train_pose: how the globe is turned in training: ``any``, ``upright`` (about its axis) or ``none``.
        pose: how in validation and test.
        width: of the blocks in degrees.
        margin: distance of places of different parts, in spacings of the sampling.
        smoothing: sigma of the Gaussian that fields are smoothed by, in spacings.
        seed: of the blocks and all draws.

    Raises:
        InputError: no data, or what :class:`Survey` refuses.
    """
    survey = Survey.of(sampling, (train, validation, test), train_pose, pose, width, margin, seed)
    colours = Globe(*marble(root), "", survey.sphere, smoothing)
    there, height = elevation(root)
    heights = Globe(there, height[None], "", survey.sphere, smoothing)
    seen, numbers = survey.standardised([colours.views(v.rotations) for v in survey.views])
    parts = []
    for x, views in zip(seen, survey.views, strict=True):
        y = hidden(heights.views(views.rotations), views.mine)
        parts.append(Samples(x, y, HEIGHT, f"elevation ({views.part})", sampling=sampling))
    return Splits(*parts, input="standardised", settings=numbers)
