"""What the record of a run says of the values it learns: their names, units and spread."""

from __future__ import annotations

from typing import Any

import torch

from steerable.data import Samples
from steerable.data.errors import InputError
from steerable.run.field_units import field_units


def target_record(data: Samples) -> dict[str, Any]:
    """Return what the record of a run says of the target of its training images, as plain JSON.

    Raises:
        InputError: classes, or values that are all the same.
    """
    target = data.target
    if target is None:
        raise InputError(f"{data.source}: the images have the classes {list(data.classes)}; expected values.")
    found: dict[str, Any] = {"name": target.name, "unit": target.unit}
    if target.units:
        found["units"] = list(target.units)
    if target.everywhere:
        mean, std = ([0.0] * target.size, [1.0] * target.size) if target.trade else field_units(data)
        more = {"everywhere": True, "type": target.type, "columns": list(target.names), "trade": target.trade}
        return {**found, **more, "mean": mean, "std": std}
    if not target.columns:
        mean, std = standard(data)
        baseline = {"baseline": list(target.baseline)} if target.baseline else {}
        return {**found, "mean": mean, "std": std, **baseline}
    found |= {"columns": list(target.columns), "head": target.head}
    if target.head:
        return found
    y = data.y.double()
    spread = y.std(0)
    if not (spread > 0).any():
        raise InputError(f"{data.source}: all {len(y)} training rows of {target} are alike; expected some that differ.")
    # an entry that never changes is learned as it is
    return {**found, "mean": y.mean(0).tolist(), "std": torch.where(spread > 0, spread, 1.0).tolist()}


def standard(data: Samples) -> tuple[float, float]:
    """Return mean and standard deviation of the values, without the baseline of their target.

    Raises:
        InputError: fewer than two different values.
    """
    y = data.rest().y.double()
    if torch.unique(y).numel() < 2:
        raise InputError(
            f"{data.source}: all {len(y)} training values of {data.target} are {float(y[0]):g}; expected values that "
            "differ. Choose another data.target."
        )
    return float(y.mean()), float(y.std())
