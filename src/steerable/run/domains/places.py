"""Answers at every pixel or voxel, moved with what they belong to."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data import Samples

Move = Callable[[Tensor, str, torch.Generator], Tensor]


def with_places(
    x: Tensor, y: Tensor, how: str, generator: torch.Generator, data: Samples, move: Move
) -> tuple[Tensor, Tensor]:
    """Move a batch, and its answers where they lie at the same places.

    Labels are moved as one channel for each class, of which the largest wins: exact where pixels move to pixels. Values
    are moved as they are, those that are not known (NaN) with a channel that says where.

    Args:
        x: ``[B, C, *places]``.
        y: answers ``[B]`` or ``[B, K]``; labels ``[B, *places]``; values ``[B, K, *places]``.
        how: the name of the augmentation.
        generator: on the CPU.
        data: whose answers they are.
        move: the augmentation of channels.
    """
    channels = x.shape[1]
    if not data.dense:
        return move(x, how, generator), y
    if not data.regions:
        known = torch.isfinite(y)
        both = move(torch.cat([x, torch.where(known, y, 0), (~known).to(x)], 1), how, generator)
        value, lost = both[:, channels:].chunk(2, 1)
        return both[:, :channels], torch.where(lost > 0.5, torch.nan, value)
    none = y < 0
    count = int(y.max()) + 1
    each = F.one_hot(torch.where(none, count, y), count + 1).movedim(-1, 1).to(x)
    both = move(torch.cat([x, each[:, 1:]], 1), how, generator)
    others = both[:, channels:]
    # what comes in from outside is of the first class
    label = torch.cat([1 - others.sum(1, keepdim=True), others], 1).argmax(1)
    return both[:, :channels], torch.where(label == count, -1, label)
