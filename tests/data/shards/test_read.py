"""Reading: batches in order, and every fault of a data set is one line."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
import torch
from tests.data.shards import toy
from tests.data.shards.test_write import refused

from steerable.data.shards import Column, find_part, iter_shards, read_manifest, read_shards
from steerable.data.shards.columns import check_finite

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("made") / "set").folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy that may be spoiled."""
    shutil.copytree(made, tmp_path / "set")
    return tmp_path / "set"


def test_chosen_columns(made):
    found = read_shards(made / "test", ["sigma", "name"])
    assert list(found) == ["sigma", "name"]
    assert torch.equal(found["sigma"], toy.whole("test")["sigma"])
    found["sigma"][0] = 0  # tensors own their memory
    with refused("no column 'sigmo'", "Did you mean 'sigma'"):
        read_shards(made / "test", ["sigmo"])


@pytest.mark.parametrize("size", [1, 4, 6, 7, 23, 100])
def test_batches_come_in_order(made, size):
    found = list(iter_shards(made / "train", ["name", "image", "flag"], batch_size=size))
    assert [len(b["name"]) for b in found] == [size] * (23 // size) + ([23 % size] if 23 % size else [])
    whole = toy.whole("train")
    assert [n for b in found for n in b["name"]] == whole["name"]
    assert torch.equal(torch.cat([b["image"] for b in found]), whole["image"])
    assert torch.equal(torch.cat([b["flag"] for b in found]), whole["flag"])
    with refused("batch_size is 0"):
        next(iter_shards(made / "train", batch_size=0))


def test_a_set_with_one_part_needs_no_name(tmp_path):
    toy.write(tmp_path / "set", parts={"all": 3})
    assert len(read_shards(tmp_path / "set")["label"]) == 3
    assert find_part(tmp_path / "set")[1] == "all"


def test_other_programs_see_tensors(made):
    table = pq.read_table(made / "train")
    field = table.schema.field("image")
    assert field.type.extension_name == "arrow.fixed_shape_tensor"
    assert list(field.type.shape) == [5, 4]
    array = table["image"].combine_chunks().to_numpy_ndarray()
    assert (array == toy.whole("train")["image"].numpy()).all()
    file = pq.ParquetFile(made / "train" / "shard-00000.parquet", page_checksum_verification=True)
    assert file.metadata.num_row_groups == 1 and file.read().num_rows == 6


def test_pandas_reads_it(made):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(made / "train")
    assert len(frame) == 23
    assert (frame["image"][4].reshape(5, 4) == toy.whole("train")["image"][4].numpy()).all()
    assert list(frame["name"]) == toy.whole("train")["name"]


def test_datasets_reads_it(made, tmp_path):
    datasets = pytest.importorskip("datasets")
    found = datasets.load_dataset(str(made), cache_dir=str(tmp_path))
    assert {name: len(rows) for name, rows in found.items()} == toy.PARTS
    row = found["train"].with_format("torch")[4]
    assert torch.equal(row["image"].reshape(5, 4), toy.whole("train")["image"][4])
    assert row["name"] == toy.whole("train")["name"][4]


# ---------------------------------------------------------------- faults
def edit(folder, change):
    """Change the manifest."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def bless(folder, number=1):
    """Write the checksum of a changed shard into the manifest: the fault must be caught by what comes after."""
    path = folder / "train" / f"shard-{number:05d}.parquet"
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    edit(folder, lambda m: m["shards"][number].update(bytes=len(data), sha256=digest))


def shard(folder, number=1):
    return folder / "train" / f"shard-{number:05d}.parquet"


def flip(folder):
    data = bytearray(shard(folder).read_bytes())
    data[len(data) // 3] ^= 1
    shard(folder).write_bytes(data)


def cut(folder):
    shard(folder).write_bytes(shard(folder).read_bytes()[:-9])


def cut_and_blessed(folder):
    cut(folder)
    bless(folder)


def foreign(folder):
    shard(folder).write_bytes(b"SIMPLE  =                    T")
    bless(folder)


def retable(change):
    def spoil(folder):
        pq.write_table(change(pq.read_table(shard(folder))), shard(folder))
        bless(folder)

    return spoil


def with_nan(table):
    at = table.schema.get_field_index("sigma")
    values = table["sigma"].to_pylist()
    values[2] = float("nan")
    return table.set_column(at, table.schema.field("sigma"), [pa.array(values, pa.float32())])


def with_null(table):
    at = table.schema.get_field_index("label")
    return table.set_column(at, table.schema.field("label"), [[None, *table["label"].to_pylist()[1:]]])


def other_shape(table):
    at = table.schema.get_field_index("image")
    array = table["image"].combine_chunks()
    kind = pa.fixed_shape_tensor(pa.float32(), (4, 5))
    return table.set_column(at, pa.field("image", kind), pa.ExtensionArray.from_storage(kind, array.storage))


FAULTS = {
    "missing": (lambda f: shard(f).unlink(), "shard-00001.parquet' does not exist; expected a shard of 6 rows"),
    "flipped": (flip, "shard-00001.parquet' has sha256 .*it was changed"),
    "cut": (cut, "has .* bytes; manifest.json promises .*it was cut or changed"),
    "cut and blessed": (cut_and_blessed, "cannot be read as Parquet"),
    "foreign": (foreign, "cannot be read as Parquet"),
    "one too many": (lambda f: (f / "train" / "mine.parquet").write_bytes(b"x"), "mine.parquet' is not in manifest"),
    "a column less": (retable(lambda t: t.drop_columns(["flag"])), "has the columns .*; expected"),
    "other order": (retable(lambda t: t.select(t.column_names[::-1])), "has the columns .*; expected"),
    "other type": (retable(lambda t: t.set_column(7, "label", t["label"].cast("int32"))), "'label' is int32; expected"),
    "other shape": (retable(other_shape), r"'image' is extension.*\[4,5\].*; expected extension.*\[5,4\]"),
    "rows": (retable(lambda t: t.slice(0, 5)), "has 5 rows; expected 6"),
    "nan": (retable(with_nan), "'sigma' holds NaN or infinite values .first in row 2"),
    "null": (retable(with_null), "'label' lacks 1 values"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "has no manifest.json in it or beside it"),
    "no json": (lambda f: (f / "manifest.json").write_text("{"), "manifest.json' is not JSON"),
    "binary": (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe\x00"), "manifest.json' is not JSON"),
    "a list": (lambda f: (f / "manifest.json").write_text("[]"), "holds a list; expected a manifest"),
    "other format": (lambda f: edit(f, lambda m: m.update(format="x")), "has format 'x'; expected 'steerable-shards'"),
    "other version": (lambda f: edit(f, lambda m: m.update(version=2)), "has version 2; this .* reads version 1"),
    "no seed": (lambda f: edit(f, lambda m: m.pop("seed")), "lacks the key 'seed'"),
    "no shards": (lambda f: edit(f, lambda m: m.pop("shards")), "lacks the key 'shards'"),
    "bad shards": (lambda f: edit(f, lambda m: m.update(shards=3)), "'shards' is a int; expected list"),
    "no checksum": (lambda f: edit(f, lambda m: m["shards"][1].pop("sha256")), "shard 1 lacks the key 'sha256'"),
    "odd shard": (lambda f: edit(f, lambda m: m["shards"].append(3)), "shard 6 is a int; expected an object"),
    "outside": (lambda f: edit(f, lambda m: m["shards"][1].update(path="../x.parquet")), "lies at '../x.parquet'"),
    "a shard less": (lambda f: edit(f, lambda m: m["shards"].pop(1)), "of 'train' have 17 rows; expected 23"),
    "odd columns": (lambda f: edit(f, lambda m: m["columns"][1].pop("dtype")), "parts or columns are not as expected"),
    "odd dtype": (lambda f: edit(f, lambda m: m["columns"][1].update(dtype="x")), "dtype is 'x'; expected one of"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_one_line(folder, fault):
    spoil, text = FAULTS[fault]
    spoil(folder)
    with refused(text):
        read_shards(folder / "train")
    with refused(text):
        list(iter_shards(folder / "train"))


def test_without_verification_the_flipped_byte_passes_or_is_no_parquet(folder):
    """The check can be left out; the test above therefore tests the check."""
    data = bytearray(shard(folder).read_bytes())
    data[-9] ^= 1  # in the length of the footer
    shard(folder).write_bytes(data)
    with refused("has sha256"):
        read_shards(folder / "train")
    with refused("cannot be read as Parquet"):
        read_shards(folder / "train", verify=False)
    data[-9] ^= 1
    shard(folder).write_bytes(data)
    edit(folder, lambda m: m["shards"][1].update(sha256="0" * 64))
    with refused("has sha256"):
        read_shards(folder / "train")
    assert torch.equal(read_shards(folder / "train", verify=False)["image"], toy.whole("train")["image"])


def test_parts_that_there_are_not(made, tmp_path):
    with refused("has no part 'tran'; expected one of .*Did you mean 'train'"):
        read_shards(made / "tran")
    with refused(r"has the parts \['train', 'test'\]; expected one of them. Say '.*train'"):
        read_shards(made)
    with refused("does not exist or has no manifest.json"):
        read_shards(tmp_path / "nowhere" / "train")
    (tmp_path / "half.partial").mkdir()
    with refused("half' is not finished", "it continues"):
        read_shards(tmp_path / "half" / "train")
    with refused("does not exist; expected the manifest"):
        read_manifest(tmp_path)


def test_nan_may_be_promised():
    values = torch.tensor([1.0, float("nan")])
    check_finite(values, Column("float32", finite=False), "x")
    with refused("x holds NaN"):
        check_finite(values, Column("float32"), "x")
    check_finite(
        torch.full((4,), 1e308, dtype=torch.float64), Column("float64"), "x"
    )  # the sum overflows, no entry does
