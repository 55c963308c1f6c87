"""Batches from memory, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from steerable.data import Clouds, Samples


class Rows(Dataset[tuple[Tensor | Clouds, Tensor]]):
    """Images or point sets and labels by a tensor of indices: one gather a batch instead of one copy an image."""

    def __init__(self, data: Samples) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: Tensor) -> tuple[Tensor | Clouds, Tensor]:
        return self.data.x[index], self.data.y[index]


class EpochBatches(Sampler[Tensor]):
    """Batches of nearly equal size; the order is drawn anew for each epoch from (seed, epoch).

    So a resumed run sees what the uninterrupted one would have seen, and no epoch ends with a batch of one image,
    whose batch statistics would say nothing.

    Args:
        count: number of images.
        batch_size: at most this many in a batch.
        seed: of the order; None keeps the images in order.
        weights: of each image, ``[N]``: an epoch draws N of them, with replacement; None: each once.
    """

    def __init__(self, count: int, batch_size: int, seed: int | None, weights: Tensor | None = None) -> None:
        self.count, self.seed, self.epoch, self.weights = count, seed, 0, weights
        self.batches = math.ceil(count / batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; the trainer calls it before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.arange(self.count)
        if self.seed is not None:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            if self.weights is None:
                order = torch.randperm(self.count, generator=generator)
            else:
                order = torch.multinomial(self.weights.double(), self.count, replacement=True, generator=generator)
        yield from order.tensor_split(self.batches)


def loader(
    data: Samples, batch_size: int, seed: int | None, weights: Tensor | None = None
) -> DataLoader[tuple[Tensor | Clouds, Tensor]]:
    """Return a loader of ``([B, C, H, W], [B])``, or of volumes or point sets; see :class:`EpochBatches`.

    With `seed` None the order stays.
    """
    return DataLoader(Rows(data), sampler=EpochBatches(len(data), batch_size, seed, weights), batch_size=None)
