"""Points drawn on the surfaces of simple shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Draw = Callable[[Tensor, Tensor], Tensor]


def _sphere(u: Tensor, v: Tensor) -> Tensor:
    z, angle = 1 - 2 * u, 2 * math.pi * v
    r = (1 - z * z).clamp_min(0).sqrt()
    return torch.stack([r * angle.cos(), r * angle.sin(), z], -1)


def _box(u: Tensor, v: Tensor) -> Tensor:
    face = (6 * u).floor()
    a, b = 2 * (6 * u - face) - 1, 2 * v - 1
    axis, side = (face % 3).long(), torch.where(face < 3, -1.0, 1.0).to(u)
    xyz = torch.stack([side, a, b], -1)
    order = (torch.arange(3) - axis[..., None]) % 3
    return xyz.gather(-1, order)


def _cylinder(u: Tensor, v: Tensor) -> Tensor:
    # radius 0.6, height 2: of the area 0.23 are caps
    angle, caps = 2 * math.pi * v, 0.6 / 2.6
    cap = u < caps
    inner = (u / caps).clamp(0, 1)
    half = inner < 0.5
    r = torch.where(cap, 0.6 * (2 * inner % 1).sqrt(), 0.6)
    z = torch.where(cap, torch.where(half, -1.0, 1.0).to(u), 2 * (u - caps) / (1 - caps) - 1)
    return torch.stack([r * angle.cos(), r * angle.sin(), z], -1)


def _cone(u: Tensor, v: Tensor) -> Tensor:
    # radius 0.8, height 1.8: the base has 0.8 / (0.8 + slant) of the area
    angle, base = 2 * math.pi * v, 0.8 / (0.8 + math.hypot(0.8, 1.8))
    flat = u < base
    t = torch.where(flat, u / base, (u - base) / (1 - base)).clamp(0, 1).sqrt()
    z = torch.where(flat, -0.9, 0.9 - 1.8 * t)
    return torch.stack([0.8 * t * angle.cos(), 0.8 * t * angle.sin(), z], -1)


def _torus(u: Tensor, v: Tensor) -> Tensor:
    a, b = 2 * math.pi * u, 2 * math.pi * v
    r = 1 + 0.35 * b.cos()
    return torch.stack([r * a.cos(), r * a.sin(), 0.35 * b.sin()], -1)


def _faces(corners: list[list[float]], faces: list[tuple[int, int, int]]) -> Draw:
    points, index = torch.tensor(corners, dtype=torch.float64), torch.tensor(faces)

    def draw(u: Tensor, v: Tensor) -> Tensor:
        place = (u * len(index)).clamp(max=len(index) - 1e-9)
        face = place.floor().long()
        root, s = v.sqrt()[..., None], (place - face)[..., None]
        a, b, c = (points[index[face][..., k]] for k in range(3))
        return a * (1 - root) + b * root * (1 - s) + c * root * s

    return draw


def _cross(u: Tensor, v: Tensor) -> Tensor:
    # three bars of round section along the axes, of unlike length
    bar = (3 * u).floor().clamp(max=2)
    along = 2 * (3 * u - bar) - 1
    angle = 2 * math.pi * v
    length = torch.tensor([1.0, 0.8, 0.6], dtype=torch.float64)[bar.long()]
    xyz = torch.stack([along * length, 0.15 * angle.cos(), 0.15 * angle.sin()], -1)
    return xyz.gather(-1, (torch.arange(3) - bar.long()[..., None]) % 3)


def _tube(curve: Callable[[Tensor], Tensor], radius: float) -> Draw:
    def draw(u: Tensor, v: Tensor) -> Tensor:
        step = 1e-4
        middle = curve(u)
        along = curve(u + step) - curve(u - step)
        along = along / along.norm(dim=-1, keepdim=True)
        # any direction will do that is not along the curve
        other = torch.where((along[..., 2:].abs() < 0.9), torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0]))
        first = torch.linalg.cross(along, other.to(along))
        first = first / first.norm(dim=-1, keepdim=True)
        angle = (2 * math.pi * v)[..., None]
        return middle + radius * (angle.cos() * first + angle.sin() * torch.linalg.cross(along, first))

    return draw


def _helix(hand: float) -> Draw:
    def curve(t: Tensor) -> Tensor:
        angle = 4 * math.pi * t
        return torch.stack([0.7 * angle.cos(), hand * 0.7 * angle.sin(), 2.4 * t - 1.2], -1)

    return _tube(curve, 0.12)


def _knot(t: Tensor) -> Tensor:
    a = 2 * math.pi * t
    r = 2 + (3 * a).cos()
    return torch.stack([r * (2 * a).cos(), r * (2 * a).sin(), (3 * a).sin()], -1) / 2.5


_TETRAHEDRON = _faces([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)])
_OCTAHEDRON = _faces(
    [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]],
    [(i, j, k) for i in (0, 1) for j in (2, 3) for k in (4, 5)],
)

# name, and the map from the unit square to the surface; helix_left is helix_right in a mirror
SHAPES: Mapping[str, Draw] = {
    "sphere": _sphere,
    "box": _box,
    "cylinder": _cylinder,
    "cone": _cone,
    "torus": _torus,
    "tetrahedron": _TETRAHEDRON,
    "octahedron": _OCTAHEDRON,
    "cross": _cross,
    "knot": _tube(_knot, 0.15),
    "helix_right": _helix(1.0),
    "helix_left": _helix(-1.0),
}
