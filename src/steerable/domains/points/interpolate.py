"""From few points to many: each receives a mean of the features of the nearest, weighted by how near they are."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.domains.points.cloud import Points
from steerable.domains.points.dilated import nearest_of

# added to squares of distances, as a share of the largest: an end to the weight of points that coincide
_SOFT = 1e-3


def interpolate(x: Tensor, sources: Points, targets: Points, k: int = 3) -> Tensor:
    """Carry features of points to others: the mean over the `k` nearest with weights ``1 / (d^2 + eps d_max^2)``.

    Weights sum to 1, depend on distances alone, and stay finite with their gradients where points coincide. Targets
    of a cloud without sources receive 0.

    Args:
        x: features ``[M, C]`` of the sources.
        sources: where they are.
        targets: where they are wanted, in as many clouds.
        k: how many, at least 1.

    Returns:
        ``[N, C]``.

    Source: Qi et al., "PointNet++", NeurIPS 2017, arXiv 1706.02413, section 3.4.
    """
    g = nearest_of(sources, targets, k)
    square = g.offset.square().sum(-1)
    most = square.new_zeros(g.num_targets).scatter_reduce(0, g.target, square.detach(), "amax")
    most = torch.where(most > 0, most, 1.0)[g.target]
    weight = 1 / (square / most + _SOFT)
    weight = weight / weight.new_zeros(g.num_targets).index_add(0, g.target, weight)[g.target]
    moved = x.index_select(0, g.source) * weight[:, None].to(x)
    return moved.new_zeros(g.num_targets, x.shape[1]).index_add(0, g.target, moved)
