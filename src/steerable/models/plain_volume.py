"""Plain twins of the networks of volumes, matched in parameters or in channels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from steerable.groups import Group
from steerable.models.grid_unet import PlainGridUNet, matched, plain_block, plain_shrink, read
from steerable.models.hidden import hidden_fields
from steerable.models.volume import VolumeCNN, VolumeUNet


class PlainVolumeCNN(nn.Module):
    """The layers of :class:`VolumeCNN` without symmetry; arguments as there.

    Args:
        match: ``"params"``: as many parameters; ``"compute"``: as many channels.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        group: str | Group = "SO3",
        widths: Sequence[int] = (4, 8, 8),
        kernel_size: int = 5,
        pool_after: Sequence[int] = (1, 2),
        degree: int = 2,
        hidden: int = 32,
        match: str = "params",
    ) -> None:
        super().__init__()
        twin = VolumeCNN(in_channels, num_classes, group, widths, kernel_size, pool_after, degree, hidden)

        def build(channels: list[int]) -> nn.Sequential:
            layers: list[nn.Module] = []
            current = in_channels
            for i, width in enumerate(channels, 1):
                layers.append(plain_block(current, width, kernel_size))
                if i in pool_after:
                    layers.append(plain_shrink())
                current = width
            head = [nn.Linear(current, hidden), nn.BatchNorm1d(hidden), nn.ELU(), nn.Linear(hidden, num_classes)]
            return nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), *head)

        channels = [hidden_fields(read(group), w, degree).size for w in widths]
        self.net = build(matched(twin, channels, match, build))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, D, H, W]`` to logits ``[B, num_classes]``."""
        return self.net(x)


class PlainVolumeUNet(PlainGridUNet):
    """The layers of :class:`VolumeUNet` without symmetry; arguments as there.

    Args:
        match: ``"params"``: as many parameters; ``"compute"``: as many channels.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        group: str | Group = "SO3",
        widths: Sequence[int] = (4, 8),
        kernel_size: int = 5,
        degree: int = 2,
        match: str = "params",
    ) -> None:
        twin = VolumeUNet(in_channels, num_classes, group, widths, kernel_size, degree)
        channels = [hidden_fields(read(group), w, degree).size for w in widths]
        super().__init__(3, twin, in_channels, num_classes, channels, kernel_size, match)
