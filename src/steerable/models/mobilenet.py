"""MobileNetV2 on regular fields, for training with symmetry and inference on small machines."""

from __future__ import annotations

from torch import Tensor, nn

import steerable.nn as snn
from steerable.groups import Group, parse_group
from steerable.models.inverted_residual import InvertedResidual, lattice_filters
from steerable.models.mobilenet_table import find_layout, make_plan


class MobileNetV2(nn.Module):
    """MobileNetV2 whose channels are regular fields; invariant under its group, exactly so on the lattice.

    Stem 3x3, inverted residuals, 1x1 to the last fields, maximum over the group, mean over the image, one dense layer.
    The rows of the published table are read in channels, so the network has the channels of the plain one wherever the
    order of the group divides them (C8, D4, C4; D8 rounds 24 to 32).

    Exact on sides at which every stride of 2 meets an odd side: 97 > 49 > 25 > 13 > 7 > 4 for the standard table, 33 >
    17 > 9 > 5 for the small one. Other sides warn once.

    Args:
        in_channels: plain channels of the image.
        num_classes: number of outputs.
        group: a finite group of the plane, by name or value.
        width: factor on all channels.
        depthwise: ``"orientation"``: every orientation is filtered alone, at the cost of the plain network;
            ``"field"``: orientations of a field mix, at ``|G|`` times the cost of that step.
        table: ``"standard"``, or ``"small"`` for images of 32 to 64 pixels.
        dropout: probability before the dense layer.

    Raises:
        ValueError: for a group that is not finite or not of the plane, an unknown ``depthwise`` or ``table``.

    Source: Sandler et al., arXiv 1801.04381, table 2; on regular fields after Mohamed, Cesa, Cohen and Welling, arXiv
    2004.09691.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        group: str | Group = "C8",
        width: float = 1.0,
        depthwise: str = "orientation",
        table: str = "standard",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        group = group if isinstance(group, Group) else parse_group(group)
        if not (group.is_finite and group.is_planar):
            raise ValueError(
                f"mobilenet_v2: got group {group.name}; expected a finite group of the plane such as C8 or D8"
            )
        layout = find_layout(table)
        stem, plan, last = make_plan(layout, width, group.order or 1)
        image, regular = in_channels * group.trivial, group.regular
        filters = lattice_filters(group, 3)
        first = stem * regular
        wide = last * regular
        self.features = snn.Sequential(
            snn.Conv2d(image, first, 3, layout.stem_stride, 1, bias=False, filters=filters),
            snn.BatchNorm(first),
            snn.ReLU6(first, inplace=True),
            *(
                InvertedResidual(
                    b.inputs * regular, b.hidden * regular, b.outputs * regular, stride=b.stride, depthwise=depthwise
                )
                for b in plan
            ),
            snn.Conv2d(plan[-1].outputs * regular, wide, 1, bias=False),
            snn.BatchNorm(wide),
            snn.ReLU6(wide, inplace=True),
        )
        self.pool = snn.Sequential(snn.GroupPool(wide), snn.GlobalAvgPool2d())
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to ``[B, num_classes]``."""
        return self.head(self.pool(self.features(x)))
