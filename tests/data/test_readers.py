"""Readers: what they return on real data, and what they refuse."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from steerable.data import InputError, Samples, Splits, frdeep, npz_folder, rotated_digits
from steerable.data.files import data_root, load_npz

real = pytest.mark.skipif("STEERABLE_DATA" not in os.environ, reason="STEERABLE_DATA is not set")


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert "expected" in text
    return text


def write(folder, name="train.npz", n=12, side=8, **change):
    rng = np.random.default_rng(len(name))
    arrays = {"x": rng.random((n, side, side), dtype=np.float32), "y": np.arange(n) % 3, **change}
    np.savez(folder / name, **{k: v for k, v in arrays.items() if v is not None})


@real
def test_digits():
    s = rotated_digits()
    assert len(s.train) + len(s.val) == 12000
    assert abs(len(s.val) - 2000) <= 5  # rounded class by class
    assert len(s.test) == 5000
    assert s.train.size == (29, 29)
    assert len(s.classes) == 10
    assert 0.9 < float(s.train.x.std()) < 1.1
    assert float(s.train.x[:, :, -1].abs().sum() + s.train.x[..., -1].abs().sum()) == 0  # padded below and right
    assert s.limit(20).train.counts() == [20] * 10


@real
def test_frdeep_keeps_one_picture_in_one_part():
    s = frdeep()
    parts = (s.train, s.val, s.test)
    assert sum(map(len, parts)) == 450
    assert s.classes == ("FRI", "FRII")
    for p in parts:
        assert abs(p.counts()[0] / len(p) - 198 / 450) < 0.02
    for seed in range(5):
        parts = [
            {i.numpy().tobytes() for i in p.x} for p in (lambda s: (s.train, s.val, s.test))(frdeep(split_seed=seed))
        ]
        assert sum(map(len, parts)) == 449  # two of the 450 are one picture
        assert len(set.union(*parts)) == 449


@real
def test_splits_are_fixed():
    a, b, c = frdeep(), frdeep(), frdeep(split_seed=1)
    assert torch.equal(a.test.x, b.test.x)
    assert not torch.equal(a.test.x, c.test.x)


def test_root_must_exist(monkeypatch, tmp_path):
    monkeypatch.delenv("STEERABLE_DATA", raising=False)
    with pytest.raises(InputError) as e:
        data_root()
    assert "export STEERABLE_DATA" in one_line(e)
    with pytest.raises(InputError) as e:
        data_root(tmp_path / "nowhere")
    assert "nowhere" in one_line(e)
    with pytest.raises(InputError) as e:
        rotated_digits(tmp_path)
    assert "mnist_rotated_derived.npz" in one_line(e)


def test_npz_errors(tmp_path):
    np.savez(tmp_path / "a.npz", z=np.zeros(3))
    with pytest.raises(InputError) as e:
        load_npz(tmp_path / "a.npz", ("x", "y"))
    assert "'x', 'y'" in one_line(e)
    (tmp_path / "b.npz").write_bytes(b"no archive")
    with pytest.raises(InputError) as e:
        load_npz(tmp_path / "b.npz", ("x",))
    one_line(e)
    np.savez(tmp_path / "c.npz", x=np.array([{"pickled": 1}], dtype=object))
    with pytest.raises(InputError) as e:
        load_npz(tmp_path / "c.npz", ("x",))
    one_line(e)


def test_folder_with_parts(tmp_path):
    for name in ("train.npz", "val.npz", "test.npz"):
        write(tmp_path, name)
    s = npz_folder(tmp_path, size=9)
    assert isinstance(s, Splits)
    assert s.train.x.shape == (12, 1, 9, 9)
    assert s.classes == ("0", "1", "2")


def test_folder_without_parts_is_split(tmp_path):
    write(tmp_path, "a.npz", n=60)
    write(tmp_path, "bb.npz", n=60)
    s = npz_folder(tmp_path, fractions=(0.5, 0.25, 0.25))
    assert [len(p) for p in (s.train, s.val, s.test)] == [60, 30, 30]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"x": np.full((12, 8, 8), np.nan, dtype=np.float32)}, "NaN or infinite"),
        ({"x": np.full((12, 8, 8), np.inf, dtype=np.float32)}, "NaN or infinite"),
        ({"x": np.zeros((12, 8), dtype=np.float32)}, "[N, H, W]"),
        ({"x": np.zeros((0, 8, 8), dtype=np.float32), "y": np.zeros(0, dtype=np.int64)}, "0 images"),
        ({"x": np.full((12, 8, 8), "a")}, "numbers"),
        ({"y": np.zeros(11, dtype=np.int64)}, "one for each image"),
        ({"y": np.full(12, 0.5)}, "whole numbers"),
        ({"y": np.full(12, -1)}, "labels run from -1"),
        ({"y": np.full(12, 5), "classes": np.array(["a", "b"])}, "expected 0 to 1"),
        ({"y": None}, "'y'"),
    ],
)
def test_folder_refuses(tmp_path, change, word):
    for name in ("train.npz", "val.npz", "test.npz"):
        write(tmp_path, name, **change)
    with pytest.raises(InputError) as e:
        npz_folder(tmp_path)
    assert word in one_line(e)


def test_folder_refuses_empty_missing_and_mixed(tmp_path):
    for bad in (None, tmp_path / "no", tmp_path):
        with pytest.raises(InputError) as e:
            npz_folder(bad)
        one_line(e)
    write(tmp_path, "train.npz")
    with pytest.raises(InputError) as e:
        npz_folder(tmp_path)
    assert "['train']" in one_line(e)
    write(tmp_path, "val.npz")
    write(tmp_path, "test.npz", side=9)
    with pytest.raises(InputError) as e:
        npz_folder(tmp_path)
    assert "(9, 9)" in one_line(e)


def test_limit_refuses():
    data = Samples(torch.zeros(3, 1, 2, 2), torch.tensor([0, 0, 1]), ("a", "b"))
    assert data.limit(1).y.tolist() == [0, 1]
    for k in (0, 2):
        with pytest.raises(InputError):
            data.limit(k)
