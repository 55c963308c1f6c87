"""A small data set with a column of every kind; importable, so that other processes can make it too."""

from __future__ import annotations

import functools
import hashlib
import sys
import time
from pathlib import Path

import torch

from steerable.data.shards import Plan, columns_of, write_shards

PARTS = {"train": 23, "test": 7}


def blocks(part, start, stop, seed=0, size=4, pause=0.0):
    """Rows `start` to `stop`, each from its own generator."""
    for first in range(start, stop, size):
        time.sleep(pause)
        numbers = range(first, min(first + size, stop))
        digests = [hashlib.blake2b(f"{seed}/{part}/{i}".encode(), digest_size=7).digest() for i in numbers]
        draws = [torch.Generator().manual_seed(int.from_bytes(d, "big")) for d in digests]
        yield {
            "name": [f"{part}/{i} ä" for i in numbers],
            "image": torch.stack([torch.randn(5, 4, generator=g) for g in draws]),
            "vector": torch.stack([torch.randn(3, generator=g, dtype=torch.float64) for g in draws]),
            "half": torch.stack([torch.randn(2, generator=g).half() for g in draws]),
            "bytes": torch.stack([torch.randint(256, (2, 2, 2), generator=g, dtype=torch.uint8) for g in draws]),
            "flag": torch.tensor([i % 3 == 0 for i in numbers]),
            "small": torch.tensor([i % 100 for i in numbers], dtype=torch.int8),
            "label": torch.tensor(list(numbers)),
            "sigma": torch.tensor([1 + i / 7 for i in numbers], dtype=torch.float32),
        }


def plan(seed=0, parts=None, rows_per_shard=6, **other):
    """The plan of `blocks`."""
    columns = columns_of(next(iter(blocks("train", 0, 1, seed))))
    return Plan(parts or PARTS, columns, seed, {"kind": "toy", "range": (0.5, 1)}, rows_per_shard, "A toy.", **other)


def write(out, seed=0, workers=1, pause=0.0, make=None, **kw):
    """Write the toy."""
    chosen = {k: kw.pop(k) for k in ("parts", "rows_per_shard", "code") if k in kw}
    make = make or functools.partial(blocks, seed=seed, pause=pause)
    return write_shards(out, plan(seed, **chosen), make, workers=workers, **kw)


def whole(part, seed=0, parts=None):
    """All rows of a part."""
    return next(iter(blocks(part, 0, (parts or PARTS)[part], seed, size=10**6)))


def tree(folder):
    """Every file below `folder` with its bytes, and every folder."""
    folder = Path(folder)
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


if __name__ == "__main__":
    write(sys.argv[1], workers=int(sys.argv[2]), pause=float(sys.argv[3]))
