"""Unit quaternions (w, x, y, z) as rotations of space; everything is batched and differentiable."""

from __future__ import annotations

import torch
from torch import Tensor


def quaternion_product(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product ``[..., 4]``: the rotation ``b`` first, then ``a``."""
    w, x, y, z = a.unbind(-1)
    u, p, q, r = b.unbind(-1)
    return torch.stack(
        [
            w * u - x * p - y * q - z * r,
            w * p + x * u + y * r - z * q,
            w * q - x * r + y * u + z * p,
            w * r + x * q - y * p + z * u,
        ],
        -1,
    )


def quaternion_conjugate(q: Tensor) -> Tensor:
    """The inverse rotation of a unit quaternion."""
    return torch.cat([q[..., :1], -q[..., 1:]], -1)


def quaternion_to_matrix(q: Tensor) -> Tensor:
    """Rotation matrices ``[..., 3, 3]`` of quaternions ``[..., 4]`` of any length but zero.

    Raises:
        ValueError: for another last axis.
    """
    if q.shape[-1:] != (4,):
        raise ValueError(
            f"elements of SO3 are unit quaternions [..., 4] = (w, x, y, z), got shape {tuple(q.shape)}; convert other "
            "descriptions with st.groups.convert_rotation"
        )
    w, x, y, z = q.unbind(-1)
    s = 2 / (q * q).sum(-1)
    rows = [
        [1 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)],
        [s * (x * y + w * z), 1 - s * (x * x + z * z), s * (y * z - w * x)],
        [s * (x * z - w * y), s * (y * z + w * x), 1 - s * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Unit quaternions ``[..., 4]`` with ``w >= 0`` of rotation matrices ``[..., 3, 3]``.

    Row k of ``4 q q^T`` is linear in the matrix; the row with the largest diagonal entry is normalised, so that nothing
    cancels and the gradient is finite at every rotation (Shepperd, J. Guidance and Control 1, 1978).
    """
    m = matrix
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    rows = [
        [1 + xx + yy + zz, wx, wy, wz],
        [wx, 1 + xx - yy - zz, xy, xz],
        [wy, xy, 1 - xx + yy - zz, yz],
        [wz, xz, yz, 1 - xx - yy + zz],
    ]
    outer = torch.stack([torch.stack(row, -1) for row in rows], -2)
    best = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = outer.gather(-2, best[..., None, None].expand(*best.shape, 1, 4)).squeeze(-2)
    q = row / torch.linalg.vector_norm(row, dim=-1, keepdim=True)
    return torch.where(q[..., :1] < 0, -q, q)


def check_quaternion(q: Tensor, what: str) -> Tensor:
    """The unit quaternions of ``[..., 4]``. Raises ``ValueError`` for another shape, a zero norm or no number."""
    if q.shape[-1:] != (4,):
        raise ValueError(f"{what}: expected quaternions [..., 4] = (w, x, y, z), got shape {tuple(q.shape)}")
    norm = torch.linalg.vector_norm(q, dim=-1, keepdim=True)
    bad = ~((norm > 1e-12) & norm.isfinite())
    if bool(bad.any()):
        raise ValueError(
            f"{what}: a quaternion of norm {float(norm[bad][0])} is no rotation; give finite ones other than zero"
        )
    return q / norm
