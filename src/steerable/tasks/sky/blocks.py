"""An honest split of one globe: by place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.data import InputError
from steerable.domains.sphere import Sphere

#: the parts, in the order of their numbers
PARTS = ("train", "validation", "test")
# of every twenty blocks that follow each other from north to south: 60, 15 and 25 percent
_DEAL = (12, 3, 5)


@dataclass(frozen=True, eq=False)
class Blocks:
    """The sphere cut in patches of equal area, each of one part.

    A place belongs to the patch whose centre is nearest. Places near a patch of another part belong to none, so that
    places of two parts are at least ``margin`` apart.

    Attributes:
        centres: unit vectors ``[K, 3]`` float64.
        part: of each patch, int64 ``[K]``: 0 training, 1 validation, 2 test.
        margin: smallest distance in radians of two places of different parts.
    """

    centres: Tensor
    part: Tensor
    margin: float

    @classmethod
    def deal(cls, width: float, margin: float, seed: int) -> Blocks:
        """Cut the sphere in patches about `width` degrees wide and deal them at random: 60, 15 and 25 percent.

        Centres lie on a golden spiral. Of every twenty that follow each other on it 12, 3 and 5 are dealt to the
        parts, so that each part has its share of every latitude.

        Args:
            width: side of a square of the area of a patch, in degrees.
            margin: in radians.
            seed: of the deal.

        Raises:
            InputError: patches too wide for three parts, or hardly wider than the margin.
        """
        count = round(4 * math.pi / math.radians(width) ** 2) if 0 < width <= 180 else 0
        if not (count >= 20 and 0 <= margin < math.radians(width) / 2):
            raise InputError(
                f"data.options.width is {width:g} degrees, with a margin between parts of {math.degrees(margin):.3g}; "
                "expected at most 45, and more than twice the margin. Take wider blocks, a finer sampling, or a "
                "smaller data.options.margin, which counts spacings of the sampling."
            )
        generator = torch.Generator().manual_seed(seed)
        kinds = torch.tensor([k for k, n in enumerate(_DEAL) for _ in range(n)])
        rounds = -(-count // len(kinds))
        dealt = torch.cat([kinds[torch.randperm(len(kinds), generator=generator)] for _ in range(rounds)])
        return cls(Sphere.fibonacci(count).points().reshape(-1, 3), dealt[:count], margin)

    def number(self, points: Tensor) -> Tensor:
        """Return which patch holds each place ``[..., 3]``: int64 ``[...]``."""
        return (points @ self.centres.T).argmax(-1)

    def parts(self, points: Tensor) -> Tensor:
        """Return the part of each place ``[..., 3]``, int64 ``[...]``: 0, 1, 2, or -1 near another part."""
        flat = points.reshape(-1, 3)
        found = torch.cat([self._parts(p) for p in flat.split(8192)]) if len(flat) else flat.new_zeros(0).long()
        return found.view(points.shape[:-1])

    def _parts(self, p: Tensor) -> Tensor:
        near = self.number(p)
        mine, centre = self.part[near], self.centres[near]
        cosines = p @ self.centres.T
        # the sine of the distance to the great circle between two centres
        gap = (centre @ self.centres.T).mul(-2).add(2).clamp(min=1e-12).sqrt()
        sine = (cosines.gather(1, near[:, None]) - cosines) / gap
        nearest = sine.masked_fill(self.part == mine[:, None], 2.0).amin(1)
        return torch.where(nearest >= math.sin(self.margin / 2), mine, -1)


def hidden(values: Tensor, known: Tensor) -> Tensor:
    """Return values ``[N, K, *shape]`` as float32, NaN where ``known [N, *shape]`` is false."""
    return values.float().masked_fill(~known[:, None], math.nan)
