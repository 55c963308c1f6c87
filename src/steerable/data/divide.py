"""From the samples of a folder to training, validation and test: alike in classes or values, equal samples together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.samples import Samples
from steerable.data.splits import picture_keys, stratified_split, value_bins


def divide(
    data: Samples, fractions: Sequence[float], seed: int, noun: str = "image", keys: Sequence[str] | None = None
) -> list[Samples]:
    """Split samples, stratified by class or by the size of a value; answers at every place are not looked at.

    Args:
        data: of all parts together.
        fractions: the share of each part.
        seed: another seed gives another division.
        noun: what a sample is called.
        keys: one for each; those of one key stay together. By default equal samples do.

    Raises:
        InputError: fewer different samples, of a class or in all, than there are parts.
    """
    keys = picture_keys(data.x) if keys is None else keys  # type: ignore[arg-type]
    strata = strata_of(data)
    for k in [] if data.target is not None else strata.unique().tolist():
        index = (strata == k).nonzero()[:, 0].tolist()
        different = len({keys[i] for i in index})
        if different < len(fractions):
            what = "" if data.regions else f"the class '{data.classes[k]}' of "
            raise InputError(
                f"{noun}s: {what}'{data.source}' has {len(index)} {noun}(s), {different} of them different; expected "
                f"at least {len(fractions)}, one for each of training, validation and test. Add {noun}s"
                f"{' or remove the class' if what else ''}."
            )
    return [data.subset(part) for part in stratified_split(strata, fractions, seed, keys)]


def strata_of(data: Samples) -> Tensor:
    """What a division is stratified by, int64 ``[N]``: classes, bins of one value, else one stratum."""
    if data.y.ndim > 1:
        return torch.zeros(len(data), dtype=torch.int64)
    return data.y if data.target is None else value_bins(data.y)
