"""A steerable network of point clouds, for any group of the plane or of space."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

import steerable.nn as snn
from steerable.domains.points import Neighbourhood, Points
from steerable.fields.type import FieldType
from steerable.groups import Group
from steerable.models.hidden import activated, hidden_fields, invariants
from steerable.models.volume import read


class PointBlock(nn.Module):
    """Neighbours by a point convolution, the point itself by a linear map, their sum activated."""

    def __init__(self, current: FieldType, wide: FieldType, **options: float | int | str) -> None:
        super().__init__()
        before, self.act = activated(wide)
        self.conv = snn.PointConv(current, before, **options)  # type: ignore[arg-type]
        self.own = snn.Linear(current, before, bias=False)
        self.norm = snn.BatchNorm(before)
        self.skip = current == wide

    def forward(self, x: Tensor, g: Neighbourhood) -> Tensor:
        """``[N, current.size]`` to ``[N, wide.size]``."""
        y = self.act(self.norm(self.conv(x, g) + self.own(x)))
        return x + y if self.skip else y


class PointCNN(nn.Module):
    """Point convolutions on one neighbourhood, invariants, a sum or mean over each cloud, a dense head.

    Exact for every element of the group, for translations and permutations.

    Args:
        in_channels: plain channels of a point.
        num_classes: number of logits, or of values.
        group: SO3, O3, O, C4, ...: any group that acts on the space, by name or value.
        cutoff: radius of the neighbourhoods, in the units of the positions.
        widths: fields of each layer, see :func:`steerable.models.hidden.hidden_fields`.
        kernel_size: odd; (k + 1) / 2 shells.
        degree: largest degree of the irreps of continuous groups.
        hidden: width of the dense layer on the invariants.
        reduce: ``mean`` or ``sum`` over the points of a cloud: energies add up.
        neighbours: how many a point has, about.
        dimension: of the space; by default the one the group is given on.

    Source: Thomas et al., arXiv 1802.08219; Weiler et al., arXiv 1807.02547.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        group: str | Group = "SO3",
        cutoff: float = 1.0,
        widths: Sequence[int] = (16, 16, 16),
        kernel_size: int = 7,
        degree: int = 2,
        hidden: int = 64,
        reduce: str = "mean",
        neighbours: float = 16.0,
        dimension: int | None = None,
    ) -> None:
        super().__init__()
        if reduce not in ("mean", "sum"):
            raise ValueError(f"PointCNN: reduce is {reduce!r}; expected 'mean' or 'sum'")
        group = read(group)
        self.cutoff, self.reduce = cutoff, reduce
        current: FieldType = in_channels * group.trivial
        self.blocks = nn.ModuleList()
        for width in widths:
            wide = hidden_fields(group, width, degree)
            self.blocks.append(
                PointBlock(
                    current, wide, cutoff=cutoff, kernel_size=kernel_size, neighbours=neighbours,
                    dimension=dimension or group.dimension or 3,
                )
            )  # fmt: skip
            current = wide
        self.invariants = invariants(current)
        width = self.invariants.out_type.size
        self.point_head = nn.Sequential(nn.Linear(width, hidden), nn.SiLU())
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, num_classes))

    def forward(self, x: Tensor, positions: Tensor, batch: Tensor | None = None) -> Tensor:
        """Features ``[N, in_channels]`` at positions ``[N, n]`` of clouds ``batch [N]`` to ``[clouds, classes]``."""
        points = Points(positions, batch)
        g = points.neighbours(self.cutoff)
        for layer in self.blocks:
            x = layer(x, g)
        return self.head(pooled(self.point_head(self.invariants(x)), points, self.reduce))


def pooled(x: Tensor, points: Points, reduce: str) -> Tensor:
    """Sum or mean of ``x [N, C]`` over the points of each cloud, ``[num_graphs, C]``; 0 for an empty one."""
    total = x.new_zeros(points.num_graphs, x.shape[1]).index_add(0, points.batch, x)
    return total if reduce == "sum" else total / points.counts().clamp_min(1)[:, None].to(total)


class PlainPointCNN(nn.Module):
    """The twin without symmetry: the same layers for the trivial group, as many parameters (or channels).

    Kernels are then arbitrary functions of the offset, in the same shells and harmonics.

    Args:
        match: ``"params"`` or ``"compute"``; all others as in :class:`PointCNN`.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        group: str | Group = "SO3",
        cutoff: float = 1.0,
        widths: Sequence[int] = (16, 16, 16),
        kernel_size: int = 7,
        degree: int = 2,
        hidden: int = 64,
        reduce: str = "mean",
        neighbours: float = 16.0,
        dimension: int | None = None,
        match: str = "params",
    ) -> None:
        super().__init__()
        from steerable.models.plain_volume import matched

        group = read(group)
        n = dimension or group.dimension or 3
        options = (kernel_size, degree, hidden, reduce, neighbours, n)
        twin = PointCNN(in_channels, num_classes, group, cutoff, widths, *options)

        def build(channels: list[int]) -> PointCNN:
            return PointCNN(in_channels, num_classes, "C1", cutoff, channels, *options)

        channels = [hidden_fields(group, w, degree).size for w in widths]
        self.net = build(matched(twin, channels, match, build))

    def forward(self, x: Tensor, positions: Tensor, batch: Tensor | None = None) -> Tensor:
        """As :meth:`PointCNN.forward`."""
        return self.net(x, positions, batch)
