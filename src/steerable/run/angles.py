"""How far the answers of a classifier move when the image is turned by any angle."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from steerable.run.scores import predict


def turned_blobs(count: int, channels: int, size: int, angle: float, seed: int = 0, sigma: float = 2.0) -> Tensor:
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


def error_against_angle(
    model: nn.Module, channels: int, size: int, angles: list[float], count: int = 16
) -> list[float]:
    """Return, for each angle, the norm of the change of the logits over the norm of the centred logits.

    Args:
        model: an image classifier, ``[B, C, size, size] -> [B, K]``.
        channels: C.
        size: side of the images in pixels.
        angles: degrees.
        count: number of random images.
    """
    upright = predict(model, turned_blobs(count, channels, size, 0.0)).double()
    scale = (upright - upright.mean(0)).norm().clamp_min(1e-30)
    return [
        float((predict(model, turned_blobs(count, channels, size, a)).double() - upright).norm() / scale)
        for a in angles
    ]


def draw_curve(path: Path, angles: list[float], curves: dict[str, list[float]]) -> None:
    """Draw error against angle, one line for each network, into a picture file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, errors in curves.items():
        axes.semilogy(angles, [max(e, 1e-17) for e in errors], marker="o", markersize=3, label=name)
    axes.set_xlabel("angle of the image in degrees")
    axes.set_ylabel("relative change of the answer")
    axes.set_xticks(range(0, int(max(angles)) + 1, 15))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
