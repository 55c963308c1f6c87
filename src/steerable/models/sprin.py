"""SPRIN: rotation-invariant convolutions of fewer and fewer points, for classes of clouds or of their points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

import steerable.nn as snn
from steerable.domains.points import Points
from steerable.domains.points.dilated import nearest_of
from steerable.domains.points.farthest import farthest_points
from steerable.domains.points.interpolate import interpolate
from steerable.groups import O3, Group
from steerable.models.points import pooled
from steerable.models.volume import read

TASKS = ("classify", "segment")


class InvariantBlock(nn.Module):
    """One convolution on some of the points, its norm and ReLU, with the largest of each cloud beside each point."""

    def __init__(self, current: int, width: int, rank: int, hidden: int, group: Group, k: int, dilation: int) -> None:
        super().__init__()
        self.k, self.dilation, self.handed = k, dilation, group != O3()
        self.conv = snn.SparseSO3Conv(current, width, rank, hidden, group)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, sources: Points, targets: Points) -> Tensor:
        """``[M, current]`` at the sources to ``[N, 2 width]`` at the targets; positions are centred."""
        g = nearest_of(sources, targets, self.k, self.dilation)
        g = snn.pair_invariants(g, targets.positions, sources.positions, self.handed)
        y = torch.relu(self.norm(self.conv(x, g)))
        return torch.cat([y, largest(y, targets)[targets.batch]], 1)


class SPRIN(nn.Module):
    """Invariants of pairs through kernels of low rank, on farthest-point samples of the cloud.

    Exact for rotations (and reflections, unless the group is SO3), translations and permutations: nothing is drawn at
    random. Whole clouds are centred at their mean, so a cloud of which a part is missing has another answer.

    Args:
        in_channels: plain channels of a point.
        num_classes: number of logits.
        task: ``classify``: logits of each cloud; ``segment``: of each point.
        group: O3, or SO3: then left and right differ.
        sizes: number of points of each stage; a smaller cloud keeps all of its points.
        widths: channels of each stage.
        k: neighbours of a point.
        dilation: of the second convolution of a stage: every so many-th of ``k dilation`` neighbours.
        rank: of the kernels.
        hidden: of the networks in the kernels, and of the dense layer on top.
        dropout: before the last layer.

    Raises:
        ValueError: another task or group, sizes that grow, or as many of them as there are widths.

    Source: You et al., "PRIN/SPRIN: On Extracting Point-wise Rotation Invariant Features", IEEE TPAMI 44(12), 2022,
    arXiv 2102.12093, section 4. There sampling and dilation are random.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        task: str = "classify",
        group: str | Group = "O3",
        sizes: Sequence[int] = (128, 32),
        widths: Sequence[int] = (32, 64),
        k: int = 16,
        dilation: int = 2,
        rank: int = 8,
        hidden: int = 32,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_task("SPRIN", task)
        if len(sizes) != len(widths) or not sizes or list(sizes) != sorted(sizes, reverse=True):
            raise ValueError(
                f"SPRIN: sizes are {tuple(sizes)} and widths {tuple(widths)}; expected as many, sizes that do not grow."
            )
        found = read(group)
        self.sizes, self.task = tuple(sizes), task
        self.blocks, current = nn.ModuleList(), in_channels
        skips = [in_channels]
        for width in widths:
            pair = [InvariantBlock(current, width, rank, hidden, found, k, 1)]
            pair.append(InvariantBlock(2 * width, width, rank, hidden, found, k, dilation))
            self.blocks.append(nn.ModuleList(pair))
            current = 2 * width
            skips.append(current)
        self.up = nn.ModuleList()
        if task == "segment":
            for skip, width in zip(skips[-2::-1], [*widths[-2::-1], widths[0]], strict=True):
                self.up.append(nn.Sequential(nn.Linear(current + skip, width), nn.LayerNorm(width), nn.ReLU()))
                current = width
        self.head = nn.Sequential(
            nn.Linear(current, 2 * hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(2 * hidden, num_classes)
        )

    def forward(self, x: Tensor, positions: Tensor, batch: Tensor | None = None) -> Tensor:
        """Features ``[N, in_channels]`` at ``[N, n]`` to ``[clouds, classes]``, or ``[N, classes]`` to segment."""
        points = centred(Points(positions, batch))
        levels = [(x, points)]
        for size, pair in zip(self.sizes, self.blocks, strict=True):
            here = levels[-1][1]
            fewer = chosen(here, farthest_points(here, size).sort().values)
            y = pair[0](levels[-1][0], here, fewer)  # type: ignore[index]
            levels.append((pair[1](y, fewer, fewer), fewer))  # type: ignore[index]
        y, coarse = levels.pop()
        if self.task == "classify":
            return self.head(largest(y, coarse))
        for layer, (skip, fine) in zip(self.up, reversed(levels), strict=True):
            y = layer(torch.cat([interpolate(y, coarse, fine), skip], 1))
            coarse = fine
        return self.head(y)


def check_task(name: str, task: str) -> None:
    """Refuse another task. Raises ``ValueError``."""
    if task not in TASKS:
        raise ValueError(f"{name}: task is {task!r}; expected one of {', '.join(TASKS)}.")


def centred(points: Points) -> Points:
    """The points with the mean of each cloud at the origin."""
    return points.at(points.positions - pooled(points.positions, points, "mean")[points.batch])


def chosen(points: Points, index: Tensor) -> Points:
    """Some of the points ``[M]``, in as many clouds."""
    return Points(points.positions[index], points.batch[index], num_graphs=points.num_graphs)


def largest(x: Tensor, points: Points) -> Tensor:
    """The largest of ``x [N, C]`` in each cloud, ``[num_graphs, C]``; 0 for an empty one."""
    batch = points.batch[:, None].expand_as(x)
    return x.new_zeros(points.num_graphs, x.shape[1]).scatter_reduce(0, batch, x, "amax", include_self=False)
