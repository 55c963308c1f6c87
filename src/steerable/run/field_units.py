"""Mean and spread of values at every place, as fields have them."""

from __future__ import annotations

import torch

from steerable.data import Samples
from steerable.data.checks import field_type
from steerable.data.errors import InputError
from steerable.run.dense import known_mean
from steerable.run.domains import domain_of


def field_units(data: Samples) -> tuple[list[float], list[float]]:
    """Return mean and spread of each entry over the places of training where it is known, by area.

    The components of one field have one spread, and mean 0: a constant vector is none that turns with the sphere.

    Raises:
        InputError: values that are all the same.
    """
    target = data.target
    if target is None or not target.everywhere:
        raise InputError(f"{data.source}: answers {target}; expected values at every place.")
    areas = domain_of(data).areas(data)
    y = data.y.double()
    known = torch.isfinite(y)
    mean, std = [], []
    start = 0
    for rep in field_type(target.type, target.size, data.source).fields:
        part = slice(start, start + rep.size)
        middle = float(known_mean(y[:, part], known[:, part], areas)) if rep.is_trivial else 0.0
        spread = float(known_mean((y[:, part] - middle).square(), known[:, part], areas)) ** 0.5
        if not spread > 0:
            names = target.names[part]
            raise InputError(f"{data.source}: all training values of {list(names)} are {middle:g}; expected others.")
        mean += [middle] * rep.size
        std += [spread] * rep.size
        start += rep.size
    return mean, std
