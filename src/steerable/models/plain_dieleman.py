"""Plain twins of the galaxy networks: the same four convolutions on the whole image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from steerable import nn as snn
from steerable.models.dieleman import CHANNELS, DENSE, Dieleman, DielemanInvariant, initialise, scaled
from steerable.models.plain_cnn import count_parameters, match_width

_MATCHES: dict[str, type[nn.Module]] = {"dieleman": Dieleman, "dieleman_d4": DielemanInvariant}


class DielemanPlain(nn.Module):
    """The convolutions and dense layers of :class:`Dieleman` on the image as a whole, without views and parts.

    Args:
        in_channels, num_classes, width, views, part, dropout, init: those of the network that this one is to match.
        match: ``"dieleman"`` or ``"dieleman_d4"``: all channels are scaled so that the parameters agree.

    Raises:
        ValueError: another match.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 37,
        width: float = 1.0,
        views: Sequence[str | float] = ("0", "45"),
        part: int = 45,
        dropout: float = 0.5,
        init: str = "he",
        match: str = "dieleman",
    ) -> None:
        super().__init__()
        if match not in _MATCHES:
            raise ValueError(f"dieleman_plain: got match={match!r}; expected one of {', '.join(_MATCHES)}")
        with torch.random.fork_rng(devices=[]):  # counting must not move the caller's random numbers
            twin = _MATCHES[match](
                in_channels=in_channels, num_classes=num_classes, width=width, views=views, part=part
            )

        def build(factor: float) -> nn.Module:
            with torch.device("meta"):
                return _layers(in_channels, num_classes, factor, dropout)

        self.net = _layers(in_channels, num_classes, match_width(build, count_parameters(twin)), dropout)
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W] -> [B, num_classes]``."""
        return self.net(x)


def _layers(in_channels: int, num_classes: int, width: float, dropout: float) -> nn.Sequential:
    c1, c2, c3, c4 = (scaled(c, width) for c in CHANNELS)
    dense = scaled(DENSE, width)
    return nn.Sequential(
        nn.Conv2d(in_channels, c1, 6), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(c1, c2, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(c2, c3, 3), nn.ReLU(inplace=True),
        nn.Conv2d(c3, c4, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(5), nn.Flatten(),  # 5 x 5 is what 69 pixels leave: there the pool does nothing
        nn.Dropout(dropout), snn.MaxoutDense(25 * c4, dense),
        nn.Dropout(dropout), snn.MaxoutDense(dense, dense),
        nn.Dropout(dropout), nn.Linear(dense, num_classes),
    )  # fmt: skip
