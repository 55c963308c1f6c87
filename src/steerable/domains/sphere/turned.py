"""Pairs of points on rings, from those of the targets in one sector."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from steerable.domains.points.neighbourhood import Neighbourhood


def turned(near: Neighbourhood, count: np.ndarray, turns: int, order: Tensor | None) -> Neighbourhood:
    """Pairs of all targets, turned from those of the first ``count / turns`` targets of each ring.

    A turn about the axis carries frames along, so that offsets, transports and weights repeat.

    Args:
        near: the pairs; targets run through the sector ring by ring, sources through all rings.
        count: samples of each ring, ``[T]``.
        turns: how many sectors make up the sphere.
        order: number of the sample at each place of the order by rings; ``None``: that is the order.
    """
    total, edges = int(count.sum()), near.num_edges * turns
    rings = torch.from_numpy(count)
    first = rings.cumsum(0) - rings
    ring = torch.arange(len(count)).repeat_interleave(rings)[near.source]
    step, length, begin = (rings // turns)[ring], rings[ring], first[ring]
    column = near.source - begin
    per_target = torch.bincount(near.target, minlength=total // turns)
    stop = per_target.cumsum(0)
    target, source = torch.empty(edges, dtype=torch.int64), torch.empty(edges, dtype=torch.int64)
    pick = torch.empty(edges, dtype=torch.int64)
    turn = torch.arange(turns)[:, None]
    done = 0
    for t, size in enumerate((rings // turns).tolist()):
        a = int(first[t]) // turns
        e = slice(int(stop[a - 1]) if a else 0, int(stop[a + size - 1]))
        here = near.target[e] - a + int(first[t]) + turn * size  # [turns, e]
        there = begin[e] + (column[e] + turn * step[e]) % length[e]
        by = (near.target[e] * total + there).argsort(1)  # of one target by source; targets stay as they are
        n = by.numel()
        target[done : done + n] = here.gather(1, by).flatten()
        source[done : done + n] = there.gather(1, by).flatten()
        pick[done : done + n] = (by + e.start).flatten()
        done += n
    if order is not None:
        target, source = order[target], order[source]
        by = (target * total + source).argsort()
        target, source, pick = target[by], source[by], pick[by]
    weight = None if near.weight is None else near.weight[pick]
    transport = None if near.transport is None else near.transport[pick]
    return Neighbourhood(target, source, near.offset[pick], total, total, weight, None, transport)
