"""The pose of an image under a group: a network in canonical coordinates that points at a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from steerable.domains.warp import Warp
from steerable.nn.follow import follow_
from steerable.nn.soft_argmax import SoftArgmax1d
from steerable.nn.warp_image import WarpImage
from steerable.nn.warped_conv import WarpedConv2d


class Pose(NamedTuple):
    """What a predictor finds.

    Attributes:
        params: group parameters ``[B, parameters]``.
        heatmaps: for each parameter, logits ``[B, n]`` along its axis.
    """

    params: Tensor
    heatmaps: tuple[Tensor, ...]


class PosePredictor(nn.Module):
    """Images ``[B, C, H, W]`` to the parameters of a group, such that ``theta(T_a f) = theta(f) + a``.

    The image in canonical coordinates, two convolutions (after the first the mean over 2 x 2 cells), the largest value
    along the axis that does not shift, a convolution along the one that does, softmax, centroid; plus a learned offset,
    times half the range. K. S. Tai, P. Bailis and G. Valiant, arXiv 1901.11399, section 3.

    The law is exact on periodic axes for shifts by whole cells. On others it holds for the heat map away from its ends,
    and for the pose as far as the map is concentrated and its peak stays within the range: so the logits are brought to
    unit spread, times a learned ``sharpness``, ends are padded by replication and left out of the centroid.

    Args:
        warp: a projective group with its coordinates.
        in_channels: of the image.
        channels: of the convolutions.
        size: rows and columns of the image in canonical coordinates.
        margin: cells of the heat map left out at each end of an axis that is not periodic.
        sharpness: at the start; from 3 on a heat map is concentrated enough to be followed.
        image_side: pixels along the images it is meant for; others work too.
        follow: whether the start is chosen so that poses follow the image (:func:`steerable.nn.follow.follow_`);
            without it they go against it as often as with it, on axes that are not periodic.

    Raises:
        ValueError: for a group without parameters or without matrices.
    """

    def __init__(
        self,
        warp: Warp,
        in_channels: int = 1,
        channels: int = 32,
        size: Sequence[int] = (32, 32),
        margin: int = 2,
        sharpness: float = 3.0,
        image_side: int = 64,
        follow: bool = True,
    ) -> None:
        super().__init__()
        if warp.parameters == 0 or not warp.is_projective:
            raise ValueError(
                f"PosePredictor: got the warp {warp.name} with {warp.parameters} parameters; expected a projective "
                "group with one or two, so that an image can be brought back by a matrix"
            )
        self.warp = warp
        # the pose needs coarse features only: two samples a cell and axis are enough, and cheap to differentiate
        self.image = WarpImage(warp, size, oversample=warp.oversampling(size, image_side, most=2))
        options = {"bias": False, "padding_mode": "replicate"}
        self.features = nn.Sequential(
            WarpedConv2d(warp, in_channels, channels, 3, **options),
            nn.AvgPool2d(2),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(0.1),
            WarpedConv2d(warp, channels, channels, 3, **options),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(0.1),
        )
        self.heads, self.points = nn.ModuleList(), nn.ModuleList()
        for axis in warp.shifts:
            periodic = warp.periodic[axis]
            mode = "circular" if periodic else "replicate"
            self.heads.append(nn.Conv1d(channels, 1, 3, padding=1, padding_mode=mode, bias=False))
            self.points.append(SoftArgmax1d(periodic, 0 if periodic else margin))
        self.half_ranges = tuple(warp.axes[axis].length / 2 for axis in warp.shifts)
        self.offset = nn.Parameter(torch.zeros(warp.parameters))
        self.log_sharpness = nn.Parameter(torch.full((warp.parameters,), float(sharpness)).log())
        if follow:
            follow_(self)

    def heatmaps(self, x: Tensor, transform: Tensor | None = None) -> tuple[Tensor, ...]:
        """Logits ``[B, n]`` along each axis that shifts, of images seen through matrices ``transform [B, 3, 3]``."""
        return self.read(self.image(x, transform))

    def read(self, canonical: Tensor) -> tuple[Tensor, ...]:
        """Logits ``[B, n]`` along each axis that shifts, of images ``[B, C, rows, columns]`` in its coordinates."""
        maps = self.features(canonical)
        along = (maps.amax(3 - axis) for axis in self.warp.shifts)  # the other axis: columns for rows and so on
        return tuple(head(line)[:, 0] for head, line in zip(self.heads, along, strict=True))

    def place(self, i: int, logits: Tensor) -> Tensor:
        """Centroids ``[...]`` in ``[-1, 1]`` along the i-th axis that shifts, of logits ``[..., n]``."""
        spread = logits - logits.mean(-1, keepdim=True)
        spread = spread / (spread.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return self.points[i](self.log_sharpness[i].exp() * spread)

    def forward(self, x: Tensor, transform: Tensor | None = None) -> Pose:
        """The pose of images, or of images seen through ``transform``."""
        maps = self.heatmaps(x, transform)
        found = []
        for i, line in enumerate(maps):
            found.append(self.half_ranges[i] * (self.place(i, line) + self.offset[i].tanh()))
        return Pose(torch.stack(found, -1), maps)
