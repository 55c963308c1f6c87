"""Mean and spread of values at every place, as fields have them."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.data import Samples, Target
from steerable.data.checks import field_type
from steerable.data.errors import InputError
from steerable.data.field_scale import field_moments
from steerable.run.domains import domain_of


def field_parts(target: Target) -> list[tuple[str, slice]]:
    """Return the fields of a target: what each is called, with its unit, and its entries.

    Raises:
        InputError: a type that is none.
    """
    found, start = [], 0
    for rep in field_type(target.type, target.size, str(target)).fields:
        part = slice(start, start + rep.size)
        unit = target.units[start] if target.units else target.unit
        found.append((", ".join(target.names[part]) + (f" [{unit}]" if unit else ""), part))
        start += rep.size
    return found


def field_spreads(y: Tensor, areas: Tensor | None, target: Target) -> list[float]:
    """Return the spread of each field of :func:`field_parts` about its mean, 0 of one that is the same everywhere.

    Args:
        y: the truth ``[N, K, *places]``; NaN where there is none.
        areas: of the places.
        target: what it is.
    """
    fields = field_type(target.type, target.size, str(target))
    return [s for _, _, s in field_moments(y, lambda n, part: torch.isfinite(y[n, part]), areas, fields)]


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
    y = data.y

    def known(samples: slice, part: slice) -> Tensor:
        return torch.isfinite(y[samples, part])

    fields = field_type(target.type, target.size, data.source)
    mean, std = [], []
    for part, middle, spread in field_moments(y, known, areas, fields):
        if not spread > 0:
            names = target.names[part]
            raise InputError(f"{data.source}: all training values of {list(names)} are {middle:g}; expected others.")
        mean += [middle] * (part.stop - part.start)
        std += [spread] * (part.stop - part.start)
    return mean, std
