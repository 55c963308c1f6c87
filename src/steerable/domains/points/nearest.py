"""The k nearest points, by a search whose cut-off grows only for those that still want more."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.domains.points.periodic import dual
from steerable.domains.points.search import FEW, Pairs, Side, offsets, search


def nearest(points: Side, num_graphs: int, k: int, cell: Tensor | None, loop: bool) -> Pairs:
    """Return the `k` nearest of each point in its graph, sorted as :func:`search` does.

    Args:
        points: who sends and receives.
        num_graphs: number of graphs.
        k: how many; in a graph with fewer, all.
        cell: ``[num_graphs, n, n]`` float64 or None.
        loop: whether a point is its own nearest.

    Raises:
        ValueError: `k` below 1, or more images asked for than a search looks at.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ValueError(f"Points.knn: k is {k!r}; expected a whole number, at least 1.")
    count = torch.bincount(points.graph, minlength=num_graphs)
    want = (count[points.graph] - int(not loop)).clamp(max=k)
    if cell is not None:  # images never end
        repeats = (cell.abs().amax((-1, -2)) > 0)[points.graph]
        want = torch.where(repeats, k, want)
    own = torch.arange(len(points.xyz), device=points.graph.device)
    left, found = own[want > 0], []
    cutoff = first_cutoff(points, count, k, cell)
    while len(left):
        side = Side(points.xyz[left], points.graph[left])
        # graphs that have enough drop out: their cells may be far smaller than what the others still need
        near = torch.isin(points.graph, side.graph).nonzero()[:, 0]
        among = torch.zeros_like(own).index_copy(0, near, own[: len(near)])
        sources = Side(points.xyz[near], points.graph[near])
        pairs = search(side, sources, num_graphs, cutoff, cell, None if loop else among[left])
        pairs = pairs._replace(source=near[pairs.source])
        enough = torch.bincount(pairs.target, minlength=len(left)) >= want[left]
        found.append(_best(pairs, side, points, cell, want[left], enough, left))
        left, cutoff = left[~enough], 2 * cutoff
    if not found:
        none = points.graph.new_zeros(0)
        return Pairs(none, none, None if cell is None else none.new_zeros(0, points.xyz.shape[1]))
    i, j = (torch.cat([f[c] for f in found]) for c in (0, 1))
    order = i.argsort(stable=True)
    shift = None if cell is None else torch.cat([f.shift for f in found if f.shift is not None])[order]
    return Pairs(i[order], j[order], shift)


def _best(
    pairs: Pairs, side: Side, points: Side, cell: Tensor | None, want: Tensor, enough: Tensor, left: Tensor
) -> Pairs:
    """Of pairs in order, those of targets that have enough, cut to the nearest; targets numbered as the points."""
    keep = enough[pairs.target].nonzero()[:, 0]
    pairs = Pairs(pairs.target[keep], pairs.source[keep], None if pairs.shift is None else pairs.shift[keep])
    square = offsets(side.xyz, points.xyz, pairs, side.graph, cell).square().sum(-1)
    by_distance = square.argsort(stable=True)
    order = by_distance[pairs.target[by_distance].argsort(stable=True)]
    target = pairs.target[order]
    each = torch.bincount(target, minlength=len(left))
    rank = torch.arange(len(target), device=target.device) - (each.cumsum(0) - each)[target]
    chosen = order[rank < want[target]].sort().values
    shift = None if pairs.shift is None else pairs.shift[chosen]
    return Pairs(left[pairs.target[chosen]], pairs.source[chosen], shift)


def first_cutoff(points: Side, count: Tensor, k: int, cell: Tensor | None) -> float:
    """Return a radius that holds about `k` points where they are spread evenly."""
    n = points.xyz.shape[1]
    if len(points.xyz) == 0:
        return 1.0
    extent = float((points.xyz.amax(0) - points.xyz.amin(0)).max())
    thick = math.inf if cell is None else float((1 / dual(cell).norm(dim=-2)).min())
    if math.isinf(thick):  # nothing repeats
        if int((count * count).sum()) <= FEW:
            return math.inf
        return max(extent * (2 * k / max(int(count.max()), 1)) ** (1 / n) / 2, 1e-12 * extent) or 1.0
    return thick * (2 * k / max(int(count.max()), 1)) ** (1 / n) / 2
