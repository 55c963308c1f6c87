"""Residual networks of Cohen and Welling on regular fields of the square's symmetries."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

import steerable.nn as snn
from steerable.groups import C, Group, parse_group
from steerable.kernels.pixels import Pixels
from steerable.models.plain_wide_resnet import PlainResidualBlock
from steerable.models.wide_resnet import ResidualBlock
from steerable.models.wide_resnet_plan import BlockPlan

_LATTICE = ("C1", "C2", "C4", "D1", "D2", "D4")


class GroupResNet(nn.Module):
    """Pre-activation ResNet with the full pixel basis: ``6 blocks + 2`` layers in three stages with strides 1, 2, 2.

    The largest orientation is taken before the mean over positions. (The published network feeds all orientations to
    the last dense layer and so gives up the invariance that it carried to there; our shortcuts start from the activated
    input.) Exact on sides that are 1 modulo 4; other sizes warn once.

    Args:
        in_channels: channels of the image.
        num_classes: number of outputs.
        group: a subgroup of D4, or ``None`` for the plain network.
        blocks: blocks in a stage: 4 for ResNet26, 7 for ResNet44.
        fields: regular fields (plain: channels) of each stage.
        fit: ``"resample"`` or ``"pad"`` the image to the next exact side, see :class:`steerable.nn.FitSide2d`.

    Raises:
        ValueError: for a group that is no subgroup of D4, or not three stages.

    Source: Cohen and Welling, ICML 2016, arXiv 1602.07576, section 8.2.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        group: str | Group | None = "D4",
        blocks: int = 4,
        fields: Sequence[int] = (25, 50, 100),
        fit: str | None = None,
    ) -> None:
        super().__init__()
        if len(fields) != 3:
            raise ValueError(f"GroupResNet: expected fields of 3 stages, got {tuple(fields)}")
        plain = group is None
        group = parse_group(group) if isinstance(group, str) else (group or C(1))
        if group.name not in _LATTICE:
            raise ValueError(f"GroupResNet: got group {group.name}; expected one of {', '.join(_LATTICE)}")
        image = in_channels * group.trivial
        self.fit = nn.Identity() if fit is None else snn.FitSide2d(image, 4, mode=fit)
        current = fields[0] * group.regular
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, fields[0], 3, padding=1, bias=False)
            if plain
            else snn.Conv2d(image, current, 3, padding=1, bias=False, filters=Pixels(3))
        ]
        for i, width in enumerate(fields):
            wide = width * group.regular
            for b in range(blocks):
                stride = 2 if i and b == 0 else 1
                if plain:
                    layers.append(PlainResidualBlock(current.size, width, 3, stride, 0.0))
                else:
                    layers.append(ResidualBlock(BlockPlan(i, current, wide, wide, stride), 3, filters=Pixels))
                current = wide
        if plain:
            layers += [nn.BatchNorm2d(current.size), nn.ReLU(inplace=True)]
        else:
            layers += [snn.BatchNorm(current), snn.ReLU(current, inplace=True), snn.GroupPool(current)]
        self.features = nn.Sequential(*layers) if plain else snn.Sequential(*layers)
        self.head = nn.Linear(fields[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to logits ``[B, num_classes]``."""
        return self.head(self.features(self.fit(x)).mean((-2, -1)))
