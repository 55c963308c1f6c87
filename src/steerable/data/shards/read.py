"""Reading a part of a data set: all of it into memory, or as a stream of batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steerable.data.errors import InputError
from steerable.data.shards.columns import DTYPES, TEXT, Block, check_finite
from steerable.data.shards.manifest import Manifest, ShardFile, check_columns, find_part
from steerable.data.shards.parquet import decode


def read_shards(folder: str | Path, columns: Sequence[str] | None = None, verify: bool = True) -> Block:
    """Read one part of a data set into memory: a tensor `[N, *shape]` for every column, a list of str for a text one.

    Files are mapped, decoded shard by shard and copied once, into tensors made for the whole part.

    Args:
        folder: SET/PART, or SET where it has one part only.
        columns: those to read; all where None.
        verify: compare the checksum of every shard.

    Raises:
        InputError: a shard is absent, cut, changed or foreign, the manifest is not ours, columns are other than
            promised, a value is not finite. The message is one line.
    """
    manifest, part = find_part(folder)
    names = check_columns(manifest, columns)
    manifest.check_files(part)
    rows = manifest.parts[part]
    found: Block = {}
    for name in names:
        column = manifest.columns[name]
        text = column.dtype == TEXT
        found[name] = [] if text else torch.empty((rows, *column.shape), dtype=DTYPES[column.dtype])
    start = 0
    for shard in manifest.of(part):
        arrays = shard_arrays(manifest, shard, names, verify)
        for name, array in arrays.items():
            if isinstance(array, list):
                found[name].extend(array)
            else:
                np.copyto(found[name].numpy()[start : start + shard.rows], array)
        check_shard({n: v[start : start + shard.rows] for n, v in found.items()}, manifest, shard)
        start += shard.rows
    return found


def shard_arrays(manifest: Manifest, shard: ShardFile, names: Sequence[str], verify: bool) -> dict[str, Any]:
    """Read-only numpy arrays and lists of strings of one shard.

    Raises:
        InputError: what `read_shards` refuses, but for values that are not finite.
    """
    data = manifest.open(shard, verify)
    return decode(data, manifest.columns, names, shard.rows, f"'{manifest.root / shard.path}'")


def check_shard(block: Block, manifest: Manifest, shard: ShardFile) -> None:
    """Refuse values that are not finite where they are promised to be.

    Raises:
        InputError: naming file, column and row.
    """
    for name, values in block.items():
        if not isinstance(values, list):
            check_finite(values, manifest.columns[name], f"'{manifest.root / shard.path}': '{name}'")


def shard_block(
    manifest: Manifest, shard: ShardFile, names: Sequence[str], verify: bool, rows: np.ndarray | slice | None = None
) -> Block:
    """One shard, or the chosen rows of it, as tensors that own their memory.

    Raises:
        InputError: what `read_shards` refuses.
    """
    block: Block = {}
    for name, array in shard_arrays(manifest, shard, names, verify).items():
        if isinstance(array, list):
            chosen = range(len(array)) if rows is None else np.arange(len(array))[rows]
            block[name] = [array[i] for i in chosen]
        else:
            block[name] = torch.from_numpy(np.array(array if rows is None else array[rows]))
    check_shard(block, manifest, shard)
    return block


def batches(blocks: Iterable[Block], size: int, drop_last: bool = False) -> Iterator[Block]:
    """Cut a stream of blocks into batches of `size` rows; the last is smaller unless dropped."""
    rest: Block = {}
    for block in blocks:
        rest = block if not rest else _cat(rest, block)
        rows = _rows(rest)
        for start in range(0, rows - size + 1, size):
            yield {n: v[start : start + size] for n, v in rest.items()}
        rest = {n: v[rows - rows % size :] for n, v in rest.items()} if rows % size else {}
    if rest and not drop_last:
        yield rest


def _rows(block: Block) -> int:
    return len(next(iter(block.values())))


def _cat(a: Block, b: Block) -> Block:
    return {n: v + b[n] if isinstance(v, list) else torch.cat((v, b[n])) for n, v in a.items()}


def iter_shards(
    folder: str | Path, columns: Sequence[str] | None = None, *, batch_size: int = 64, verify: bool = True
) -> Iterator[Block]:
    """Stream one part in order, as batches {name: tensor `[batch_size, *shape]` or list of str}; the last is smaller.

    One shard is in memory at a time.

    Args:
        folder, columns, verify: as for `read_shards`.
        batch_size: rows of a batch.

    Raises:
        InputError: what `read_shards` refuses, when the shard is reached; a folder or column that there is not, at the
            first batch.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; expected at least 1.")
    manifest, part = find_part(folder)
    names = check_columns(manifest, columns)
    manifest.check_files(part)
    yield from batches((shard_block(manifest, shard, names, verify) for shard in manifest.of(part)), batch_size)
