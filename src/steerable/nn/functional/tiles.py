"""Walk over a block of fields in tiles that stay in the cache.

A block is seen as ``[batch, multiplicity, dimension, points]``. Each tile is read once from memory, all passes over it
happen in cache, and the result is written once.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

Tile = tuple[slice, slice, slice, slice]

# Elements of one tile and thread. Measured best between 16 and 64 fields of dimension 7 at 32 x 32 points.
_ELEMENTS = 2**18


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


def tiles(shape: torch.Size | tuple[int, ...], rows: bool, device: torch.device) -> Iterator[Tile]:
    """Slices that cut a block into tiles.

    Args:
        shape: ``(B, m, d, P)``; for d give the largest number of values that a field holds at a point during the work.
        device: tiles are of cache size on a CPU; elsewhere there is one tile.
        rows: cut the points before the fields (for tensors whose channels lie next to each other in memory).

    Yields:
        four slices for ``block[tile]``; the dimension is never cut.
    """
    b, m, d, p = shape
    limit = _ELEMENTS * torch.get_num_threads() if device.type == "cpu" else max(b * m * d * p, 1)
    if rows:
        points = max(64, limit // (m * d))
        fields, batch = m, 1
    else:
        points = p if d * p <= limit else max(64, limit // d)
        whole = max(1, limit // (d * points))  # fields in a tile
        fields, batch = (whole, 1) if whole < m else (m, whole // m)
    for i in range(0, b, batch):
        for j in range(0, m, fields):
            for k in range(0, p, points):
                yield slice(i, i + batch), slice(j, j + fields), slice(None), slice(k, k + points)


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

    def staged(self, name: str, tile: Tensor) -> Tensor:
        """The tile itself, or a copy with contiguous points in the working dtype where the arithmetic needs one."""
        if tile.dtype == self.dtype and (tile.stride(-1) == 1 or tile.shape[-1] == 1):
            return tile
        return self.buffer(name, tile.shape).copy_(tile)
