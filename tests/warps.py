"""The one list of warps that drives every law of canonical coordinates, and scenes that are moved analytically."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.domains import PixelGrid, Warp

#: the eleven transformers of Tai, Bailis and Valiant
ELEVEN: dict[str, Warp] = {
    name: getattr(Warp, name)()
    for name in (
        "translation", "rotation", "scale", "rotation_scale", "shear_x", "shear_y", "scale_x", "scale_y",
        "hyperbolic_rotation", "perspective_x", "perspective_y",
    )
}  # fmt: skip

#: those, and the two-parameter ones of Henriques and Vedaldi
WARPS: dict[str, Warp] = {
    **ELEVEN,
    "scale_aspect": Warp.scale_aspect(),
    "four quadrants": Warp.scale_aspect(quadrants=4),
    "sphere": Warp.sphere(focal=1.5, radius=1.0, distance=3.0, reach=0.6),
    "generated": Warp.from_generators([[1, 0], [0, 1]], [[-0.5, -1.25], [1, 0.5]], (0.6, 0.2), (-2.0, 0.0), (-3, 3)),
}  # fmt: skip


def pixels(side: int) -> Tensor:
    """Pixel centres ``[side, side, 2]`` in units of half the image."""
    return PixelGrid(side, side).points() * 2 / side


def scene(x: Tensor, seed: int = 0, sigma: float = 0.12, low: float = 0.0, high: float = 0.45) -> Tensor:
    """Six Gaussian blobs at distances from ``low`` to ``high``, at points ``[..., 2]``."""
    g = torch.Generator().manual_seed(seed)
    r, phi, height = torch.rand(3, 6, dtype=torch.float64, generator=g)
    r, phi = low + (high - low) * r, 2 * math.pi * phi
    centres = torch.stack((r * phi.cos(), r * phi.sin()), -1)
    distance = (x[..., None, :] - centres).square().sum(-1)
    return ((0.3 + height) * torch.exp(-0.5 * distance / sigma**2)).sum(-1)


def image(warp: Warp, a: Tensor, side: int, **options: float) -> Tensor:
    """The scene after the map T_a: ``f(T_a^-1 x)`` on pixels, ``[1, 1, side, side]``."""
    return scene(warp.act(-a, pixels(side)), **options)[None, None]


def random_places(warp: Warp, count: int = 200, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Random coordinates within the ranges, and sheets."""
    g = torch.Generator().manual_seed(seed)
    t = torch.rand(2, count, dtype=torch.float64, generator=g)
    u, v = (axis.low + axis.length * part for axis, part in zip(warp.axes, t, strict=True))
    return u, v, torch.randint(0, warp.sheets, (count,), generator=g)


def random_shift(warp: Warp, count: int = 200, size: float = 0.15, seed: int = 1) -> Tensor:
    """Random parameters ``[count, parameters]``, small so that no point leaves the chart."""
    g = torch.Generator().manual_seed(seed)
    return (torch.rand(count, warp.parameters, dtype=torch.float64, generator=g) * 2 - 1) * size
