"""Resampling of an image in canonical coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.domains.warp import Warp
from steerable.domains.warp.homography import move
from steerable.nn.constants import ConstantModule


def sample_plane(x: Tensor, points: Tensor, padding: str = "zeros") -> Tensor:
    """Values of images at points of the plane, bilinear.

    Pixels are cells of the square ``[-1, 1]^2`` (``align_corners=False`` everywhere); on other shapes the shorter side
    is 2 long. At least float32 is computed with, since coordinates need it.

    Args:
        x: ``[B, C, H, W]``.
        points: ``[R, S, 2]`` or ``[B, R, S, 2]``, x1 right, x2 up, the centre of the image at 0.
        padding: what lies outside: ``zeros``, ``border`` or ``reflection``.

    Returns:
        ``[B, C, R, S]``.
    """
    wide = torch.promote_types(x.dtype, torch.float32)
    shorter = min(x.shape[-2], x.shape[-1])
    scale = points.new_tensor([shorter / x.shape[-1], -shorter / x.shape[-2]])
    grid = (points * scale).to(wide)
    grid = grid if grid.dim() == 4 else grid.expand(x.shape[0], *grid.shape)
    found = F.grid_sample(x.to(wide), grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return found.to(x.dtype)


def sample_pixels(x: Tensor, transform: Tensor) -> Tensor:
    """Images ``[B, C, H, W]`` seen through projective matrices ``[B, 3, 3]``: at T p for every pixel p."""
    rows, columns = x.shape[-2:]
    unit = 2 / min(rows, columns)
    x1 = (torch.arange(columns, dtype=transform.dtype, device=x.device) - (columns - 1) / 2) * unit
    x2 = ((rows - 1) / 2 - torch.arange(rows, dtype=transform.dtype, device=x.device)) * unit
    points = torch.stack(torch.broadcast_tensors(x1, x2[:, None]), -1)
    return sample_plane(x, move(transform[:, None, None], points))


class WarpImage(ConstantModule):
    """``[B, C, H, W]`` to ``[B, C, rows, columns]``: the image on a regular grid of canonical coordinates.

    When the image is moved by T_a, the result is shifted by a. Where cells of the grid are larger than pixels, several
    samples are averaged in each, which commutes with the shift and keeps fine detail from aliasing.

    Args:
        warp: the coordinates.
        size: rows and columns of the result, all sheets together.
        padding: what lies outside the image: ``zeros``, ``border`` or ``reflection``.
        oversample: samples a cell along rows and columns; ``None``: as many as pictures of ``image_side`` need, at
            most 4.
        image_side: pixels along the pictures it is meant for; others work too.

    Raises:
        ValueError: for a size that the sheets do not divide, another padding, or no samples.
    """

    def __init__(
        self,
        warp: Warp,
        size: Sequence[int] = (32, 64),
        padding: str = "zeros",
        oversample: Sequence[int] | None = None,
        image_side: int = 64,
    ) -> None:
        super().__init__()
        if padding not in ("zeros", "border", "reflection"):
            raise ValueError(f"WarpImage: got padding={padding!r}; expected 'zeros', 'border' or 'reflection'")
        self.warp, self.size, self.padding = warp, (int(size[0]), int(size[1])), padding
        warp.sheet_size(self.size)
        chosen = warp.oversampling(self.size, image_side) if oversample is None else tuple(oversample)
        if len(chosen) != 2 or min(chosen) < 1:
            raise ValueError(f"WarpImage: got oversample={oversample}; expected two numbers of at least 1")
        self.oversample = (int(chosen[0]), int(chosen[1]))
        points = warp.grid((self.size[0] * self.oversample[0], self.size[1] * self.oversample[1]))
        self.register_constant("points", points)
        inside = (points.abs() <= 1).all(-1).double()
        covered = F.avg_pool2d(inside[None, None], self.oversample)[0, 0]
        self.register_constant("covered", covered)

    @property
    def valid(self) -> Tensor:
        """``[rows, columns]`` bool: cells that lie in the square of the image for the most part."""
        return self.covered > 0.5

    def forward(self, x: Tensor, transform: Tensor | None = None) -> Tensor:
        """Resample ``x``, or ``x`` seen through projective matrices ``transform [B, 3, 3]``: at the points T p."""
        points = self.points
        if transform is not None:
            points = move(transform[:, None, None], points)
        return F.avg_pool2d(sample_plane(x, points, self.padding), self.oversample)

    def extra_repr(self) -> str:
        """Coordinates and size, for printing."""
        return f"{self.warp.name}, size={self.size}, padding={self.padding!r}, oversample={self.oversample}"
