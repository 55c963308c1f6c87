"""What a network on the sphere saw, as its file gave it: in its units, and NaN where nothing was known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

RAW = "What was seen is in the units of its file."
STANDARDISED = "What was seen is standardised, as the network gets it, and not in units."


def as_given(x: Tensor, record: Mapping[str, Any]) -> tuple[Tensor, str]:
    """Return the input before it was divided and masked, and a sentence about its units.

    Args:
        x: ``[N, C, *shape]`` as the network sees it.
        record: of the run.

    Returns:
        ``[N, C, *shape]``, NaN at missing pixels; channels that say where a map is known are 0 and 1.
    """
    masks = _masks(x, record)
    known = {k: x[:, k] != 0 for k in masks}
    found, said = _undone(x.double(), record)
    for k, here in known.items():
        empty = ~here[:, None] & (x == 0)
        empty[:, masks] = False
        found = found.masked_fill(empty, torch.nan)
        found[:, k] = here.to(found)
    return found, said


def _masks(x: Tensor, record: Mapping[str, Any]) -> list[int]:
    """Channels that say where maps are known: the one that `mask_value` added; of prepared globes those of two values.

    What has 0 and one other value in all samples is a mask of the tasks in this library, whose fields are 0 outside.
    """
    if record["config"]["data"]["options"].get("mask_value") is not None:
        return [x.shape[1] - 1]
    if record["input"] in ("pixels", "standardised"):
        return []
    values = [x[:, k].unique() for k in range(x.shape[1])]
    return [k for k, v in enumerate(values) if len(v) == 2 and bool((v == 0).any())]


def _undone(x: Tensor, record: Mapping[str, Any]) -> tuple[Tensor, str]:
    steps: Sequence[Mapping[str, Any]] = record["preprocessing"]
    if record["input"] not in ("pixels", "standardised") or any(s["step"] != "divide" for s in steps):
        return x, STANDARDISED
    for step in steps:
        x = x * step["by"]
    if record["input"] == "standardised":
        numbers = record["input_settings"]
        shape = (1, -1, *(1,) * (x.dim() - 2))
        mean, scale = (torch.tensor(numbers[k], dtype=x.dtype).view(shape) for k in ("mean", "scale"))
        x = torch.where(scale.isfinite(), x * scale, 0) + mean  # what was constant was divided by infinity
    return x, RAW
