"""The rotation of an object from one image: features as a filter on half a sphere, correlated over a finite group."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

import steerable.nn as snn
from steerable.groups import Group, convert_rotation
from steerable.models.plain_cnn import count_parameters, match_width


def _encoder(in_channels: int, widths: Sequence[int]) -> nn.Sequential:
    """Convolutions of stride 2, each with one of stride 1: side S to ``S / 2^n``."""
    layers: list[nn.Module] = []
    current = in_channels
    for width in widths:
        for stride, size in ((2, 5), (1, 3)):
            layers += [nn.Conv2d(current, width, size, stride, size // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            current = width
    return nn.Sequential(*layers)


def _side(name: str, side: int, widths: Sequence[int]) -> int:
    step = 2 ** len(widths)
    if side < step or side % step:
        raise ValueError(f"{name}: images of side {side}; expected a multiple of {step}, two for each of the widths")
    return side // step


class ImageToIcosahedral(nn.Module):
    """Pose and class of an object in an image, by its correlation with learned signals on the sphere.

    Args:
        in_channels: of the image.
        num_classes: kinds of objects, each with a signal of its own.
        group: finite rotations: ``"I"``, ``"O"``, ``"T"``.
        side: of the images in pixels.
        widths: channels of the encoder, which halves the side with each.
        channels: of the filters.
        coverage: see :class:`steerable.nn.SphereProjection`.

    Raises:
        ValueError: for a side that cannot be halved so often.

    Source: Klee, Biza, Platt and Walters, arXiv 2207.08925. The encoder is smaller than theirs, and plain.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 1,
        group: str | Group = "I",
        side: int = 64,
        widths: Sequence[int] = (16, 32, 64),
        channels: int = 16,
        coverage: float = 0.9,
    ) -> None:
        super().__init__()
        inner = _side(type(self).__name__, side, widths)
        self.encoder = _encoder(in_channels, widths)
        self.to_filter = nn.Conv2d(widths[-1], 7 * channels, 1)
        correlation = snn.GroupCorrelation(channels, 7, group, signals=num_classes)
        self.projection = snn.SphereProjection(correlation.sphere, inner, coverage)
        self.correlation = snn.GroupCorrelation(
            channels, 7, group, correlation.sphere, self.projection.front, num_classes
        )
        self.pose_head = snn.PoseHead(group)

    def poses(self, x: Tensor) -> snn.Poses:
        """One pose for each class and element: logits ``[B, num_classes, |G|]``, rotations ``[..., 3, 3]``."""
        return self.pose_head(self.correlation(self.projection(self.to_filter(self.encoder(x)))))

    def pose(self, x: Tensor, kind: Tensor | None = None) -> Tensor:
        """The best rotation ``[B, 3, 3]``, of the most likely class or of a given one ``[B]``."""
        poses = self.poses(x)
        kind = poses.logits.amax(2).argmax(1) if kind is None else kind
        return poses.best[torch.arange(len(x), device=x.device), kind]

    def loss(self, x: Tensor, rotation: Tensor, kind: Tensor, weight: float = 1.0, width: float = 0.0) -> Tensor:
        """Loss of the poses of the true classes, see :meth:`steerable.nn.PoseHead.loss`."""
        poses = self.poses(x)
        rows = torch.arange(len(x), device=x.device)
        return self.pose_head.loss(snn.Poses(*(p[rows, kind] for p in poses)), rotation, weight, width)

    def forward(self, x: Tensor) -> Tensor:
        """Images ``[B, in_channels, side, side]`` to logits ``[B, num_classes]``: the best fit of each class."""
        return self.correlation(self.projection(self.to_filter(self.encoder(x))))[:, :, 0].amax(2)


class ImageToPosePlain(nn.Module):
    """The plain twin: the same encoder and two dense layers to six numbers for each class, read by Gram-Schmidt.

    Args:
        in_channels, num_classes, group, side, widths, channels, coverage: those of its twin, which has as many
            parameters.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 1,
        group: str | Group = "I",
        side: int = 64,
        widths: Sequence[int] = (16, 32, 64),
        channels: int = 16,
        coverage: float = 0.9,
    ) -> None:
        super().__init__()
        inner = _side(type(self).__name__, side, widths)
        twin = ImageToIcosahedral(in_channels, num_classes, group, side, widths, channels, coverage)
        self.num_classes = num_classes
        self.encoder = _encoder(in_channels, widths)

        def head(hidden: int) -> nn.Sequential:
            flat = widths[-1] * inner * inner
            return nn.Sequential(nn.Flatten(), nn.Linear(flat, hidden), nn.ReLU(), nn.Linear(hidden, 7 * num_classes))

        target = count_parameters(twin) - count_parameters(self.encoder)
        factor = match_width(lambda f: head(max(1, round(64 * f))), target)
        self.head = head(max(1, round(64 * factor)))

    def poses(self, x: Tensor) -> snn.Poses:
        """One pose for each class: logits ``[B, num_classes, 1]``, rotations ``[B, num_classes, 1, 3, 3]``."""
        found = self.head(self.encoder(x)).view(len(x), self.num_classes, 1, 7)
        none = convert_rotation(torch.eye(3, dtype=x.dtype, device=x.device), "matrix", "6d")
        return snn.Poses(found[..., 0], convert_rotation(found[..., 1:] + none, "6d", "matrix"))

    def pose(self, x: Tensor, kind: Tensor | None = None) -> Tensor:
        """As :meth:`ImageToIcosahedral.pose`."""
        poses = self.poses(x)
        kind = poses.logits.amax(2).argmax(1) if kind is None else kind
        return poses.best[torch.arange(len(x), device=x.device), kind]

    def loss(self, x: Tensor, rotation: Tensor, kind: Tensor, weight: float = 1.0, width: float = 0.0) -> Tensor:
        """Square of the miss of the poses of the true classes; ``width`` means nothing here."""
        found = self.poses(x).rotations[torch.arange(len(x), device=x.device), kind, 0]
        return weight * (found - rotation).square().sum((1, 2)).mean()

    def forward(self, x: Tensor) -> Tensor:
        """Images ``[B, in_channels, side, side]`` to logits of the classes ``[B, num_classes]``."""
        return self.head(self.encoder(x)).unflatten(1, (self.num_classes, 7))[..., 0]
