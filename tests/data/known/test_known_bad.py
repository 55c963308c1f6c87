"""Broken, forged, missing and other files of published sets: one line says which, and where to get the right one."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import pickletools
import tarfile

import numpy as np
import pytest
from tests.data.known import formats as files

from steerable.data import InputError
from steerable.data.known import cifar10, cifar10_subset, deeplense, galaxy10, mnist, pcam, rotated_mnist, stl10
from steerable.data.known.assemble import admissible, check_memory
from steerable.data.known.source import Published, Source
from steerable.data.known.unpickle import read_npy, read_pickle

TRAIN = "train-images-idx3-ubyte.gz"


def refused(function, *args, **kwargs):
    """The message, which is one line of a moderate length."""
    with pytest.raises(InputError) as e:
        function(*args, **kwargs)
    text = str(e.value)
    assert "\n" not in text
    assert len(text) < 700
    return text


READERS = [mnist, rotated_mnist, cifar10, cifar10_subset, stl10, pcam, galaxy10]


@pytest.mark.parametrize("reader", READERS, ids=lambda r: r.__name__)
def test_missing_files_say_where_to_get_them(tmp_path, reader):
    text = refused(reader, tmp_path)
    assert "not found" in text
    assert "http" in text or "data folder" in text


@pytest.mark.parametrize("reader", READERS, ids=lambda r: r.__name__)
def test_no_folder_says_where_to_get_them(monkeypatch, reader):
    monkeypatch.delenv("STEERABLE_DATA", raising=False)
    text = refused(reader)
    assert "STEERABLE_DATA" in text
    assert "downloaded from" in text


def test_another_checksum(tmp_path):
    files.write_mnist(tmp_path)
    text = refused(mnist, tmp_path)
    assert "md5" in text
    assert "f68b3c2dcbeaaa9fbdd348bbdeb94873" in text
    assert "verify" in text


def test_a_file_under_another_name(tmp_path):
    import hashlib

    known = Published(
        "a set",
        "https://example.org",
        {"a.bin": f"md5:{hashlib.md5(b'a').hexdigest()}", "b.bin": f"md5:{hashlib.md5(b'b').hexdigest()}"},
    )
    (tmp_path / "a.bin").write_bytes(b"b")
    assert "It is b.bin under another name" in refused(Source(tmp_path, known).path, "a.bin")


def test_a_wrong_count(tmp_path):
    files.write_mnist(tmp_path, packed=False)  # the checksums known are those of the packed files
    text = refused(mnist, tmp_path)
    assert "60 images; expected 60000" in text


@pytest.mark.parametrize("keep", [10, 200, -1])
def test_a_truncated_file(tmp_path, keep):
    files.write_mnist(tmp_path)
    path = tmp_path / TRAIN
    path.write_bytes(path.read_bytes()[:keep])
    assert "cannot be read" in refused(mnist, tmp_path, verify=False)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "begins with nothing"),
        (b"\x00\x00\x0d\x03" + bytes(12), "begins with 00 00 0d 03"),
        (b"\x00\x00\x08\x03" + bytes(3), "after a header"),
        (files.idx(files.digits(5)[0])[:-1], "after a header"),
        (files.idx(files.digits(5)[0]) + b"x", "after a header"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "after a header"),
        (files.idx(files.digits(5)[0]), "5 images"),
    ],
)
def test_broken_idx(tmp_path, content, says):
    files.write_mnist(tmp_path)
    (tmp_path / TRAIN).write_bytes(gzip.compress(content))
    assert says in refused(mnist, tmp_path, verify=False)


def test_two_copies_are_ambiguous(tmp_path):
    files.write_mnist(tmp_path / "MNIST")
    files.write_mnist(tmp_path / "FashionMNIST")
    assert "expected it once" in refused(mnist, tmp_path, verify=False)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1 2 3\n", "lines of 3 numbers"),
        ("a b c\n", "cannot be read"),
        (" ".join(["7.5"] * 784) + " 3\n", "pixels from"),
        (" ".join(["0"] * 784) + " 11\n", "labels from"),
        (" ".join(["nan"] * 784) + " 1\n", "pixels from"),
        ("", "0 lines"),
    ],
)
def test_broken_amat(tmp_path, line, says):
    files.write_rotated(tmp_path)
    (tmp_path / "mnist_all_rotation_normalized_float_test.amat").write_text(line)
    assert says in refused(rotated_mnist, tmp_path, verify=False)


def test_a_broken_zip(tmp_path):
    (tmp_path / "mnist_rotation_new.zip").write_bytes(b"PK no zip")
    assert "cannot be unpacked" in refused(rotated_mnist, tmp_path, verify=False)


class Run:
    """Runs a command when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, protocol):
    mark = tmp_path / "ran"
    files.write_cifar10(tmp_path)
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps({b"data": Run(mark), b"labels": []}, protocol=protocol))
    text = refused(cifar10, tmp_path, verify=False)
    assert "system" in text
    assert "without running code" in text
    assert not mark.exists()


