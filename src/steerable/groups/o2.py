"""O(2): all rotations and reflections of the plane."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from steerable.groups.cyclic import QUARTER
from steerable.groups.group import Group, IrrepInfo, is_number, unknown_irrep
from steerable.groups.rotations import determinant, rotation_matrix
from steerable.groups.so2 import planar_product


class O2(Group):
    """Rotations and reflections; an element is ``(angle, s)`` (float64, ``[..., 2]``) and acts as ``R(angle) F^s``.

    ``F`` is x2 -> -x2. Irreps: ``"0e"`` trivial, ``"0o"`` the sign of reflections, ``"k"`` of dimension 2 (real type).
    """

    element_shape = (2,)

    @property
    def key(self) -> tuple[object, ...]:
        """Family."""
        return ("O2",)

    @property
    def name(self) -> str:
        """``O2``."""
        return "O2"

    @property
    def identity(self) -> Tensor:
        """No rotation, no flip."""
        return torch.from_numpy(np.zeros(2))

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """``R(x) F^s R(y) F^t = R(x +- y) F^(s+t)``."""
        angle = torch.remainder(a[..., 0] + (1 - 2 * a[..., 1]) * b[..., 0], 2 * math.pi)
        return torch.stack([angle, torch.remainder(a[..., 1] + b[..., 1], 2)], -1)

    def inverse(self, a: Tensor) -> Tensor:
        """A reflection is its own inverse."""
        return torch.stack([torch.remainder(-(1 - 2 * a[..., 1]) * a[..., 0], 2 * math.pi), a[..., 1]], -1)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Uniform angle, fair flip."""
        u = torch.rand(count, 2, generator=generator, dtype=torch.float64, device="cpu")
        return torch.stack([2 * math.pi * u[:, 0], (u[:, 1] < 0.5).double()], -1)

    def grid(self, count: int | None = None) -> Tensor:
        """``count`` elements (even): equal steps, without and with the flip. Raises ``ValueError`` if odd or absent."""
        if not count or count % 2:
            raise ValueError(f"O2 is infinite: grid needs an even number of elements, got {count!r}")
        half = count // 2
        angle = np.tile(2 * np.pi * np.arange(half) / half, 2)
        return torch.from_numpy(np.stack([angle, np.repeat([0.0, 1.0], half)], -1))

    @property
    def generators(self) -> Tensor:
        """One radian (dense in the rotations) and the flip."""
        return torch.from_numpy(np.array([[1.0, 0.0], [0.0, 1.0]]))

    def quadrature(self, frequency: int) -> Tensor:
        """``frequency + 1`` equal steps, without and with the flip."""
        return self.grid(2 * (frequency + 1))

    def equal(self, a: Tensor, b: Tensor) -> Tensor:
        """Equal modulo a full turn, to 1e-9."""
        d = torch.remainder(a[..., 0] - b[..., 0] + math.pi, 2 * math.pi) - math.pi
        return (d.abs() < 1e-9) & (a[..., 1] == b[..., 1])

    @property
    def dimension(self) -> int:
        """The plane."""
        return 2

    def plane(self, g: Tensor) -> Tensor:
        """Rotations and reflections; differentiable in the angle."""
        return _flipped(rotation_matrix(g[..., 0]), g[..., 1])

    def from_plane(self, matrix: Tensor) -> Tensor:
        """Element of any orthogonal matrix."""
        flip = (determinant(matrix) < 0).double()
        angle = torch.remainder(torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0]), 2 * math.pi)
        return torch.stack([angle, flip], -1)

    def irrep_ids(self, max_frequency: int | None = None) -> tuple[str, ...]:
        """``"0e", "0o", "1", ...``. Raises ``ValueError`` without ``max_frequency``."""
        if max_frequency is None:
            raise ValueError(
                f"O2 has infinitely many irreps: give max_frequency, for example O2().irreps(3), got {max_frequency!r}"
            )
        return ("0e", "0o", *(str(k) for k in range(1, max_frequency + 1)))

    def irrep_info(self, id: str) -> IrrepInfo:
        """All irreps are of real type."""
        if id in ("0e", "0o"):
            return IrrepInfo(id, 1, 1, 0, np.ones((1, 1, 1)))
        if not is_number(id) or int(id) == 0:
            raise unknown_irrep(self, id, "'0e', '0o', '1', '2', ...")
        return IrrepInfo(id, 2, 1, int(id), np.eye(2)[None])

    def irrep_matrix(self, id: str, g: Tensor) -> Tensor:
        """Rotation by k times the angle, times the flip."""
        info = self.irrep_info(id)
        if info.dim == 1:
            value = torch.ones_like(g[..., 1]) if id == "0e" else 1 - 2 * g[..., 1]
            return value[..., None, None]
        return _flipped(rotation_matrix(info.frequency * g[..., 0]), g[..., 1])

    def irrep_product(self, a: str, b: str) -> tuple[tuple[str, ...], np.ndarray]:
        """Difference and sum of the frequencies; both of frequency 0 where they are equal."""
        x, y = self.irrep_info(a), self.irrep_info(b)
        if x.dim == y.dim == 2:
            low = (str(abs(x.frequency - y.frequency)),) if a != b else ("0e", "0o")
            return (*low, str(x.frequency + y.frequency)), planar_product(x.frequency, y.frequency)
        if x.dim == y.dim == 1:
            return ("0e" if a == b else "0o",), np.eye(1)
        flip, plane = (a, b) if x.dim == 1 else (b, a)
        return (plane,), np.eye(2) if flip == "0e" else -QUARTER


def _flipped(matrix: Tensor, flip: Tensor) -> Tensor:
    """Second column negated where ``flip`` is 1."""
    sign = torch.stack([torch.ones_like(flip), 1 - 2 * flip], -1)
    return matrix * sign[..., None, :]
