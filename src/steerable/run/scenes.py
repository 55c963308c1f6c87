"""Smooth random scenes that can be turned before they are sampled."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def random_scenes(
    count: int, channels: int, size: int, angle: float = 0.0, seed: int = 0, sigma: float = 2.0
) -> Tensor:
    """Return smooth random images, turned by `angle` before they are sampled: nothing is interpolated.

    Each image is a sum of Gaussian blobs whose width is at least `sigma` pixels and which lie well inside the disc.

    Args:
        count: number of images.
        channels: of each image.
        size: side in pixels.
        angle: degrees, counter-clockwise on the screen.
        seed: of the blobs.
        sigma: smallest width in pixels.

    Returns:
        ``[count, channels, size, size]``, float64.
    """
    blobs = 12
    generator = torch.Generator().manual_seed(seed)
    draw = torch.rand(5, count, channels, blobs, generator=generator, dtype=torch.float64)
    radius = draw[0].sqrt() * size * 0.22
    phase = draw[1] * 2 * math.pi + math.radians(angle)
    width = sigma * (1 + draw[2] / 2)
    height = draw[3] * 2 - 1
    half = (size - 1) / 2
    x1 = torch.arange(size, dtype=torch.float64) - half
    x2 = half - torch.arange(size, dtype=torch.float64)  # rows grow down, x2 grows up
    d1 = x1 - (radius * phase.cos())[..., None]
    d2 = x2 - (radius * phase.sin())[..., None]
    e1 = torch.exp(-((d1 / width[..., None]) ** 2) / 2)
    e2 = torch.exp(-((d2 / width[..., None]) ** 2) / 2)
    return torch.einsum("ncb,ncbi,ncbj->ncij", height, e2, e1)
