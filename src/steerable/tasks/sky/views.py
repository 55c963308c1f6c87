"""Views of one globe for three parts of the data, which share the globe and no place of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.data import InputError
from steerable.data.rotations import check_poses
from steerable.data.sphere_map import sampling_of
from steerable.domains.sphere import Sphere
from steerable.tasks.sky.blocks import PARTS, Blocks
from steerable.tasks.sky.globe import Globe, draw_rotations, places


@dataclass(frozen=True, eq=False)
class Views:
    """The globe turned some ways.

    Attributes:
        part: name of the part of the data.
        rotations: by which it is turned, elements of SO3 ``[N, 4]``.
        places: of the globe that the samples see, ``[N, *shape, 3]``.
        mine: which of them belong to the part, bool ``[N, *shape]``.
    """

    part: str
    rotations: Tensor
    places: Tensor
    mine: Tensor


#: an input that depends on more than one map of a user: there is nothing to predict on
PREPARED = "prepared views of one globe"


@dataclass(frozen=True, eq=False)
class Survey:
    """A sampling, the blocks of the globe, and the views of each part.

    Attributes:
        sphere: where fields are sampled.
        blocks: which part owns which place.
        views: of training, validation and test.
        sampling: its name.
        smoothing: sigma of the Gaussian that fields are smoothed by, in spacings.
        seed: of the blocks and all draws.
    """

    sphere: Sphere
    blocks: Blocks
    views: tuple[Views, Views, Views]
    sampling: str
    smoothing: float
    seed: int

    @classmethod
    def of(
        cls,
        sampling: str = "gauss(32)",
        train: int = 24,
        validation: int = 4,
        test: int = 8,
        train_pose: str = "any",
        pose: str = "any",
        width: float = 20.0,
        margin: float = 1.0,
        smoothing: float = 0.7,
        seed: int = 0,
    ) -> Survey:
        """Deal the blocks and draw the views.

        Args:
            sampling: where fields are sampled.
            train, validation, test: views of the globe of each part.
            train_pose: how the globe is turned in training: ``any``, ``upright`` (about its axis) or ``none``.
            pose: how in validation and test.
            width: of the blocks in degrees.
            margin: distance of places of different parts, in spacings of the sampling.
            smoothing: sigma of the Gaussian that fields are smoothed by, in spacings.
            seed: of the blocks and all draws.

        Raises:
            InputError: an unknown sampling or pose, blocks that are too wide or too narrow, no view.
        """
        check_poses(train_pose=train_pose, pose=pose)
        sphere = sampling_of(sampling, "data.options.sampling")
        blocks = Blocks.deal(width, margin * sphere.spacing, seed)
        found = []
        poses = (train, train_pose), (validation, pose), (test, pose)
        for k, (count, how) in enumerate(poses):
            rotations = draw_rotations(count, how, torch.Generator().manual_seed(seed * 1009 + k))
            where = places(sphere, rotations)
            mine = blocks.parts(where) == k
            if not mine.any():
                raise InputError(
                    f"data.options.sampling is {sampling}, {sphere.num_points} samples: none lies in the blocks of "
                    f"{PARTS[k]}; expected some. Take a finer sampling or wider blocks."
                )
            found.append(Views(PARTS[k], rotations, where, mine))
        return cls(sphere, blocks, tuple(found), sampling, smoothing, seed)

    def globe(self, source: Sphere, x: Tensor, type: str = "") -> Globe:
        """Fields ``[C, *source.shape]`` as the sampling sees them, smoothed; an empty type: scalars.

        Raises:
            InputError: a negative smoothing.
        """
        return Globe(source, x, type, self.sphere, self.smoothing)

    def standardised(self, fields: list[Tensor], spread: bool = True) -> tuple[list[Tensor], dict[str, list[float]]]:
        """Return scalars of the three parts ``[N, C, *shape]`` of mean 0 over the places of training, by area.

        Args:
            fields: of training, validation and test.
            spread: also of standard deviation 1; a channel that is constant becomes 0.

        Returns:
            The fields, and mean and scale of each channel, as the preparation ``standardised`` takes them.
        """
        own = self.views[0].mine[:, None]
        share = self.sphere.weights().expand(self.sphere.shape) * own
        share = share / share.sum()
        dims = (0, *range(2, fields[0].dim()))
        mean = (fields[0].double() * share).sum(dims, keepdim=True)
        deviation = ((fields[0] - mean).square() * share).sum(dims, keepdim=True).sqrt()
        scale = torch.where(deviation > 1e-9, deviation.clamp(min=1e-9), torch.inf) if spread else 1.0
        scale = torch.as_tensor(scale).expand_as(mean)
        numbers = {"mean": mean.flatten().tolist(), "scale": scale.flatten().tolist()}
        return [((x - mean) / scale).float() for x in fields], numbers
