"""The pixel grid of the plane."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.domains.domain import Domain
from steerable.groups.group import Group


@dataclass(frozen=True)
class PixelGrid(Domain):
    """Images ``[..., H, W]``; the centre of the image is the origin, x1 right, x2 up, rows grow down.

    Attributes:
        height: rows.
        width: columns.
    """

    height: int
    width: int

    @classmethod
    def of(cls, x: Tensor) -> PixelGrid:
        """Grid of an image tensor ``[..., H, W]``."""
        return cls(x.shape[-2], x.shape[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """``(H, W)``."""
        return (self.height, self.width)

    def points(self) -> Tensor:
        """Pixel centres ``[H, W, 2]`` in pixels."""
        x1 = torch.arange(self.width, dtype=torch.float64) - (self.width - 1) / 2
        x2 = (self.height - 1) / 2 - torch.arange(self.height, dtype=torch.float64)
        return torch.stack([x1.expand(self.height, -1), x2[:, None].expand(-1, self.width)], -1)

    def weights(self) -> Tensor:
        """Equal areas."""
        return torch.ones(1, 1, dtype=torch.float64)

    def disc(self, margin: float = 0.0) -> Tensor:
        """Mask ``[H, W]`` of the inscribed disc, ``margin`` pixels inside the border."""
        radius = (min(self.height, self.width) - 1) / 2 - margin
        return self.points().norm(dim=-1) <= radius + 1e-9

    def is_exact(self, group: Group, g: Tensor) -> bool:
        """Quarter turns and reflections in the axes and diagonals (on square images)."""
        m = group.plane(g)
        rounded = m.round()
        if not bool((m - rounded).abs().max() < 1e-9):
            return False
        return self.height == self.width or bool(rounded[..., 0, 1].abs().max() == 0)

    def move(self, x: Tensor, group: Group, g: Tensor) -> Tensor:
        """Exact by permuting pixels where possible, else bilinear with zeros outside.

        Args:
            x: ``[B, C, H, W]``.
            group: planar group.
            g: one element.
        """
        m = group.plane(g)
        if m.dim() != 2:
            raise ValueError(f"PixelGrid.move takes one element at a time, got elements of shape {tuple(g.shape)}")
        if self.is_exact(group, g):
            return _permute(x, m.round())
        return self.resample(x, m)

    def resample(self, x: Tensor, matrix: Tensor) -> Tensor:
        """``x(matrix^-1 p)`` by bilinear interpolation, ``matrix`` any invertible ``[2, 2]``."""
        source = self.points() @ torch.linalg.inv(matrix.double()).T
        # in units of half the picture, borders included: counted from centre to centre one pixel would have no extent
        grid = 2 * source / torch.tensor([self.width, -self.height], dtype=torch.float64)
        grid = grid.to(x).expand(x.shape[0], -1, -1, -1)
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _permute(x: Tensor, m: Tensor) -> Tensor:
    """Apply a signed permutation of the axes to the picture."""
    if bool(torch.linalg.det(m) < 0):
        x = torch.flip(x, (-2,))  # F: x2 -> -x2 first, then the rotation m F^-1
        m = m @ torch.diag(torch.tensor([1.0, -1.0], dtype=m.dtype))
    quarter = int(torch.atan2(m[1, 0], m[0, 0]).div(torch.pi / 2).round()) % 4
    return torch.rot90(x, quarter, (-2, -1)) if quarter else x
