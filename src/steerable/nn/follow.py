"""A start for pose predictors at which the pose follows the image on axes with ends, too."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.domains.grid import PixelGrid
from steerable.domains.warp import Warp

if TYPE_CHECKING:
    from steerable.nn.pose_predictor import PosePredictor

SIDE, SCENES, CANDIDATES = 48, 48, 96


def blobs(x: Tensor, channels: int, generator: torch.Generator) -> Tensor:
    """Scenes of four Gaussian blobs on a dark ground at points ``[B, H, W, 2]``: ``[B, channels, H, W]``."""
    b = len(x)
    centre = (torch.rand(b, 1, 1, 4, 2, generator=generator, dtype=x.dtype) * 2 - 1) * 0.4
    height = 0.3 + torch.rand(b, 1, 1, 4, generator=generator, dtype=x.dtype)
    width = 0.07 + 0.08 * torch.rand(b, 1, 1, 4, generator=generator, dtype=x.dtype)
    values = (height * torch.exp(-0.5 * (x[..., None, :] - centre).square().sum(-1) / width**2)).sum(-1)
    gains = 0.5 + torch.rand(b, channels, 1, 1, generator=generator, dtype=x.dtype)
    return gains * values[:, None]


def moved_pairs(
    warp: Warp, count: int, channels: int, generator: torch.Generator, side: int = SIDE, reach: float = 0.25
) -> tuple[Tensor, Tensor, Tensor]:
    """Scenes f, the moved scenes T_a f, both ``[count, channels, side, side]``, and a ``[count, parameters]``.

    Args:
        warp: the group.
        count: scenes.
        channels: of the images.
        generator: of the scenes and the maps.
        side: pixels.
        reach: largest a as a share of half the range; periodic axes get any a.
    """
    limits = [warp.axes[i].length / 2 * (1.0 if warp.periodic[i] else reach) for i in warp.shifts]
    a = torch.rand(count, warp.parameters, generator=generator) * 2 - 1
    a = a * torch.tensor(limits)
    x = (PixelGrid(side, side).points() * 2 / side).to(a.dtype).expand(count, -1, -1, -1)
    state = generator.get_state()
    f = blobs(x, channels, generator)
    generator.set_state(state)
    return f, blobs(warp.act(-a[:, None, None], x), channels, generator), a


def pose_misses(warp: Warp, found: Tensor, a: Tensor) -> Tensor:
    """``found - a`` as shares of the ranges, ``[..., parameters]``, around the circle on periodic axes."""
    parts = []
    for i, axis in enumerate(warp.shifts):
        d = found[..., i] - a[..., i]
        d = torch.remainder(d + math.pi, 2 * math.pi) - math.pi if warp.periodic[axis] else d
        parts.append(d / warp.axes[axis].length)
    return torch.stack(parts, -1)


@torch.no_grad()
def follow_(predictor: PosePredictor) -> None:
    """Choose among random heads the one whose pose follows best, and an offset that centres the poses.

    A random head answers to objects by more or by less than to the empty ground, with equal odds. Where it is less, the
    softmax lies where the object is *not*, and the pose moves against the image: twice the error of not moving at all.
    On a fixed set of moved scenes of blobs this is seen at once. Periodic axes, which follow anyhow, gain nothing.
    """
    warp, channels = predictor.warp, predictor.features[0].conv.in_channels
    f, g, a = moved_pairs(warp, SCENES, channels, torch.Generator().manual_seed(0))
    like = predictor.offset
    features = copy.deepcopy(predictor.features).train()
    maps = features(predictor.image(torch.cat((f, g)).to(like)))
    for i, axis in enumerate(warp.shifts):
        head = predictor.heads[i]
        shape = (CANDIDATES, *head.weight.shape[1:])
        weights = torch.empty(shape, dtype=like.dtype, device=like.device)
        nn.init.kaiming_uniform_(weights, a=math.sqrt(5))
        weights = torch.cat((head.weight, -head.weight, weights))
        line = maps.amax(3 - axis)
        padded = F.pad(line, (1, 1), "circular" if warp.periodic[axis] else "replicate")
        poses = predictor.place(i, F.conv1d(padded, weights)) * predictor.half_ranges[i]
        before, after = poses.chunk(2)
        length = warp.axes[axis].length
        d = after - before - a[:, i : i + 1].to(like)
        d = torch.remainder(d + math.pi, 2 * math.pi) - math.pi if warp.periodic[axis] else d
        best = int((d / length).abs().mean(0).argmin())
        head.weight.copy_(weights[best : best + 1])
        if not warp.periodic[axis]:
            middle = before[:, best].mean() / predictor.half_ranges[i]
            predictor.offset[i] = torch.atanh((-middle).clamp(-0.9, 0.9))
