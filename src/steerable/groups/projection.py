"""Rotations from the numbers that a network gives: Gram-Schmidt on six or five, the nearest rotation to nine."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def _direction(v: Tensor, fallback: Tensor, size: Tensor) -> Tensor:
    """``v`` over its length; ``fallback``, with gradient zero in v, where it is nothing beside ``size [..., 1]``."""
    square = (v * v).sum(-1, keepdim=True)
    lost = ~(square > (torch.finfo(v.dtype).eps * size) ** 2) | (square == 0)
    return torch.where(lost, fallback, v * torch.where(lost, torch.ones_like(square), square).rsqrt())


def six_to_matrix(v: Tensor) -> Tensor:
    """Rotation matrices ``[..., 3, 3]`` from two columns ``[..., 6]`` by Gram-Schmidt.

    Rotating both columns rotates the matrix: ``f(Q a, Q b) = Q f(a, b)``. Where the columns are zero or parallel some
    rotation is chosen, and the gradient is finite.
    """
    a, b = v[..., :3], v[..., 3:]
    one = torch.zeros_like(a)
    one[..., 0] = 1
    scale = a.detach().abs().amax(-1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny)
    first = _direction(a / scale, one, torch.zeros_like(scale))
    axis = torch.nn.functional.one_hot(first.detach().abs().argmin(-1), 3).to(first)
    across = torch.linalg.cross(first, axis)
    across = across / torch.linalg.vector_norm(across, dim=-1, keepdim=True)
    size = b.detach().abs().amax(-1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny)
    third = _direction(torch.linalg.cross(first, b / size), across, 4 * torch.ones_like(size))
    return torch.stack([first, torch.linalg.cross(third, first), third], -1)


def matrix_to_five(matrix: Tensor) -> Tensor:
    """Five numbers ``[..., 5]``: two of the first column, the other and the second column projected from the pole."""
    first, second = matrix[..., 0], matrix[..., 1]
    height = first[..., 2:]
    return torch.cat([first[..., :2], second / ((1 + height * height).sqrt() - height)], -1)


def five_to_six(v: Tensor) -> Tensor:
    """The two columns ``[..., 6]`` behind five numbers; the inverse of :func:`matrix_to_five` on rotations."""
    w = v[..., 2:]
    square = (w * w).sum(-1, keepdim=True).clamp_min(torch.finfo(v.dtype).eps ** 2)
    length = square.sqrt()
    return torch.cat([v[..., :2], (square - 1) / (2 * length), w / length], -1)


class _Nearest(torch.autograd.Function):
    """Singular values with the sign of the determinant; the gradient divides by sums of them, never by differences."""

    @staticmethod
    def forward(ctx: Any, m: Tensor) -> Tensor:
        """``[..., 3, 3] -> [..., 3, 3]``."""
        u, s, v = torch.linalg.svd(m)
        sign = torch.where(torch.linalg.det(u @ v) < 0, -1.0, 1.0).to(m)
        last = torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], -1)
        u, s = u * last[..., None, :], s * last
        ctx.save_for_backward(u, s, v)
        return u @ v

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """``dR = U A V`` with ``A_ij = (B_ij - B_ji) / (s_i + s_j)``, ``B = U^T dM V^T``."""
        u, s, v = ctx.saved_tensors
        total = s[..., :, None] + s[..., None, :]
        floor = torch.finfo(s.dtype).eps ** 0.5 * s[..., :1, None].clamp_min(torch.finfo(s.dtype).tiny)
        inverse = torch.where(total > floor, 1 / torch.where(total > floor, total, torch.ones_like(total)), 0.0)
        b = u.mT @ grads[0] @ v.mT
        return u @ ((b - b.mT) * inverse) @ v


def nearest_rotation(matrix: Tensor) -> Tensor:
    """The rotation nearest to each matrix ``[..., 3, 3]`` in the Frobenius norm.

    Where two are equally near one is chosen, and the gradient across them is zero. Differentiable once.
    """
    found: Any = _Nearest.apply(matrix)
    return found
