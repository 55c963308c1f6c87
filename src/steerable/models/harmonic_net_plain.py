"""The plain twin of the harmonic network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from steerable.models.harmonic_net import FIELDS, HarmonicNet
from steerable.models.plain_cnn import count_parameters, match_width


class HarmonicNetPlain(nn.Module):
    """The layout of :class:`HarmonicNet` in ordinary convolutions, with as many parameters.

    Args:
        in_channels, num_classes, fields, orders, kernel_size, pool_after, pool_input, share, head: those of the
            harmonic network that this one is to match.
        dropout: probability of dropping a channel before the last convolution.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        fields: Sequence[int] = FIELDS,
        orders: Sequence[int] = (0, 1),
        kernel_size: int = 5,
        pool_after: Sequence[int] = (2, 4),
        pool_input: int = 1,
        share: bool = True,
        head: str | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        options = {"fields": fields, "orders": orders, "kernel_size": kernel_size, "share": share, "head": head}
        target = count_parameters(HarmonicNet(in_channels, num_classes, **options))

        def build(factor: float) -> nn.Module:
            widths = [max(1, round(f * factor)) for f in fields]
            layers: list[nn.Module] = [nn.AvgPool2d(pool_input)] if pool_input > 1 else []
            current = in_channels
            for i, width in enumerate([*widths, widths[-1]], 1):
                drop = [nn.Dropout2d(dropout)] if dropout and i == len(widths) + 1 else []
                layer = nn.Conv2d(current, width, kernel_size, padding=kernel_size // 2, bias=False)
                layers += [*drop, layer, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                if i in pool_after:
                    layers.append(nn.AvgPool2d(2))
                current = width
            return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(current, num_classes))

        self.net = build(match_width(build, target))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to logits ``[B, num_classes]``."""
        return self.net(x)
