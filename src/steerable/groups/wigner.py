"""Wigner matrices of rotations in the basis of real spherical harmonics: ``Y(R x) = D(R) Y(x)``.

``D = Z(a) M(b) Z(c)`` for ``R = Rz(a) Ry(b) Rz(c)``. ``Z`` mixes m with -m; ``M(b) = J Z(-b) J`` with the constant J
of the reflection that swaps x2 and x3 is linear in the cosines and sines of m b: one matrix product for a batch. The
gradient uses the generators, ``dD = (w . G) D``, so that it has no singular angles.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.groups.coupling import coupling
from steerable.groups.eager import constant, runs_eagerly
from steerable.groups.quaternions import quaternion_product
from steerable.groups.spherical import spherical_harmonics


def wigner_d(quaternion: Tensor, degrees: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Wigner matrices of rotations given as quaternions.

    Args:
        quaternion: ``[..., 4]`` = (w, x, y, z) of any length but zero; ``q`` and ``-q`` give the same matrices.
        degrees: one degree, or several.

    Returns:
        One ``[..., 2 l + 1, 2 l + 1]`` orthogonal matrix a degree, in the dtype of the quaternion. Differentiable twice
        at every rotation; no angle is ever formed.

    Raises:
        ValueError: for a negative degree or another shape.
    """
    wanted = (degrees,) if isinstance(degrees, int) else tuple(degrees)
    if any(int(l) != l or l < 0 for l in wanted):
        raise ValueError(f"wigner_d: degrees are integers >= 0, got {degrees!r}")
    if quaternion.shape[-1:] != (4,):
        raise ValueError(f"wigner_d: expected quaternions [..., 4] = (w, x, y, z), got {tuple(quaternion.shape)}")
    if torch.compiler.is_compiling() or not runs_eagerly(quaternion):
        return _plain(quaternion, wanted)
    found: Any = _Wigner.apply(quaternion.reshape(-1, 4), wanted)
    return tuple(d.reshape(*quaternion.shape[:-1], 2 * l + 1, 2 * l + 1) for d, l in zip(found, wanted, strict=True))


@lru_cache(maxsize=128)
def swap_matrix(degree: int) -> np.ndarray:
    """``J [2 l + 1, 2 l + 1]``: ``Y(x1, x3, x2) = J Y(x1, x2, x3)``, symmetric, ``J J = 1``.

    A quadrature that is exact for products of harmonics of this degree, so that the convention is theirs by
    construction; entries that vanish by parity are exact zeros, and one step of Newton's makes it orthogonal to the
    last digits. Stable for any degree for which the harmonics are.
    """
    l = degree
    height, weight = np.polynomial.legendre.leggauss(l + 1)
    angle = 2 * np.pi * (np.arange(2 * l + 2) + 0.25) / (2 * l + 2)
    radius = np.sqrt(1 - height**2)[:, None]
    points = np.stack(np.broadcast_arrays(radius * np.cos(angle), radius * np.sin(angle), height[:, None]), -1)
    points, weights = points.reshape(-1, 3), np.repeat(weight, 2 * l + 2) * (2 * np.pi / (2 * l + 2))
    values, swapped = (
        spherical_harmonics(torch.from_numpy(p.copy()), l).numpy() for p in (points, points[:, [0, 2, 1]])
    )
    j = swapped.T @ (weights[:, None] * values)
    m = np.arange(-l, l + 1)
    x, y, z = (np.abs(m) + (m < 0)) % 2, (m < 0) * 1, (l + m) % 2  # parities under the three mirrors
    allowed = (x[:, None] == x) & (y[:, None] == z) & (z[:, None] == y)
    j = np.where(allowed, (j + j.T) / 2, 0.0)
    return 1.5 * j - 0.5 * j @ j @ j


