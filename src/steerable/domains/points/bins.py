"""Candidates of a large cloud: points of the nearest bins, sorted once; the work grows as the number of points."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from steerable.domains.points.ranges import Ranges

# bins a side at most, and in all: places of points stay exact to far less than the margin, and keys fit into 63 bits
_SIDE, _KEYS = 1 << 20, 1 << 62
_MARGIN = 1e-6


def near_bins(
    targets: Tensor, target_graph: Tensor, sources: Tensor, source_graph: Tensor, num_graphs: int, cutoff: float
) -> Ranges:
    """Return for each target the sources of its own and the touching bins, as wide as the cut-off.

    Bins that follow each other along the last axis lie side by side in the order of the sources, so that 3^(n-1)
    ranges hold the 3^n bins. Empty bins cost nothing.

    Args:
        targets: ``[T, n]`` float64.
        target_graph: graph of each target, int64 ``[T]``.
        sources: ``[S, n]`` float64.
        source_graph: graph of each source, int64 ``[S]``.
        num_graphs: number of graphs.
        cutoff: the largest distance.
    """
    n = sources.shape[1]
    spread = source_graph[:, None].expand(-1, n)
    low = sources.new_full((num_graphs, n), math.inf).scatter_reduce(0, spread, sources, "amin")
    high = sources.new_full((num_graphs, n), -math.inf).scatter_reduce(0, spread, sources, "amax")
    extent = (high - low).clamp_min(0).amax(0)  # a graph without sources has none
    side = max(cutoff * (1 + _MARGIN), float(extent.max()) / _SIDE)
    while math.prod(count := [int(e / side) + 1 for e in extent.tolist()]) * num_graphs > _KEYS:
        side *= 2
    low = torch.where(low.isfinite(), low, 0.0)

    def key(graph: Tensor, place: Tensor) -> Tensor:
        found = graph
        for k in range(n):
            found = found * count[k] + place[..., k]
        return found

    most = torch.tensor(count, device=sources.device) - 1
    home = ((sources - low[source_graph]) / side).floor().long().clamp_min(0).minimum(most)
    keys, order = key(source_graph, home).sort(stable=True)
    # a target far outside must not overflow: two bins outside is as far as can be
    place = ((targets - low[target_graph]) / side).clamp_min(-2).minimum(most + 3).floor().long()
    starts, stops = [], []
    for step in itertools.product((-1, 0, 1), repeat=n - 1):
        first, last = place.clone(), place.clone()
        first[:, :-1] += torch.tensor(step, device=place.device)
        inside = ((first >= 0) & (first <= most))[:, :-1].all(1)
        first[:, -1] = (place[:, -1] - 1).clamp_min(0)
        last[:, :-1], last[:, -1] = first[:, :-1], (place[:, -1] + 1).minimum(most[-1])
        inside &= first[:, -1] <= last[:, -1]
        start = torch.searchsorted(keys, key(target_graph, first))
        stop = torch.searchsorted(keys, key(target_graph, last), right=True)
        starts.append(torch.where(inside, start, 0))
        stops.append(torch.where(inside, stop, 0))
    return Ranges(torch.stack(starts, 1), torch.stack(stops, 1), order)
