"""Writing: the same rows give the same bytes, faults of the rows leave nothing, a plan is kept."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys

import pytest
import torch
from tests.data.shards import toy

from steerable.data.errors import InputError
from steerable.data.shards import Column, Plan, read_shards, source_digest
from steerable.data.shards import partial as partial_module
from steerable.data.shards.lock import locked
from steerable.data.shards.plan import first_difference

pytest.importorskip("pyarrow")


def refused(*words):
    """A one-line InputError with `words`."""
    return pytest.raises(InputError, match=r"\A[^\n]*" + r"[^\n]*".join(words) + r"[^\n]*\Z")


def test_round_trip(tmp_path):
    written = toy.write(tmp_path / "deep" / "set")
    assert (written.shards, written.kept, written.already) == (6, 0, False)
    for part in toy.PARTS:
        found, expected = read_shards(written.folder / part), toy.whole(part)
        assert list(found) == list(expected)
        for name, values in expected.items():
            same = found[name] == values if isinstance(values, list) else torch.equal(found[name], values)
            assert same, name
            assert isinstance(values, list) or found[name].dtype == values.dtype
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["set"]


def test_manifest_says_what_was_made(tmp_path):
    toy.write(tmp_path / "set", seed=5)
    text = (tmp_path / "set" / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["format"] == "steerable-shards" and manifest["version"] == 1
    assert manifest["seed"] == 5 and manifest["parameters"] == {"kind": "toy", "range": [0.5, 1]}
    assert {"steerable", "torch", "numpy", "pyarrow"} <= set(manifest["versions"])
    assert {"name": "image", "dtype": "float32", "shape": [5, 4], "finite": True} in manifest["columns"]
    assert [s["rows"] for s in manifest["shards"]] == [6, 6, 6, 5, 6, 1]
    assert all(len(s["sha256"]) == 64 for s in manifest["shards"])
    assert str(tmp_path) not in text and os.uname().nodename not in text


def test_bytes_depend_on_the_plan_alone(tmp_path):
    toy.write(tmp_path / "a")
    expected = toy.tree(tmp_path / "a")
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        toy.write(tmp_path / "b")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    toy.write(tmp_path / "c", workers=2)
    assert toy.tree(tmp_path / "b") == expected
    assert toy.tree(tmp_path / "c") == expected
    toy.write(tmp_path / "d", seed=1)
    assert toy.tree(tmp_path / "d") != expected
    toy.write(tmp_path / "e", parts={"train": 12})  # a larger set begins with the shards of a smaller one
    found = toy.tree(tmp_path / "e")
    for number in range(2):
        name = f"train/shard-{number:05d}.parquet"
        assert found[name] == expected[name]


def test_progress_counts_rows(tmp_path):
    seen, starts = [], []
    toy.write(tmp_path / "set", progress=lambda *a: seen.append(a), start=lambda *a: starts.append(a))
    assert starts == [(0, 6)]
    assert seen[0] == (0, 30) and seen[-1] == (30, 30)
    assert [a for a, _ in seen] == sorted({a for a, _ in seen})


def test_again_is_harmless_and_another_plan_is_refused(tmp_path):
    toy.write(tmp_path / "set")
    before = toy.tree(tmp_path)
    assert toy.write(tmp_path / "set").already
    with refused("exists already and is another data set: its seed is 0; expected 1"):
        toy.write(tmp_path / "set", seed=1)
    with refused("parts are", r"expected \['train'\]"):
        toy.write(tmp_path / "set", parts={"train": 23})
    with refused("parts.train.rows is 23; expected 24"):
        toy.write(tmp_path / "set", parts={"train": 24, "test": 7})
    with refused('code is ""; expected "abc"'):
        toy.write(tmp_path / "set", code="abc")
    (tmp_path / "other").mkdir()
    with refused("'.*other' exists already and is no data set"):
        toy.write(tmp_path / "other")
    (tmp_path / "other").rmdir()
    assert toy.tree(tmp_path) == before


def test_again_is_no_blessing_for_a_damaged_set(tmp_path):
    toy.write(tmp_path / "set")
    path = tmp_path / "set" / "test" / "shard-00001.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with refused("exists already and is damaged: .*shard-00001.parquet' has sha256"):
        toy.write(tmp_path / "set")


def spoiled(at, change):
    """The toy's rows, changed in the block that begins with row `at` of the part train."""

    def make(part, start, stop):
        for block in toy.blocks(part, start, stop):
            yield change(block) if part == "train" and int(block["label"][0]) == at else block

    return make


