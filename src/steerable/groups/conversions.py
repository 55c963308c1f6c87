"""One table of the ways to write a rotation of space: every pair converts, batched and differentiable."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from steerable.groups.projection import five_to_six, matrix_to_five, nearest_rotation, six_to_matrix
from steerable.groups.quaternions import (
    check_quaternion,
    matrix_to_quaternion,
    quaternion_conjugate,
    quaternion_product,
    quaternion_to_matrix,
)

Convert = Callable[[Tensor], Tensor]


def convert_rotation(value: Tensor, source: str, target: str) -> Tensor:
    """Write rotations in another way.

    | kind | shape | meaning |
    |---|---|---|
    | ``quaternion`` | 4 | (w, x, y, z), ``w >= 0`` on return |
    | ``matrix`` | 3, 3 | acts on columns |
    | ``euler`` | 3 | (a, b, c), ``Rz(a) Ry(b) Rz(c)``, b in [0, pi] |
    | ``euler_yxy`` | 3 | the same about x2, x1, x2, as e3nn writes it |
    | ``vector`` | 3 | axis times angle in [0, pi] |
    | ``6d`` | 6 | the first two columns; read by Gram-Schmidt (Zhou et al., CVPR 2019) |
    | ``5d`` | 5 | the same, stereographically projected (ibid., section 5) |
    | ``9d`` | 9 | the matrix; read by the nearest rotation (Levinson et al., NeurIPS 2020) |

    Args:
        value: rotations ``[..., *shape]``; half precision is computed in float32.
        source, target: kinds.

    Returns:
        ``[..., *shape]`` of the target kind. Where a kind is not smooth (Euler angles at the poles, the vector at half
        a turn, parallel columns) the gradient is finite; where a kind has several names for a rotation, one is chosen.

    Raises:
        ValueError: for an unknown kind, a wrong shape, or a quaternion of norm zero.
    """
    for kind in (source, target):
        if kind not in _KINDS:
            raise ValueError(f"convert_rotation: unknown kind {kind!r}; expected one of {', '.join(_KINDS)}")
    shape = _KINDS[source]
    if value.shape[max(value.dim() - len(shape), 0) :] != shape:
        raise ValueError(f"convert_rotation: {source!r} has shape [..., {shape}], got {tuple(value.shape)}")
    work = value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
    if source in _TO_MATRIX:
        matrix = _TO_MATRIX[source](work)
        out = _FROM_MATRIX[target](matrix) if target in _FROM_MATRIX else _FROM[target](matrix_to_quaternion(matrix))
    else:
        q = _TO[source](work)
        out = _FROM_MATRIX[target](quaternion_to_matrix(q)) if target in _FROM_MATRIX else _FROM[target](q)
    return out.to(value.dtype)


def geodesic(a: Tensor, b: Tensor, kind: str = "matrix") -> Tensor:
    """Angles ``[...]`` in [0, pi] between rotations; the gradient is finite everywhere, and zero where they agree."""
    q = quaternion_product(
        quaternion_conjugate(convert_rotation(a, kind, "quaternion")), convert_rotation(b, kind, "quaternion")
    )
    return 2 * torch.atan2(_length(q[..., 1:]).squeeze(-1), q[..., 0].abs())


def random_rotation(count: int, generator: torch.Generator | None = None, kind: str = "matrix") -> Tensor:
    """``count`` uniform rotations, float64: Gaussian quaternions over their length."""
    q = torch.randn(count, 4, generator=generator, dtype=torch.float64, device="cpu")
    return convert_rotation(q, "quaternion", kind)


def slerp(a: Tensor, b: Tensor, t: Tensor | float, kind: str = "matrix") -> Tensor:
    """Rotations on the shortest way from ``a`` (t = 0) to ``b`` (t = 1), at constant speed.

    Args:
        a, b: rotations of one kind.
        t: one number, or ``[...]`` one for each rotation.
        kind: how they are written.
    """
    start = convert_rotation(a, kind, "quaternion")
    turn = quaternion_product(quaternion_conjugate(start), convert_rotation(b, kind, "quaternion"))
    step = _to_vector(turn) * (t[..., None] if isinstance(t, Tensor) else t)
    return convert_rotation(quaternion_product(start, _from_vector(step)), "quaternion", kind)


def _length(v: Tensor) -> Tensor:
    """Length ``[..., 1]`` with gradient zero at zero."""
    square = (v * v).sum(-1, keepdim=True)
    zero = square == 0
    return torch.where(zero, torch.zeros_like(square), torch.where(zero, torch.ones_like(square), square).sqrt())


def _angle(y: Tensor, x: Tensor) -> Tensor:
    """``atan2`` that is zero, with gradient zero, where both are zero."""
    zero = (x == 0) & (y == 0)
    return torch.atan2(torch.where(zero, torch.zeros_like(y), y), torch.where(zero, torch.ones_like(x), x))


def _positive(q: Tensor) -> Tensor:
    return torch.where(q[..., :1] < 0, -q, q)


def _from_vector(v: Tensor) -> Tensor:
    square = (v * v).sum(-1, keepdim=True)
    small = square < torch.finfo(v.dtype).eps ** 0.5
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    factor = torch.where(small, 0.5 - square / 48, (angle / 2).sin() / angle)
    return torch.cat([torch.where(small, 1 - square / 8, (angle / 2).cos()), factor * v], -1)


def _to_vector(q: Tensor) -> Tensor:
    q = _positive(q)
    w, v = q[..., :1], q[..., 1:]
    square = (v * v).sum(-1, keepdim=True)
    small = square < torch.finfo(v.dtype).eps ** 0.5
    sine = torch.where(small, torch.ones_like(square), square).sqrt()
    near = torch.where(small, w, torch.ones_like(w))
    return v * torch.where(small, 2 / near * (1 - square / (3 * near * near)), 2 * torch.atan2(sine, w) / sine)


def _from_euler(angles: Tensor) -> Tensor:
    a, b, c = angles.unbind(-1)
    low, high, cos, sin = (a + c) / 2, (a - c) / 2, (b / 2).cos(), (b / 2).sin()
    return torch.stack([cos * low.cos(), -sin * high.sin(), sin * high.cos(), cos * low.sin()], -1)


def _to_euler(q: Tensor) -> Tensor:
    w, x, y, z = _positive(q).unbind(-1)
    low, high = _angle(z, w), _angle(-x, y)
    tilt = 2 * torch.atan2(_length(torch.stack([x, y], -1)), _length(torch.stack([w, z], -1))).squeeze(-1)
    return torch.stack([low + high, tilt, low - high], -1)


def _from_yxy(angles: Tensor) -> Tensor:
    return _from_euler(angles)[..., [0, 2, 3, 1]]


def _to_yxy(q: Tensor) -> Tensor:
    return _to_euler(q[..., [0, 3, 1, 2]])


def _first_two(matrix: Tensor) -> Tensor:
    return matrix[..., :2].mT.flatten(-2)


_KINDS: dict[str, tuple[int, ...]] = {
    "quaternion": (4,),
    "matrix": (3, 3),
    "euler": (3,),
    "euler_yxy": (3,),
    "vector": (3,),
    "6d": (6,),
    "5d": (5,),
    "9d": (9,),
}
_TO: dict[str, Convert] = {
    "quaternion": lambda q: check_quaternion(q, "convert_rotation"),
    "euler": _from_euler,
    "euler_yxy": _from_yxy,
    "vector": _from_vector,
}
_FROM: dict[str, Convert] = {
    "quaternion": _positive,
    "euler": _to_euler,
    "euler_yxy": _to_yxy,
    "vector": _to_vector,
}
_TO_MATRIX: dict[str, Convert] = {
    "matrix": lambda m: m,
    "6d": six_to_matrix,
    "5d": lambda v: six_to_matrix(five_to_six(v)),
    "9d": lambda v: nearest_rotation(v.unflatten(-1, (3, 3))),
}
_FROM_MATRIX: dict[str, Convert] = {
    "matrix": lambda m: m,
    "6d": _first_two,
    "5d": matrix_to_five,
    "9d": lambda m: m.flatten(-2),
}
