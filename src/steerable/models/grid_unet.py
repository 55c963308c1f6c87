"""U-Nets on pixels and on voxels, steerable and plain: one layout, the number of axes is a parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

import steerable.nn as snn
from steerable.fields.type import FieldType
from steerable.groups import Group, parse_group
from steerable.models.hidden import activated, hidden_fields, invariants
from steerable.models.plain_cnn import count_parameters, match_width
from steerable.models.unet import Interpolate, UNet

#: by axes: convolution, blurred halving, interpolation; and the layers of torch for the twin
STEERABLE = {2: (snn.Conv2d, snn.BlurPool2d, "bilinear"), 3: (snn.Conv3d, snn.BlurPool3d, "trilinear")}
PLAIN = {2: (nn.Conv2d, nn.BatchNorm2d, nn.AvgPool2d), 3: (nn.Conv3d, nn.BatchNorm3d, nn.AvgPool3d)}


def read(group: str | Group) -> Group:
    """A group by name or value."""
    return group if isinstance(group, Group) else parse_group(group)


def read_type(fields: FieldType | str | None, channels: int, group: Group) -> FieldType:
    """Fields by name or value; None: so many plain channels.

    Raises:
        ValueError: fields of another group.
    """
    found = channels * group.trivial if fields is None else group.type(fields) if isinstance(fields, str) else fields
    if found.group != group:
        raise ValueError(f"fields {found} of {found.group.name}; expected a type of {group.name}, that of the network")
    return found


def block(current: FieldType, wide: FieldType, kernel_size: int, axes: int = 3) -> snn.Sequential:
    """Convolution, batch norm, activation: ``current`` to ``wide``, on images (2 axes) or volumes (3)."""
    before, act = activated(wide)
    conv = STEERABLE[axes][0]
    return snn.Sequential(
        conv(current, before, kernel_size, padding=kernel_size // 2, bias=False), snn.BatchNorm(before), act
    )


class GridUNet(UNet):
    """A U-Net of pixels or voxels: an answer at each of them, which turns with the image.

    Args:
        axes: 2 or 3.
        in_channels: plain channels of the input.
        num_classes: of a place: plain channels of the output.
        group: of the plane or of space, by name or value.
        widths: fields at full, half, ... resolution, see :func:`steerable.models.hidden.hidden_fields`.
        kernel_size: odd; side of all kernels.
        degree: largest degree of the irreps of continuous groups.
        in_type, out_type: fields of the group in place of plain channels.

    Exact for the symmetries of the grid that the group holds on every side: the blur fits its window to the side, and
    up and down keep the centre.
    """

    def __init__(
        self,
        axes: int,
        in_channels: int,
        num_classes: int,
        group: str | Group,
        widths: Sequence[int],
        kernel_size: int,
        degree: int,
        in_type: FieldType | str | None = None,
        out_type: FieldType | str | None = None,
    ) -> None:
        group = read(group)
        conv, shrink, mode = STEERABLE[axes]
        first, last = read_type(in_type, in_channels, group), read_type(out_type, num_classes, group)
        types = [hidden_fields(group, w, degree) for w in widths]
        if out_type is None:
            pool = invariants(types[0])
            head: nn.Module = snn.Sequential(pool, conv(pool.out_type, last, 1))
        else:  # a vector cannot be made of invariants
            head = conv(types[0], last, kernel_size, padding=kernel_size // 2)
        super().__init__(
            [block(a, b, kernel_size, axes) for a, b in zip([first, *types[:-1]], types, strict=True)],
            [shrink(t) for t in types[:-1]],
            [Interpolate(mode) for _ in types[:-1]],
            [block(low + t, t, kernel_size, axes) for low, t in zip(types[:0:-1], types[-2::-1], strict=True)],
            head,
        )
        self.in_type, self.out_type = first, last


def matched(twin: nn.Module, channels: list[int], match: str, build: Callable[[list[int]], nn.Module]) -> list[int]:
    """Widths of a plain network: equal channels (``compute``), or scaled until the parameters agree (``params``).

    Raises:
        ValueError: for another ``match``.
    """
    if match not in ("params", "compute"):
        raise ValueError(f"{type(twin).__name__}: unknown match {match!r}; expected 'params' or 'compute'")
    if match == "compute":
        return channels
    scaled = lambda factor: [max(1, round(c * factor)) for c in channels]  # noqa: E731
    return scaled(match_width(lambda factor: build(scaled(factor)), count_parameters(twin)))


def plain_block(current: int, width: int, kernel_size: int, axes: int = 3) -> nn.Sequential:
    """Convolution, batch norm, ReLU of plain channels."""
    conv, norm, _ = PLAIN[axes]
    return nn.Sequential(
        conv(current, width, kernel_size, padding=kernel_size // 2, bias=False), norm(width), nn.ReLU(inplace=True)
    )


def plain_shrink(axes: int = 3) -> nn.Module:
    """Half the sides, the centre kept."""
    return PLAIN[axes][2](3, stride=2, padding=1, count_include_pad=False)


class PlainGridUNet(nn.Module):
    """The layers of a :class:`GridUNet` without symmetry.

    Args:
        axes: 2 or 3.
        twin: the steerable network.
        in_channels, num_classes, kernel_size: as there.
        channels: of its hidden fields.
        match: ``"params"``: as many parameters; ``"compute"``: as many channels.
    """

    def __init__(
        self, axes: int, twin: nn.Module, in_channels: int, num_classes: int, channels: list[int], kernel_size: int,
        match: str,
    ) -> None:  # fmt: skip
        super().__init__()

        def build(widths: list[int]) -> UNet:
            down = zip([in_channels, *widths[:-1]], widths, strict=True)
            up = zip(widths[:0:-1], widths[-2::-1], strict=True)
            return UNet(
                [plain_block(a, b, kernel_size, axes) for a, b in down],
                [plain_shrink(axes) for _ in widths[:-1]],
                [Interpolate(STEERABLE[axes][2]) for _ in widths[:-1]],
                [plain_block(a + b, b, kernel_size, axes) for a, b in up],
                PLAIN[axes][0](widths[0], num_classes, 1),
            )

        self.net = build(matched(twin, channels, match, build))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, *sides]`` to logits ``[B, num_classes, *sides]``."""
        return self.net(x)
