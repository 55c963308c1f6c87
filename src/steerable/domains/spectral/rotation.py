"""Rotation of coefficients up to large degrees: three turns about the axis and two quarter tilts between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.fields.type import FieldType
from steerable.groups import SO3
from steerable.groups.profiles import profiles


def rotate_coefficients(c: Tensor, type: FieldType, quaternion: Tensor) -> Tensor:
    """``D(q) c``: what ``type.transform(c, q)`` gives, without matrices of the whole representation.

    ``D = Z(a + pi/2) K Z(b) K^T Z(c - pi/2)`` with the constant ``K = D(Ry(pi/2))``, which never mixes orders m >= 0
    with m < 0: two products with about ``l^2`` numbers a degree. Errors grow as the degree: 1e-13 at l = 256.

    Args:
        c: ``[B, type.size]``.
        type: of SO3: spherical or any other coefficients, every field a sum of irreps in their own basis.
        quaternion: one ``[4]``, or one for each element of the batch ``[B, 4]``.

    Returns:
        ``[B, type.size]`` in the dtype of c; differentiable in c, and in the quaternion but at tilts 0 and pi.

    Raises:
        ValueError: for a type of another group or with a change of basis, or tensors of another shape.

    Source: Edmonds, "Angular Momentum in Quantum Mechanics" (1957), section 4.5, for the factorisation.
    """
    if type.group != SO3() or any(b.rep.change_of_basis is not None for b in type.blocks):
        raise ValueError(f"rotate_coefficients: expected a type of SO3 whose fields are sums of irreps, got {type!r}")
    if c.shape[1:] != (type.size,) or quaternion.shape not in ((4,), (c.shape[0], 4)):
        raise ValueError(
            f"rotate_coefficients: coefficients {list(c.shape)} and quaternions {list(quaternion.shape)}; expected "
            f"[B, {type.size}] and [4] or [B, 4]"
        )
    plan = _plan(type)
    first, tilt, last = euler_angles(quaternion.reshape(-1, 4))
    tables = quarter_tilts(plan.top)
    y = c.index_select(1, torch.from_numpy(plan.order).to(c.device))
    y = _tilted(_turned(y, plan, last - math.pi / 2), plan, tables, True)
    y = _tilted(_turned(y, plan, tilt), plan, tables, False)
    y = _turned(y, plan, first + math.pi / 2)
    return y.index_select(1, torch.from_numpy(plan.back).to(c.device))


def euler_angles(quaternion: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Angles a, b, c ``[...]`` of ``q = Rz(a) Ry(b) Rz(c)``; ``q [..., 4]`` of any length but zero."""
    w, x, y, z = quaternion.double().unbind(-1)
    total, difference = torch.atan2(z, w), torch.atan2(-x, y)
    return total + difference, 2 * torch.atan2(torch.hypot(x, y), torch.hypot(w, z)), total - difference


@lru_cache(maxsize=2)
def quarter_tilts(top: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """``D(Ry(pi/2))`` of degrees 0 to ``top``: on orders 0..l ``[l + 1, l + 1]`` and on -1..-l ``[l, l]``."""
    theta = torch.from_numpy(np.array([np.pi / 2]))
    found = [(np.zeros((l + 1, l + 1)), np.zeros((l, l))) for l in range(top + 1)]
    m, n = np.tril_indices(top + 1)  # the rest by symmetry: M(-b) is the transpose, and differs by (-1)^(m - n)
    sign = (-1.0) ** (m - n)
    for start in range(0, top + 1, 32):
        part = slice(start * (start + 1) // 2, min(start + 32, top + 1) * (min(start + 32, top + 1) + 1) // 2)
        rows, columns, flip = m[part], n[part], sign[part]
        a, b = (v[..., 0].numpy() for v in profiles(theta, rows, columns, start, top + 1))
        for l in range(start, top + 1):
            count = np.searchsorted(rows, l + 1)
            r, k, scale = rows[:count], columns[:count], 1 / np.sqrt(2 * l + 1)
            even, odd = found[l]
            values = scale * a[:count, l - start]
            even[r, k], even[k, r] = values, flip[:count] * values
            r, k, values, turn = (v[k > 0] for v in (r, k, scale * b[:count, l - start], flip[:count]))
            odd[r - 1, k - 1], odd[k - 1, r - 1] = values, turn * values
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Plan:
    """Coefficients sorted by degree, each copy in the order 0..l, -1..-l."""

    top: int
    copies: tuple[int, ...]
    order: np.ndarray
    back: np.ndarray
    m: np.ndarray
    partner: np.ndarray


@lru_cache(maxsize=16)
def _plan(type: FieldType) -> _Plan:
    starts: dict[int, list[int]] = {}
    offset = 0
    for rep in type.fields:
        for i in rep.irreps:
            starts.setdefault(int(i), []).append(offset)
            offset += 2 * int(i) + 1
    top = max(starts, default=0)
    order, orders, partner, before = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0, int)], 0
    for l in range(top + 1):
        m = np.concatenate([np.arange(l + 1), -np.arange(1, l + 1)])
        other = np.concatenate([[0], np.arange(l + 1, 2 * l + 1), np.arange(1, l + 1)])
        for start in starts.get(l, []):
            order.append(start + l + m)
            orders.append(m)
            partner.append(before + other)
            before += 2 * l + 1
    joined = np.concatenate(order)
    copies = tuple(len(starts.get(l, [])) for l in range(top + 1))
    return _Plan(top, copies, joined, np.argsort(joined), np.concatenate(orders), np.concatenate(partner))


def _turned(y: Tensor, plan: _Plan, angle: Tensor) -> Tensor:
    """``Z(angle)``: orders m and -m by cosine and sine of ``m angle [B]``."""
    m = torch.from_numpy(plan.m).to(y.device)
    phase = angle.to(y.device)[:, None] * torch.arange(plan.top + 1, device=y.device)
    sign = torch.where(m < 0, 1.0, -1.0).to(y.dtype)
    cos, sin = (f.to(y.dtype).index_select(1, m.abs()) for f in (phase.cos(), phase.sin()))
    return cos * y + sin * sign * y.index_select(1, torch.from_numpy(plan.partner).to(y.device))


def _tilted(y: Tensor, plan: _Plan, tables: tuple[tuple[np.ndarray, np.ndarray], ...], back: bool) -> Tensor:
    """``K`` or its transpose, one degree after the other."""
    parts = y.split([n * (2 * l + 1) for l, n in enumerate(plan.copies)], 1)
    out = []
    for l, (n, v) in enumerate(zip(plan.copies, parts, strict=True)):
        if n:
            a, b = (torch.from_numpy(t).to(y.device, y.dtype) for t in tables[l])
            even, odd = v.unflatten(1, (n, 2 * l + 1)).split([l + 1, l], -1)
            out.append(torch.cat([even @ (a if back else a.T), odd @ (b if back else b.T)], -1).flatten(1))
    return torch.cat(out, 1) if out else y
