"""The galaxy network of Dieleman, Willett and Dambre: one small network on 16 parts of an image, and dense layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from steerable import nn as snn
from steerable.fields.type import FieldType
from steerable.groups import Group, parse_group

__all__ = ["Dieleman", "DielemanInvariant", "PartFeatures", "PartNetwork"]

CHANNELS = (32, 64, 128, 128)
DENSE = 2048
_KERNELS, _POOLED = (6, 5, 3, 3), (True, True, False, True)
_INITS = ("he", "published")


class UntiedConv2d(nn.Conv2d):
    """An unpadded convolution with its own bias at every position, ``[out_channels, h, w]``.

    Args:
        in_channels, out_channels, kernel_size: of the convolution.
        side: of the input; the biases fix it.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, side: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, bias=False)
        n = side - kernel_size + 1
        self.untied = nn.Parameter(torch.full((out_channels, n, n), 0.1))

    def forward(self, input: Tensor) -> Tensor:
        """``[B, in_channels, side, side]`` to ``[B, out_channels, side - k + 1, side - k + 1]``."""
        return super().forward(input) + self.untied


class PartNetwork(nn.Sequential):
    """Four convolutions, three poolings: ``[B, in_channels, part, part] -> [B, features]``.

    Args:
        in_channels: of the image.
        part: side of a part; 45 goes 40, 20, 16, 8, 6, 4, 2.
        width: factor on the channels 32, 64, 128, 128.

    Attributes:
        features: numbers out.

    Raises:
        ValueError: a part of which nothing is left, or no positive width.
    """

    def __init__(self, in_channels: int, part: int, width: float) -> None:
        if not width > 0:
            raise ValueError(f"dieleman: got width={width}; expected a positive factor on {CHANNELS}")
        layers: list[nn.Module] = []
        side, current = part, in_channels
        for base, kernel, pooled in zip(CHANNELS, _KERNELS, _POOLED, strict=True):
            channels = scaled(base, width)
            if side < kernel + pooled:
                raise ValueError(f"dieleman: got part={part}; expected at least 37, of which one position is left")
            layers += [UntiedConv2d(current, channels, kernel, side), nn.ReLU(inplace=True)]
            side, current = side - kernel + 1, channels
            if pooled:
                layers.append(nn.MaxPool2d(2))
                side //= 2
        super().__init__(*layers, nn.Flatten())
        self.features = current * side * side


