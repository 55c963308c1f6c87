"""Mean and spread of the fields of maps on the sphere, by area, and the recipe that scales each by its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.recipe import Recipe
from steerable.data.samples import Samples
from steerable.fields.type import FieldType

CHUNK = 64


def field_moments(
    x: Tensor, known: Callable[[slice, slice], Tensor], areas: Tensor | None, fields: FieldType
) -> list[tuple[slice, float, float]]:
    """Return for each field its entries, its mean, and its spread over the places where it is known, by area.

    The components of one field have one spread, and mean 0 where it is no scalar: a constant vector is none that turns
    with the sphere. A field that is the same everywhere has the spread 0.

    Args:
        x: ``[N, C, *places]``.
        known: from samples and entries to where these are known, bool ``[n, c, *places]``.
        areas: of the places ``[*places]``; None: all alike.
        fields: of the C entries.
    """
    found, start = [], 0
    weights = torch.ones(x.shape[2:], dtype=torch.float64) if areas is None else areas.double()
    for rep in fields.fields:
        part = slice(start, start + rep.size)
        start += rep.size
        pieces = [slice(k, k + CHUNK) for k in range(0, len(x), CHUNK)]
        mean, low, high = 0.0, float("inf"), -float("inf")
        for powers in (1, 2):  # a spread about the mean itself: sums of squares of 1e5 +- 1 have no digits left
            total, share = 0.0, 0.0
            for piece in pieces:
                there = known(piece, part).expand(x[piece, part].shape)
                values = torch.where(there, x[piece, part].double(), 0)
                w = there * weights
                total += float((((values - mean) ** powers) * w).sum())
                share += float(w.sum())
                if powers == 1 and there.any():
                    low, high = min(low, float(values[there].min())), max(high, float(values[there].max()))
            if powers == 1 and rep.is_trivial and share:
                mean = total / share
        # what the mean leaves of a constant is rounding: only the values themselves tell that they are all one
        same = high <= low if rep.is_trivial else low == high == 0
        found.append((part, mean, 0.0 if same or not share else (total / share) ** 0.5))
    return found


def field_recipe(train: Samples, masks: Sequence[int] = (), scale: str = "fields") -> Recipe:
    """Return the recipe that scales maps of the sphere.

    Args:
        train: the training part, whose known places are measured.
        masks: for each channel the one that is 1 where it is known; for such a channel itself; nothing: all are known.
        scale: ``fields``: scalars lose their mean, and every field is divided by its spread; ``dataset``: all by one
            number, the standard deviation of all values.

    Raises:
        InputError: maps that are the same everywhere, or another scale.
    """
    if scale not in ("fields", "dataset") or train.sphere is None or train.fields is None:
        raise InputError(
            f"{train.source}: data.scale is '{scale}' of {train.domain} data; expected none, fields or dataset, of "
            "fields on the sphere."
        )
    x = train.x
    if not isinstance(x, Tensor):
        raise TypeError(f"{train.source}: {type(x).__name__}; expected a tensor")
    own = [c for c in range(train.channels) if not masks or masks[c] != c]
    if scale == "dataset":
        if masks:
            values = torch.cat([x[:, c][x[:, masks[c]] == 1] for c in own])
        else:
            values = x
        by = float(values.std())
        if not by > 0:
            raise InputError(f"data.scale 'dataset': all {len(x)} training maps have one value; expected maps.")
        if not masks:
            return Recipe.of(("divide", {"by": by}))
        return _step([0.0] * train.channels, [by if c in own else 1.0 for c in range(train.channels)], masks)
    areas = train.sphere.flat_weights().reshape(train.sphere.shape)

    def known(samples: slice, part: slice) -> Tensor:
        return x[samples, masks[part.start] : masks[part.start] + 1] == 1 if masks else torch.ones(1, dtype=torch.bool)

    mean, by = [0.0] * train.channels, [1.0] * train.channels
    spread = 0.0
    for part, middle, width in field_moments(x, known, areas, train.fields):
        if part.start not in own:
            continue
        spread = max(spread, width)
        for c in range(part.start, part.stop):
            mean[c], by[c] = middle, width or 1.0  # one that never changes becomes 0
    if not spread > 0:
        raise InputError(f"data.scale 'fields': all fields of {len(x)} training maps are constant; expected maps.")
    return _step(mean, by, masks)


def _step(mean: list[float], by: list[float], masks: Sequence[int]) -> Recipe:
    return Recipe.of(("fields", {"mean": mean, "by": by, **({"known": list(masks)} if masks else {})}))
