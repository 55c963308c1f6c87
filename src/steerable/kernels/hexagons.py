"""The hexagonal lattice sheared onto pixels: free weights on hexagons, moved by turns of 60 degrees."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steerable.groups.decompose import decompose
from steerable.groups.group import Group
from steerable.groups.representation import Representation
from steerable.kernels.filters import Filters, Piece, stencil_points

#: columns: where the steps (1, 0) and (0, 1) of the pixels lie on the plane; the six neighbours are then unit vectors
SHEAR = np.array([[1.0, -0.5], [0.0, math.sqrt(0.75)]])


@dataclass(frozen=True)
class Hexagons(Filters):
    """One function a point of a hexagonal neighbourhood: the complete basis there, as ``Pixels`` is on squares.

    The lattice lies in square pixels: the pixel ``(x1, x2)`` (right, up) is the point ``x1 (1, 0) + x2 (-1/2,
    sqrt(3)/2)``. So the six neighbours, counter-clockwise from 0 degrees, are the pixels ``(1,0) (1,1) (0,1) (-1,0)
    (-1,-1) (0,-1)``, and a kernel on them is a square one with two masked corners, as ``conv2d`` takes it. The group
    acts on the plane, and thereby on the pixels: C(6), D(6) and their subgroups.

    Attributes:
        kernel_size: side ``2 R + 1`` of the square: R rings of hexagons, 7 points for a side of 3, 19 for 5.

    Source: Hoogeboom et al., "HexaConv", ICLR 2018; Cohen et al., arXiv 1902.04615, section 4.
    """

    kernel_size: int
    dimension = 2

    @property
    def lattice(self) -> np.ndarray:
        """The pixels ``[F, 2]`` of the neighbourhood, in the order of a flattened square."""
        own = stencil_points(self.kernel_size)
        ring = np.maximum(np.abs(own).max(1), np.abs(own[:, 0] - own[:, 1]))
        return own[ring <= self.kernel_size // 2]

    @property
    def taps(self) -> np.ndarray:
        """Numbers ``[F]`` of these pixels in the flattened square."""
        k = self.kernel_size // 2
        own = self.lattice
        return ((k - own[:, 1]) * self.kernel_size + own[:, 0] + k).astype(np.int64)

    def values(self, points: Tensor) -> Tensor:
        """1 at its own pixel."""
        own = torch.from_numpy(self.lattice).to(points)
        return ((own - points[:, None]).abs().amax(-1) < 1e-6).to(points)

    def pieces(self, group: Group) -> list[Piece]:
        """The permutation of the hexagons."""
        matrices = self._matrices(group)
        top = max(group.irrep_info(i).frequency for i in group.irrep_ids())
        irreps, basis = decompose(group, matrices, 0, top)
        return [Piece(0, matrices.shape[1], Representation(group, irreps, basis, "hexagons"))]

    def orbit(self, group: Group, points: np.ndarray) -> np.ndarray:
        """Moved copies ``[F, |G|, N]``; the group acts on the plane, not on the sheared pixels."""
        return np.einsum("fgk,kn->fgn", self.moved(group), self.functions(points))

    def moved(self, group: Group) -> np.ndarray:
        """``[F, |G|, F]``: each function becomes that of the hexagon to which its own moves."""
        return self._matrices(group).transpose(2, 0, 1)

    def _matrices(self, group: Group) -> np.ndarray:
        """Permutation matrices ``[|G|, F, F]``: row = to, column = from."""
        plane = self.lattice @ SHEAR.T
        if group.is_finite and group.acts_on(2):
            moved = np.einsum("gij,pj->gpi", group.action(group.elements, 2).numpy(), plane)
            found = (np.abs(plane[None, :, None] - moved[:, None]).max(-1) < 1e-6).astype(np.float64)
            if (found.sum(1) == 1).all():
                return found
        raise ValueError(
            f"Hexagons: {group.name} turns hexagons into no hexagons; expected C6, D6 or a subgroup. Use Pixels or "
            f"GaussianRings on squares"
        )
