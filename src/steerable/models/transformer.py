"""Equivariant transformer networks: the image is brought to a canonical pose, then classified."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from steerable import nn as snn
from steerable.domains.warp import Warp
from steerable.models.direct_pose import DirectPose
from steerable.models.warped_cnn import WIDTHS, RingHead, WarpedFeatures
from steerable.nn.transformer_sequence import Normalised

#: the groups by name, and rows and columns of the image that their predictors see. A parameter is a centroid times half
#: a range, so the widest ranges are half the published ones: noise of the centroid stays a small map
TRANSFORMERS: dict[str, tuple[Callable[[], Warp], tuple[int, int]]] = {
    "translation": (Warp.translation, (32, 32)),
    "rotation": (Warp.rotation, (16, 128)),
    "scale": (Warp.scale, (32, 32)),
    "rotation_scale": (Warp.rotation_scale, (32, 64)),
    "shear_x": (partial(Warp.shear_x, 2.5), (32, 32)),
    "shear_y": (partial(Warp.shear_y, 2.5), (32, 32)),
    "scale_x": (Warp.scale_x, (32, 32)),
    "scale_y": (Warp.scale_y, (32, 32)),
    "hyperbolic_rotation": (partial(Warp.hyperbolic_rotation, math.log(3.0)), (32, 32)),
    "perspective_x": (partial(Warp.perspective_x, 1.0, 4.0), (32, 32)),
    "perspective_y": (partial(Warp.perspective_y, 1.0, 4.0), (32, 32)),
}

#: the published order for the projective group
PROJECTIVE = ("shear_x", "hyperbolic_rotation", "perspective_x", "perspective_y")


class TransformerNet(nn.Module):
    """A sequence of transformers, log-polar coordinates, four convolutions, a head that pools over the angle.

    K. S. Tai, P. Bailis and G. Valiant, arXiv 1901.11399.

    Args:
        in_channels: of the image.
        num_classes: outputs.
        sequence: names of the transformers, in order; see ``TRANSFORMERS``.
        channels: of the convolutions of each pose predictor.
        widths: of the four convolutions of the classifier.
        rings: parts of the radius that the head keeps apart; 1 pools scale away.
        r_min, r_max: range of the radius, in units of half the image.
        parallel: whether all transformers see the image as it came.
        predictor: ``equivariant``, or ``direct``: an ordinary network that regresses the parameters.
        image_side: pixels along the images it is meant for; others work too.

    Raises:
        ValueError: for an unknown transformer or predictor.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        sequence: Sequence[str] = ("rotation",),
        channels: int = 16,
        widths: Sequence[int] = WIDTHS,
        rings: int = 4,
        r_min: float = 0.05,
        r_max: float = 1.0,
        parallel: bool = False,
        predictor: str = "equivariant",
        image_side: int = 64,
    ) -> None:
        super().__init__()
        unknown = [name for name in sequence if name not in TRANSFORMERS]
        if unknown or isinstance(sequence, str):
            raise ValueError(
                f"etn: got sequence={sequence!r}; expected a list of names out of {', '.join(TRANSFORMERS)}"
            )
        if predictor not in ("equivariant", "direct"):
            raise ValueError(f"etn: got predictor={predictor!r}; expected 'equivariant' or 'direct'")
        predictors: list[nn.Module] = []
        for name in sequence:
            build, size = TRANSFORMERS[name]
            if predictor == "direct":
                predictors.append(DirectPose(build(), in_channels, channels))
            else:
                predictors.append(snn.PosePredictor(build(), in_channels, channels, size, image_side=image_side))
        warp = Warp.log_polar(r_min, r_max)
        final = snn.WarpImage(warp, (32, 64), image_side=image_side)
        self.transformer = snn.TransformerSequence(predictors, final, parallel)
        self.features = WarpedFeatures(warp, in_channels, widths)
        self.head = RingHead(widths[-1], rings, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to ``[B, num_classes]``."""
        return self.head(self.features(self.transformer(x)))

    def normalise(self, x: Tensor) -> Normalised:
        """The image in log-polar coordinates after the transformers, with the maps and poses that they found."""
        return self.transformer.normalise(x)

    def upright(self, x: Tensor) -> Tensor:
        """The normalised image in pixels ``[B, in_channels, H, W]``, to look at."""
        return snn.TransformerSequence(list(self.transformer.predictors), None, self.transformer.parallel)(x)


class ProjectiveTransformerNet(TransformerNet):
    """`TransformerNet` for the group of projective maps, in the published order.

    Shear, hyperbolic rotation and the two perspectives are undone one after another; rotation and scaling are what
    log-polar coordinates and a head with one ring pool away.

    Args:
        in_channels, num_classes, channels, widths, rings, r_min, r_max, parallel, predictor, image_side: see
            `TransformerNet`.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        channels: int = 16,
        widths: Sequence[int] = WIDTHS,
        rings: int = 1,
        r_min: float = 0.05,
        r_max: float = 1.0,
        parallel: bool = False,
        predictor: str = "equivariant",
        image_side: int = 64,
    ) -> None:
        super().__init__(
            in_channels, num_classes, PROJECTIVE, channels, widths, rings, r_min, r_max, parallel, predictor, image_side
        )