@pytest.mark.parametrize(
    "forged",
    [
        pickle.dumps(np.load),
        pickle.dumps(getattr),
        pickle.dumps(np.zeros(3, dtype=[("a", "f4")]), protocol=2),
        pickle.dumps(slice(1, 2)),
        b"",
        b"\x80\x02.",
        b"cnumpy\nndarray\n.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        pickle.dumps(memoryview, protocol=2),
    ],
)
def test_forged_pickles(forged):
    assert "refused as a pickle" in refused(read_pickle, forged, "file")


def test_an_array_of_pointers_cannot_be_forged():
    """A header that claims objects over raw bytes would let numpy follow them as addresses."""
    content = pickle.dumps(np.arange(4, dtype="i8"), protocol=2)
    forged = content.replace(b"i8", b"O8")
    assert forged != content
    pickletools.dis(forged, out=io.StringIO())
    assert "objects" in refused(read_pickle, forged, "file")


def test_a_small_file_cannot_become_a_large_one(monkeypatch):
    from steerable.data.known import unpickle

    monkeypatch.setattr(unpickle, "MOST", 10_000)
    bomb = [0]
    for _ in range(18):
        bomb = [bomb] * 10
    assert "more than 10000 values" in refused(read_pickle, pickle.dumps(bomb), "file")
    deep = [0]
    for _ in range(30):
        deep = [deep]
    assert "deep" in refused(read_pickle, pickle.dumps(deep), "file")
    loop = []
    loop.append(loop)
    assert "deep" in refused(read_pickle, pickle.dumps(loop), "file")


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_honest_pickles(protocol):
    rng = np.random.default_rng(0)
    for array in (rng.random((3, 4)), np.asfortranarray(rng.random((3, 4))), np.arange(5, dtype=">i4"), np.float32(3),
                  np.array(["a", "bc"]), np.zeros((0, 2)), np.array(True)):  # fmt: skip
        found = read_pickle(pickle.dumps({"a": [array, (1, None, "x", b"y")]}, protocol=protocol), "file")
        got = next(iter(found.values()))
        assert np.array_equal(got[0], array)
        assert np.asarray(got[0]).dtype.kind == array.dtype.kind


def test_npy_files(tmp_path):
    path = tmp_path / "a.npy"
    nested = np.empty(2, dtype=object)
    nested[0], nested[1] = np.arange(6).reshape(2, 3), 1e-23
    np.save(path, nested, allow_pickle=True)
    found = read_npy(path)
    assert found.dtype == object
    assert np.array_equal(found[0], nested[0])
    assert found[1] == 1e-23
    evil = np.empty(1, dtype=object)
    evil[0] = Run(tmp_path / "ran")
    np.save(path, evil, allow_pickle=True)
    assert "without running code" in refused(read_npy, path)
    assert not (tmp_path / "ran").exists()
    path.write_bytes(path.read_bytes()[:40])
    refused(read_npy, path)


def test_batches_of_other_content(tmp_path):
    files.write_cifar10(tmp_path)
    x, y = files.colours(20)
    bad = {
        "keys": {b"pictures": x},
        "data float32": {b"data": x.reshape(20, -1).astype(np.float32), b"labels": y.tolist()},
        "one for each": {b"data": x.reshape(20, -1), b"labels": y.tolist()[:5]},
        "labels from 0 to 12": {b"data": x.reshape(20, -1), b"labels": [12, *y.tolist()[1:]]},
        "no whole numbers": {b"data": x.reshape(20, -1), b"labels": ["a"] * 20},
    }
    for says, content in bad.items():
        (tmp_path / "data_batch_2").write_bytes(pickle.dumps(content, protocol=2))
        assert says in refused(cifar10, tmp_path, verify=False)


