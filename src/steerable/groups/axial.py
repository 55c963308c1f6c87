"""Groups of space that keep the third axis or turn it round: C(n), D(n), O(2) in the plane beside a sign on x3."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from steerable.groups.cyclic import C
from steerable.groups.dihedral import D
from steerable.groups.group import Group
from steerable.groups.o2 import O2


class _Axial(Group):
    """Acts on space by the planar matrix beside a sign, which is a one-dimensional irrep of the group."""

    #: name of the irrep by which the third axis moves
    axis: str

    @property
    @abstractmethod
    def flat(self) -> Group:
        """The planar group of the same elements."""

    @property
    def dimension(self) -> int:
        """Space."""
        return 3

    def natural_action(self, g: Tensor) -> Tensor:
        """Planar matrix beside the sign of the third axis, ``[..., 3, 3]``."""
        flat = self.flat.plane(g)
        out = torch.zeros(*flat.shape[:-2], 3, 3, dtype=flat.dtype, device=flat.device)
        out[..., :2, :2] = flat
        out[..., 2:, 2:] = self.irrep_matrix(self.axis, g)
        return out

    def from_action(self, matrix: Tensor) -> Tensor:
        """Element that moves points of space by this matrix. Raises ``ValueError`` if there is none."""
        if matrix.shape[-2:] != (3, 3):
            return Group.from_plane(self, matrix)
        g = self.flat.from_plane(matrix[..., :2, :2])
        if bool(((self.natural_action(g) - matrix).abs() > 1e-9).any()):
            raise ValueError(f"{self.name} holds no element that moves points by the matrix {matrix.tolist()}")
        return g

    def plane(self, g: Tensor) -> Tensor:
        """Raises ``TypeError``: the group moves points out of the plane."""
        return Group.plane(self, g)

    def from_plane(self, matrix: Tensor) -> Tensor:
        """Raises ``TypeError``: the group moves points out of the plane."""
        return Group.from_plane(self, matrix)


class DihedralRotations(_Axial, D):
    """Rotations of a prism over an n-gon: 2n elements, ``F`` is half a turn about x1. Elsewhere called D_n.

    The library's own ``D(n)`` has mirrors through the axis in their place (C_nv). Both have the same irreps.
    """

    axis = "0o"

    @property
    def flat(self) -> Group:
        """``D(n)``."""
        return D(self.n)

    @property
    def key(self) -> tuple[object, ...]:
        """Family and number of rotations about the axis."""
        return ("Dr", self.n)

    @property
    def name(self) -> str:
        """``D4r``: rotations."""
        return f"D{self.n}r"


class Antiprism(_Axial, D):
    """Symmetries of an antiprism over an n-gon, D_nd: 4n elements.

    The group D(2n) in which odd multiples of the angle ``pi / n`` also turn the axis round.
    """

    def __init__(self, n: int) -> None:
        if int(n) != n or n < 1:
            raise ValueError(f"an antiprism needs a positive number of corners, got {n!r}")
        super().__init__(2 * int(n))
        self.axis = f"{int(n)}e"

    @property
    def flat(self) -> Group:
        """``D(2n)``."""
        return D(self.n)

    @property
    def key(self) -> tuple[object, ...]:
        """Family and number of corners."""
        return ("Dd", self.n)

    @property
    def name(self) -> str:
        """``D3d``."""
        return f"D{self.n // 2}d"


class Rotoreflections(_Axial, C):
    """Powers of a rotation by ``2 pi / n`` with a mirror across the axis, n even: S_n, n elements."""

    def __init__(self, n: int) -> None:
        if int(n) != n or n < 2 or n % 2:
            raise ValueError(f"rotoreflections need a positive even number of elements, got {n!r}")
        super().__init__(int(n))
        self.axis = f"{int(n) // 2}"

    @property
    def flat(self) -> Group:
        """``C(n)``."""
        return C(self.order)

    @property
    def key(self) -> tuple[object, ...]:
        """Family and order."""
        return ("Sr", self.order)

    @property
    def name(self) -> str:
        """``S4r``."""
        return f"S{self.order}r"


class O2Rotations(_Axial, O2):
    """Rotations of a cylinder, D_infinity: all turns about the axis, and half turns about the axes across it."""

    axis = "0o"

    @property
    def flat(self) -> Group:
        """``O2``."""
        return O2()

    @property
    def key(self) -> tuple[object, ...]:
        """Family."""
        return ("O2r",)

    @property
    def name(self) -> str:
        """``O2r``: rotations."""
        return "O2r"
