"""The voxel grid of space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.domains.domain import Domain
from steerable.groups.group import Group

# x1 grows along W, x2 falls along H, x3 grows along D: the axis of each coordinate from the end, and its sense
AXES, SENSE = (2, 1, 0), (1, -1, 1)


@dataclass(frozen=True)
class VoxelGrid(Domain):
    """Volumes ``[..., D, H, W]``; the centre is the origin, x1 right along W, x2 up, rows grow down, x3 along D.

    Attributes:
        depth: slices.
        height: rows.
        width: columns.
    """

    depth: int
    height: int
    width: int

    @classmethod
    def of(cls, x: Tensor) -> VoxelGrid:
        """Grid of a volume ``[D, H, W]`` or ``[B, C, D, H, W]``.

        Raises:
            ValueError: for another number of axes: a batch of images has four.
        """
        if x.ndim not in (3, 5):
            raise ValueError(
                f"VoxelGrid.of: x has shape {tuple(x.shape)}; expected [B, C, D, H, W] or [D, H, W]. Add the missing "
                "axis with x[None] or x[:, None]"
            )
        return cls(*x.shape[-3:])

    @property
    def shape(self) -> tuple[int, ...]:
        """``(D, H, W)``."""
        return (self.depth, self.height, self.width)

    def points(self) -> Tensor:
        """Centres of the voxels ``[D, H, W, 3]``, in voxels."""
        line = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in self.shape]
        x3, x2, x1 = torch.meshgrid(line[0], -line[1], line[2], indexing="ij")
        return torch.stack([x1, x2, x3], -1)

    def weights(self) -> Tensor:
        """Equal volumes."""
        return torch.ones(1, 1, 1, dtype=torch.float64)

    def ball(self, margin: float = 0.0) -> Tensor:
        """Mask ``[D, H, W]`` of the inscribed ball, ``margin`` voxels inside the border."""
        radius = (min(self.shape) - 1) / 2 - margin
        return self.points().norm(dim=-1) <= radius + 1e-9

    def is_exact(self, group: Group, g: Tensor) -> bool:
        """Whether one element is a rotation or reflection of the cube that keeps the shape of the grid.

        Raises:
            TypeError: the group does not act on space.
        """
        return _swap(group.action(g, 3), self.shape) is not None

    def move(self, x: Tensor, group: Group, g: Tensor) -> Tensor:
        """Exact by permuting voxels where possible, else trilinear with zeros outside.

        Args:
            x: ``[B, C, D, H, W]``.
            group: one that acts on space; planar groups turn it about x3.
            g: one element.
        """
        m = group.action(g, 3)
        if m.dim() != 2:
            raise ValueError(f"VoxelGrid.move takes one element at a time, got elements of shape {tuple(g.shape)}")
        swap = _swap(m, self.shape)
        if swap is None:
            return self.resample(x, m)
        axes, flips = swap
        lead = x.ndim - 3
        return x.permute(*range(lead), *(lead + a for a in axes)).flip([lead + a for a in flips])

    def resample(self, x: Tensor, matrix: Tensor) -> Tensor:
        """``x(matrix^-1 p)`` by trilinear interpolation: ``x [B, C, D, H, W]``, any invertible ``matrix [3, 3]``."""
        source = self.points() @ torch.linalg.inv(matrix.double()).T
        # in units of half the volume, borders included
        half = torch.tensor([self.width, -self.height, self.depth], dtype=torch.float64) / 2
        grid = (source / half).to(x).expand(x.shape[0], -1, -1, -1, -1)
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _swap(m: Tensor, shape: tuple[int, ...]) -> tuple[list[int], list[int]] | None:
    """For a signed permutation of space: which axis becomes each axis, and which are flipped then; else None."""
    sign = m.round()
    if m.dim() != 2 or not bool((m - sign).abs().max() < 1e-9):
        return None
    axes, flips = [0, 0, 0], []
    for a in range(3):
        b = int(sign[a].abs().argmax())  # coordinate a of the result is coordinate b of the source
        axes[AXES[a]] = AXES[b]
        if float(sign[a, b]) * SENSE[a] * SENSE[b] < 0:
            flips.append(AXES[a])
    return (axes, flips) if all(shape[i] == shape[axes[i]] for i in range(3)) else None
