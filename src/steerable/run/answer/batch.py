"""Files that were written for a fixed number of images at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def by_batches(call: Callable[[Tensor], Tensor], x: Tensor, size: int | None) -> Tensor:
    """Return ``call(x)`` along the first axis, calling with exactly `size` images at a time.

    Args:
        call: from ``[size, ...]`` to ``[size, ...]``.
        x: ``[N, ...]``.
        size: None: any number; what is missing from the last batch is filled with its last image.
    """
    if size is None:
        return call(x)
    found = []
    for part in x.split(size):
        missing = size - len(part)
        whole = torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) if missing else part
        found.append(call(whole)[: len(part)])
    return torch.cat(found)
