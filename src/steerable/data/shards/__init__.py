"""Data sets as Parquet shards with a manifest: written so that they can be interrupted, read so that faults show.

`Plan` says what is written, `write_shards` writes or continues it, `read_shards` reads a part into memory,
`iter_shards` and `ShardStream` stream it. Arrays are Arrow fixed-shape tensors, so other programs read the files too.
"""

from __future__ import annotations

from steerable.data.shards.columns import Column as Column
from steerable.data.shards.columns import columns_of as columns_of
from steerable.data.shards.manifest import Manifest as Manifest
from steerable.data.shards.manifest import find_part as find_part
from steerable.data.shards.manifest import read_manifest as read_manifest
from steerable.data.shards.plan import Plan as Plan
from steerable.data.shards.plan import source_digest as source_digest
from steerable.data.shards.read import iter_shards as iter_shards
from steerable.data.shards.read import read_shards as read_shards
from steerable.data.shards.stream import ShardStream as ShardStream
from steerable.data.shards.write import Written as Written
from steerable.data.shards.write import write_shards as write_shards
