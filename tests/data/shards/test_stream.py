"""A stream gives every row once, shared out, in an order that seed and epoch alone decide."""

from __future__ import annotations

import pytest
import torch
from tests.data.shards import toy
from tests.data.shards.test_write import refused
from torch.utils.data import DataLoader

from steerable.data.shards import ShardStream

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("made") / "set").folder / "train"


def labels(stream):
    return [int(label) for batch in stream for label in batch["label"]]


def test_every_row_once_and_shuffled(train):
    stream = ShardStream(train, batch_size=5)
    first = labels(stream)
    assert sorted(first) == list(range(23)) and first != sorted(first)
    assert labels(stream) == first
    stream.set_epoch(1)
    second = labels(stream)
    assert sorted(second) == list(range(23)) and second != first
    assert labels(ShardStream(train, seed=1)) != first
    assert labels(ShardStream(train, shuffle=False)) == list(range(23))
    assert [len(b["label"]) for b in stream] == [5, 5, 5, 5, 3]


def test_rows_keep_together(train):
    whole = toy.whole("train")
    for batch in ShardStream(train, 4):
        assert torch.equal(batch["image"], whole["image"][batch["label"]])
        assert batch["name"] == [whole["name"][i] for i in batch["label"]]


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_ranks_and_workers_share_the_rows(train, ranks, workers):
    for even in (True, False):
        streams = [ShardStream(train, rank=r, ranks=ranks, even=even, seed=3) for r in range(ranks)]
        pieces = [[(s.path, int(i)) for w in range(workers) for s, rows in t.piece(w, workers) for i in rows]
                  for t in streams]  # fmt: skip
        flat = [row for piece in pieces for row in piece]
        assert len(set(flat)) == len(flat)
        sizes = [len(piece) for piece in pieces]
        assert sum(sizes) == (23 - 23 % ranks if even else 23)
        assert max(sizes) - min(sizes) <= (0 if even else 1)


def test_what_is_left_out_changes_with_the_epoch(train):
    out = set()
    for epoch in range(12):
        streams = [ShardStream(train, rank=r, ranks=5) for r in range(5)]
        for stream in streams:
            stream.set_epoch(epoch)
        out.add(tuple(sorted(set(range(23)) - {i for s in streams for i in labels(s)})))
    assert len(out) > 6


def test_loader_workers(train):
    stream = ShardStream(train, 4, ["label", "image"])
    loader = DataLoader(stream, batch_size=None, num_workers=2, persistent_workers=True)
    first = labels(loader)
    assert sorted(first) == list(range(23))
    assert labels(loader) == first
    stream.set_epoch(1)  # seen by workers that live on
    second = labels(loader)
    assert sorted(second) == list(range(23)) and second != first
    assert labels(DataLoader(stream, batch_size=None)) == labels(stream)


def test_ranks_from_the_environment(train, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert labels(ShardStream(train)) == labels(ShardStream(train, rank=1, ranks=2))


def test_refused(train):
    for text, options in {
        "batch_size is 0": {"batch_size": 0},
        "rank=2 of ranks=2": {"rank": 2, "ranks": 2},
        "rank=0 of ranks=None": {"rank": 0},
        "no column 'x'": {"columns": ["x"]},
    }.items():
        with refused(text):
            ShardStream(train, **options)
    with refused("has no part 'val'"):
        ShardStream(train.parent / "val")
