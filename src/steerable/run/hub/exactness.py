"""One line on how exact the symmetry of a network is, measured."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from steerable.run.scenes import random_scenes
from steerable.run.store import recipe


def measure_exactness(model: nn.Module, record: dict[str, Any]) -> str:
    """Return what the laws say of a network, in float64 on random scenes of the size that it saw.

    Args:
        model: `[B, C, H, W] -> [B, K]`; it is not changed.
        record: of its run.
    """
    from steerable.laws import check
    from steerable.laws.setting import find_group

    group = find_group(model)
    if group is None:
        return "none by construction (a plain network)."
    height, width = recipe(record)(random_scenes(1, record["in_channels"], max(record["raw_size"]))).shape[-2:]
    if height != width:
        return f"not measured: images of {height} x {width} pixels are not square."
    x = random_scenes(4, record["in_channels"], height)
    try:
        report = check(copy.deepcopy(model).double().eval(), x, group=group)
    except (ValueError, RuntimeError, TypeError) as e:
        return f"not measured ({str(e).splitlines()[0]})."
    text = f"{group.name}: relative error {report.worst:.0e} at the {len(report.exact)} elements that move pixels onto"
    other = max((r.error for r in report.resampled), default=None)
    more = "" if other is None else f"; at most {other:.2g} at those that need resampling"
    return f"{text} pixels (float64){more}."