class PartFeatures(nn.Module):
    """What one shared network says of each part: ``[B, in_channels, S, S] -> [B, type.size]``.

    Args:
        in_channels, width: of :class:`PartNetwork`.
        views, mirror, part: of :class:`steerable.nn.ViewpointExtractor`.

    Attributes:
        type: of the result: for each view and each number of the network one regular field of D(4), or of C(4), since
            turning or mirroring the image permutes the parts.
    """

    def __init__(self, in_channels: int, width: float, views: Sequence[str | float], mirror: bool, part: int) -> None:
        super().__init__()
        self.views = snn.ViewpointExtractor(views, mirror, part)
        self.net = PartNetwork(in_channels, part, width)
        self.type: FieldType = self.net.features * self.views.type

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, S, S] -> [B, views * features * order]``, the parts of a view last."""
        found = self.net(self.views(x).flatten(0, 1))
        # the number of images is left open, so that an exported program takes any: [B, views, order, features]
        found = found.unflatten(0, (-1, len(self.views.views), self.views.count // len(self.views.views)))
        return found.transpose(2, 3).flatten(1)


class Dieleman(nn.Module):
    """The published network: what the shared network says of the parts is concatenated, two maxout layers answer.

    The order of the parts is kept, so this is **not** invariant: a turned image permutes the inputs of a dense layer
    that treats each input differently. It learns invariance from augmented data; :class:`DielemanInvariant` has it.

    Args:
        in_channels: channels of the image.
        num_classes: raw scores; 37 for Galaxy Zoo, which `steerable.tasks.galaxies.GalaxyZooTree` turns into labels.
        width: factor on all channels; 1 is published, with 42 million parameters.
        views, mirror, part: of :class:`steerable.nn.ViewpointExtractor`.
        dropout: before each dense layer.
        init: ``"he"``, or ``"published"`` (normal of 0.01, 0.1 and 0.001, made for 2,500 long epochs).

    Source: MNRAS 450, 1441 (2015), arXiv 1503.07077, section 6 and table 1.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 37,
        width: float = 1.0,
        views: Sequence[str | float] = ("0", "45"),
        mirror: bool = True,
        part: int = 45,
        dropout: float = 0.5,
        init: str = "he",
    ) -> None:
        super().__init__()
        self.features = PartFeatures(in_channels, width, views, mirror, part)
        dense = scaled(DENSE, width)
        self.dense = nn.Sequential(
            nn.Dropout(dropout), snn.MaxoutDense(self.features.type.size, dense),
            nn.Dropout(dropout), snn.MaxoutDense(dense, dense),
            nn.Dropout(dropout), nn.Linear(dense, num_classes),
        )  # fmt: skip
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, S, S] -> [B, num_classes]``."""
        return self.dense(self.features(x))


class DielemanInvariant(nn.Module):
    """The same parts as regular fields of D(4): equivariant dense layers, then a pool over the group.

    What the shared network says of the parts is ``views x features`` regular fields. Linear maps between regular
    fields and maxout keep that, and the pool over the group ends it: the scores are **exactly** invariant under the 8
    symmetries of the square, with an eighth of the weights in each dense layer.

    Args:
        group: D4, or C4 without mirror images.
        in_channels, num_classes, width, views, part, dropout, init: as for :class:`Dieleman`. The dense layers have as
            many channels as the published ones: 256 regular fields of D(4) for width 1.

    Raises:
        ValueError: another group.
    """

    def __init__(
        self,
        group: Group | str = "D4",
        in_channels: int = 3,
        num_classes: int = 37,
        width: float = 1.0,
        views: Sequence[str | float] = ("0", "45"),
        part: int = 45,
        dropout: float = 0.5,
        init: str = "he",
    ) -> None:
        super().__init__()
        group = parse_group(group) if isinstance(group, str) else group
        if group.name not in ("C4", "D4"):
            raise ValueError(
                f"dieleman_d4: got group {group.name}; expected D4 or C4, whose elements move corners onto corners"
            )
        seen = PartFeatures(in_channels, width, views, group.name == "D4", part)
        parts = seen.type
        self.features = snn.Plain(seen, in_channels * group.trivial, parts)
        fields = scaled(DENSE, width / (group.order or 1)) * group.regular
        self.dense = snn.Sequential(
            snn.FieldDropout(parts, dropout), snn.Linear(parts, 2 * fields), snn.Maxout(fields),
            snn.FieldDropout(fields, dropout), snn.Linear(fields, 2 * fields), snn.Maxout(fields),
            snn.GroupPool(fields), nn.Dropout(dropout), nn.Linear(fields.num_fields, num_classes),
        )  # fmt: skip
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, S, S] -> [B, num_classes]``."""
        return self.dense(self.features(x))


def scaled(channels: int, width: float) -> int:
    """Return a number of channels times a factor, at least 1."""
    return max(1, round(channels * width))


def initialise(model: nn.Module, init: str) -> None:
    """Draw the weights.

    The last layer begins with small weights and positive biases, so that a divisive normalisation begins at equal
    shares and no answer is dead.

    Raises:
        ValueError: an unknown name.
    """
    if init not in _INITS:
        raise ValueError(f"dieleman: got init={init!r}; expected one of {', '.join(_INITS)}")
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    dense = [m for m in model.modules() if isinstance(m, nn.Linear)]
    for k, conv in enumerate(convs):
        if init == "he":
            nn.init.kaiming_normal_(conv.weight)
        else:
            nn.init.normal_(conv.weight, 0.0, 0.1 if k == len(convs) - 1 else 0.01)
    for layer in dense[:-1]:
        nn.init.normal_(layer.weight, 0.0, layer.in_features**-0.5 if init == "he" else 0.001)
        nn.init.constant_(layer.bias, 0.01)
    nn.init.normal_(dense[-1].weight, 0.0, 0.01)
    nn.init.constant_(dense[-1].bias, 0.1)
