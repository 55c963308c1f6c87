"""Probabilities of quantised latents: a free density a channel, and Gaussians of given mean and scale."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.models.range_coder import FrequencyTable

#: smallest scale of a Gaussian; below it, all is zero
SMALLEST = 0.11
_LARGEST, _LEVELS = 128.0, 192
_LEAST = 1e-9  # of a probability, so that bits stay finite
_REACH = 160  # integers on either side of zero that may get a frequency of their own
_RARE = 2.0**-18


class FactorisedPrior(nn.Module):
    """One density a channel, without a given form: a monotone network of 1-3-3-3-1 units is its cumulative function.

    Args:
        channels: of the latents ``[B, channels, ...]``.

    Source: Balle, Minnen, Singh, Hwang and Johnston, "Variational image compression with a scale hyperprior", ICLR
    2018, arXiv 1802.01436, appendix 6.1.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (1, 3, 3, 3, 1)
        scale = 10.0 ** (1 / (len(widths) - 1))
        self.matrices, self.shifts, self.bends = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        for few, many in pairwise(widths):
            start = math.log(math.expm1(1 / scale / many))
            self.matrices.append(nn.Parameter(torch.full((channels, many, few), start)))
            self.shifts.append(nn.Parameter(torch.rand(channels, many, 1) - 0.5))
            self.bends.append(nn.Parameter(torch.zeros(channels, many, 1)))

    def forward(self, z: Tensor) -> Tensor:
        """Probability of the unit interval around each value ``[B, C, ...]``."""
        flat = z.transpose(0, 1).flatten(1)[:, None]
        lower, upper = self._logit(flat - 0.5), self._logit(flat + 0.5)
        sign = torch.where(lower + upper > 0, -1.0, 1.0).to(
            lower
        )  # take the difference on the side where it is accurate
        mass = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
        return mass.view(z.shape[1], z.shape[0], *z.shape[2:]).transpose(0, 1)

    def _logit(self, v: Tensor) -> Tensor:
        steps = list(zip(self.matrices, self.shifts, self.bends, strict=True))
        for k, (matrix, shift, bend) in enumerate(steps):
            v = F.softplus(matrix) @ v + shift
            if k < len(steps) - 1:
                v = v + torch.tanh(bend) * torch.tanh(v)
        return v

    @torch.no_grad()
    def tables(self) -> list[FrequencyTable]:
        """Integer frequencies of each channel."""
        grid = torch.arange(-_REACH, _REACH + 1, dtype=torch.float64).expand(1, len(self.shifts[0]), -1)
        mass = functional_double(self, grid)[0]
        return [_trimmed(-_REACH, row) for row in mass.tolist()]


def gaussian_mass(offset: Tensor, scale: Tensor) -> Tensor:
    """Probability of the unit interval around values that lie ``offset`` from the mean of a Gaussian."""
    far = offset.abs()
    upper, lower = ((h - far) / scale * math.sqrt(0.5) for h in (0.5, -0.5))
    return 0.5 * (torch.erfc(-upper) - torch.erfc(-lower))


def scale_of(raw: Tensor) -> Tensor:
    """A positive scale above :data:`SMALLEST`, smooth in any real number."""
    return SMALLEST + F.softplus(raw)


def bits(mass: Tensor) -> Tensor:
    """``-log2`` of probabilities ``[B, ...]``, summed over all but the batch: ``[B]``."""
    return -torch.log2(mass.clamp(min=_LEAST)).flatten(1).sum(1)


def level_of(scale: Tensor) -> Tensor:
    """Number of the table for each scale, int64; the tables are of scales in equal ratios."""
    step = math.log(_LARGEST / SMALLEST) / (_LEVELS - 1)
    return (torch.log(scale / SMALLEST) / step).round().clamp(0, _LEVELS - 1).long()


@lru_cache(maxsize=1)
def gaussian_tables() -> tuple[FrequencyTable, ...]:
    """Integer frequencies of Gaussians of mean zero, one for each level."""
    step = math.log(_LARGEST / SMALLEST) / (_LEVELS - 1)
    found = []
    for level in range(_LEVELS):
        scale = SMALLEST * math.exp(level * step)
        reach = max(1, math.ceil(4.5 * scale))
        grid = torch.arange(-reach, reach + 1, dtype=torch.float64)
        found.append(_trimmed(-reach, gaussian_mass(grid, torch.tensor(scale, dtype=torch.float64)).tolist()))
    return tuple(found)


def functional_double(module: nn.Module, *arguments: Tensor) -> Tensor:
    """A module's answer in float64 whatever its dtype: what coder and decoder must agree on."""
    state = {k: v.double() for k, v in [*module.named_parameters(), *module.named_buffers()] if v.is_floating_point()}
    return torch.func.functional_call(module, state, tuple(a.double() for a in arguments))


def _trimmed(first: int, masses: list[float]) -> FrequencyTable:
    """Without the integers at both ends that are too rare for a frequency of their own."""
    often = [k for k, m in enumerate(masses) if m > _RARE] or [len(masses) // 2]
    return FrequencyTable.of(first + often[0], masses[often[0] : often[-1] + 1])
