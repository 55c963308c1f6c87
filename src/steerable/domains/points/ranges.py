"""From ranges of candidates to the pairs that are near: the part that all searches share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

# candidates that are looked at together: what a search holds beside its result
CHUNK = 1 << 21


class Ranges(NamedTuple):
    """For each target some ranges of an order of the sources.

    Attributes:
        start, stop: int64 ``[T, R]``: target t may be near ``order[start[t, r] : stop[t, r]]``.
        order: int64 ``[S]``.
    """

    start: Tensor
    stop: Tensor
    order: Tensor

    def count(self) -> int:
        """Number of candidate pairs: what a search costs."""
        return int((self.stop - self.start).sum())

    def pairs(self, chunk: int = CHUNK) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield candidate pairs ``(target [c], source [c])``, about `chunk` at a time, in ascending target."""
        each = (self.stop - self.start).sum(1)
        done = each.cumsum(0)
        first, total = 0, len(each)
        while first < total:
            before = int(done[first - 1]) if first else 0
            last = max(int(torch.searchsorted(done, before + chunk, right=True)), first + 1)
            yield self._part(first, min(last, total))
            first = last

    def _part(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        start, length = self.start[first:last].flatten(), (self.stop - self.start)[first:last].flatten()
        begin = length.cumsum(0) - length
        place = torch.arange(int(length.sum()), device=start.device)
        target = torch.arange(first, last, device=start.device).repeat_interleave(self.start.shape[1])
        place = place + (start - begin).repeat_interleave(length)
        return target.repeat_interleave(length), self.order[place]
