"""Solids as signed distances: they can be drawn in any position without interpolation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Distance = Callable[[Tensor], Tensor]


def _ball(p: Tensor) -> Tensor:
    return p.norm(dim=-1) - 0.55


def _box(p: Tensor) -> Tensor:
    return _cuboid(p, (0.6, 0.42, 0.3))


def _cuboid(p: Tensor, half: tuple[float, float, float]) -> Tensor:
    q = p.abs() - torch.tensor(half, dtype=p.dtype)
    return q.clamp_min(0).norm(dim=-1) + q.amax(-1).clamp_max(0)


def _torus(p: Tensor) -> Tensor:
    return torch.hypot(torch.hypot(p[..., 0], p[..., 1]) - 0.5, p[..., 2]) - 0.17


def _shell(p: Tensor) -> Tensor:
    return (p.norm(dim=-1) - 0.5).abs() - 0.1


def _cross(p: Tensor) -> Tensor:
    bars = [(0.7, 0.14, 0.14), (0.14, 0.6, 0.14), (0.14, 0.14, 0.5)]
    return torch.stack([_cuboid(p, b) for b in bars]).amin(0)


def _four(p: Tensor) -> Tensor:
    corners = 0.38 * torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=p.dtype)
    return torch.stack([(p - c).norm(dim=-1) - 0.22 for c in corners]).amin(0)


def _helix(hand: float) -> Distance:
    t = torch.linspace(0, 1, 60, dtype=torch.float64)
    angle = 3 * math.pi * t
    curve = torch.stack([0.4 * angle.cos(), hand * 0.4 * angle.sin(), 1.3 * t - 0.65], -1)

    def distance(p: Tensor) -> Tensor:
        return torch.cdist(p, curve.to(p)).amin(-1) - 0.14

    return distance


# name, and the signed distance in a ball of radius 0.8; helix_left is helix_right in a mirror
SOLIDS: Mapping[str, Distance] = {
    "ball": _ball,
    "box": _box,
    "torus": _torus,
    "shell": _shell,
    "cross": _cross,
    "four_balls": _four,
    "helix_right": _helix(1.0),
    "helix_left": _helix(-1.0),
}