def with_value(name, value):
    def change(block):
        block[name].flatten()[-1] = value
        return block

    return change


def stop(block):
    raise KeyboardInterrupt


CHANGES = {
    "nan": (with_value("image", float("nan")), "'image' holds NaN or infinite values .first in row 3"),
    "infinite": (with_value("sigma", float("inf")), "'sigma' holds NaN or infinite values"),
    "dtype": (lambda b: b | {"image": b["image"].double()}, "'image' is float64 .4, 5, 4.; expected float32"),
    "shape": (lambda b: b | {"vector": b["vector"][:, :2]}, r"'vector' is float64 .4, 2.; expected float64 .4, 3."),
    "missing": (lambda b: {k: v for k, v in b.items() if k != "flag"}, "the columns are"),
    "order": (lambda b: dict(reversed(b.items())), "the columns are"),
    "text": (lambda b: b | {"name": [1, 2, 3, 4]}, "'name' has 4 entries; expected 4 strings"),
    "few": (lambda b: {k: v[:3] for k, v in b.items()}, "entries; expected 6 strings|expected .* .6"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("at", [0, 12])
def test_bad_rows_are_refused(tmp_path, change, at):
    spoil, text = CHANGES[change]
    with refused(text) as error:
        toy.write(tmp_path / "deep" / "set", make=spoiled(at, spoil))
    if at == 0:
        assert list(tmp_path.iterdir()) == []
        return
    assert "2 of 6 shards are in" in str(error.value)
    seen = []
    toy.write(tmp_path / "deep" / "set", start=lambda *a: seen.append(a))
    assert seen == [(2, 6)]
    toy.write(tmp_path / "straight")
    assert toy.tree(tmp_path / "deep") == {f"set/{k}": v for k, v in toy.tree(tmp_path / "straight").items()} | {
        "set": None
    }


def test_interrupted_from_the_keyboard_says_how_to_go_on(tmp_path):
    with pytest.raises(KeyboardInterrupt, match=r"3 of 6 shards are in .*the same command continues"):
        toy.write(tmp_path / "set", make=spoiled(18, stop))
    with pytest.raises(KeyboardInterrupt):
        toy.write(tmp_path / "other", make=spoiled(0, stop))
    assert [p.name for p in tmp_path.iterdir()] == ["set.partial"]


def test_an_error_of_the_maker_keeps_its_type(tmp_path):
    def fail(block):
        raise ZeroDivisionError("by zero")

    with pytest.raises(ZeroDivisionError) as error:
        toy.write(tmp_path / "set", make=spoiled(6, fail))
    assert "1 of 6 shards" in error.value.__notes__[0]


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    real, count = partial_module.os.fsync, [0]

    def full(handle):
        count[0] += 1
        if count[0] > 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(partial_module.os, "fsync", full)
    with refused("cannot be written .No space left on device", "1 of 6|2 of 6"):
        toy.write(tmp_path / "set")
    count[0] = 12
    with refused("No space left"):
        toy.write(tmp_path / "new" / "set")
    assert [p.name for p in tmp_path.iterdir()] == ["set.partial"]
    assert not list(tmp_path.rglob("*.tmp"))
    monkeypatch.undo()
    assert toy.write(tmp_path / "set").kept >= 1


def unfinished(tmp_path):
    """A partial folder with three of six shards."""
    with pytest.raises(KeyboardInterrupt):
        toy.write(tmp_path / "set", make=spoiled(18, stop))
    return tmp_path / "set.partial"


def test_an_unfinished_run_of_another_plan_is_refused(tmp_path):
    unfinished(tmp_path)
    before = toy.tree(tmp_path)
    with refused("unfinished run of another plan: its seed is 0; expected 1. Give the same values"):
        toy.write(tmp_path / "set", seed=1)
    with refused("rows_per_shard is 6; expected 7"):
        toy.write(tmp_path / "set", rows_per_shard=7)
    assert toy.tree(tmp_path) == before


def test_another_version_is_another_plan(tmp_path, monkeypatch):
    from steerable.data.shards import plan as module

    folder = unfinished(tmp_path)
    monkeypatch.setattr(module, "versions", lambda: {**json.loads((folder / "plan.json").read_text())["versions"],
                                                     "torch": "1.0"})  # fmt: skip
    with refused("versions.torch is .*; expected .1.0."):
        toy.write(tmp_path / "set")


FOREIGN = ("notes.txt", "last.ckpt", "data/train/mine.parquet", "data/extra/shard-00000.parquet", "data/train/x.tmp")


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_partial_folder_is_left_alone(tmp_path, name, begun):
    if begun:
        unfinished(tmp_path)
    path = tmp_path / "set.partial" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    before = toy.tree(tmp_path)
    with refused("was not written by an unfinished run"):
        toy.write(tmp_path / "set")
    assert toy.tree(tmp_path) == before


def test_damaged_finished_shards_are_made_again(tmp_path):
    folder = unfinished(tmp_path)
    flipped, cut = (folder / "data" / "train" / f"shard-{i:05d}.parquet" for i in range(2))
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 4
    flipped.write_bytes(data)
    cut.write_bytes(cut.read_bytes()[:-1])
    (folder / "done" / "train" / "shard-00002.json").unlink()
    assert toy.write(tmp_path / "set").kept == 0
    toy.write(tmp_path / "straight")
    assert toy.tree(tmp_path / "set") == toy.tree(tmp_path / "straight")


def test_a_plan_that_is_no_json_is_refused(tmp_path):
    (unfinished(tmp_path) / "plan.json").write_text("{")
    with refused("plan.json' cannot be read as JSON"):
        toy.write(tmp_path / "set")


def test_two_at_once_are_refused(tmp_path):
    with locked(tmp_path / "set.partial", "set"):
        with refused("set' is being written by another process"):
            toy.write(tmp_path / "set")
        code = f"from tests.data.shards import toy; toy.write({str(tmp_path / 'set')!r})"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=os.getcwd())
        assert out.returncode == 1 and "is being written by another process" in out.stderr
    assert not toy.write(tmp_path / "set").already
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with refused("cannot be written .Not a directory|cannot be written .File exists"):
        toy.write(tmp_path / "file" / "set")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def fail_in_worker(part, start, stop):
    raise InputError(f"row {start}: no")
    yield


def break_in_worker(part, start, stop):
    yield {"x": 1 / (start - start)}


def die_in_worker(part, start, stop):
    os._exit(7)
    yield


def test_workers_pass_errors_on(tmp_path):
    with refused("row (0|6): no"):
        toy.write(tmp_path / "set", make=fail_in_worker, workers=2)
    with pytest.raises(ZeroDivisionError) as error:
        toy.write(tmp_path / "set", make=break_in_worker, workers=2)
    assert "in break_in_worker" in error.value.__notes__[0]
    with refused("ended with status 7", "use fewer workers"):
        toy.write(tmp_path / "set", make=die_in_worker, workers=2)
    with refused("cannot be sent to another process"):
        toy.write(tmp_path / "set", make=lambda *a: toy.blocks(*a), workers=2)
    with refused("out is '/'; expected the name of a new folder"):
        toy.write("/")
    with refused("workers is 0"):
        toy.write(tmp_path / "set", workers=0)
    assert list(tmp_path.iterdir()) == []


def test_plans_that_cannot_be():
    columns = {"x": Column("float32", (2,))}
    for text, change in {
        "parts are": {"parts": {}},
        "has 0 rows": {"parts": {"train": 0}},
        "a part is named": {"parts": {"../a": 1}},
        "name 'a.b' cannot be used": {"columns": {"a.b": Column("float32")}},
        "there are 0": {"columns": {}},
        "rows_per_shard is 0": {"rows_per_shard": 0},
        "cannot be written as JSON": {"parameters": {"x": float("nan")}},
    }.items():
        with refused(text):
            dataclasses.replace(Plan({"train": 1}, columns), **change)
    for text, dtype, shape in (
        ("dtype is 'complex64'", "complex64", ()),
        ("sides of at least 1", "float32", (0,)),
        ("Use uint8", "bool", (2,)),
    ):
        with refused(text):
            Column(dtype, shape)


def test_first_difference():
    assert first_difference({"a": [1, 2]}, {"a": [1, 2]}) is None
    assert first_difference({"a": 1}, {"a": 1.0}) == "a is 1; expected 1.0"
    assert first_difference({"a": {"b": True}}, {"a": {"b": 1}}) == "a.b is true; expected 1"
    assert first_difference({}, {"a": 1}) == 'a is "absent"; expected 1'
    assert first_difference({"b": 1}, {}) == 'b is 1; expected "none"'


def test_source_digest_sees_an_edit(tmp_path):
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b.py").write_text("1")
    before = source_digest(tmp_path)
    assert source_digest(tmp_path, without=["b"]) != before
    (tmp_path / "b.py").write_text("2")
    assert source_digest(tmp_path) != before
