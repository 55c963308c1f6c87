"""All pairs of points that are near, by whichever search is cheaper; both give the same pairs."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from steerable.domains.points.bins import near_bins
from steerable.domains.points.brute import all_pairs
from steerable.domains.points.periodic import check_cutoff, floors, images, lattice
from steerable.domains.points.ranges import Ranges

# up to this many pairs are looked at without sorting anything into bins
FEW = 1 << 16
METHODS = ("auto", "brute", "bins")


class Side(NamedTuple):
    """Points that send or receive.

    Attributes:
        xyz: ``[N, n]`` float64, without a gradient.
        graph: int64 ``[N]``.
    """

    xyz: Tensor
    graph: Tensor


class Pairs(NamedTuple):
    """Pairs in order of target, source, shift.

    Attributes:
        target, source: int64 ``[E]``.
        shift: int64 ``[E, n]`` in lattice vectors of the graph; None without a cell.
    """

    target: Tensor
    source: Tensor
    shift: Tensor | None


def candidates(targets: Side, sources: Side, num_graphs: int, cutoff: float, method: str = "auto") -> Ranges:
    """Return the pairs whose distance is measured.

    Args:
        targets, sources: the points; no cell.
        num_graphs: number of graphs.
        cutoff: the largest distance; may be infinite.
        method: ``brute``, ``bins``, or ``auto``, which takes bins where they save work.

    Raises:
        ValueError: another method.
    """
    if method not in METHODS:
        raise ValueError(f"Points: the search is '{method}'; expected one of {', '.join(METHODS)}.")
    brute = all_pairs(targets.graph, sources.graph, num_graphs)
    count = brute.count()
    if method == "brute" or math.isinf(cutoff) or not count or (method == "auto" and count <= FEW):
        return brute
    found = near_bins(*targets, *sources, num_graphs, cutoff)
    return found if method == "bins" or found.count() < count else brute


def search(
    targets: Side,
    sources: Side,
    num_graphs: int,
    cutoff: float,
    cell: Tensor | None = None,
    without: Tensor | None = None,
    method: str = "auto",
) -> Pairs:
    """Return all pairs of one graph whose distance is at most the cut-off.

    Distances are those of :func:`offsets` in float64, so that a pair is found if and only if its reverse is, and by
    one search if and only if by the other.

    Args:
        targets, sources: the points.
        num_graphs: number of graphs.
        cutoff: the largest distance.
        cell: lattice vectors ``[num_graphs, n, n]`` float64; None: nothing repeats.
        without: for each target the source that it is, int64 ``[T]``, which is left out (its images are not); None:
            nothing is.
        method: see :func:`candidates`.

    Raises:
        ValueError: a cut-off that is not positive, or reaches over too many cells.
    """
    cutoff = check_cutoff(cutoff)
    near, here, index, shift = sources, targets, None, None
    down = torch.zeros(0)
    if cell is not None:
        found = images(sources.xyz, sources.graph, cell, cutoff)
        index, shift = found.index, found.shift
        near = Side(found.xyz, sources.graph[index])
        down = floors(targets.xyz, targets.graph, cell)
        here = Side(targets.xyz - lattice(down, targets.graph, cell), targets.graph)
    kept: list[tuple[Tensor, Tensor, Tensor | None]] = []
    for i, at in candidates(here, near, num_graphs, cutoff, method).pairs():
        j = at if index is None else index[at]
        s = None if shift is None else shift[at] + down[i].long()
        away = offsets(targets.xyz, sources.xyz, Pairs(i, j, s), targets.graph, cell)
        keep = away.square().sum(-1) <= cutoff * cutoff
        if without is not None:
            own = j == without[i]
            keep &= ~own if s is None else ~(own & (s == 0).all(1))
        kept.append((i[keep], j[keep], None if s is None else s[keep]))
    return in_order(kept, len(sources.xyz), targets, cell is not None)


def offsets(targets: Tensor, sources: Tensor, pairs: Pairs, graph: Tensor, cell: Tensor | None) -> Tensor:
    """Return ``x_j - x_i + shift @ cell`` ``[E, n]``, differentiable in all three.

    Args:
        targets: ``[T, n]``.
        sources: ``[S, n]``.
        pairs: which.
        graph: of each target, int64 ``[T]``.
        cell: ``[G, n, n]``, or None.
    """
    away = sources[pairs.source] - targets[pairs.target]
    if cell is None or pairs.shift is None:
        return away
    return away + lattice(pairs.shift, graph[pairs.target], cell.to(away))


def in_order(kept: list[tuple[Tensor, Tensor, Tensor | None]], count: int, targets: Side, periodic: bool) -> Pairs:
    """Join parts and sort them by target, source and shift.

    Args:
        kept: parts.
        count: number of sources.
        targets: which receive.
        periodic: whether parts have shifts.
    """
    none = targets.graph.new_zeros(0)
    i = torch.cat([none, *(k[0] for k in kept)])
    j = torch.cat([none, *(k[1] for k in kept)])
    s = None
    if periodic:
        n = targets.xyz.shape[1]
        s = torch.cat([none.new_zeros(0, n), *(k[2] for k in kept if k[2] is not None)])
        order = torch.arange(len(s), device=s.device)
        for k in reversed(range(n)):
            order = order[s[order, k].argsort(stable=True)]
        i, j, s = i[order], j[order], s[order]
    order = (i * count + j).argsort(stable=True)
    return Pairs(i[order], j[order], None if s is None else s[order])
