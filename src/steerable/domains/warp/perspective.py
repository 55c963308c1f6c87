"""Chart of the maps that tilt the plane about one of its axes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.domains.warp.chart import Chart
from steerable.domains.warp.homography import matrix3


@dataclass(frozen=True)
class Perspective(Chart):
    """``x = (1, tan v) / u`` for ``axis`` 0, swapped for ``axis`` 1: the map ``x / (1 + p x1)`` takes u to ``u + p``.

    The half plane of negative u is a second sheet, moved by ``gap`` onto the range of the first, so that both sheets
    have the same u and shift the same way.
    """

    axis: int
    gap: float

    @property
    def sheets(self) -> int:
        """Two half planes."""
        return 2

    def to_plane(self, u: Tensor, v: Tensor, sheet: Tensor) -> Tensor:
        """From the inverse of one coordinate and the angle of the point."""
        inverse = u - self.gap * sheet.to(u.dtype)
        pair = torch.broadcast_tensors(1 / inverse, v.tan() / inverse)
        return torch.stack(pair if self.axis == 0 else pair[::-1], -1)

    def from_plane(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Inverse of one coordinate, angle in (-pi/2, pi/2), and half plane."""
        along, across = x[..., self.axis], x[..., 1 - self.axis]
        sheet = (along < 0).long()
        return 1 / along + self.gap * sheet.to(x.dtype), (across / along).atan(), sheet

    def matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """Last row ``(a, 0, 1)`` or ``(0, a, 1)``."""
        return matrix3([[1, 0, 0], [0, 1, 0], [a, 0, 1] if self.axis == 0 else [0, a, 1]])
