"""Real spherical harmonics of any degree, by recursion, with an analytic backward."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.groups.eager import constant, runs_eagerly


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
        ``[..., sum(2 l + 1)]`` in the dtype of ``xyz``. At the origin the harmonics of degree l > 0 are zero, and so is
        every gradient where points are normalised; polynomials have their own there. Differentiable twice.

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
    top = max(wanted, default=0)
    if torch.compiler.is_compiling() or not runs_eagerly(points) or points.numel() == 0:
        solid = _plain(unit(points) if normalise else points, top)
    else:
        solid = _call(points.reshape(-1, 3), top, normalise).reshape(*points.shape[:-1], -1)
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


@constant
def _recursion(top: int) -> Tensor:
    """Factors a, b, seed ``[3, top^2 + 1]``: degree l >= 1 in columns ``(l - 1)^2 .. l^2``, degree 0 in the last."""
    out = np.zeros((3, top * top + 1))
    out[2, -1] = _factors(0)[2]
    for l in range(1, top + 1):
        order, columns = np.abs(np.arange(-l + 1, l)), slice((l - 1) ** 2, l * l)
        a, b, out[2, columns] = _factors(l)
        out[0, columns], out[1, columns] = a[order], b[order]
    return torch.from_numpy(out)


def _plain(points: Tensor, top: int) -> Tensor:
    """The definition, in ordinary operators: solid harmonics ``[..., (top + 1)^2]``."""
    x, y, z = points[..., :1], points[..., 1:2], points[..., 2:]
    square = x * x + y * y + z * z
    factors = _recursion(top).to(points)
    rows = [factors[2, -1] * torch.ones_like(x)]
    for l in range(1, top + 1):
        a, b, seed = factors[:, (l - 1) ** 2 : l * l]
        before = rows[-1]
        sin, cos = before[..., :1] if l > 1 else torch.zeros_like(x), before[..., -1:]
        middle = a * z * before
        if l > 1:
            middle = middle - b * square * torch.nn.functional.pad(rows[-2], (1, 1))
        first, last = seed[0] * (x * sin + y * cos), seed[0] * (x * cos - y * sin)
        rows.append(torch.cat([first, middle, last], -1))
    return torch.cat(rows, -1)


def _call(points: Tensor, top: int, normalise: bool) -> Tensor:
    result: Any = _Harmonics.apply(points, top, normalise)
    return result


def _chunk(top: int) -> int:
    """Points a tile: all its harmonics together stay in the cache."""
    return max(256, min(8192, 2**18 // (top + 1) ** 2))


class _Harmonics(torch.autograd.Function):
    """The same in tiles that stay in the cache; saves the points only. The gradient is linear in lower degrees."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, top: int, normalise: bool) -> Tensor:
        """``[n, 3] -> [n, (top + 1)^2]``."""
        out = points.new_empty(len(points), (top + 1) ** 2)
        scale = _scale(top, points.dtype, points.device)
        size = _chunk(top)
        for part, target in zip(points.split(size), out.split(size), strict=True):
            rows, square, _ = _rows(part, normalise)
            target.copy_(_tile(rows, top, square).t()).mul_(scale)
        ctx.save_for_backward(points)
        ctx.top, ctx.normalise = top, normalise
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of degree l is linear in degree l - 1; with a graph, of the harmonics as a function again."""
        (points,) = ctx.saved_tensors
        (grad,), top, normalise = grads, ctx.top, ctx.normalise
        if top == 0:
            return torch.zeros_like(points), None, None
        if torch.is_grad_enabled():
            lower = _call(points, top - 1, normalise)
            total = (grad @ _derivatives(top, grad.dtype, grad.device)[1].mT).unflatten(1, (3, -1))
            total = (total * lower[:, None]).sum(-1)
            return _through_unit(total, points) if normalise else total, None, None
        result = torch.empty_like(points)
        size = _chunk(top)
        for g, x, target in zip(grad.split(size), points.split(size), result.split(size), strict=True):
            target.copy_(_gradient(g, x, top, normalise).t())
        return result, None, None


def _through_unit(grad: Tensor, points: Tensor) -> Tensor:
    """Gradient through :func:`unit`, in differentiable operators."""
    with torch.enable_grad():
        u = unit(points)
        length = (u * points).sum(-1, keepdim=True)
        length = torch.where(length == 0, torch.ones_like(length), length)
    back = (grad - u * (u * grad).sum(-1, keepdim=True)) / length
    return torch.where(points.abs().amax(-1, keepdim=True) == 0, torch.zeros_like(back), back)


def _rows(points: Tensor, normalise: bool) -> tuple[Tensor, Tensor | None, Tensor]:
    """Coordinates ``[3, n]``, on the sphere if wanted; their squared lengths, ``None`` where all are one; and the
    inverse lengths ``[n]`` of the points, zero at the origin.
    """
    x = points.t().clone(memory_format=torch.contiguous_format)  # one point is contiguous already: never in place
    square = torch.mul(x[0], x[0]).addcmul_(x[1], x[1]).addcmul_(x[2], x[2])
    if not normalise:
        return x, square, square
    low, high = torch.aminmax(square) if len(square) else (square.sum(), square.sum())
    tiny = torch.finfo(x.dtype).tiny
    if bool((low < tiny * 1e8) | ~(high < 1e-8 / tiny)):  # the origin, or squares that leave the range
        u = unit(points).t().contiguous()
        length = (u * x).sum(0)
        return u, (u * u).sum(0), torch.where(length == 0, length, 1 / length)
    inverse = square.rsqrt_() if x.dtype == torch.float64 else square.sqrt_().reciprocal_()
    return x.mul_(inverse), None, inverse


def _tile(rows: Tensor, top: int, square: Tensor | None) -> Tensor:
    """Monic harmonics ``[(top + 1)^2, n]`` of one tile, each of them a contiguous row: the leading factors are one."""
    x, y, z = rows
    out = rows.new_empty((top + 1) ** 2, rows.shape[1])
    out[0] = 1
    if top:
        out[1:4] = rows[[1, 2, 0]]
    for l in range(2, top + 1):
        before, row = out[(l - 1) ** 2 : l * l], out[l * l : (l + 1) ** 2]
        sin, cos = before[0], before[-1]
        torch.mul(cos, x, out=row[-1]).addcmul_(sin, y, value=-1)
        torch.mul(sin, x, out=row[0]).addcmul_(cos, y)
        torch.mul(before, z, out=row[1:-1])
        earlier = out[(l - 2) ** 2 : (l - 1) ** 2]
        earlier = earlier if square is None else earlier * square
        row[2:-2].addcmul_(earlier, _monic(l, rows.dtype, rows.device), value=-1)
    return out


@lru_cache(maxsize=1024)
def _monic(degree: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Factors of degree l - 2 in the recursion of monic harmonics, a column over m."""
    l, m = degree, np.abs(np.arange(-degree + 2, degree - 1))
    factor = (l + m - 1.0) * (l - m - 1) / ((2.0 * l - 1) * (2 * l - 3))
    return torch.tensor(factor[:, None], dtype=dtype, device=device)


