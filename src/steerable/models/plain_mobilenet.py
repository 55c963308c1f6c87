"""Plain MobileNetV2: the twin of the equivariant one, with equal channels."""

from __future__ import annotations

from torch import Tensor, nn

from steerable.groups import Group, parse_group
from steerable.models.mobilenet_table import find_layout, make_plan


class PlainMobileNetV2(nn.Module):
    """MobileNetV2 of ordinary convolutions with the channels of the equivariant network of a group.

    Args:
        in_channels: channels of the image.
        num_classes: number of outputs.
        group: the group whose equivariant network this one is to match; channels are multiples of its order.
        width: factor on all channels.
        table: ``"standard"`` or ``"small"``.
        dropout: probability before the dense layer.

    Raises:
        ValueError: for an infinite group or an unknown ``table``.

    Source: Sandler et al., arXiv 1801.04381, table 2.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        group: str | Group = "C8",
        width: float = 1.0,
        table: str = "standard",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        group = group if isinstance(group, Group) else parse_group(group)
        if group.order is None:
            raise ValueError(f"mobilenet_v2_plain: got group {group.name}; expected a finite group such as C8 or D8")
        layout, order = find_layout(table), group.order
        stem, plan, last = make_plan(layout, width, order)
        self.features = nn.Sequential(
            *conv_norm_act(in_channels, stem * order, 3, layout.stem_stride),
            *(
                PlainInvertedResidual(b.inputs * order, b.hidden * order, b.outputs * order, stride=b.stride)
                for b in plan
            ),
            *conv_norm_act(plan[-1].outputs * order, last * order, 1),
        )
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(last * order, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to ``[B, num_classes]``."""
        return self.head(self.pool(self.features(x)))


class PlainInvertedResidual(nn.Module):
    """``x + project(relu6(depthwise(relu6(expand(x)))))``; the sum only where stride and channels allow it."""

    def __init__(self, inputs: int, hidden: int, outputs: int, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__()
        layers = conv_norm_act(inputs, hidden, 1) if hidden != inputs else []
        layers += conv_norm_act(hidden, hidden, kernel_size, stride, groups=hidden)
        self.body = nn.Sequential(*layers, nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """``[B, inputs, H, W]`` to ``[B, outputs, H', W']``."""
        return x + self.body(x) if self.skips else self.body(x)


def conv_norm_act(inputs: int, outputs: int, kernel_size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution without bias, batch norm, ReLU6 in place."""
    conv = nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True)]
