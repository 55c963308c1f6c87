"""The nearest points of another set, all of them or every second, third, ...: wide neighbourhoods of few points."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.domains.points.cloud import Points
from steerable.domains.points.neighbourhood import Neighbourhood
from steerable.domains.points.rows import rows

# distances that are held at once
_CHUNK = 1 << 22


def nearest_of(sources: Points, targets: Points, k: int, dilation: int = 1) -> Neighbourhood:
    """Return for each target `k` near sources of its cloud: of the ``k dilation`` nearest every `dilation`-th.

    The nearest is always among them (the target itself, if it is a source). Nothing is drawn at random: sources at
    equal distance come in order of their number. In a cloud of fewer sources the dilation shrinks before k does.

    Args:
        sources: who sends; without a cell.
        targets: who receives, in as many clouds.
        k: how many, at least 1.
        dilation: at least 1.

    Returns:
        A neighbourhood with ``num_targets = len(targets)``; offsets are differentiable in both positions.

    Raises:
        ValueError: numbers below 1, or clouds that do not belong together.

    Source: You et al., "PRIN/SPRIN", IEEE TPAMI 44(12), 2022, arXiv 2102.12093, section 4; there every s-th neighbour
    of a random permutation.
    """
    for name, given in (("k", k), ("dilation", dilation)):
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise ValueError(f"nearest_of: {name} is {given!r}; expected a whole number, at least 1.")
    if (sources.dimension, sources.num_graphs) != (targets.dimension, targets.num_graphs):
        raise ValueError(
            f"nearest_of: the sources are {sources}, the targets {targets}; expected one space and one number of "
            "graphs. Give both the same num_graphs."
        )
    found = _ranked(sources, targets, k, dilation)
    order = (found[0] * max(len(sources), 1) + found[1]).argsort(stable=True)
    i, j = found[0][order], found[1][order]
    away = sources.positions[j] - targets.positions[i]
    return Neighbourhood(i, j, away, len(targets), len(sources))


def _ranked(sources: Points, targets: Points, k: int, dilation: int) -> tuple[Tensor, Tensor]:
    """Pairs target, source; distances are looked at a few targets at a time."""
    (near, there), (here, real) = rows(sources), rows(targets)
    if not near.numel() or not here.numel():
        return near.new_zeros(0), near.new_zeros(0)
    count = sources.counts()
    step = (count // k).clamp(1, dilation)
    rank = torch.arange(k, device=near.device) * step[:, None]  # [G, k]
    inside = rank < count[:, None]
    rank = torch.where(inside, rank, 0)
    far, x = sources.points()[near], targets.points()[here]
    parts, width = [], max(1, _CHUNK // max(near.numel(), 1))
    for block in x.split(width, 1):
        square = sum((block[:, :, None, c] - far[:, None, :, c]).square() for c in range(sources.dimension))
        square = torch.where(there[:, None], square, torch.inf)  # type: ignore[arg-type]
        by_distance = square.argsort(dim=-1, stable=True)
        parts.append(by_distance.gather(-1, rank[:, None].expand(-1, block.shape[1], -1)))
    place = torch.cat(parts, 1)  # [G, T, k]
    keep = inside[:, None] & real[..., None]
    source = near[:, None].expand(-1, place.shape[1], -1).gather(-1, place)
    return here[..., None].expand_as(source)[keep], source[keep]
