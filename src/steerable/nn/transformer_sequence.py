"""Transformers in a row: their maps are composed, and the image is resampled once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from steerable.nn.pose_predictor import Pose
from steerable.nn.warp_image import WarpImage, sample_pixels


class Normalised(NamedTuple):
    """What a sequence of transformers makes of images.

    Attributes:
        image: the normalised image ``[B, C, H', W']``.
        transform: the composed maps ``[B, 3, 3]``: the image was sampled at ``transform`` p.
        params: for each transformer, the parameters ``[B, k]`` that it found.
        heatmaps: for each transformer, its logits along each axis.
    """

    image: Tensor
    transform: Tensor
    params: tuple[Tensor, ...]
    heatmaps: tuple[tuple[Tensor, ...], ...]


class TransformerSequence(nn.Module):
    """Finds the pose of an image under one group after another and undoes it: ``f -> T^-1 f``, in place of an STN.

    The i-th predictor sees the image through the maps found so far; ``T = T_1 T_2 ...``. Only matrices are composed:
    every predictor, and the output, reads the original image once. Groups do not commute, so the order matters.
    K. S. Tai, P. Bailis and G. Valiant, arXiv 1901.11399, section 3.4.

    Args:
        predictors: modules ``(images, transform or None) -> Pose`` with an attribute ``warp``, such as
            :class:`PosePredictor`.
        final: coordinates of the output, such as log-polar ones; ``None`` returns pixels like those of the input.
        parallel: whether all predictors see the image as it came.
    """

    def __init__(
        self, predictors: Sequence[nn.Module] = (), final: WarpImage | None = None, parallel: bool = False
    ) -> None:
        super().__init__()
        self.predictors = nn.ModuleList(predictors)
        self.final, self.parallel = final, parallel

    def normalise(self, x: Tensor) -> Normalised:
        """The normalised images, the maps, and what each transformer found."""
        transform: Tensor | None = None
        poses: list[Pose] = []
        for predictor in self.predictors:
            pose = predictor(x, None if self.parallel else transform)
            poses.append(pose)
            step = predictor.warp.matrix(pose.params)
            transform = step if transform is None else transform @ step
        image = self.resample(x, transform)
        if transform is None:
            transform = torch.eye(3, dtype=x.dtype, device=x.device).expand(x.shape[0], 3, 3)
        return Normalised(image, transform, tuple(p.params for p in poses), tuple(p.heatmaps for p in poses))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` to the normalised image."""
        return self.normalise(x).image

    def resample(self, x: Tensor, transform: Tensor | None) -> Tensor:
        """Images seen through maps ``[B, 3, 3]``, in the final coordinates: the only resampling of the output."""
        if self.final is not None:
            return self.final(x, transform)
        return x if transform is None else sample_pixels(x, transform)
