"""The plain twin of a pose predictor: an ordinary network that regresses the parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.domains.warp import Warp
from steerable.nn.pose_predictor import Pose
from steerable.nn.warp_image import sample_pixels


class DirectPose(nn.Module):
    """Images to group parameters without canonical coordinates, as in spatial transformer networks.

    Two strided convolutions on pixels, the mean over 4 x 4 parts, a linear map that starts at zero (the identity),
    tanh, half the range of the group. M. Jaderberg et al., arXiv 1506.02025.

    Args:
        warp: the group and its range.
        in_channels: of the image.
        channels: of the convolutions.
    """

    def __init__(self, warp: Warp, in_channels: int = 1, channels: int = 16) -> None:
        super().__init__()
        self.warp = warp
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(0.1),
            nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(0.1),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
        )
        self.head = nn.Linear(16 * channels, warp.parameters)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.half_ranges = tuple(warp.axes[axis].length / 2 for axis in warp.shifts)

    def forward(self, x: Tensor, transform: Tensor | None = None) -> Pose:
        """The parameters of images ``[B, C, H, W]``, or of images seen through ``transform [B, 3, 3]``."""
        seen = x if transform is None else sample_pixels(x, transform)
        params = self.head(self.features(seen)).tanh()
        return Pose(torch.stack([h * p for h, p in zip(self.half_ranges, params.unbind(-1), strict=True)], -1), ())
