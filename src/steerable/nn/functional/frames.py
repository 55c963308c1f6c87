"""Elements of a rotation group that move with vectors, and the matrices of its irreps; no group objects are needed.

An element is stored as its group stores it: SO2 an angle ``[...]``, O2 ``[..., 2]`` = (angle, flip), SO3 a unit
quaternion ``[..., 4]``, O3 ``[..., 5]`` = (quaternion, inversion).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from steerable.groups.quaternions import matrix_to_quaternion
from steerable.groups.rotations import rotation_matrix
from steerable.groups.wigner import wigner_d

#: axes of one element, and dimension of the space, of each group that has frames
ELEMENT_AXES = {"SO2": 0, "O2": 1, "SO3": 1, "O3": 1}
DIMENSIONS = {"SO2": 2, "O2": 2, "SO3": 3, "O3": 3}
# Below this share of its expected squared length a vector has no direction. Its weight is then far below rounding.
_NOTHING = 1e-12


class Frames(NamedTuple):
    """One element of the group a point or a sample, and how far it is to be trusted.

    Attributes:
        elements: ``[B, *S, ...]`` one a point, or ``[B, ...]`` one a sample; as the group stores them.
        weight: ``[B, *S]`` or ``[B]`` between 0 (no frame: the vectors vanish or are parallel) and 1; ``None`` for 1.
    """

    elements: Tensor
    weight: Tensor | None = None

    def of(self, index: Tensor) -> Frames:
        """One frame for each index ``[N]``: from one a graph to one a point, with the batch vector of the points."""
        weight = None if self.weight is None else self.weight.index_select(0, index)
        return Frames(self.elements.index_select(0, index), weight)


def frames_of_vectors(
    vectors: Tensor, sign: Tensor | None, energy: Tensor, kind: str, softness: float
) -> tuple[Tensor, Tensor]:
    """The element q that carries the standard axes to the Gram-Schmidt axes of some vectors: ``q(g x) = g q(x)``.

    Args:
        vectors: ``[..., k, n]`` in coordinates of the space: n - 1 of them give the axes. For O(n) the handedness is
            the sign of ``sign`` plus that of the n-th vector along the last axis, where there is one.
        sign: ``[...]`` a number that reflections negate, or ``None``.
        energy: ``[..., k + 1]`` squared length to be expected of each vector (by component) and of the sign.
        kind: ``SO2``, ``O2``, ``SO3`` or ``O3``.
        softness: share of the expected squares at which the weight is one half.

    Returns:
        Elements, and weights ``t^2 / (t^2 + softness^2)`` with t the product of the squared lengths of what
        Gram-Schmidt leaves, in units of the energy. At degenerate inputs the element is the identity and the weight 0;
        the product of a function of the element with the weight is continuously differentiable there.
    """
    n = DIMENSIONS[kind]
    axes: list[Tensor] = []
    shares: list[Tensor] = []
    good = torch.ones_like(energy[..., 0], dtype=torch.bool)
    for k in range(n - 1):
        v = _without(vectors[..., k, :], axes)
        square = (v * v).sum(-1)
        expected = n * energy[..., k]
        fine = square > _NOTHING * expected
        good = good & fine
        v = v * torch.where(fine, square, torch.ones_like(square)).rsqrt()[..., None]
        v = _without(v, axes)  # once more: cancellation has left something along the axes before
        axes.append(v * torch.where(fine, (v * v).sum(-1), torch.ones_like(square)).rsqrt()[..., None])
        shares.append(square / (expected + torch.finfo(square.dtype).tiny))
    axes.append(_last(axes))
    handed = None
    if kind.startswith("O"):
        handed = torch.zeros_like(good, dtype=vectors.dtype) if sign is None else sign
        expected = energy[..., -1]
        if vectors.shape[-2] == n:
            handed = handed + (vectors[..., n - 1, :] * axes[-1]).sum(-1)
            expected = expected + energy[..., n - 1]
        square = handed * handed
        good = good & (square > _NOTHING * expected)
        shares.append(square / (expected + torch.finfo(square.dtype).tiny))
    t = torch.stack(shares, -1).prod(-1)
    weight = torch.where(good, t * t / (t * t + softness**2), torch.zeros_like(t))
    return _elements(axes, handed, good, kind), weight


def _without(v: Tensor, axes: Sequence[Tensor]) -> Tensor:
    for axis in axes:
        v = v - (v * axis).sum(-1, keepdim=True) * axis
    return v


def _last(axes: list[Tensor]) -> Tensor:
    """The axis that makes the frame right-handed."""
    if len(axes) == 1:
        x, y = axes[0].unbind(-1)
        return torch.stack([-y, x], -1)
    a, b = axes
    return torch.stack([a[..., i - 2] * b[..., i - 1] - a[..., i - 1] * b[..., i - 2] for i in range(3)], -1)


def _elements(axes: list[Tensor], handed: Tensor | None, good: Tensor, kind: str) -> Tensor:
    """Elements of frames; the identity where they are not good."""
    flip = None if handed is None else torch.where(good & (handed < 0), 1.0, 0.0).to(handed)
    if len(axes) == 2:
        x, y = axes[0].unbind(-1)
        angle = torch.atan2(torch.where(good, y, torch.zeros_like(y)), torch.where(good, x, torch.ones_like(x)))
        return angle if flip is None else torch.stack([angle, flip], -1)
    matrix = torch.stack(axes, -1)
    if flip is not None:  # -1 times the axes of an inverted frame is a rotation; its third axis was a product of two
        s = (1 - 2 * flip)[..., None, None]
        matrix = matrix * torch.cat([s, s, torch.ones_like(s)], -1)
    one = torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    q = matrix_to_quaternion(torch.where(good[..., None, None], matrix, one))
    return q if flip is None else torch.cat([q, flip[..., None]], -1)


def irrep_matrices(kind: str, elements: Tensor, ids: Sequence[str]) -> dict[str, Tensor]:
    """Matrices ``[..., d, d]`` of some irreps at elements of SO2, O2, SO3 or O3; differentiable."""
    ids = list(dict.fromkeys(ids))
    if DIMENSIONS[kind] == 3:
        q = elements[..., :4]
        degrees = [int(i.rstrip("eo")) for i in ids]
        found = dict(zip(ids, wigner_d(q, degrees), strict=True))
        if kind == "O3":
            sign = (1 - 2 * elements[..., 4])[..., None, None]
            found = {i: sign * d if i[-1] == "o" else d for i, d in found.items()}
        return found
    angle, flip = (elements, None) if kind == "SO2" else (elements[..., 0], elements[..., 1])
    found = {}
    for i in ids:
        if i in ("0", "0e", "0o"):
            one = torch.ones_like(angle) if i != "0o" or flip is None else 1 - 2 * flip
            found[i] = one[..., None, None]
        else:
            d = rotation_matrix(int(i) * angle)
            if flip is not None:
                d = d * torch.stack([torch.ones_like(flip), 1 - 2 * flip], -1)[..., None, :]
            found[i] = d
    return found
