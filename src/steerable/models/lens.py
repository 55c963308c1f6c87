"""Small networks for residuals of gravitational lenses, and for any image whose label does not turn with it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from steerable import nn as snn
from steerable.fields.type import FieldType
from steerable.groups import Group, parse_group
from steerable.kernels.filters import Filters
from steerable.kernels.pixels import Pixels
from steerable.models.plain_cnn import count_parameters, match_width

__all__ = ["LensCNN", "LensCNNPlain"]

_STEMS = ("pooled", "strided")


def _check_stem(model: str, stem: str) -> None:
    if stem not in _STEMS:
        raise ValueError(f"{model}: got stem={stem!r}; expected one of {', '.join(_STEMS)}")


def _head_input(maps: Tensor) -> Tensor:
    """Mean and maximum over space, side by side: [B, m, h, w] -> [B, 2 m]."""
    return torch.cat((maps.mean((-2, -1)), maps.amax((-2, -1))), 1)


class LensCNN(nn.Module):
    """Invariant classifier on regular fields: a stem, three 3x3 stages, group pooling, mean and maximum over space.

    Exactly invariant under the lattice symmetries of its group on sides divisible by 16 (stem `pooled`: average
    pooling by 2, a 5x5 convolution, average pooling by 2) or where (side - 7) / 3 + 1 is divisible by 4 (stem
    `strided`: one 7x7 convolution of stride 3); 64 serves both.

    Args:
        group: a finite planar group or its name; subgroups of D(4) get the full pixel basis, others band-limited
            Gaussian rings.
        in_channels: channels of the image, invariant under the group.
        num_classes: logits.
        widths: regular fields after the stem and after each of the three stages.
        stem: `pooled` or `strided`; the pooled one learns better, the strided one is faster.

    Source: the group-convolutional layout of T. Cohen and M. Welling (arXiv 1602.07576).
    """

    def __init__(
        self,
        group: Group | str = "D4",
        in_channels: int = 1,
        num_classes: int = 3,
        widths: Sequence[int] = (8, 12, 16, 16),
        stem: str = "pooled",
    ) -> None:
        super().__init__()
        _check_stem("lens_cnn", stem)
        group = parse_group(group) if isinstance(group, str) else group
        if not (group.is_finite and group.is_planar):
            raise ValueError(
                f"lens_cnn: got group {group.name}; expected a finite group of the plane such as D(4) or C(8)"
            )
        if len(widths) != 4:
            raise ValueError(f"lens_cnn: got widths {tuple(widths)}; expected four numbers of fields")
        image = in_channels * group.trivial
        types = [width * group.regular for width in widths]

        def filters(kernel_size: int) -> Filters | None:
            return Pixels(kernel_size) if group.name in _LATTICE_GROUPS else None

        def conv(start: FieldType, end: FieldType, kernel_size: int, stride: int, padding: int) -> list[nn.Module]:
            layer = snn.Conv2d(start, end, kernel_size, stride, padding, bias=False, filters=filters(kernel_size))
            return [layer, snn.BatchNorm(end), snn.ReLU(end)]

        if stem == "pooled":
            layers = [snn.AvgPool2d(image, 2), *conv(image, types[0], 5, 1, 2), snn.AvgPool2d(types[0], 2)]
        else:
            layers = conv(image, types[0], 7, 3, 0)
        self.stem = snn.Sequential(*layers)
        self.stages = nn.ModuleList()
        for i in range(3):
            stage = conv(types[i], types[i + 1], 3, 1, 1)
            self.stages.append(snn.Sequential(*stage, *([snn.AvgPool2d(types[i + 1], 2)] if i < 2 else [])))
        self.pool = snn.GroupPool(types[-1])
        self.fields = group.order
        self.head = nn.Linear(2 * widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] -> [B, num_classes]."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(_head_input(self.pool(x)))

    def maps(self, x: Tensor) -> Tensor:
        """Scalar maps [B, widths[0], h, w] after the stem, the largest over orientations: they turn with the image."""
        return self.stem(x).unflatten(1, (-1, self.fields)).amax(2)


class LensCNNPlain(nn.Module):
    """The plain twin of `LensCNN`: the same layout of ordinary convolutions.

    Args:
        in_channels: channels of the image.
        num_classes: logits.
        widths: channels after the stem and after each stage; by default (22, 34, 44, 45), the parameters of `LensCNN`
            on D(4). With a group: the `widths` of the `LensCNN` that this one is to match.
        stem: `pooled` or `strided`.
        group: of that network, or its name; by default D4 where `match` is ``"compute"``, else none.
        match: ``"params"``: as many parameters, all channels scaled alike; ``"compute"``: as many channels, so the same
            multiplications as the baked steerable network.

    Raises:
        ValueError: for another stem, another match, widths that are not four.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 3,
        widths: Sequence[int] | None = None,
        stem: str = "pooled",
        group: Group | str | None = None,
        match: str = "params",
    ) -> None:
        super().__init__()
        _check_stem("lens_cnn_plain", stem)
        if match not in ("params", "compute"):
            raise ValueError(f"lens_cnn_plain: unknown match {match!r}; expected 'params' or 'compute'")
        if widths is not None and len(widths) != 4:
            raise ValueError(f"lens_cnn_plain: got widths {tuple(widths)}; expected four numbers of channels")
        if group is None and match == "params":
            widths = (22, 34, 44, 45) if widths is None else widths
        else:
            widths = _matched(in_channels, num_classes, widths or (8, 12, 16, 16), stem, group or "D4", match)

        def conv(start: int, end: int, kernel_size: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
            layer = nn.Conv2d(start, end, kernel_size, stride, padding, bias=False)
            return [layer, nn.BatchNorm2d(end), nn.ReLU(inplace=True)]

        if stem == "pooled":
            layers = [nn.AvgPool2d(2), *conv(in_channels, widths[0], 5, 1, 2), nn.AvgPool2d(2)]
        else:
            layers = conv(in_channels, widths[0], 7, 3, 0)
        self.stem = nn.Sequential(*layers)
        self.stages = nn.ModuleList()
        for i in range(3):
            stage = conv(widths[i], widths[i + 1], 3, 1, 1)
            self.stages.append(nn.Sequential(*stage, *([nn.AvgPool2d(2)] if i < 2 else [])))
        self.head = nn.Linear(2 * widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] -> [B, num_classes]."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(_head_input(x))

    def maps(self, x: Tensor) -> Tensor:
        """Channels [B, widths[0], h, w] after the stem."""
        return self.stem(x)


_LATTICE_GROUPS = frozenset({"C1", "C2", "C4", "D1", "D2", "D4"})


def _matched(
    in_channels: int, num_classes: int, fields: Sequence[int], stem: str, group: Group | str, match: str
) -> list[int]:
    """Channels of the plain network beside a `LensCNN` of so many fields."""
    group = parse_group(group) if isinstance(group, str) else group
    twin = LensCNN(group, in_channels, num_classes, fields, stem)  # refuses what it cannot be
    channels = [f * twin.fields for f in fields]
    if match == "compute":
        return channels

    def scaled(factor: float) -> list[int]:
        return [max(1, round(c * factor)) for c in channels]

    def build(factor: float) -> nn.Module:
        return LensCNNPlain(in_channels, num_classes, scaled(factor), stem)

    return scaled(match_width(build, count_parameters(twin)))
