"""Point sets of unlike size, one after another: what stands in place of the tensor of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from steerable.data.errors import InputError


class Clouds:
    """N clouds of M points in all, without padding; indexed like a tensor of N images.

    A network on points is called with :meth:`inputs`, that is with features, positions and batch.

    Args:
        features: of each point, float32 ``[M, C]``.
        positions: float32 ``[M, n]`` with n = 2 or 3.
        ptr: where each cloud begins, and M at the end: int64 ``[N + 1]``, strictly ascending (no cloud is empty).
        name: what they are called in an error message.
        check: whether to look at the shapes and values; a part of checked clouds need not be looked at again.

    Raises:
        InputError: shapes that do not belong together, an empty cloud, values that are not finite.
    """

    def __init__(
        self, features: Tensor, positions: Tensor, ptr: Tensor, name: str = "points", check: bool = True
    ) -> None:
        self.features, self.positions, self.ptr, self.name = features, positions, ptr, name
        if check:
            check_clouds(self, name)

    @staticmethod
    def of(clouds: Sequence[tuple[Tensor, Tensor]], name: str = "points") -> Clouds:
        """Join clouds, each a pair of features ``[m, C]`` and positions ``[m, n]``.

        Raises:
            InputError: none, or clouds of unlike channels or dimension.
        """
        if not clouds:
            raise InputError(f"{name}: {len(clouds)} clouds; expected at least one. Check the path and the split.")
        shapes = {(f.shape[1:], p.shape[1:]) for f, p in clouds}
        if len(shapes) > 1:
            found = sorted((list(f), list(p)) for f, p in shapes)
            raise InputError(f"{name}: clouds have features and positions of {found}; expected one kind.")
        count = torch.tensor([0, *(len(p) for _, p in clouds)])
        features, positions = (torch.cat([c[k] for c in clouds]) for k in (0, 1))
        return Clouds(features, positions, count.cumsum(0), name)

    def __len__(self) -> int:
        return len(self.ptr) - 1

    @property
    def channels(self) -> int:
        """Number of features C of a point."""
        return self.features.shape[1]

    @property
    def dimension(self) -> int:
        """Number of coordinates n."""
        return self.positions.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        """``(N, C)``: as much of a shape as clouds of unlike size have."""
        return len(self), self.channels

    def counts(self) -> Tensor:
        """Number of points of each cloud, int64 ``[N]``."""
        return self.ptr.diff()

    @property
    def batch(self) -> Tensor:
        """Number of the cloud of each point, int64 ``[M]``."""
        return torch.arange(len(self), device=self.ptr.device).repeat_interleave(self.counts())

    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """What a network takes: features ``[M, C]``, positions ``[M, n]`` and batch ``[M]``."""
        return self.features, self.positions, self.batch

    def __getitem__(self, index: Tensor | Sequence[int] | slice) -> Clouds:
        """Return the clouds at `index`, int64 ``[K]``, a slice or a mask ``[N]``, in that order."""
        if isinstance(index, slice):
            index = torch.arange(len(self), device=self.ptr.device)[index]
        index = torch.as_tensor(index, device=self.ptr.device)
        index = index.nonzero()[:, 0] if index.dtype == torch.bool else index
        count = self.counts()[index]
        ptr = torch.cat([count.new_zeros(1), count.cumsum(0)])
        rows = torch.arange(int(ptr[-1]), device=ptr.device)
        rows = rows + (self.ptr[index] - ptr[:-1]).repeat_interleave(count)
        return Clouds(self.features[rows], self.positions[rows], ptr, self.name, check=False)

    def split(self, size: int) -> Iterator[Clouds]:
        """Yield the clouds in parts of `size`."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def at(self, positions: Tensor) -> Clouds:
        """Return the same clouds with other positions ``[M, n]``."""
        return Clouds(self.features, positions, self.ptr, self.name, check=False)

    def to(self, *args: Any, **kwargs: Any) -> Clouds:
        """Move to a device, a dtype, both, or those of another tensor, as of :meth:`torch.Tensor.to`."""
        features, positions = (t.to(*args, **kwargs) for t in (self.features, self.positions))
        return Clouds(features, positions, self.ptr.to(positions.device), self.name, check=False)

    @property
    def device(self) -> torch.device:
        """Where they lie."""
        return self.positions.device

    def totals(self) -> Tensor:
        """Features summed over the points of each cloud, float64 ``[N, C]``: of one-hot elements, their counts."""
        total = self.features.new_zeros(len(self), self.channels, dtype=torch.float64)
        return total.index_add(0, self.batch, self.features.double())


def check_clouds(x: Clouds, name: str) -> None:
    """Refuse clouds that cannot be used.

    Raises:
        InputError: naming `name` and what was found.
    """
    points = len(x.positions)
    if x.positions.ndim != 2 or x.positions.shape[1] not in (2, 3):
        raise InputError(f"{name}: positions have shape {list(x.positions.shape)}; expected [M, 2] or [M, 3].")
    if x.features.ndim != 2 or len(x.features) != points:
        raise InputError(
            f"{name}: features have shape {list(x.features.shape)} for {points} points; expected [{points}, C]."
        )
    if x.features.dtype != torch.float32 or x.positions.dtype != torch.float32:
        raise InputError(
            f"{name}: features are {x.features.dtype}, positions {x.positions.dtype}; expected torch.float32. Convert "
            "them with .float()."
        )
    ptr = x.ptr
    if ptr.ndim != 1 or ptr.dtype != torch.int64 or len(ptr) < 2 or int(ptr[0]) != 0 or int(ptr[-1]) != points:
        raise InputError(
            f"{name}: ptr is {ptr.dtype} {list(ptr.shape)}; expected torch.int64 from 0 to {points}, the first point "
            "of each cloud and the number of all."
        )
    empty = (ptr.diff() <= 0).nonzero()[:, 0]
    if len(empty):
        raise InputError(
            f"{name}: {len(empty)} of {len(ptr) - 1} clouds have no point (first: cloud {int(empty[0])}); expected at "
            "least one in each. Drop these."
        )
    broken = ~(torch.isfinite(x.positions).all(1) & torch.isfinite(x.features).all(1))
    if bool(broken.any()):
        first = int(torch.searchsorted(ptr, broken.nonzero()[0, 0], right=True)) - 1
        raise InputError(
            f"{name}: {int(broken.sum())} of {points} points hold NaN or infinite numbers (first: cloud {first}); "
            "expected finite values. Drop these clouds."
        )
