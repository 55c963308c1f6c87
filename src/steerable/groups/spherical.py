"""Real spherical harmonics of any degree, by recursion, with an analytic backward."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.groups.eager import runs_eagerly


def spherical_harmonics(xyz: Tensor, degrees: int | Sequence[int], normalise: bool = True) -> Tensor:
    """Orthonormal real spherical harmonics, polar axis x3, ``m = -l..l``, no Condon-Shortley phase.

    Degree 0 is ``sqrt(1 / 4 pi)``, degree 1 ``sqrt(3 / 4 pi) (x2, x3, x1)``. ``Y(R x) = D(R) Y(x)`` with the irreps of
    :class:`SO3`. The solid harmonics ``r^l Y`` obey ``Y_lm = a z Y_(l-1)m - b r^2 Y_(l-2)m`` upwards from
    ``Re, Im (x + i y)^m``: stable for any degree, no angles, no poles.

    Args:
        xyz: points ``[..., 3]``; half precision is computed in float32.
        degrees: one degree, or several in any order.
        normalise: project the points on the sphere first; otherwise the homogeneous polynomials ``r^l Y_l(x / r)``.

    Returns:
        ``[..., sum(2 l + 1)]`` in the dtype of ``xyz``. At the origin the harmonics of degree l > 0 and all gradients
        are zero. Differentiable twice.

    Raises:
        ValueError: for a negative degree or points that are not in space.
    """
    wanted = (degrees,) if isinstance(degrees, int) else tuple(degrees)
    if any(int(l) != l or l < 0 for l in wanted):
        raise ValueError(f"spherical_harmonics: degrees are integers >= 0, got {degrees!r}")
    if xyz.shape[-1:] != (3,):
        raise ValueError(f"spherical_harmonics: expected points [..., 3], got shape {tuple(xyz.shape)}")
    half = xyz.dtype in (torch.float16, torch.bfloat16)
    points = xyz.float() if half else xyz
    points = unit(points) if normalise else points
    top = max(wanted, default=0)
    plain = torch.compiler.is_compiling() or not runs_eagerly(points) or points.numel() == 0
    flat = points.reshape(-1, 3)
    solid = _plain(points, top) if plain else _call(flat, top).reshape(*points.shape[:-1], -1)
    if wanted != tuple(range(top + 1)):
        solid = torch.cat([solid[..., l * l : (l + 1) ** 2] for l in wanted] or [solid[..., :0]], -1)
    return solid.to(xyz.dtype) if half else solid


def unit(xyz: Tensor) -> Tensor:
    """Points ``[..., 3]`` over their length; the origin stays where it is, with gradient zero."""
    scale = xyz.detach().abs().amax(-1, keepdim=True)  # lengths of 1e-200 and 1e200 have squares that are no numbers
    zero = scale == 0
    scaled = xyz / torch.where(zero, torch.ones_like(scale), scale)
    square = (scaled * scaled).sum(-1, keepdim=True)
    return torch.where(zero, torch.zeros_like(xyz), scaled * torch.where(zero, torch.ones_like(square), square).rsqrt())


@lru_cache(maxsize=256)
def _factors(degree: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Factors a, b ``[degree]`` of the recursion for m = 0 .. degree - 1, and the seed of m = degree over m - 1."""
    l, m = degree, np.arange(degree)
    a = np.sqrt((4.0 * l * l - 1) / ((l - m) * (l + m)))
    b = np.sqrt((2.0 * l + 1) * (l + m - 1) * (l - m - 1) / ((2.0 * l - 3) * (l - m) * (l + m))) if l > 1 else 0.0 * m
    seed = np.sqrt((2 * l + 1) / (2 * l)) * (np.sqrt(2.0) if l == 1 else 1.0) if l else np.sqrt(0.25 / np.pi)
    return a, b, float(seed)


def _plain(points: Tensor, top: int) -> Tensor:
    """The definition, in ordinary operators: solid harmonics ``[..., (top + 1)^2]``."""
    x, y, z = points.unbind(-1)
    square = x * x + y * y + z * z
    first = torch.full_like(x, _factors(0)[2])
    rows: list[list[Tensor]] = [[first]]
    for l in range(1, top + 1):
        a, b, seed = _factors(l)
        middle = len(rows[l - 1]) // 2
        cos, sin = rows[l - 1][-1], rows[l - 1][0] if l > 1 else torch.zeros_like(x)
        row = {l: seed * (x * cos - y * sin), -l: seed * (x * sin + y * cos)}
        for m in range(-l + 1, l):
            row[m] = float(a[abs(m)]) * z * rows[l - 1][middle + m]
            if abs(m) < l - 1:
                row[m] = row[m] - float(b[abs(m)]) * square * rows[l - 2][middle - 1 + m]
        rows.append([row[m] for m in range(-l, l + 1)])
    return torch.stack([r for row in rows for r in row], -1)


def _call(points: Tensor, top: int) -> Tensor:
    result: Any = _Solid.apply(points, top)
    return result


_CHUNK = 2048


