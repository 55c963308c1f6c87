"""Walk over a block of fields in tiles that stay in the cache.

A block is seen as ``[batch, multiplicity, dimension, points]``. Each tile is read once from memory, all passes over it
happen in cache, and the result is written once.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Values in one tile and thread: 64 fields of dimension 7 at 32 x 32 points. Smaller tiles spend their time on calls.
_ELEMENTS = 2**19


class Planes:
    """A tensor ``[B, C, *S]`` seen as ``[B', C, P]``, without a copy where its strides allow one.

    Tensors without space (``[N, C]``) and channels-last tensors become ``[1, C, rows]``: their points are the rows.

    Args:
        x: ``[B, C, *S]``, any strides; fixes the view.
    """

    def __init__(self, x: Tensor) -> None:
        self.rows = x.dim() == 2 or (x.stride(1) == 1 and x.shape[1] > 1 and x.movedim(1, -1).is_contiguous())

    def __call__(self, x: Tensor) -> Tensor:
        """The view ``[B', C, P]`` of `x: [B, C, *S]` (a copy where strides do not allow a view)."""
        if self.rows:
            return x.movedim(1, -1).reshape(-1, x.shape[1]).t().unsqueeze(0)
        return x.flatten(2)

    def empty_like(self, x: Tensor) -> Tensor:
        """A fresh tensor ``[B, C, *S]`` of which `self` takes a view, never a copy."""
        if self.rows and x.dim() > 2:
            return x.new_empty(x.movedim(1, -1).shape).movedim(-1, 1)
        return x.new_empty(x.shape)


class Tiling(NamedTuple):
    """How many samples, fields and points of a block ``[B, m, ..., P]`` make one tile."""

    batch: int
    fields: int
    points: int

    @classmethod
    def of(cls, shape: torch.Size | tuple[int, ...], rows: bool, device: torch.device) -> Tiling:
        """Tiles for a block.

        Args:
            shape: ``(B, m, d, P)``; for d give the largest number of values that a field holds at a point on the way.
            device: tiles are of cache size on a CPU; elsewhere there is one tile.
            rows: cut the points before the fields (for tensors whose channels lie next to each other in memory).
        """
        b, m, d, p = shape
        limit = _ELEMENTS * torch.get_num_threads() if device.type == "cpu" else max(b * m * d * p, 1)
        if rows:
            return cls(1, m, max(64, limit // (m * d)))
        points = p if d * p <= limit else max(64, limit // d)
        whole = max(1, limit // (d * points))  # fields in a tile
        return cls(1, whole, points) if whole < m else cls(whole // m, m, points)

    def cut(self, block: Tensor) -> list[Tensor]:
        """The tiles of a view ``[B, m, ..., P]`` of the block, in one fixed order; a few calls for all of them."""
        found = [block] if block.shape[0] <= self.batch else list(block.split(self.batch, 0))
        if block.shape[1] > self.fields:
            found = [part for tile in found for part in tile.split(self.fields, 1)]
        if block.shape[-1] > self.points:
            found = [part for tile in found for part in tile.split(self.points, -1)]
        return found


class Scratch:
    """Buffers that successive tiles of one call share, so that they stay in the cache.

    Args:
        dtype, device: of all buffers.
    """

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self.dtype, self.device = dtype, device
        self._held: dict[str, Tensor] = {}

    def buffer(self, name: str, shape: torch.Size | tuple[int, ...]) -> Tensor:
        """The buffer called `name`, contiguous, of this shape; its content is what the last tile left there."""
        held = self._held.get(name)
        if held is None or held.shape != torch.Size(shape):
            held = self._held[name] = torch.empty(shape, dtype=self.dtype, device=self.device)
        return held

    def takes(self, x: Tensor) -> bool:
        """Whether the arithmetic can work on `x` itself: the working dtype, and points that follow each other."""
        return x.dtype == self.dtype and (x.stride(-1) == 1 or x.shape[-1] == 1)

    def staged(self, name: str, tile: Tensor) -> Tensor:
        """The tile itself where the arithmetic takes it, or a copy that it takes."""
        return tile if self.takes(tile) else self.buffer(name, tile.shape).copy_(tile)
