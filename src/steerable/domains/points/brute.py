"""Candidates of a cloud: every point of the same graph."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.domains.points.ranges import Ranges


def all_pairs(targets: Tensor, sources: Tensor, num_graphs: int) -> Ranges:
    """Return all pairs within each graph.

    Args:
        targets: graph of each target, int64 ``[T]``.
        sources: graph of each source, int64 ``[S]``, ascending or not.
        num_graphs: number of graphs.
    """
    order = torch.argsort(sources, stable=True)
    count = torch.bincount(sources, minlength=num_graphs)
    stop = count.cumsum(0)[targets, None]
    return Ranges(stop - count[targets, None], stop, order)