@lru_cache(maxsize=64)
def _leading(top: int) -> np.ndarray:
    """Leading factors ``[(top + 1)^2]``: orthonormal harmonics over monic ones."""
    found = [np.array([_factors(0)[2]])]
    for l in range(1, top + 1):
        a, _, seed = _factors(l)
        half = np.append(found[-1][l - 1 :] * a, found[-1][-1] * seed)
        found.append(np.concatenate([half[:0:-1], half]))
    return np.concatenate(found)


@lru_cache(maxsize=256)
def _scale(top: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(_leading(top), dtype=dtype, device=device)


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


@lru_cache(maxsize=64)
def _derivatives(top: int, dtype: torch.dtype, device: torch.device) -> tuple[tuple[Tensor, ...], Tensor]:
    """For each degree ``[3 (2 l - 1), 2 l + 1]`` on monic harmonics; all, ``[3 top^2, (top + 1)^2]``, on harmonics."""
    scale = _leading(top)
    parts, whole = [], np.zeros((3, top * top, (top + 1) ** 2))
    for l in range(1, top + 1):
        d, low = _derivative(l).transpose(1, 2, 0), slice((l - 1) ** 2, l * l)
        whole[:, low, l * l : (l + 1) ** 2] = d
        monic = (d * scale[low][:, None]).reshape(-1, 2 * l + 1)
        parts.append(torch.tensor(monic, dtype=dtype, device=device))
    return tuple(parts), torch.tensor(whole.reshape(-1, (top + 1) ** 2), dtype=dtype, device=device)


def _gradient(grad: Tensor, points: Tensor, top: int, normalise: bool) -> Tensor:
    """Gradient ``[3, n]`` of one tile."""
    rows, square, inverse = _rows(points, normalise)
    lower = _tile(rows, top - 1, square)
    total = torch.zeros_like(rows)
    for l, d in enumerate(_derivatives(top, rows.dtype, rows.device)[0], 1):
        weights = (d @ grad[:, l * l : (l + 1) ** 2].t()).view(3, 2 * l - 1, -1)
        total += weights.mul_(lower[(l - 1) ** 2 : l * l]).sum(1)
    if normalise:
        total = (total - rows * (rows * total).sum(0)) * inverse
    return total
