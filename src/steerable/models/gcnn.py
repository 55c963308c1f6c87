"""Group convolutional networks of Cohen and Welling: rotated digits and All-CNN-C."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from steerable.groups import Group
from steerable.models.gcnn_parts import chain, kit


class DigitsGCNN(nn.Module):
    """Seven 3x3 convolutions without padding, one pooling: the rotated-digits network of G-CNNs.

    Batch norm and ReLU after each, the maximum over windows of 2 after the second, over orientations and all positions
    at the end. The published seventh layer is 4x4, which has no centre pixel; here it is 3x3 with a dense layer on the
    invariants, so that any number of outputs and any even side of 16 pixels or more will do. On even sides it is
    exactly invariant under the group (those of its elements that move pixels to pixels).

    Args:
        in_channels: channels of the image.
        num_classes: number of outputs.
        group: a finite planar group; ``None`` for the plain twin.
        width: fields of every convolution (channels of the plain one); 10 for p4, as published, 7 for p4m and 20
            plain have as many parameters.
        depth: number of convolutions.
        pool_after: convolutions (from 1) followed by a pooling.
        padding: zeros on each border of every convolution; 0 as published.
        dropout: probability of dropping a field before the second half.
        fit: ``"resample"`` or ``"pad"`` the image to the next exact side, see :class:`steerable.nn.FitSide2d`.

    Raises:
        ValueError: for a group that is not finite and planar, or a width or depth below 1.

    Source: Cohen and Welling, ICML 2016, arXiv 1602.07576, section 8.1.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        group: str | Group | None = "C4",
        width: int = 10,
        depth: int = 7,
        pool_after: Sequence[int] = (2,),
        padding: int = 0,
        dropout: float = 0.0,
        fit: str | None = None,
    ) -> None:
        super().__init__()
        if width < 1 or depth < 1:
            raise ValueError(f"DigitsGCNN: got width {width} and depth {depth}; expected positive integers")
        parts = kit(group, in_channels)
        layers = parts.fit(fit, *_exact(pool_after, 2 - 2 * padding))
        for i in range(1, depth + 1):
            layers += parts.conv(width, padding=padding)
            if i in pool_after:
                layers += parts.max_pool()
            if i == depth // 2:
                layers += parts.dropout(dropout)
        self.features = chain([*layers, *parts.invariants()])
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to logits ``[B, num_classes]``."""
        return self.head(self.features(x).amax((-2, -1)))


def _exact(pool_after: Sequence[int], lost: int) -> tuple[int, int]:
    """Step and rest of the sides on which every pooling by 2 meets an even side.

    Args:
        pool_after: convolutions (from 1) followed by a pooling.
        lost: pixels by which each convolution makes a side smaller.
    """
    step, rest, before = 1, 0, 0
    for i in sorted(pool_after):
        rest += step * lost * (i - before)
        step, before = 2 * step, i
    return step, rest % step


class AllCNNC(nn.Module):
    """All-CNN-C of Springenberg et al. (arXiv 1412.6806) on regular fields, after Cohen and Welling.

    3x3 convolutions with two strides of 2, two 1x1, the mean over all positions. Exact on sides that are 1 modulo 4 (33
    for CIFAR: the published 32 is not).

    Args:
        in_channels: channels of the image.
        num_classes: number of outputs.
        group: a finite planar group; ``None`` for the plain network.
        widths: fields before and after the first stride; published: 96, 192 plain, 48, 96 for p4, 32, 64 for p4m.
        dropout: probability of dropping a field after each stride.
        fit: ``"resample"`` or ``"pad"`` the image to the next exact side, see :class:`steerable.nn.FitSide2d`.

    Raises:
        ValueError: for a group that is not finite and planar.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        group: str | Group | None = "C4",
        widths: tuple[int, int] = (48, 96),
        dropout: float = 0.5,
        fit: str | None = None,
    ) -> None:
        super().__init__()
        first, second = widths
        parts = kit(group, in_channels)
        layers = parts.fit(fit, 4, 1)
        layers += [*parts.conv(first, padding=1), *parts.conv(first, padding=1), *parts.conv(first, 3, 2, 1)]
        layers += parts.dropout(dropout)
        layers += [*parts.conv(second, padding=1), *parts.conv(second, padding=1), *parts.conv(second, 3, 2, 1)]
        layers += parts.dropout(dropout)
        layers += [*parts.conv(second, padding=1), *parts.conv(second, 1)]
        self.features = chain([*layers, *parts.invariants(num_classes)])

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to logits ``[B, num_classes]``."""
        return self.features(x).mean((-2, -1))
