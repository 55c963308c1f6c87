"""A small network in log-polar coordinates: turning and scaling are shifts of its maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from steerable import nn as snn
from steerable.domains.warp import Warp

#: output channels of the convolutions, and their kernels; a pooling by two follows the first two
WIDTHS = (16, 32, 48, 48)
KERNELS = (5, 3, 3, 3)


class WarpedFeatures(nn.Module):
    """Four convolutions in canonical coordinates, with two average poolings by 2.

    Args:
        warp: the coordinates.
        in_channels: of the resampled image.
        widths, kernels: of the convolutions, of equal number.
    """

    def __init__(
        self, warp: Warp, in_channels: int, widths: Sequence[int] = WIDTHS, kernels: Sequence[int] = KERNELS
    ) -> None:
        super().__init__()
        if len(widths) != len(kernels):
            raise ValueError(f"WarpedFeatures: got {len(widths)} widths and {len(kernels)} kernels; expected as many")
        layers: list[nn.Module] = []
        for i, (start, end, kernel) in enumerate(zip((in_channels, *widths), widths, kernels, strict=False)):
            layers.append(snn.WarpedConv2d(warp, start, end, kernel, bias=False, padding_mode="replicate"))
            layers += [nn.BatchNorm2d(end), nn.ReLU()]
            if i < 2:
                layers.append(nn.AvgPool2d(2))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, rows, columns]`` to ``[B, widths[-1], rows / 4, columns / 4]``."""
        return self.layers(x)


class RingHead(nn.Module):
    """Mean and maximum over the angle within each of ``rings`` parts of the radius, then a linear map.

    With one ring, shifts along both axes change nothing (but at the ends of the radius).

    Args:
        channels: of the maps ``[B, channels, radius, angle]``.
        rings: parts of the radius that stay apart.
        num_classes: outputs.
    """

    def __init__(self, channels: int, rings: int, num_classes: int) -> None:
        super().__init__()
        self.rings = rings
        self.linear = nn.Linear(2 * channels * rings, num_classes)

    def forward(self, maps: Tensor) -> Tensor:
        """``[B, channels, radius, angle]`` to ``[B, num_classes]``."""
        if maps.shape[-2] % self.rings:
            raise ValueError(f"RingHead: got {maps.shape[-2]} radii; expected a multiple of its {self.rings} rings")
        parts = maps.unflatten(-2, (self.rings, -1))
        return self.linear(torch.cat((parts.mean((-2, -1)), parts.amax((-2, -1))), 1).flatten(1))


class WarpedCNN(nn.Module):
    """The image in log-polar coordinates, four convolutions, and a head for classes or for the pose.

    The classes do not change when the image is turned by a multiple of a quarter turn, and change little for other
    angles; with one ring the same holds for scalings, up to what enters and leaves at the ends of the radius. The pose
    head is equivariant: it points at a place of one map. J. Henriques and A. Vedaldi, arXiv 1609.04382.

    Args:
        in_channels: of the image.
        num_classes: outputs; 1 or 2 with a pose head.
        head: ``classes``, or ``pose``: the logarithm of the scale and the angle in radians (``num_classes=2``), or one
            of them (``num_classes=1``), each with a learned offset.
        axis: what a pose head of one output answers with: 0 the scale, 1 the angle.
        widths: of the four convolutions.
        rings: parts of the radius that the head for classes keeps apart; 1 pools scale away.
        r_min, r_max: range of the radius, in units of half the image.
        image_side: pixels along the images it is meant for; others work too.

    Raises:
        ValueError: for another head, or a pose of more than two numbers.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        head: str = "classes",
        axis: int = 1,
        widths: Sequence[int] = WIDTHS,
        rings: int = 4,
        r_min: float = 0.05,
        r_max: float = 1.0,
        image_side: int = 64,
    ) -> None:
        super().__init__()
        if head not in ("classes", "pose") or (head == "pose" and num_classes not in (1, 2)) or axis not in (0, 1):
            raise ValueError(
                f"warped_cnn: got head={head!r}, num_classes={num_classes}, axis={axis}; expected head 'classes', or "
                "'pose' with one or two outputs, and axis 0 or 1"
            )
        warp = Warp.log_polar(r_min, r_max)
        self.warp = snn.WarpImage(warp, (32, 64), image_side=image_side)
        self.features = WarpedFeatures(warp, in_channels, widths)
        if head == "classes":
            self.head: nn.Module = RingHead(widths[-1], rings, num_classes)
        else:
            self.head = PoseHead(warp, widths[-1], (0, 1) if num_classes == 2 else (axis,))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to ``[B, num_classes]``."""
        return self.head(self.features(self.warp(x)))


class PoseHead(nn.Module):
    """One heat map over the group, its soft argmax, a learned offset.

    Args:
        warp: the coordinates.
        channels: of the maps it reads.
        axes: the parameters that it answers with.
    """

    def __init__(self, warp: Warp, channels: int, axes: Sequence[int]) -> None:
        super().__init__()
        self.axes = tuple(axes)
        self.half_ranges = tuple(warp.axes[axis].length / 2 for axis in self.axes)
        self.heat = snn.WarpedConv2d(warp, channels, 1, 3, bias=False, padding_mode="replicate")
        self.point = snn.SoftArgmax2d(warp.periodic)
        self.offset = nn.Parameter(torch.zeros(len(self.axes)))

    def forward(self, maps: Tensor) -> Tensor:
        """``[B, channels, rows, columns]`` to ``[B, len(axes)]``."""
        place = self.point(self.heat(maps)[:, 0])
        found = [h * place[:, axis] for h, axis in zip(self.half_ranges, self.axes, strict=True)]
        return torch.stack(found, -1) + self.offset