class _Solid(torch.autograd.Function):
    """The same in tiles that stay in the cache; the gradient of degree l is linear in degree l - 1."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, top: int) -> Tensor:
        """``[n, 3] -> [n, (top + 1)^2]``."""
        out = points.new_empty(len(points), (top + 1) ** 2)
        for part, target in zip(points.split(_CHUNK), out.split(_CHUNK), strict=True):
            target.copy_(_tile(part, top).t())
        ctx.save_for_backward(points, out)
        ctx.top = top
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """Linear in the saved harmonics, which carry their own graph: differentiable again."""
        points, out = ctx.saved_tensors
        (grad,) = grads
        if torch.is_grad_enabled():
            return _gradient(grad, out, ctx.top), None
        result = torch.empty_like(points)
        for g, y, target in zip(grad.split(_CHUNK), out.split(_CHUNK), result.split(_CHUNK), strict=True):
            target.copy_(_gradient(g, y, ctx.top))
        return result, None


def _tile(points: Tensor, top: int) -> Tensor:
    """Solid harmonics ``[(top + 1)^2, n]`` of one tile: each of them a contiguous row."""
    x, y, z = points.t().contiguous()
    square = x * x + y * y + z * z
    out = points.new_empty((top + 1) ** 2, len(points))
    out[0] = _factors(0)[2]
    for l in range(1, top + 1):
        before = out[(l - 1) ** 2 : l * l]
        row = out[l * l : (l + 1) ** 2]
        a, b, seed = _columns(l, points.dtype, points.device)
        cos = before[-1]
        if l == 1:
            torch.mul(cos, x, out=row[2])
            torch.mul(cos, y, out=row[0])
        else:
            sin = before[0]
            torch.mul(cos, x, out=row[-1]).addcmul_(sin, y, value=-1)
            torch.mul(sin, x, out=row[0]).addcmul_(cos, y)
        row[0] *= seed
        row[-1] *= seed
        middle = row[1:-1]
        torch.mul(before, a * z if l < 3 else z, out=middle)
        if l >= 3:
            middle *= a
        if l >= 2:
            middle[1:-1].addcmul_(out[(l - 2) ** 2 : (l - 1) ** 2] * b, square, value=-1)
    return out


@lru_cache(maxsize=1024)
def _columns(degree: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, float]:
    """The factors for m = -l .. l as columns."""
    a, b, seed = _factors(degree)
    order = np.abs(np.arange(-degree + 1, degree))
    columns = [torch.tensor(v[order][:, None], dtype=dtype, device=device) for v in (a, b)]
    return columns[0], columns[1][1:-1], seed


@lru_cache(maxsize=256)
def _derivative(degree: int) -> np.ndarray:
    """``[2 l + 1, 3, 2 l - 1]``: the gradient of solid harmonics of degree l in those of degree l - 1.

    From the derivative of the recursion: ``d/dz`` keeps m, ``d/dx -+ i d/dy`` shift it by one (Hobson, "The Theory of
    Spherical and Ellipsoidal Harmonics", 1931, chapter 3).
    """
    l = degree
    out = np.zeros((2 * l + 1, 3, 2 * l - 1))
    scale = np.sqrt((2 * l + 1) / (2 * l - 1))

    def put(m: int, axis: int, n: int, value: float) -> None:
        if abs(n) < l:
            out[m + l, axis, n + l - 1] += value

    for m in range(l + 1):
        up = scale * np.sqrt((l - m) * (l - m - 1.0)) / 2 if m < l else 0.0
        down = scale * np.sqrt((l + m) * (l + m - 1.0)) / 2
        straight = scale * np.sqrt((l - m) * (l + m + 0.0))
        put(m, 2, m, straight)
        if m == 0:
            put(0, 0, 1, -np.sqrt(2.0) * up)
            put(0, 1, -1, -np.sqrt(2.0) * up)
            continue
        put(-m, 2, -m, straight)
        down *= np.sqrt(2.0) if m == 1 else 1.0
        put(m, 0, m - 1, down)
        put(m, 0, m + 1, -up)
        put(m, 1, -(m + 1), -up)
        put(-m, 0, -(m + 1), -up)
        put(-m, 1, m - 1, down)
        put(-m, 1, m + 1, up)
        if m > 1:
            put(m, 1, -(m - 1), -down)
            put(-m, 0, -(m - 1), down)
    return out


@lru_cache(maxsize=256)
def _derivative_tensor(degree: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(_derivative(degree).reshape(2 * degree + 1, -1), dtype=dtype, device=device)


def _gradient(grad: Tensor, out: Tensor, top: int) -> Tensor:
    """Gradient ``[n, 3]`` from that of the harmonics and the harmonics themselves."""
    total = out.new_zeros(len(out), 3)
    for l in range(1, top + 1):
        weights = grad[:, l * l : (l + 1) ** 2] @ _derivative_tensor(l, out.dtype, out.device)
        total = total + (weights.unflatten(1, (3, 2 * l - 1)) * out[:, None, (l - 1) ** 2 : l * l]).sum(-1)
    return total
