"""The wind from the height of a pressure level: a vector from a scalar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from steerable.data import InputError, Samples, Splits, Target
from steerable.tasks.sky.blocks import hidden
from steerable.tasks.sky.earth import Air, air
from steerable.tasks.sky.one_globe import of_one_globe
from steerable.tasks.sky.views import PREPARED, Survey

WIND = Target("wind", "m/s", ("south", "east"), everywhere=True, type="1x1")


@of_one_globe(train=12, validation=2, test=4)
def wind(
    root: str | Path | None,
    survey: Survey,
    levels: Sequence[int] = (200, 500, 850),
    tropics: float = 15.0,
) -> Splits:
    """Height of a pressure level and sine of the latitude in, wind out: one month of ERA-Interim, split by place.

    Away from the equator and the ground the wind is nearly geostrophic: it blows along the lines of equal height Z, and
    is ``g / (2 Omega sin(latitude))`` times the gradient of Z turned by a quarter. The sine of the latitude is given as
    a field that turns with the globe, so the law commutes with all rotations, also those that move the pole. It
    changes sign in a mirror: reflections are no symmetry.

    A sample is one view of one level. All levels have one scale, and lose only their mean, so that one law is learned
    from all of them. The month itself is read by its harmonics, see :class:`steerable.tasks.sky.globe.Globe`; every
    part sees the whole globe, and has the wind of its own blocks only, see :class:`steerable.tasks.sky.blocks.Blocks`.

    Args:
        root: the folder of the data sets, with a folder ``sphere``; the environment variable ``STEERABLE_DATA``
            otherwise.
        levels: pressures in hPa, of 200, 500 and 850.
        tropics: degrees of latitude about the equator in which no wind is asked for: there the law does not hold.

    Raises:
        InputError: no data, a level that there is not, or what :class:`Survey` refuses.
    """
    if not 0 <= tropics < 80:
        raise InputError(f"data.options.tropics is {tropics}; expected degrees from 0 to below 80.")
    month = air(root)
    chosen = check_levels(month, levels)
    count = len(chosen)
    fields = torch.cat([month.height[chosen], month.wind[chosen].flatten(0, 1)])
    globe = survey.globe(month.sphere, fields, f"{count}x0 + {count}x1")
    seen = [globe.views(v.rotations).split([count, 2 * count], 1) for v in survey.views]
    heights, _ = survey.standardised([h for h, _ in seen], spread=False)
    scale = heights[0].std()
    parts = []
    for height, (_, air_moves), views in zip(heights, seen, survey.views, strict=True):
        north = views.places[..., 2:].movedim(-1, 1).float()
        known = views.mine & (views.places[..., 2].abs() >= math.sin(math.radians(tropics)))
        x = torch.cat([torch.cat([height[:, k : k + 1] / scale, north], 1) for k in range(count)])
        y = torch.cat([hidden(air_moves[:, 2 * k : 2 * k + 2], known) for k in range(count)])
        parts.append(Samples(x, y, WIND, f"wind ({views.part})", sampling=survey.sampling, type="2x0"))
    return Splits(*parts, input=PREPARED)


def check_levels(month: Air, levels: Sequence[int]) -> list[int]:
    """Return the numbers of levels.

    Raises:
        InputError: none, one that there is not, or one twice.
    """
    some = isinstance(levels, Sequence) and len(levels) > 0
    if not some or any(levels.count(p) > 1 or p not in month.level for p in levels):
        raise InputError(
            f"data.options.levels is {levels!r}; expected some of {list(month.level)} hPa, each once, as a list "
            f"such as [{month.level[-1]}]."
        )
    return [month.level.index(p) for p in levels]
