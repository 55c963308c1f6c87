"""Plain twins of the networks of volumes, matched in parameters or in channels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from steerable.groups import Group
from steerable.models.hidden import hidden_fields
from steerable.models.plain_cnn import count_parameters, match_width
from steerable.models.unet import Interpolate, UNet
from steerable.models.volume import VolumeCNN, VolumeUNet, read


def _block(current: int, width: int, kernel_size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(current, width, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm3d(width),
        nn.ReLU(inplace=True),
    )


def _shrink() -> nn.Module:
    return nn.AvgPool3d(3, stride=2, padding=1, count_include_pad=False)


def matched(twin: nn.Module, channels: list[int], match: str, build: object) -> list[int]:
    """Widths of a plain network: equal channels (``compute``), or scaled until the parameters agree (``params``).

    Raises:
        ValueError: for another ``match``.
    """
    if match not in ("params", "compute"):
        raise ValueError(f"{type(twin).__name__}: unknown match {match!r}; expected 'params' or 'compute'")
    if match == "compute":
        return channels
    scaled = lambda factor: [max(1, round(c * factor)) for c in channels]  # noqa: E731
    return scaled(match_width(lambda factor: build(scaled(factor)), count_parameters(twin)))  # type: ignore[operator]


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
                layers.append(_block(current, width, kernel_size))
                if i in pool_after:
                    layers.append(_shrink())
                current = width
            head = [nn.Linear(current, hidden), nn.BatchNorm1d(hidden), nn.ELU(), nn.Linear(hidden, num_classes)]
            return nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), *head)

        channels = [hidden_fields(read(group), w, degree).size for w in widths]
        self.net = build(matched(twin, channels, match, build))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, D, H, W]`` to logits ``[B, num_classes]``."""
        return self.net(x)


class PlainVolumeUNet(nn.Module):
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
        super().__init__()
        twin = VolumeUNet(in_channels, num_classes, group, widths, kernel_size, degree)

        def build(channels: list[int]) -> UNet:
            return UNet(
                [_block(a, b, kernel_size) for a, b in zip([in_channels, *channels[:-1]], channels, strict=True)],
                [_shrink() for _ in channels[:-1]],
                [Interpolate() for _ in channels[:-1]],
                [_block(a + b, b, kernel_size) for a, b in zip(channels[:0:-1], channels[-2::-1], strict=True)],
                nn.Conv3d(channels[0], num_classes, 1),
            )

        channels = [hidden_fields(read(group), w, degree).size for w in widths]
        self.net = build(matched(twin, channels, match, build))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, D, H, W]`` to logits ``[B, num_classes, D, H, W]``."""
        return self.net(x)
