"""SO(2): all rotations of the plane."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.groups.cyclic import QUARTER
from steerable.groups.group import Group, IrrepInfo, is_number, unknown_irrep
from steerable.groups.rotations import determinant, rotation_matrix


class SO2(Group):
    """Rotations; an element is an angle in radians (float64), counter-clockwise.

    Irreps: ``"0"`` trivial and ``"k"``, k >= 1, the rotation by k times the angle (complex type).
    """

    @property
    def key(self) -> tuple[object, ...]:
        """Family."""
        return ("SO2",)

    @property
    def name(self) -> str:
        """``SO2``."""
        return "SO2"

    @property
    def identity(self) -> Tensor:
        """Angle 0."""
        return torch.from_numpy(np.array(0.0))

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """Sum of angles."""
        return torch.remainder(a + b, 2 * math.pi)

    def inverse(self, a: Tensor) -> Tensor:
        """Opposite angle."""
        return torch.remainder(-a, 2 * math.pi)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Uniform angles."""
        return 2 * math.pi * torch.rand(count, generator=generator, dtype=torch.float64, device="cpu")

    def grid(self, count: int | None = None) -> Tensor:
        """``count`` equal steps, from 0. Raises ``ValueError`` without a count."""
        if not count:
            raise ValueError(f"SO2 is infinite: grid needs a positive number of elements, got {count!r}")
        return torch.from_numpy(2 * np.pi * np.arange(count) / count)

    @property
    def generators(self) -> Tensor:
        """One radian: an irrational part of a turn, so its multiples are dense."""
        return torch.from_numpy(np.array([1.0]))

    def quadrature(self, frequency: int) -> Tensor:
        """``frequency + 1`` equal steps."""
        return self.grid(frequency + 1)

    def equal(self, a: Tensor, b: Tensor) -> Tensor:
        """Equal modulo a full turn, to 1e-9."""
        d = torch.remainder(a - b + math.pi, 2 * math.pi) - math.pi
        return d.abs() < 1e-9

    @property
    def dimension(self) -> int:
        """The plane."""
        return 2

    def plane(self, g: Tensor) -> Tensor:
        """Rotation matrices; differentiable in the angle."""
        return rotation_matrix(g)

    def from_plane(self, matrix: Tensor) -> Tensor:
        """Angle of a rotation. Raises ``ValueError`` for reflections."""
        if bool((determinant(matrix) < 0).any()):
            raise ValueError(f"SO2 holds no reflection, got the planar matrix {matrix.tolist()}")
        return torch.remainder(torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0]), 2 * math.pi)

    def irrep_ids(self, max_frequency: int | None = None) -> tuple[str, ...]:
        """``"0"`` .. ``"max_frequency"``. Raises ``ValueError`` without one."""
        if max_frequency is None:
            raise ValueError(
                "SO2 has infinitely many irreps: give max_frequency, for example SO2().irreps(3), "
                f"got {max_frequency!r}"
            )
        return tuple(str(k) for k in range(max_frequency + 1))

    def irrep_info(self, id: str) -> IrrepInfo:
        """Dimension 2 and complex type from k = 1."""
        if not is_number(id):
            raise unknown_irrep(self, id, "'0', '1', '2', ...")
        return _info(id)

    def irrep_matrix(self, id: str, g: Tensor) -> Tensor:
        """Rotation by k times the angle."""
        k = self.irrep_info(id).frequency
        return torch.ones_like(g)[..., None, None] if k == 0 else rotation_matrix(k * g)

    def irrep_product(self, a: str, b: str) -> tuple[tuple[str, ...], np.ndarray]:
        """Difference and sum of the frequencies; twice the trivial one where they are equal."""
        k, l = self.irrep_info(a).frequency, self.irrep_info(b).frequency
        if not (k and l):
            return (str(k + l),), np.eye(2 if k + l else 1)
        low = (str(abs(k - l)),) if k != l else ("0", "0")
        return (*low, str(k + l)), planar_product(k, l)


@lru_cache(maxsize=1024)
def planar_product(first: int, second: int) -> np.ndarray:
    """Change of basis ``[4, 4]`` from the product of two turning planes to the difference and the sum of the angles.

    Of SO(2) and of O(2); the columns are those that the general decomposition gives.
    """
    s = 1.0 if first <= second else -1.0
    return np.array([[1, 0, 1, 0], [0, s, 0, 1], [0, -s, 0, 1], [1, 0, -1, 0]]) / math.sqrt(2)


@lru_cache(maxsize=1024)
def _info(id: str) -> IrrepInfo:
    k = int(id)
    if k == 0:
        return IrrepInfo(id, 1, 1, 0, np.ones((1, 1, 1)))
    return IrrepInfo(id, 2, 2, k, np.stack([np.eye(2), QUARTER]))
