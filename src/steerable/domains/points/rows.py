"""Clouds of unlike size side by side: one row a cloud, filled up where it has fewer points."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.domains.points.cloud import Points


def rows(points: Points) -> tuple[Tensor, Tensor]:
    """Return which point stands where, ``[num_graphs, most]`` int64, and whether one does, bool of the same shape.

    Points keep their order. Places without a point name point 0, which may be read and must not be used.

    Args:
        points: the clouds.
    """
    count = points.counts()
    most = int(count.max()) if len(points) else 0
    place = torch.arange(most, device=count.device).expand(len(count), most)
    there = place < count[:, None]
    return torch.where(there, place + (count.cumsum(0) - count)[:, None], 0), there