@lru_cache(maxsize=128)
def generators(degree: int) -> np.ndarray:
    """``[3, 2 l + 1, 2 l + 1]``: derivatives of D by rotations about x1, x2, x3 at the identity; antisymmetric."""
    m = np.arange(-degree, degree + 1)
    z = -np.diag(m.astype(float))[:, ::-1]
    j = swap_matrix(degree)
    y = -j @ z @ j
    return np.stack([y @ z - z @ y, y, z])


@lru_cache(maxsize=128)
def _middle(degree: int) -> np.ndarray:
    """``[(l + 1)^2 + l^2, 2 l + 1]``: M(b) on m >= 0 and on m < 0 (by -m = 1..l) from cos m b and sin m b."""
    l, j = degree, swap_matrix(degree)
    columns = [np.outer(j[:, l], j[l])]
    columns += [np.outer(j[:, l + m], j[l + m]) + np.outer(j[:, l - m], j[l - m]) for m in range(1, l + 1)]
    columns += [np.outer(j[:, l + m], j[l - m]) - np.outer(j[:, l - m], j[l + m]) for m in range(1, l + 1)]
    parts = [np.concatenate([c[l:, l:].ravel(), c[:l, :l][::-1, ::-1].ravel()]) for c in columns]
    return np.stack(parts, -1)  # M is even under x2 -> -x2: it never mixes m >= 0 with m < 0


@lru_cache(maxsize=512)
def _constants(degree: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The middle matrix, the order of rows that sorts (0..l, -1..-l) into -l..l, and the generators, flattened."""
    l = degree
    order = np.concatenate([np.arange(2 * l, l, -1), np.arange(l + 1)])
    places = torch.from_numpy((order[:, None] * (2 * l + 1) + order).ravel()).to(device)
    flat = generators(l).reshape(3, -1).T
    return (
        torch.tensor(_middle(l), dtype=dtype, device=device),
        places,
        torch.tensor(flat.copy(), dtype=dtype, device=device),
    )


_CHUNK = 512


def _features(q: Tensor, top: int) -> tuple[Tensor, Tensor, Tensor]:
    """Complex powers ``[top + 1, n]`` of ``exp(i a)``, ``exp(i b)``, ``exp(i c)`` without any angle."""
    w, x, y, z = q.t().contiguous()
    p, s = torch.complex(w, z), torch.complex(y, -x)  # cos(b/2) exp(i(a+c)/2) and sin(b/2) exp(i(a-c)/2)
    long, short = p.abs(), s.abs()
    one = torch.ones_like(p)
    p = torch.where(long > 0, p / long, one)
    s = torch.where(short > 0, s / short, one)
    norm = torch.hypot(long, short)
    long, short = long / norm, short / norm
    b = torch.complex((long - short) * (long + short), 2 * long * short)
    powers = torch.empty(3, top + 1, len(q), dtype=p.dtype, device=q.device)
    powers[:, 0] = 1
    if top:
        powers[:, 1] = torch.stack([p * s, b, p * s.conj()])
    for m in range(2, top + 1):
        torch.mul(powers[:, m // 2], powers[:, m - m // 2], out=powers[:, m])
    return powers[0], powers[1], powers[2]


class _Wigner(torch.autograd.Function):
    """All degrees at once, in tiles that stay in the cache."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, degrees: tuple[int, ...]) -> tuple[Tensor, ...]:
        """``[n, 4]`` to one ``[n, d, d]`` a degree."""
        found = tuple(q.new_empty(len(q), 2 * l + 1, 2 * l + 1) for l in degrees)
        for start in range(0, len(q), _CHUNK):
            part = slice(start, start + _CHUNK)
            _tile(q[part], degrees, [d[part] for d in found])
        ctx.save_for_backward(q, *found)
        ctx.degrees = degrees
        ctx.set_materialize_grads(False)
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, None]:
        """``dD = (w . G) D`` with the angular velocity ``w = 2 dq q* / |q|^2``; the saved outputs carry their graph."""
        q, *found = ctx.saved_tensors
        total = q.new_zeros(len(q), 3)
        for l, d, grad in zip(ctx.degrees, found, grads, strict=True):
            if grad is not None and l:
                flat = _constants(l, q.dtype, q.device)[2]
                total = total + (grad @ d.mT).flatten(1) @ flat
        velocity = torch.cat([torch.zeros_like(total[:, :1]), total], -1)
        return 2 * quaternion_product(velocity, q) / (q * q).sum(-1, keepdim=True), None


