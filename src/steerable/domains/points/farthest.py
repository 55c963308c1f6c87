"""A few points that are spread over each cloud: farthest-point sampling that draws nothing at random."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.domains.points.cloud import Points
from steerable.domains.points.rows import rows

# squares of distances that differ by less than this share are equal: a turned cloud must not choose other points
_SAME = 1e-6


def farthest_points(points: Points, count: int) -> Tensor:
    """Return the numbers of `count` points of each cloud, each as far as can be from those before it.

    The first is the one farthest from the mean; of equally far points the one of the smallest number comes first. So
    the choice turns with the cloud, and a cloud in another order gives the same points. A cloud of fewer points gives
    all, and no point is given twice even where points coincide.

    Args:
        points: one cloud or several; distances are those of R^n, without a cell.
        count: how many of each cloud, at least 1.

    Returns:
        int64 ``[M]``, cloud after cloud, in the order of choice; without a gradient.

    Raises:
        ValueError: a number below 1.

    Source: Eldar et al., "The farthest point strategy for progressive image sampling", IEEE TIP 6(9), 1997.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"farthest_points: count is {count!r}; expected a whole number, at least 1.")
    index, there = rows(points)
    if not index.numel():
        return index.new_zeros(0)
    xyz = points.points()[index]
    xyz = torch.where(there[..., None], xyz, 0.0)
    mean = xyz.sum(1, keepdim=True) / there.sum(1)[:, None, None].clamp_min(1)
    # what is taken, and what is no point, is nearer than anything
    left = torch.where(there, (xyz - mean).square().sum(-1), -1.0)
    graph, chosen = torch.arange(len(xyz), device=xyz.device), []
    near = torch.where(there, torch.inf, -1.0).to(left)
    for _ in range(min(count, index.shape[1])):
        best = left.amax(1, keepdim=True)
        take = (left >= best - _SAME * best.abs()).int().argmax(1)
        chosen.append(torch.where(best[:, 0] >= 0, take, -1))
        away = (xyz - xyz[graph, take][:, None]).square().sum(-1)
        near = torch.minimum(near, away)
        near[graph, take] = -1.0
        left = near
    found = torch.stack(chosen, 1)
    return index[graph[:, None].expand_as(found), found.clamp_min(0)][found >= 0]
