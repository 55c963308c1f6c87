"""A part of a data set as a stream for training, shared out to ranks and loader workers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from steerable.data.errors import InputError
from steerable.data.shards.columns import Block
from steerable.data.shards.manifest import ShardFile, check_columns, find_part
from steerable.data.shards.read import batches, shard_block


class ShardStream(IterableDataset):
    """Batches of one part, for ``DataLoader(stream, batch_size=None, num_workers=...)``.

    In every epoch the shards stand in an order, and the rows within each shard too, both drawn from (seed, epoch); this
    sequence of rows is cut into one piece for each rank and each of its loader workers. Pieces hold whole shards but
    at their ends, so a shard is read by one process, or by two. Within one process a batch holds rows of one or two
    shards: rows that shall meet in a batch must be mixed when they are written.

    Args:
        folder: SET/PART, or SET where it has one part only.
        batch_size: rows of a batch; the last of a worker is smaller.
        columns: those to read; all where None.
        shuffle: draw the orders; else they are those of the files.
        seed: of the orders.
        rank, ranks: whose piece, of how many; None: those of torch.distributed, or of the environment variables RANK
            and WORLD_SIZE, or the only one.
        even: give every rank equally many rows, leaving out fewer than `ranks` at the end of the sequence (others in
            every epoch when shuffled); else every row is given, and ranks differ by at most one row.
        verify: compare the checksum of every shard that is opened.

    Raises:
        InputError: no such folder, part or column, sizes that cannot be; while iterating, what `read_shards` refuses.
    """

    def __init__(
        self,
        folder: str | Path,
        batch_size: int = 32,
        columns: Sequence[str] | None = None,
        *,
        shuffle: bool = True,
        seed: int = 0,
        rank: int | None = None,
        ranks: int | None = None,
        even: bool = True,
        verify: bool = True,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"ShardStream: batch_size is {batch_size}; expected at least 1.")
        if (rank is None) != (ranks is None) or not 0 <= (rank or 0) < (ranks if ranks is not None else 1):
            raise InputError(
                f"ShardStream: rank={rank} of ranks={ranks}; expected both, 0 <= rank < ranks, or neither."
            )
        self.manifest, self.part = find_part(folder)
        self.columns = check_columns(self.manifest, columns)
        self.manifest.check_files(self.part)
        self.batch_size, self.shuffle, self.seed, self.even, self.verify = batch_size, shuffle, seed, even, verify
        self._ranks = (rank, ranks)
        # shared memory, so that loader workers that live on see the next epoch
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def rows(self) -> int:
        """Rows of the whole part."""
        return self.manifest.parts[self.part]

    @property
    def epoch(self) -> int:
        """The epoch whose order is used."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Use the order of another epoch from the next iteration on."""
        self._epoch.fill_(epoch)

    def piece(self, worker: int = 0, workers: int = 1) -> list[tuple[ShardFile, np.ndarray]]:
        """The shards and row numbers of one loader worker of this rank, in this epoch, in order."""
        rank, ranks = _ranks(*self._ranks)
        rows = self.rows - self.rows % ranks if self.even else self.rows
        low, high = rows * rank // ranks, rows * (rank + 1) // ranks
        start = low + (high - low) * worker // workers
        stop = low + (high - low) * (worker + 1) // workers
        found, before = [], 0
        for shard in self._order():
            a, b = max(start - before, 0), min(stop - before, shard.rows)
            if a < b:
                found.append((shard, self._rows(shard)[a:b]))
            before += shard.rows
        return found

    def __iter__(self) -> Iterator[Block]:
        info = get_worker_info()
        piece = self.piece(info.id, info.num_workers) if info else self.piece()
        blocks = (shard_block(self.manifest, s, self.columns, self.verify, rows) for s, rows in piece)
        return batches(blocks, self.batch_size)

    def _order(self) -> list[ShardFile]:
        shards = self.manifest.of(self.part)
        return [shards[i] for i in self._permutation(len(shards), "shards")]

    def _rows(self, shard: ShardFile) -> np.ndarray:
        return self._permutation(shard.rows, shard.path)

    def _permutation(self, n: int, use: str) -> np.ndarray:
        if not self.shuffle:
            return np.arange(n)
        digest = hashlib.blake2b(f"{self.seed}/{self.epoch}/{use}".encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
        return torch.randperm(n, generator=generator).numpy()


def _ranks(rank: int | None, ranks: int | None) -> tuple[int, int]:
    """Whose piece, of how many."""
    if rank is not None and ranks is not None:
        return rank, ranks
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