def _tile(q: Tensor, degrees: tuple[int, ...], found: list[Tensor]) -> None:
    """Write the matrices of one tile of rotations."""
    n, top = len(q), max(degrees, default=0)
    first, middle, last = _features(q, top)
    for l, target in zip(degrees, found, strict=True):
        constants, places, _ = _constants(l, q.dtype, q.device)
        features = torch.cat([middle.real[: l + 1], middle.imag[1 : l + 1]])
        m = constants @ features
        a, b = m[: (l + 1) ** 2].view(l + 1, l + 1, n), m[(l + 1) ** 2 :].view(l, l, n)
        ca, sa, cc, sc = (f[: l + 1] for f in (first.real, first.imag, last.real, last.imag))
        ca, sa = ca[:, None].contiguous(), sa[:, None].contiguous()
        cc, sc = cc.contiguous(), sc.contiguous()
        d = q.new_empty(2 * l + 1, 2 * l + 1, n)  # rows and columns in the order 0..l, -1..-l
        u, x = a * cc, a[:, 1:] * sc[1:]
        torch.mul(ca, u, out=d[: l + 1, : l + 1])
        torch.mul(-ca, x, out=d[: l + 1, l + 1 :])
        torch.mul(sa[1:], u[1:], out=d[l + 1 :, : l + 1])
        torch.mul(-sa[1:], x[1:], out=d[l + 1 :, l + 1 :])
        v, w = b * sc[1:], b * cc[1:]
        d[1 : l + 1, 1 : l + 1].addcmul_(sa[1:], v, value=-1)
        d[1 : l + 1, l + 1 :].addcmul_(sa[1:], w, value=-1)
        d[l + 1 :, 1 : l + 1].addcmul_(ca[1:], v)
        d[l + 1 :, l + 1 :].addcmul_(ca[1:], w)
        target.flatten(1).copy_(d.flatten(0, 1).index_select(0, places).t())


@constant
def _steps(top: int) -> Tensor:
    """The isometries ``[2 l + 1, 2 l - 1, 3]`` from degrees l - 1 and 1 to l, flat, one after the other from l = 2."""
    parts = [coupling(l - 1, 1, l).ravel() for l in range(2, top + 1)]
    return torch.from_numpy(np.concatenate(parts) if parts else np.zeros(0))


def _plain(q: Tensor, degrees: tuple[int, ...]) -> tuple[Tensor, ...]:
    """The definition, in ordinary operators: ``D_l`` is the part of ``D_(l-1) (x) D_1`` of degree l: polynomials."""
    w, x, y, z = q.unbind(-1)
    s = 2 / (q * q).sum(-1)
    rows = [
        [1 - s * (x * x + z * z), s * (y * z - w * x), s * (x * y + w * z)],
        [s * (y * z + w * x), 1 - s * (x * x + y * y), s * (x * z - w * y)],
        [s * (x * y - w * z), s * (x * z + w * y), 1 - s * (y * y + z * z)],
    ]
    first = torch.stack([torch.stack(row, -1) for row in rows], -2)  # the rotation in the order x2, x3, x1
    found = [torch.ones_like(first[..., :1, :1]), first]
    top = max(degrees, default=0)
    sizes = [(2 * l + 1) * (2 * l - 1) * 3 for l in range(2, top + 1)]
    for l, step in enumerate(_steps(top).to(q).split(sizes), 2):
        c = step.view(2 * l + 1, 2 * l - 1, 3)
        half = torch.einsum("iab,...ac->...ibc", c, found[-1])
        found.append(torch.einsum("...ibc,...bd,jcd->...ij", half, first, c))
    return tuple(found[l] for l in degrees)
