"""SE(2) sampled at pixels and orientations: every orientation has one stencil of neighbours for all pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.domains.grid import PixelGrid
from steerable.domains.lie.logarithm import se2_log, squared_length
from steerable.domains.lie.space import TIE, Edges, GroupSamples, Metric, Shares, kth
from steerable.groups.group import Group


@dataclass(frozen=True)
class SE2Grid(GroupSamples):
    """``[height, width, orientations]``: pixels, x1 right and x2 up, and angles in [-pi/2, pi/2).

    An orientation and its opposite are one: distances are the least over theta and theta +- pi, which no choice of the
    representative changes. Translations by pixels map neighbours to neighbours, so those of one pixel in an endless
    grid serve for all, and a border takes none away but those beyond it.

    Attributes:
        height: rows.
        width: columns.
        orientations: how many.

    Raises:
        ValueError: for a size below 1.
    """

    height: int
    width: int
    orientations: int

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise ValueError(
                f"SE2Grid: {self.height} x {self.width} x {self.orientations}; expected sizes of at least 1"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """``(height, width, orientations)``."""
        return (self.height, self.width, self.orientations)

    @property
    def key(self) -> tuple[object, ...]:
        """Name and sizes."""
        return ("SE2", *self.shape)

    @property
    def xi(self) -> float:
        """2.048 at six orientations, the published value for images; a step of the grid always costs as much."""
        return 2.048 * (self.orientations / 6) ** 2

    @property
    def angles(self) -> Tensor:
        """Orientations ``[orientations]``."""
        return torch.arange(self.orientations, dtype=torch.float64) * math.pi / self.orientations - math.pi / 2

    def points(self) -> Tensor:
        """``(x1, x2, theta)`` ``[*shape, 3]``, the centre of the image being the origin."""
        place = PixelGrid(self.height, self.width).points()[:, :, None].expand(*self.shape, 2)
        return torch.cat([place, self.angles[:, None].expand(*self.shape, 1)], -1)

    def areas(self) -> Tensor:
        """All alike."""
        return torch.full((math.prod(self.shape),), math.pi / self.orientations, dtype=torch.float64)

    def _stencil(self, metric: Metric, half: int) -> Tensor:
        """Squared distances ``[T, T, 2 half + 1, 2 half + 1]``: from an orientation to another so many pixels away."""
        step = torch.arange(-half, half + 1, dtype=torch.float64)
        right, up = step[None, :], -step[:, None]
        c, s = (f()[:, None, None, None] for f in (self.angles.cos, self.angles.sin))
        turn = (self.angles[None, :] - self.angles[:, None])[:, :, None, None]
        x, y, turn = torch.broadcast_tensors(c * right + s * up, c * up - s * right, turn)
        turns = torch.stack([turn, turn - math.pi, turn + math.pi])
        g = torch.stack([x.expand_as(turns), y.expand_as(turns), turns], -1)
        return squared_length(se2_log(g), metric.eps, self.turn(metric)).amin(0)

    def reach(self, metric: Metric, k: int) -> Tensor:
        """Of each orientation, in an endless grid."""
        cheap = math.sqrt(min(1.0, metric.eps))
        half = 1
        while True:
            square = self._stencil(metric, half).flatten(1)
            if square.shape[1] > k:
                found = kth(square, k + 1)  # the nearest is the sample itself
                if bool((found <= cheap * (half + 1)).all()):
                    return found
            half *= 2

    def pairs(self, metric: Metric, radius: float) -> Edges:
        """One set of pairs for each entry of the stencils."""
        half = int(radius * TIE / math.sqrt(min(1.0, metric.eps)))  # no path is shorter than the straight one
        half = min(half, max(self.height, self.width) - 1)
        square = self._stencil(metric, half)
        near = square <= (radius * TIE) ** 2
        near[..., half, half].fill_diagonal_(False)
        number = torch.arange(math.prod(self.shape)).view(self.shape)
        parts = []
        for i, j, row, column in near.nonzero().tolist():
            down, right = row - half, column - half
            here, there = (
                number[max(0, -d) : self.height - max(0, d), max(0, -r) : self.width - max(0, r), t].flatten()
                for d, r, t in ((down, right, i), (-down, -right, j))
            )
            parts.append(Edges(here, there, square[i, j, row, column].expand(len(here))))
        return Edges.joined(parts, number.numel())

    def coarser(self) -> SE2Grid:
        """Half the height and width.

        Raises:
            ValueError: for odd sides.
        """
        if self.height % 2 or self.width % 2:
            raise ValueError(f"{self!r} has no coarser grid; expected even sides, of which blocks of 2 x 2 are pooled")
        return SE2Grid(self.height // 2, self.width // 2, self.orientations)

    def shares(self) -> Shares:
        """Blocks of two by two pixels of one orientation."""
        coarse = self.coarser()
        blocks = torch.arange(math.prod(self.shape)).view(coarse.height, 2, coarse.width, 2, self.orientations)
        index = blocks.permute(0, 2, 4, 1, 3).reshape(-1, 4)
        return Shares(index, torch.full(index.shape, 0.25, dtype=torch.float64))

    def permutation(self, group: Group, g: Tensor) -> Tensor | None:
        """Quarter turns and reflections of square grids, if orientations fall on orientations."""
        grid = PixelGrid(self.height, self.width)
        if not grid.is_exact(group, g):
            return None
        matrix = group.plane(g)
        c, s = (torch.stack([self.angles.cos(), self.angles.sin()], -1) @ matrix.T).unbind(-1)
        place = torch.remainder(torch.atan2(s, c) + math.pi / 2, math.pi) * self.orientations / math.pi
        turned = place.round()
        if bool((place - turned).abs().max() > 1e-6):
            return None
        pixels = torch.arange(self.height * self.width, dtype=torch.float64).view(1, 1, self.height, self.width)
        back = grid.move(pixels, group, g).flatten().long()
        to = torch.empty_like(back)
        to[back] = torch.arange(len(back))
        return (to[:, None] * self.orientations + turned.long() % self.orientations).flatten()
