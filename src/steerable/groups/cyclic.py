"""C(n): rotations by multiples of 2 pi / n."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from steerable.groups.finite import FiniteGroupBase
from steerable.groups.group import IrrepInfo, unknown_irrep
from steerable.groups.rotations import rotation, turn

#: multiplication by the imaginary unit on a complex-type irrep
QUARTER = np.array([[0.0, -1.0], [1.0, 0.0]])


class C(FiniteGroupBase):
    """Cyclic group of ``n`` rotations; element ``r`` turns the plane by ``2 pi r / n`` counter-clockwise.

    Irreps: ``"0"`` trivial, ``"k"`` for 1 <= k < n/2 the rotation by k times the angle (complex type), and for even n
    ``"n/2"`` the alternating sign.
    """

    def __init__(self, n: int) -> None:
        if int(n) != n or n < 1:
            raise ValueError(f"C(n) needs a positive integer, got {n!r}")
        self.order = int(n)

    @property
    def key(self) -> tuple[object, ...]:
        """Family and order."""
        return ("C", self.order)

    @property
    def name(self) -> str:
        """``C8``."""
        return f"C{self.order}"

    @cached_property
    def table(self) -> np.ndarray:
        """Addition modulo n."""
        r = np.arange(self.order)
        return (r[:, None] + r[None, :]) % self.order

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """Addition modulo n."""
        return (self.checked(a) + self.checked(b)) % self.order

    def inverse(self, a: Tensor) -> Tensor:
        """Negation modulo n."""
        return (-self.checked(a)) % self.order

    @property
    def dimension(self) -> int:
        """The plane."""
        return 2

    def plane(self, g: Tensor) -> Tensor:
        """Rotation matrices."""
        return torch.from_numpy(rotation(*turn(np.arange(self.order), self.order)))[self.checked(g)]

    def from_plane(self, matrix: Tensor) -> Tensor:
        """Element that acts as this rotation. Raises ``ValueError`` if C(n) has none."""
        steps = torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0]) * (self.order / (2 * np.pi))
        r = steps.round().long() % self.order
        if bool(((self.plane(r) - matrix).abs() > 1e-9).any()):
            raise ValueError(f"{self.name} holds no element with the planar matrix {matrix.tolist()}")
        return r

    def irrep_ids(self, max_frequency: int | None = None) -> tuple[str, ...]:
        """``"0"`` .. ``"n//2"``."""
        top = self.order // 2 if max_frequency is None else min(max_frequency, self.order // 2)
        return tuple(str(k) for k in range(top + 1))

    def irrep_info(self, id: str) -> IrrepInfo:
        """Dimension 1 for 0 and n/2, else 2 and complex type."""
        if id not in self.irrep_ids():
            raise unknown_irrep(self, id, f"'0' to '{self.order // 2}'")
        k = int(id)
        if 2 * k % self.order == 0:
            return IrrepInfo(id, 1, 1, k, np.ones((1, 1, 1)))
        return IrrepInfo(id, 2, 2, k, np.stack([np.eye(2), QUARTER]))

    def irrep_table(self, id: str) -> np.ndarray:
        """Rotations by k times the angle."""
        info = self.irrep_info(id)
        cos, sin = turn(np.arange(self.order) * info.frequency, self.order)
        return cos[:, None, None] if info.dim == 1 else rotation(cos, sin)
