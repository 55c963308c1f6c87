"""Shapes made of ellipsoids, seen from far away: depth in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.groups import random_rotation

#: shapes without symmetry within the unit ball: centre and half axes of each of their ellipsoids
SHAPES: dict[str, tuple[tuple[float, ...], ...]] = {
    "plane": (
        (0.0, 0.0, 0.0, 0.85, 0.16, 0.16),
        (0.1, 0.4, 0.0, 0.18, 0.45, 0.05),
        (0.1, -0.3, 0.0, 0.18, 0.35, 0.05),
        (-0.7, 0.0, 0.25, 0.12, 0.05, 0.28),
    ),
    "chair": (
        (0.0, 0.0, 0.0, 0.5, 0.5, 0.1),
        (-0.45, 0.0, 0.45, 0.1, 0.45, 0.5),
        (0.3, 0.35, -0.4, 0.1, 0.1, 0.4),
        (0.3, -0.35, -0.4, 0.1, 0.1, 0.4),
        (-0.35, 0.35, -0.3, 0.1, 0.1, 0.3),
        (0.2, -0.55, 0.2, 0.3, 0.08, 0.08),
    ),
    "hook": (
        (0.0, 0.0, -0.1, 0.16, 0.16, 0.8),
        (0.35, 0.0, 0.6, 0.4, 0.14, 0.14),
        (0.0, -0.4, -0.6, 0.13, 0.4, 0.13),
        (0.25, 0.25, 0.0, 0.22, 0.22, 0.22),
    ),
}


def render_depth(shape: str, rotation: Tensor, side: int = 64, coverage: float = 0.9) -> Tensor:
    """Depth images of a turned shape, orthographic: ``[B, 1, side, side]``.

    The camera looks along -x3, x1 is right and x2 up; the unit ball fills ``coverage`` of half the side. Values are
    ``(x3 + 3) / 4`` of the surface that is seen, between 1/2 and 1, and 0 beside the shape. Differentiable in the
    rotation inside the outline.

    Args:
        shape: one of :data:`SHAPES`.
        rotation: ``[B, 3, 3]``.
        side: in pixels.
        coverage: radius of the unit ball as a share of half the side.

    Raises:
        ValueError: for an unknown shape.
    """
    if shape not in SHAPES:
        raise ValueError(f"render_depth: unknown shape {shape!r}; expected one of {', '.join(SHAPES)}")
    parts = torch.tensor(SHAPES[shape], dtype=rotation.dtype, device=rotation.device)
    centre, half = parts[:, :3], parts[:, 3:]
    middle = ((2 * torch.arange(side, dtype=rotation.dtype, device=rotation.device) + 1) / side - 1) / coverage
    x1, x2 = middle.expand(side, side).flatten(), (-middle)[:, None].expand(side, side).flatten()
    # a point of the ray in the frame of the shape is u + z d; an ellipsoid there is |(u + z d - c) / half| = 1
    d = rotation[:, 2]  # R^T e3
    u = rotation[:, 0, None] * x1[:, None] + rotation[:, 1, None] * x2[:, None]  # [B, P, 3]
    start = (u[:, :, None] - centre) / half
    step = (d[:, None] / half)[:, None]
    a, b, c = (step * step).sum(-1), (start * step).sum(-1), (start * start).sum(-1) - 1
    root = b * b - a * c
    hit = root > 0
    z = (torch.where(hit, root, torch.ones_like(root)).sqrt() - b) / a
    depth = torch.where(hit, z, torch.full_like(z, -torch.inf)).amax(-1)
    seen = torch.where(depth > -torch.inf, (depth.clamp(min=-1) + 3) / 4, torch.zeros_like(depth))
    return seen.view(-1, 1, side, side)


def draw_views(
    count: int, seed: int, side: int = 64, shapes: tuple[str, ...] = tuple(SHAPES), noise: float = 0.02
) -> tuple[Tensor, Tensor, Tensor]:
    """Random views, float32: images ``[count, 1, side, side]``, rotations ``[count, 3, 3]``, which shape ``[count]``.

    Args:
        count: number of images; shapes take turns.
        seed: of the rotations and the noise.
        side: in pixels.
        shapes: names.
        noise: standard deviation added to every pixel.

    Raises:
        ValueError: for an unknown shape.
    """
    generator = torch.Generator().manual_seed(seed)
    rotation = random_rotation(count, generator).float()
    kind = torch.arange(count) % len(shapes)
    images = torch.empty(count, 1, side, side)
    for k, shape in enumerate(shapes):
        rows = (kind == k).nonzero()[:, 0]
        for part in rows.split(256):
            images[part] = render_depth(shape, rotation[part], side)
    return images + noise * torch.randn(images.shape, generator=generator), rotation, kind
