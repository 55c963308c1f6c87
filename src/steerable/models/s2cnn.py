"""Spherical CNNs by harmonics: correlations on SO(3), for classes and for fields."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

import steerable.nn as snn
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.groups import SO2
from steerable.nn.sphere.spectral_conv import NEAR_IDENTITY


def lifted(
    in_channels: int,
    sphere: Sphere,
    channels: Sequence[int],
    bands: Sequence[int],
    support: snn.RingSupport | None,
    function: str,
    oversample: float,
    norm: bool,
) -> list[nn.Module]:
    """Analysis, one correlation from the sphere to SO(3), and further ones there, each with norm and activation.

    Raises:
        ValueError: unless there is one more band than channels.
    """  # fmt: skip
    if len(bands) != len(channels) + 1:
        raise ValueError(
            f"a spherical CNN: {len(channels)} layers with bands {list(bands)}; expected the band of the input and one "
            f"for each layer, {len(channels) + 1} in all"
        )
    layers: list[nn.Module] = [snn.SHT(sphere, in_channels * SO2().trivial, bands[0])]
    current = in_channels
    for k, (width, here, there) in enumerate(zip(channels, bands, bands[1:], strict=False)):
        kind = snn.S2Conv if k == 0 else snn.SO3Conv
        layers.append(kind(current, width, here, there, support))
        layers += [snn.SpectralBatchNorm(width, there)] if norm else []
        layers.append(snn.SpectralAct(width, there, function, oversample, bias=not norm))
        current = width
    return layers


class S2CNN(nn.Module):
    """Correlations on the sphere and on SO(3), the mean over all rotations, a dense head.

    Linear layers are exactly equivariant; activations up to their aliasing.

    Args:
        in_channels: scalars.
        num_classes: number of logits.
        sphere: a sampling by rings, or its name.
        channels: functions on SO(3) after each correlation.
        bands: of the input and of each layer.
        support: where kernels live; ``None``: everywhere.
        function: of the activations.
        oversample: of their grids.
        hidden: width of the dense layer on the invariants.
        norm: batch norm before each activation. The publication has none: then signals shrink from layer to layer, and
            activations of small numbers are linear.

    Source: Cohen, Geiger, Koehler and Welling, "Spherical CNNs", ICLR 2018, arXiv 1801.10130.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        sphere: str | Sphere = "gauss(16)",
        channels: Sequence[int] = (8, 12),
        bands: Sequence[int] = (16, 10, 6),
        support: snn.RingSupport | None = NEAR_IDENTITY,
        function: str = "gelu",
        oversample: float = 2.0,
        hidden: int = 32,
        norm: bool = True,
    ) -> None:
        super().__init__()
        self.sphere = parse_sphere(sphere)
        layers = lifted(in_channels, self.sphere, channels, bands, support, function, oversample, norm)
        self.features = nn.Sequential(*layers, snn.SO3Mean(channels[-1], bands[-1]))
        self.head = nn.Sequential(nn.Linear(channels[-1], hidden), nn.ELU(), nn.Linear(hidden, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, *sphere.shape]`` to logits ``[B, num_classes]``."""
        return self.head(self.features(x))


class S2CNNDense(nn.Module):
    """The same down to a small band and up again, then back to the sphere: one logit for each class at every sample.

    Args:
        channels: functions on SO(3) after each correlation.
        bands: of the input and of each layer, such as ``(16, 10, 6, 10)``.
        All others as in :class:`S2CNN`; ``num_classes`` of a sample.

    Source: Gerken, Carlsson, Linander, Ohlsson, Petersson and Persson, "Equivariance versus Augmentation for Spherical
    Images", ICML 2022, arXiv 2202.03990.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        sphere: str | Sphere = "gauss(16)",
        channels: Sequence[int] = (8, 12, 8),
        bands: Sequence[int] = (16, 10, 6, 10),
        support: snn.RingSupport | None = NEAR_IDENTITY,
        function: str = "gelu",
        oversample: float = 2.0,
        norm: bool = True,
    ) -> None:
        super().__init__()
        self.sphere = parse_sphere(sphere)
        layers = lifted(in_channels, self.sphere, channels, bands, support, function, oversample, norm)
        last = snn.SO3ToS2(channels[-1], num_classes, bands[-1], bands[0], support)
        self.net = nn.Sequential(*layers, last, snn.InverseSHT(self.sphere, num_classes * SO2().trivial, bands[0]))
        self.bias = nn.Linear(1, num_classes).bias

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, *sphere.shape]`` to ``[B, num_classes, *sphere.shape]``."""
        y = self.net(x)
        return y + self.bias.view(-1, *(1,) * (y.dim() - 2))