def test_a_broken_tar(tmp_path):
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("cifar-10-batches-py/readme"), io.BytesIO())
    assert "lacks data_batch_1" in refused(cifar10, tmp_path, verify=False)
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(path.read_bytes()[:30])
    assert "cannot be unpacked" in refused(cifar10, tmp_path, verify=False)


def test_binary_of_another_length(tmp_path):
    files.write_cifar10(tmp_path, binary=True)
    (tmp_path / "test_batch.bin").write_bytes(b"12345")
    assert "multiple of 3073" in refused(cifar10, tmp_path, verify=False)


def test_stl10_of_another_length(tmp_path):
    for name in ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin"):
        (tmp_path / name).write_bytes(b"12345")
    assert "multiple of 27648" in refused(stl10, tmp_path, verify=False)


def test_hdf5_that_is_none(tmp_path, h5py):
    (tmp_path / "Galaxy10.h5").write_bytes(b"no hdf5")
    assert "cannot be opened as HDF5" in refused(galaxy10, tmp_path, verify=False)
    with h5py.File(tmp_path / "Galaxy10.h5", "w") as file:
        file["pictures"] = np.zeros(3)
    assert "expected 'images'" in refused(galaxy10, tmp_path, verify=False)
    (tmp_path / "Galaxy10_DECals.h5").write_bytes(b"no hdf5")
    assert "both there" in refused(galaxy10, tmp_path, verify=False)
    assert "expected sdss or decals" in refused(galaxy10, tmp_path, release="other")


def test_no_h5py(tmp_path, monkeypatch):
    import sys

    (tmp_path / "Galaxy10.h5").write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert "steerable[images]" in refused(galaxy10, tmp_path, verify=False)


def lens(folder, name, content):
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "a.npy", content, allow_pickle=True)


def pair(image, mass):
    """[image, mass] as released."""
    out = np.empty(2, dtype=object)
    out[0], out[1] = image, mass
    return out


def test_lenses(tmp_path):
    assert "class folders" in refused(deeplense, tmp_path)
    lens(tmp_path, "axion", pair(np.ones((8, 8)), 5.0))
    lens(tmp_path, "cdm", np.ones((8, 8)))
    assert "mass 5.0" in refused(deeplense, tmp_path)
    lens(tmp_path, "axion", pair("text", 1e-23))
    assert "expected [image, mass]" in refused(deeplense, tmp_path)
    lens(tmp_path, "axion", pair(np.full((8, 8), np.nan), 1e-23))
    assert "NaN" in refused(deeplense, tmp_path)
    lens(tmp_path, "axion", np.ones(8))
    assert "expected an image" in refused(deeplense, tmp_path)
    lens(tmp_path, "axion", pair(Run(tmp_path / "ran"), 1e-23))
    assert "without running code" in refused(deeplense, tmp_path)
    assert not (tmp_path / "ran").exists()


def test_the_raw_mass_is_no_target(tmp_path):
    assert "its logarithm is learned" in refused(deeplense, tmp_path, "axion_mass")
    lens(tmp_path, "cdm", np.ones((8, 8)))
    lens(tmp_path, "no_sub", np.ones((8, 8)))
    assert "none of 2 files" in refused(deeplense, tmp_path, "log10_axion_mass")


def test_wishes(tmp_path):
    files.write_mnist(tmp_path)
    assert "expected grey, rgb" in refused(mnist, tmp_path, verify=False, colour="blue", val_fraction=0.2)
    assert "val_fraction is 2" in refused(mnist, tmp_path, verify=False, val_fraction=2)
    assert "expected at least 1 pixel" in refused(mnist, tmp_path, verify=False, size=0, val_fraction=0.2)
    assert "data.scale is 'loud'" in refused(mnist, tmp_path, verify=False, scale="loud", val_fraction=0.2)


def test_more_than_fits_into_memory():
    text = refused(check_memory, [(262144, 3, 97, 97), (1, 3, 97, 97), (1, 3, 97, 97)], "pcam", 2**34)
    assert "27.6 GiB" in text
    assert "data.per_class" in text
    check_memory([(10, 3, 97, 97)], "pcam", 2**34)


def test_sizes_that_keep_stride_two_exact():
    assert [admissible(s) for s in (28, 29, 32, 64, 69, 96, 150)] == [29, 29, 33, 65, 69, 97, 153]
