"""PointNet: one network for every point and the largest of what it says. The plain twin of invariant networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from steerable.domains.points import Points
from steerable.groups import Group
from steerable.models.plain_volume import matched
from steerable.models.sprin import SPRIN, centred, check_task, largest


class PointNet(nn.Module):
    """Features and centred coordinates of each point, through one network; the largest of each cloud; a dense head.

    It knows no rotation. Permutations and translations are exact.

    Args:
        in_channels: plain channels of a point.
        num_classes: number of logits.
        task: ``classify`` or ``segment``.
        group: of the SPRIN that this is to match.
        widths: channels of the network of a point, before they are scaled.
        hidden: of the dense layer on top.
        dropout: before the last layer.
        dimension: of the space.
        match: ``"params"``: as many parameters as SPRIN; ``"compute"``: the widths as given.

    Source: Qi et al., "PointNet", CVPR 2017, arXiv 1612.00593, without its transformer networks.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        task: str = "classify",
        group: str | Group = "O3",
        widths: Sequence[int] = (64, 64, 128, 256),
        hidden: int = 64,
        dropout: float = 0.0,
        dimension: int = 3,
        match: str = "params",
    ) -> None:
        super().__init__()
        check_task("PointNet", task)
        start = in_channels + dimension

        def build(channels: list[int]) -> nn.ModuleList:
            body, current = [], start
            for width in channels:
                body += [nn.Linear(current, width), nn.BatchNorm1d(width), nn.ReLU()]
                current = width
            wide = current if task == "classify" else current + channels[0]
            head = [nn.Linear(wide, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout)]
            return nn.ModuleList([nn.Sequential(*body), nn.Sequential(*head, nn.Linear(hidden, num_classes))])

        channels = matched(SPRIN(in_channels, num_classes, task, group), list(widths), match, build)
        self.body, self.head = build(channels)
        self.task = task

    def forward(self, x: Tensor, positions: Tensor, batch: Tensor | None = None) -> Tensor:
        """Features ``[N, in_channels]`` at ``[N, n]`` to ``[clouds, classes]``, or ``[N, classes]`` to segment."""
        points = centred(Points(positions, batch))
        y, own = torch.cat([x, points.positions], 1), None
        for k, layer in enumerate(self.body):  # type: ignore[arg-type]
            y = layer(y)
            own = y if k == 2 else own
        whole = largest(y, points)
        if self.task == "classify" or own is None:
            return self.head(whole)
        return self.head(torch.cat([own, whole[points.batch]], 1))
