"""One function a point of the stencil, and the constant one: the two ends of what a kernel can be made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steerable.groups.decompose import decompose
from steerable.groups.group import Group
from steerable.groups.representation import Representation
from steerable.kernels.filters import Filters, Piece, stencil_points


@dataclass(frozen=True)
class Pixels(Filters):
    """One function a pixel (a voxel in three dimensions): the complete, unconstrained basis of group convolutional
    networks (Cohen and Welling, arXiv 1602.07576). Only symmetries of the lattice, subgroups of D(4) or of the full
    octahedral group, move it into itself.

    Attributes:
        kernel_size: side of the stencil.
        dimension: 2 or 3.
    """

    kernel_size: int
    dimension: int = 2

    def values(self, points: Tensor) -> Tensor:
        """1 at its own pixel."""
        own = torch.from_numpy(stencil_points(self.kernel_size, self.dimension)).to(points)
        return ((own - points[:, None]).abs().amax(-1) < 1e-6).to(points)

    def pieces(self, group: Group) -> list[Piece]:
        """The permutation of the pixels."""
        if not group.is_finite:
            raise ValueError(self._refusal(group))
        own = stencil_points(self.kernel_size, self.dimension)
        moved = np.einsum("gij,pj->gpi", group.action(group.elements, self.dimension).numpy(), own)
        matrices = (np.abs(own[None, :, None] - moved[:, None]).max(-1) < 1e-6).astype(np.float64)
        if (matrices.sum(1) != 1).any():
            raise ValueError(self._refusal(group))
        top = max(group.irrep_info(i).frequency for i in group.irrep_ids())
        irreps, basis = decompose(group, matrices, 0, top)
        return [Piece(0, len(own), Representation(group, irreps, basis, "pixels"))]

    def _refusal(self, group: Group) -> str:
        lattice = "D4" if self.dimension == 2 else "Oh"
        return f"Pixels: {group.name} turns pixels into no pixels; use a subgroup of {lattice} or GaussianRings"


@dataclass(frozen=True)
class Point(Filters):
    """The constant function: kernels of one point, that is linear maps. Any group will do, planar or not."""

    dimension: int = 0

    def values(self, points: Tensor) -> Tensor:
        """One everywhere."""
        return torch.ones_like(points[:, :1])

    def pieces(self, group: Group) -> list[Piece]:
        """Nothing moves."""
        return [Piece(0, 1, group.trivial)]

    def orbit(self, group: Group, points: np.ndarray) -> np.ndarray:
        """One everywhere, for every element."""
        return np.ones((1, group.order or 0, len(points)))
