"""Plain twins of the networks on the sphere: images in longitude and latitude, wrapped at the date line."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from steerable.domains.sphere import Sphere, parse_sphere
from steerable.groups import Group
from steerable.models.grid_unet import matched, read
from steerable.models.hidden import hidden_fields
from steerable.models.sphere import SphereCNN, SphereUNet
from steerable.models.unet import Interpolate, UNet


class WrappedConv(nn.Module):
    """Conv2d of a map ``[B, C, T, P]``: longitudes go round, the outermost rings are repeated beyond the poles."""

    def __init__(self, current: int, width: int, kernel_size: int, stride: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.pad = kernel_size // 2
        self.conv = nn.Conv2d(current, width, kernel_size, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, current, T, P]`` to ``[B, width, ceil(T / stride), ceil(P / stride)]``."""
        p = self.pad
        x = torch.cat([x[..., -p:], x, x[..., :p]], -1) if p else x
        return self.conv(nn.functional.pad(x, (0, 0, p, p), mode="replicate"))


def _block(current: int, width: int, kernel_size: int) -> nn.Sequential:
    return nn.Sequential(WrappedConv(current, width, kernel_size), nn.BatchNorm2d(width), nn.SiLU())


def _maps(sphere: str | Sphere) -> Sphere:
    found = parse_sphere(sphere)
    if len(found.shape) != 2:
        raise ValueError(
            f"a plain network on {found!r}: expected a map of longitude and latitude such as 'gauss(32)', the only "
            f"samplings on which conv2d means something"
        )
    return found


class PlainSphereCNN(nn.Module):
    """The layers of :class:`SphereCNN` as ordinary convolutions of the map; arguments as there.

    Args:
        match: ``"params"``: as many parameters; ``"compute"``: as many channels.

    Raises:
        ValueError: for a sampling that is no map of longitude and latitude.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        sphere: str | Sphere = "gauss(32)",
        group: str | Group = "SO2",
        widths: Sequence[int] = (8, 16, 16),
        reach: float = 4.0,
        kernel_size: int = 5,
        degree: int = 1,
        hidden: int = 32,
        match: str = "params",
    ) -> None:
        super().__init__()
        self.sphere = _maps(sphere)
        twin = SphereCNN(in_channels, num_classes, self.sphere, group, widths, reach, kernel_size, degree, hidden)

        def build(channels: list[int]) -> nn.Sequential:
            layers: list[nn.Module] = []
            current = in_channels
            for k, width in enumerate(channels):
                layers.append(_block(current, width, kernel_size))
                if k + 1 < len(channels):
                    layers.append(WrappedConv(width, width, 3, 2))
                current = width
            head = [nn.Linear(current, hidden), nn.ELU(), nn.Linear(hidden, num_classes)]
            return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *head)

        channels = [hidden_fields(read(group), w, degree).size for w in widths]
        self.net = build(matched(twin, channels, match, build))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, T, P]`` to logits ``[B, num_classes]``."""
        return self.net(x)


class PlainSphereUNet(nn.Module):
    """The layers of :class:`SphereUNet` as ordinary convolutions of the map; arguments as there.

    Args:
        match: ``"params"``: as many parameters; ``"compute"``: as many channels.

    Raises:
        ValueError: for a sampling that is no map of longitude and latitude.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        sphere: str | Sphere = "gauss(32)",
        group: str | Group = "SO2",
        widths: Sequence[int] = (8, 16, 16),
        reach: float = 4.0,
        kernel_size: int = 5,
        degree: int = 1,
        match: str = "params",
    ) -> None:
        super().__init__()
        self.sphere = _maps(sphere)
        twin = SphereUNet(in_channels, num_classes, self.sphere, group, widths, reach, kernel_size, degree)

        def build(channels: list[int]) -> UNet:
            return UNet(
                [_block(a, b, kernel_size) for a, b in zip([in_channels, *channels[:-1]], channels, strict=True)],
                [WrappedConv(c, c, 3, 2) for c in channels[:-1]],
                [Interpolate("bilinear") for _ in channels[:-1]],
                [_block(a + b, b, kernel_size) for a, b in zip(channels[:0:-1], channels[-2::-1], strict=True)],
                WrappedConv(channels[0], num_classes, kernel_size, bias=True),
            )

        channels = [hidden_fields(read(group), w, degree).size for w in widths]
        self.net = build(matched(twin, channels, match, build))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, T, P]`` to ``[B, num_classes, T, P]``."""
        return self.net(x)
