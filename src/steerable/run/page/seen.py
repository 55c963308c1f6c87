"""What a network on the sphere saw, as its file gave it: in its units, and NaN where nothing was known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from steerable.run.domains.sphere import run_masks

RAW = "What was seen is in the units of its file."
STANDARDISED = "What was seen is standardised, as the network gets it, and not in units."


def as_given(x: Tensor, record: Mapping[str, Any]) -> tuple[Tensor, str]:
    """Return the input before it was scaled and masked, and a sentence about its units.

    Args:
        x: ``[N, C, *shape]`` as the network sees it.
        record: of the run.

    Returns:
        ``[N, C, *shape]``, NaN at missing pixels; channels that say where a map is known are 0 and 1.
    """
    masks = _masks(x, record)
    found, said = _undone(x.double(), record)
    for mask, channels in masks.items():
        here = x[:, mask] != 0
        for k in channels:
            found[:, k] = found[:, k].masked_fill(~here & (x[:, k] == 0), torch.nan)
        found[:, mask] = here.to(found)
    return found, said


def _masks(x: Tensor, record: Mapping[str, Any]) -> dict[int, list[int]]:
    """Channels that say where maps are known, and those of which they say it.

    The last one if there was a `mask_value`, or the last ones, one for each field; of the prepared globes of this
    library those that have 0 and one other value in all samples: their maps are 0 outside.
    """
    known, count = run_masks(record), x.shape[1]
    if known:
        return {m: [c for c in range(count) if known[c] == m != c] for m in sorted(set(known))}
    if record["input"] in ("pixels", "standardised"):
        return {}
    values = [x[:, k].unique() for k in range(count)]
    masks = [k for k, v in enumerate(values) if len(v) == 2 and bool((v == 0).any())]
    return {k: [c for c in range(count) if c not in masks] for k in masks}


def _undone(x: Tensor, record: Mapping[str, Any]) -> tuple[Tensor, str]:
    steps: Sequence[Mapping[str, Any]] = record["preprocessing"]
    known = record["input"] in ("pixels", "standardised") and all(s["step"] in ("divide", "fields") for s in steps)
    if not known:
        return x, STANDARDISED
    shape = (1, -1, *(1,) * (x.dim() - 2))
    for step in reversed(steps):
        x = x * torch.as_tensor(step["by"], dtype=x.dtype).view(shape)
        if "mean" in step:
            x = x + torch.as_tensor(step["mean"], dtype=x.dtype).view(shape)
    if record["input"] == "standardised":
        numbers = record["input_settings"]
        mean, scale = (torch.tensor(numbers[k], dtype=x.dtype).view(shape) for k in ("mean", "scale"))
        x = torch.where(scale.isfinite(), x * scale, 0) + mean  # what was constant was divided by infinity
    return x, RAW
