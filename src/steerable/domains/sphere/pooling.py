"""Pooling and refinement between two samplings, as shares of areas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from steerable.domains.points.neighbourhood import Neighbourhood
from steerable.domains.sphere.coupling import balance, table
from steerable.domains.sphere.nearest import nearest_points
from steerable.domains.sphere.neighbours import logarithm

if TYPE_CHECKING:
    from steerable.domains.sphere.sphere import Sphere


@dataclass(frozen=True, eq=False)
class Pooling:
    """Which fine samples make up each coarse one, and with which shares of its area.

    ``coarse_c = sum over k of weight[c, k] fine[index[c, k]]``. Shares sum to 1, so constants stay; and the area of c
    times its shares, summed over c, is the area of each fine sample, so the mean over the sphere stays, both to
    rounding. :meth:`refine` uses the same shares the other way, with the same two properties. What is not kept: higher
    degrees, and rotations that are no symmetry of both samplings.

    The areas are the quadrature weights; of HEALPix always the equal areas.

    Attributes:
        fine, coarse: the samplings.
        index: int64 ``[coarse.num_points, k]``.
        weight: float64 ``[coarse.num_points, k]``; 0 pads.
    """

    fine: Sphere
    coarse: Sphere
    index: Tensor
    weight: Tensor

    @cached_property
    def area_shares(self) -> Tensor:
        """The area of fine sample ``index[c, k]`` that lies in coarse sample c, as a share of all of its area."""
        area = self.weight * self.coarse.areas()[:, None]
        whole = area.new_zeros(self.fine.num_points).index_add_(0, self.index.flatten(), area.flatten())
        return area / whole[self.index]

    def __call__(self, x: Tensor) -> Tensor:
        """Means of scalars ``[..., *fine.shape]`` over the coarse samples, ``[..., *coarse.shape]``.

        Raises:
            ValueError: for a map of another length, or of integers, which have no means.
        """
        lead = self.fine.check_map(_numbers(x))
        flat = x.flatten(-len(self.fine.shape))
        out = flat.new_zeros(*lead, len(self.index))
        index = self.index.to(flat.device)
        for k, weight in enumerate(self.weight.T.to(flat)):  # one after the other: no [coarse, k] copies
            out = out + flat[..., index[:, k]] * weight
        return self.coarse.single_valued(out.reshape(*lead, *self.coarse.shape))

    def refine(self, x: Tensor) -> Tensor:
        """The reverse: each fine sample of ``[..., *fine.shape]`` is the mean over the coarse samples that share it.

        Raises:
            ValueError: for a map of another length, or of integers, which have no means.
        """
        lead = self.coarse.check_map(_numbers(x))
        flat = x.flatten(-len(self.coarse.shape))
        out = flat.new_zeros(*lead, self.fine.num_points)
        index = self.index.to(flat.device)
        for k, share in enumerate(self.area_shares.T.to(flat)):
            out = out.index_add(-1, index[:, k], flat * share)
        return self.fine.single_valued(out.reshape(*lead, *self.fine.shape))

    def down(self) -> Neighbourhood:
        """The pairs coarse <- fine with offsets, transport of frames and shares as weights, for fields of any spin."""
        target = torch.arange(len(self.index)).repeat_interleave(self.index.shape[1])
        return self._pairs(self.coarse, self.fine, target, self.index.flatten(), self.weight.flatten())

    def up(self) -> Neighbourhood:
        """The pairs fine <- coarse, as :meth:`down`."""
        source = torch.arange(len(self.index)).repeat_interleave(self.index.shape[1])
        return self._pairs(self.fine, self.coarse, self.index.flatten(), source, self.area_shares.flatten())

    def _pairs(self, to: Sphere, of: Sphere, target: Tensor, source: Tensor, weight: Tensor) -> Neighbourhood:
        kept = (weight > 0).nonzero()[:, 0]
        kept = kept[(target[kept] * of.num_points + source[kept]).argsort()]
        target, source, weight = target[kept], source[kept], weight[kept]
        offset, transport = logarithm(to.frames().reshape(-1, 3, 3)[target], of.frames().reshape(-1, 3, 3)[source])
        return Neighbourhood(target, source, offset, to.num_points, of.num_points, weight, None, transport)

    def __repr__(self) -> str:
        return f"Pooling({self.fine!r} -> {self.coarse!r}, at most {self.index.shape[1]} each)"


def _numbers(x: Tensor) -> Tensor:
    """Refuse maps of integers: shares of areas would be rounded to 0. Raises ``ValueError``."""
    if not (x.is_floating_point() or x.is_complex()):
        raise ValueError(
            f"Pooling: the map is {x.dtype}; expected floating numbers, of which there are means. Say x.float(), or "
            "one_hot(x) of classes first"
        )
    return x


def nearest_pooling(fine: Sphere, coarse: Sphere) -> Pooling:
    """Pool by distance: see :meth:`Sphere.pooling`.

    Raises:
        ValueError: if areas cannot be conserved, for samples without area, or if ``coarse`` has more samples.
    """
    if coarse.num_points > fine.num_points:
        raise ValueError(
            f"{fine!r} has {fine.num_points} samples and {coarse!r} has {coarse.num_points}; expected a coarser one"
        )
    for sphere, areas in ((fine, fine.areas()), (coarse, coarse.areas())):
        if bool((areas <= 0).any()):
            raise ValueError(
                f"{fine!r}.pooling({coarse!r}): {int((areas <= 0).sum())} samples of {sphere!r} have no area to share; "
                "expected positive weights. Leave these samples out"
            )
    here, there = (s.points().reshape(-1, 3) for s in (fine, coarse))
    small, large = fine.areas().numpy(), coarse.areas().numpy()
    for want in (1, 3, 6, 12):
        target = nearest_points(here, there, min(want, len(large))).reshape(-1)
        source = np.repeat(np.arange(len(small)), len(target) // len(small))
        distance = (here[source] - there[target]).norm(dim=-1).numpy()
        near = distance < 2 * coarse.spacing
        target, source, distance = target[near], source[near], distance[near]
        start = small[source] * np.exp(-4 * (distance / coarse.spacing) ** 2)
        area = balance(target, source, start, large, small)
        if area is not None:
            index, weight = table(target, source, area, len(large))
            return Pooling(fine, coarse, torch.from_numpy(index), torch.from_numpy(weight))
    raise ValueError(
        f"{fine!r}.pooling({coarse!r}): areas cannot be shared out among near samples; give a coarser sampling, of "
        "about a quarter of the samples and over the same part of the sphere"
    )
