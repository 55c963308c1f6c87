"""D(n): rotations by multiples of 2 pi / n, and reflections; 2n elements."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from steerable.groups.finite import FiniteGroupBase
from steerable.groups.group import IrrepInfo, unknown_irrep
from steerable.groups.rotations import rotation, turn

#: the canonical reflection, x2 -> -x2
FLIP = np.diag([1.0, -1.0])


class D(FiniteGroupBase):
    """Dihedral group with ``2n`` elements; element ``r + n s`` is ``R(2 pi r / n) F^s`` with ``F``: x2 -> -x2.

    Irreps: ``"0e"`` trivial, ``"0o"`` the sign of reflections, ``"k"`` for 1 <= k < n/2 of dimension 2 (real type), and
    for even n the one-dimensional ``"(n/2)e"``, ``"(n/2)o"``, even and odd under F.
    """

    def __init__(self, n: int) -> None:
        if int(n) != n or n < 1:
            raise ValueError(f"D(n) needs a positive integer, got {n!r}")
        self.n = int(n)
        self.order = 2 * self.n

    @property
    def key(self) -> tuple[object, ...]:
        """Family and number of rotations."""
        return ("D", self.n)

    @property
    def name(self) -> str:
        """``D4`` has 8 elements."""
        return f"D{self.n}"

    def _split(self, g: Tensor) -> tuple[Tensor, Tensor]:
        g = self.checked(g)
        return g % self.n, torch.div(g, self.n, rounding_mode="floor")

    @cached_property
    def table(self) -> np.ndarray:
        """Products of all pairs."""
        e = torch.from_numpy(np.arange(self.order))
        return self.compose(e[:, None], e[None, :]).numpy()

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """``R_r F^s R_q F^t = R_(r +- q) F^(s+t)``."""
        (r, s), (q, t) = self._split(a), self._split(b)
        return (r + q * (1 - 2 * s)) % self.n + self.n * ((s + t) % 2)

    def inverse(self, a: Tensor) -> Tensor:
        """A reflection is its own inverse."""
        r, s = self._split(a)
        return (-r * (1 - 2 * s)) % self.n + self.n * s

    @property
    def dimension(self) -> int:
        """The plane."""
        return 2

    @cached_property
    def _plane(self) -> np.ndarray:
        turns = rotation(*turn(np.arange(self.n), self.n))
        return np.concatenate([turns, turns @ FLIP])

    def plane(self, g: Tensor) -> Tensor:
        """Rotations and reflections."""
        return torch.from_numpy(self._plane)[self.checked(g)]

    def from_plane(self, matrix: Tensor) -> Tensor:
        """Element that acts as this matrix. Raises ``ValueError`` if D(n) has none."""
        flip = torch.linalg.det(matrix) < 0
        steps = torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0]) * (self.n / (2 * np.pi))
        g = steps.round().long() % self.n + self.n * flip.long()
        if bool(((self.plane(g) - matrix).abs() > 1e-9).any()):
            raise ValueError(f"{self.name} holds no element with the planar matrix {matrix.tolist()}")
        return g

    def irrep_ids(self, max_frequency: int | None = None) -> tuple[str, ...]:
        """``"0e", "0o", "1", ...``, ending with ``"(n/2)e", "(n/2)o"`` for even n."""
        ids = ["0e", "0o"] + [str(k) for k in range(1, (self.n - 1) // 2 + 1)]
        if self.n % 2 == 0:
            ids += [f"{self.n // 2}e", f"{self.n // 2}o"]
        top = self.n if max_frequency is None else max_frequency
        return tuple(i for i in ids if int(i.rstrip("eo")) <= top)

    def irrep_info(self, id: str) -> IrrepInfo:
        """All irreps are of real type."""
        if id not in self.irrep_ids():
            raise unknown_irrep(self, id, ", ".join(repr(i) for i in self.irrep_ids()))
        dim = 1 if id[-1] in "eo" else 2
        return IrrepInfo(id, dim, 1, int(id.rstrip("eo")), np.eye(dim)[None])

    def irrep_table(self, id: str) -> np.ndarray:
        """Rotation by k times the angle, times the flip."""
        info = self.irrep_info(id)
        cos, sin = turn(np.arange(self.n) * info.frequency, self.n)
        if info.dim == 2:
            turns = rotation(cos, sin)
            return np.concatenate([turns, turns @ FLIP])
        sign = -1.0 if id.endswith("o") else 1.0
        return np.concatenate([cos, sign * cos])[:, None, None]
