"""Numbers of a set of spheres, such as one around each atom: a needlet network on each, then a sum."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

import steerable.nn as snn
from steerable.domains.sphere import Sphere
from steerable.groups.spherical import spherical_harmonics
from steerable.models.needlet_parts import NeedletTrunk
from steerable.models.plain_sphere import _block
from steerable.models.plain_volume import matched
from steerable.nn.sphere.spectral_conv import NEAR_IDENTITY


class NeedletSets(nn.Module):
    """Invariant answers for sets of maps: needlet features of each sphere, their invariants, Deep Sets.

    ``y = A sum_i phi(means of sphere i, norms of its degrees, features of i)``: invariant under a rotation of all
    spheres together (and of each on its own) up to the aliasing of activations, and exactly under their order; the
    answers of two sets far apart add up.

    Args:
        in_channels: maps of each sphere.
        num_classes: numbers of the answer.
        band: L of the maps, given as coefficients.
        features: plain features of each sphere (the element of its atom).
        width, depth, levels, on, support, oversample: as in :class:`NeedletNet`.
        hidden: width of phi.

    Source: Cohen, Geiger, Koehler and Welling, arXiv 1801.10130, section 5.4, for spheres and sets; Yi et al., arXiv
    2206.10385, for needlets; Zaheer et al., "Deep Sets", NeurIPS 2017, arXiv 1703.06114.
    """

    def __init__(
        self,
        in_channels: int = 5,
        num_classes: int = 1,
        band: int = 6,
        features: int = 5,
        width: int = 16,
        depth: int = 1,
        levels: int = 1,
        on: str = "group",
        support: snn.RingSupport | None = NEAR_IDENTITY,
        oversample: float = 2.0,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        self.trunk = NeedletTrunk(in_channels, width, band, depth, levels, on, support, oversample)
        self.each, self.last = _head(width * (1 + band) + features, hidden, num_classes)

    def forward(self, maps: Tensor, features: Tensor, batch: Tensor, count: int | None = None) -> Tensor:
        """Answers ``[count, num_classes]``.

        Args:
            maps: coefficients ``[N, in_channels * L^2]`` of N spheres.
            features: ``[N, features]``.
            batch: number of the set of each sphere, int64 ``[N]``.
            count: number of sets; default the largest number in ``batch``, plus one.
        """
        each = self.each(torch.cat([self.trunk.invariants(maps), features], 1))
        return self.last(_summed(each, batch, count))


class PlainSets(nn.Module):
    """The layout of :class:`NeedletSets` as convolutions of maps of longitude and latitude; arguments as there.

    Coefficients are first sampled on Gauss rings, 1.5 times as many as the band; pooled are the mean and the root mean
    square over the map.

    Args:
        kernel_size: side of the kernels.
        match: ``"params"``: as many parameters; ``"compute"``: as many channels.
    """

    def __init__(
        self,
        in_channels: int = 5,
        num_classes: int = 1,
        band: int = 6,
        features: int = 5,
        width: int = 16,
        depth: int = 1,
        levels: int = 1,
        on: str = "group",
        hidden: int = 64,
        kernel_size: int = 3,
        match: str = "params",
    ) -> None:
        super().__init__()
        sphere = Sphere.gauss(math.ceil(1.5 * band))
        self.shape = sphere.shape
        values = math.sqrt(4 * math.pi) * spherical_harmonics(sphere.points().reshape(-1, 3), range(band))
        self.register_buffer("values", values.mT.float(), persistent=False)
        twin = NeedletSets(in_channels, num_classes, band, features, width, depth, levels, on, hidden=hidden)

        def build(channels: Sequence[int]) -> nn.ModuleList:
            layers = [_block(a, b, kernel_size) for a, b in zip([in_channels, *channels], channels, strict=False)]
            return nn.ModuleList([nn.Sequential(*layers), *_head(2 * channels[-1] + features, hidden, num_classes)])

        self.net = build(matched(twin, [width] * (2 + depth), match, build))

    def forward(self, maps: Tensor, features: Tensor, batch: Tensor, count: int | None = None) -> Tensor:
        """Answers ``[count, num_classes]``; arguments as in :class:`NeedletSets`."""
        trunk, each, last = self.net
        x = (maps.unflatten(1, (-1, len(self.values))) @ self.values).unflatten(2, self.shape)  # type: ignore[arg-type]
        y = trunk(x).flatten(2)
        pooled = torch.cat([y.mean(2), (y.square().mean(2) + 1e-6).sqrt(), features], 1)
        return last(_summed(each(pooled), batch, count))


def _head(current: int, hidden: int, last: int) -> tuple[nn.Module, nn.Module]:
    each = nn.Sequential(nn.Linear(current, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
    return each, nn.Linear(hidden, last)


def _summed(each: Tensor, batch: Tensor, count: int | None) -> Tensor:
    size = int(batch.max()) + 1 if count is None else count
    return each.new_zeros(size, each.shape[1]).index_add(0, batch, each)
