"""Published sets: what is read is what was written; the split is fixed; nothing is read that was not asked for."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.data.known import formats as files

from steerable.data.known import (
    cifar10,
    cifar10_subset,
    cifar100,
    deeplense,
    fashion_mnist,
    galaxy10,
    mnist,
    pcam,
    rotated_mnist,
    stl10,
)


def pixels(splits):
    """All images of three parts, sorted into one canonical order, as bytes of [0, 1]."""
    return [(255 * part.x).round().to(torch.uint8) for part in (splits.train, splits.val, splits.test)]


def same_images(found, written):
    """Whether two stacks hold the same images in any order."""

    def key(a):
        return sorted(np.ascontiguousarray(im).tobytes() for im in a)

    return key(found.numpy()) == key(written)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("reader", [mnist, fashion_mnist])
def test_idx(tmp_path, reader, packed):
    x, _, u, v = files.write_mnist(tmp_path / "MNIST" / "raw", packed=packed)
    found = reader(tmp_path, scale="none", size=None, verify=False, val_fraction=1 / 6)
    train, val, test = pixels(found)
    assert same_images(torch.cat([train, val])[:, 0], x)
    assert torch.equal(test[:, 0], torch.from_numpy(u))
    assert found.test.y.tolist() == v.tolist()
    assert found.val.counts() == [1] * 10
    assert found.train.counts() == [5] * 10
    assert len(found.files) == 4
    assert all(name.startswith("MNIST/raw/t") for name in found.files)
    assert found.raw_size == (28, 28)
    again = reader(tmp_path, scale="none", size=None, verify=False, val_fraction=1 / 6)
    assert torch.equal(again.val.x, found.val.x)
    other = reader(tmp_path, scale="none", size=None, verify=False, val_fraction=1 / 6, split_seed=1)
    assert not torch.equal(other.val.x, found.val.x)


def test_the_recipe_says_what_was_done(tmp_path):
    files.write_mnist(tmp_path)
    raw = mnist(tmp_path, scale="none", size=None, verify=False, val_fraction=1 / 6)
    for wish in ({}, {"scale": "dataset", "size": 33}, {"colour": "rgb"}, {"scale": "peak", "size": 25}):
        found = mnist(tmp_path, verify=False, val_fraction=1 / 6, **wish)
        assert torch.allclose(found.recipe(raw.test.x), found.test.x, atol=1e-6), wish
        assert torch.allclose(found.recipe(raw.train.x), found.train.x, atol=1e-6), wish


@pytest.mark.parametrize("packed", [True, False])
def test_amat(tmp_path, packed):
    x, _, u, v = files.write_rotated(tmp_path / "mnist_rotation_new", packed=packed)
    found = rotated_mnist(tmp_path, scale="none", size=None, verify=False)
    train, val, test = pixels(found)
    assert same_images(torch.cat([train, val])[:, 0], x)
    assert torch.equal(test[:, 0], torch.from_numpy(u))
    assert found.test.y.tolist() == v.tolist()
    assert [len(p) for p in (found.train, found.val, found.test)] == [50, 10, 20]
    padded = rotated_mnist(tmp_path, verify=False)
    assert padded.test.x.shape == (20, 1, 29, 29)
    assert (padded.test.x[:, :, -1] == 0).all()


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_cifar10(tmp_path, binary, packed):
    inner = tmp_path / "cifar-10-batches"
    parts = files.write_cifar10(inner, binary=binary)
    root = tmp_path
    if packed:
        root = tmp_path / "packed"
        root.mkdir()
        with tarfile.open(root / f"cifar-10-{'binary' if binary else 'python'}.tar.gz", "w:gz") as archive:
            archive.add(inner, "cifar-10-batches")
    found = cifar10(root, scale="none", size=None, verify=False)
    train, val, test = pixels(found)
    assert same_images(torch.cat([train, val]), np.concatenate([parts[f"data_batch_{k}"][0] for k in range(1, 6)]))
    assert torch.equal(test, torch.from_numpy(parts["test_batch"][0]))
    assert found.test.y.tolist() == parts["test_batch"][1].tolist()
    assert found.val.counts() == [1] * 10
    grey = cifar10(root, colour="grey", verify=False)
    assert grey.train.x.shape[1:] == (1, 33, 33)


@pytest.mark.parametrize("coarse", [True, False])
@pytest.mark.parametrize("binary", [True, False])
def test_cifar100(tmp_path, coarse, binary):
    import pickle

    for name, n in (("train", 400), ("test", 100)):
        x, y = files.colours(n, n, classes=100)
        if binary:
            content = b"".join(bytes([k % 20, k]) + p.tobytes() for p, k in zip(x, y, strict=True))
            (tmp_path / f"{name}.bin").write_bytes(content)
        else:
            content = {b"data": x.reshape(n, -1), b"fine_labels": y.tolist(), b"coarse_labels": (y % 20).tolist()}
            (tmp_path / name).write_bytes(pickle.dumps(content, protocol=2))
    names = {"fine": [f"fine{k}" for k in range(100)], "coarse": [f"coarse{k}" for k in range(20)]}
    if binary:
        for kind, words in names.items():
            (tmp_path / f"{kind}_label_names.txt").write_text("\n".join(words) + "\n")
    else:
        meta = {f"{k}_label_names".encode(): [w.encode() for w in words] for k, words in names.items()}
        (tmp_path / "meta").write_bytes(pickle.dumps(meta, protocol=2))
    found = cifar100(tmp_path, coarse=coarse, verify=False, val_fraction=0.25)
    assert found.classes == tuple(names["coarse" if coarse else "fine"])
    assert found.test.y.tolist() == [k % (20 if coarse else 100) for k in range(100)]


def test_stl10_is_turned_to_rows(tmp_path):
    for part, n in (("train", 20), ("test", 10)):
        x, y = files.colours(n, n, side=96)
        (tmp_path / f"{part}_X.bin").write_bytes(x.swapaxes(2, 3).tobytes())
        (tmp_path / f"{part}_y.bin").write_bytes((y + 1).astype(np.uint8).tobytes())
    found = stl10(tmp_path, scale="none", size=None, verify=False, val_fraction=0.5)
    x, y = files.colours(10, 10, side=96)
    assert torch.equal(pixels(found)[2], torch.from_numpy(x))
    assert found.test.y.tolist() == y.tolist()
    assert stl10(tmp_path, verify=False, val_fraction=0.5).train.x.shape[1:] == (3, 97, 97)


@pytest.fixture
def patches(tmp_path, h5py):
    """The six files of PatchCamelyon, the labels packed."""
    held = {}
    for part, n in (("train", 40), ("valid", 12), ("test", 16)):
        x, y = files.colours(n, n, side=96, classes=2)
        held[part] = x, y
        stem = tmp_path / f"camelyonpatch_level_2_split_{part}"
        with h5py.File(f"{stem}_x.h5", "w") as file:
            file.create_dataset("x", data=np.moveaxis(x, 1, -1), chunks=(4, 96, 96, 3), compression="gzip")
        with h5py.File(f"{stem}_y.h5", "w") as file:
            file["y"] = y[:, None, None, None]
        path = Path(f"{stem}_y.h5")
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return tmp_path, held


def test_pcam_keeps_its_split_and_reads_what_is_asked(patches):
    folder, held = patches
    found = pcam(folder, scale="none", size=None, verify=False)
    for part, name in zip(pixels(found), ("train", "valid", "test"), strict=True):
        assert torch.equal(part, torch.from_numpy(held[name][0]))
    few = pcam(folder, verify=False, per_class=3, val_per_class=2, test_per_class=1, bins=2, size=49)
    assert [p.counts() for p in (few.train, few.val, few.test)] == [[3, 3], [2, 2], [1, 1]]
    assert few.train.x.shape[1:] == (3, 49, 49)
    assert found.classes == ("normal", "tumour")


@pytest.mark.parametrize(("release", "side", "size"), [("sdss", 69, 65), ("decals", 256, 129)])
def test_galaxy10(tmp_path, h5py, release, side, size):
    n = 60
    x, y = files.colours(n, 1, side=side)
    with h5py.File(tmp_path / ("Galaxy10.h5" if release == "sdss" else "Galaxy10_DECals.h5"), "w") as file:
        file["images"], file["ans"] = np.moveaxis(x, 1, -1), y
        if release == "decals":
            file["ra"], file["dec"] = np.arange(n) // 2 * 1.0, np.zeros(n)  # each place twice
    found = galaxy10(tmp_path, verify=False, fractions=(0.5, 0.25, 0.25))
    assert found.train.x.shape[1:] == (3, size, size)
    assert sum(len(p) for p in (found.train, found.val, found.test)) == n
    plain = galaxy10(tmp_path, verify=False, fractions=(0.5, 0.25, 0.25), scale="none", size=side, bins=1)
    assert same_images(torch.cat(pixels(plain)), x)


def write_lenses(folder, n=8, side=16, channels=None, seed=0):
    """Class folders as released: [image, mass] for axion, plain arrays for the others."""
    rng = np.random.default_rng(seed)
    shape = (side, side) if channels is None else (side, side, channels)
    held = {}
    for name in ("axion", "cdm", "no_sub"):
        (folder / name).mkdir(parents=True)
        for k in range(n):
            image = rng.random(shape)
            mass = 10 ** rng.uniform(-24, -22)
            held[name, k] = image, np.log10(mass)
            if name == "axion":
                pair = np.empty(2, dtype=object)
                pair[0], pair[1] = image, mass
                np.save(folder / name / f"{name}_sim_{k}.npy", pair, allow_pickle=True)
            else:
                np.save(folder / name / f"{name}_sim_{k}.npy", image)
    return held


@pytest.mark.parametrize("channels", [None, 3])
def test_deeplense_reads_pairs_and_plain_images(tmp_path, channels):
    held = write_lenses(tmp_path, channels=channels)
    found = deeplense(tmp_path, scale="none", size=16, fractions=(0.5, 0.25, 0.25))
    assert found.classes == ("axion", "cdm", "no_sub")
    assert found.train.x.shape[1:] == (channels or 1, 16, 16)  # not the first row of the pixels
    images = [v[0].astype(np.float32) for v in held.values()]
    images = [i[None] if channels is None else np.moveaxis(i, -1, 0) for i in images]
    got = torch.cat([found.train.x, found.val.x, found.test.x])
    assert sorted(i.tobytes() for i in got.numpy()) == sorted(np.ascontiguousarray(i).tobytes() for i in images)
    assert deeplense(tmp_path, fractions=(0.5, 0.25, 0.25)).train.x.shape[-2:] == (17, 17)


def test_deeplense_with_a_test_part_and_masses(tmp_path):
    write_lenses(tmp_path / "train", 20)
    held = write_lenses(tmp_path / "test", 6, seed=1)
    found = deeplense(tmp_path, val_fraction=0.25)
    assert [p.counts() for p in (found.train, found.val, found.test)] == [[15] * 3, [5] * 3, [6] * 3]
    mass = deeplense(tmp_path, "log10_axion_mass", val_fraction=0.25)
    assert str(mass.target) == "log10_axion_mass [log10 eV]"
    assert torch.allclose(mass.test.y, torch.tensor([held["axion", k][1] for k in range(6)], dtype=torch.float32))
    assert -24 <= float(mass.train.y.min()) <= float(mass.train.y.max()) <= -22


def test_few_images_of_each_class_are_those_that_a_limit_takes(tmp_path):
    files.write_mnist(tmp_path)
    whole = mnist(tmp_path, verify=False, val_fraction=1 / 6)
    few = mnist(tmp_path, verify=False, val_fraction=1 / 6, per_class=2)
    assert torch.equal(few.train.x, whole.limit(2).train.x)
    assert torch.equal(few.test.x, whole.test.x)


def test_only_chunks_of_what_is_asked_for_are_read(monkeypatch):
    from steerable.data.known import assemble as module
    from steerable.data.recipe import Recipe

    monkeypatch.setattr(module, "CHUNK", 16)
    monkeypatch.setattr(module, "SAMPLE", (4, 6, 2))
    x, y = files.colours(300, side=8)
    asked = []

    def read(index):
        asked.append(index)
        return x[index]

    raw = module.Raw(torch.from_numpy(y.astype(np.int64)), read, "set")
    train, val = module.cut_validation(raw, 0.2, 0, [str(k) for k in range(300)])
    wish = module.Wish(scale="dataset", size=9, per_class=3)
    classes = tuple(str(k) for k in range(10))
    found = module.assemble((train, val, val), classes, wish, Recipe(), {})
    assert max(map(len, asked)) <= 16
    wanted = set(val.index.tolist()) | set(train.few(3, classes).index.tolist())
    assert set(np.concatenate(asked).tolist()) == wanted
    assert len(wanted) == 90
    assert found.train.counts() == [3] * 10
    # a few raw images stay, and the recipe makes of them what was made of all
    assert [len(p) for p in (found.raw.train, found.raw.val, found.raw.test)] == [4, 6, 2]
    assert torch.allclose(found.recipe(found.raw.train.x)[0], found.train.x[0], atol=1e-6)


def test_raw_images_have_the_colour_that_the_network_takes(tmp_path):
    from steerable.run.config import DataConfig
    from steerable.run.readers import load_data

    files.write_cifar10(tmp_path)
    config = DataConfig("cifar10", str(tmp_path), options={"verify": False, "colour": "grey"})
    found = load_data(config, raw=True)
    assert found.raw.val.x.shape[1:] == (1, 32, 32)
    assert found.reading == {"colour": "grey"}
    assert load_data(config).raw is None


DATA = Path(__import__("os").environ.get("STEERABLE_DATA", "/nowhere"))


@pytest.mark.skipif(not (DATA / "cifar10" / "cifar10_subset.npz").exists(), reason="STEERABLE_DATA")
def test_the_real_subset():
    found = cifar10_subset(per_class=5)
    assert found.train.counts() == [5] * 10
    assert found.test.counts() == [200] * 10
    assert found.val.counts() == [60] * 10
    assert found.classes[0] == "airplane"
    assert abs(float(found.test.x.mean())) < 0.05
    assert 0.9 < float(found.test.x.std()) < 1.05


@pytest.mark.skipif(not (DATA / "mnist" / "mnist.npz").exists(), reason="STEERABLE_DATA")
def test_real_digits_through_both_formats(tmp_path):
    real = np.load(DATA / "mnist" / "mnist.npz")
    turned = np.load(DATA / "mnist" / "mnist_rotated_derived.npz")
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    for name, key in zip(names, ("x_train", "y_train", "x_test", "y_test"), strict=True):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(files.idx(real[key][:2000]), 1))
    found = mnist(tmp_path, scale="none", size=None, verify=False, val_fraction=0.1)
    assert torch.equal(pixels(found)[2][:, 0], torch.from_numpy(real["x_test"][:2000]))
    for name, part in (("train_valid", "train"), ("test", "test")):
        content = files.amat(turned[f"x_{part}"][:200], turned[f"y_{part}"][:200])
        (tmp_path / f"mnist_all_rotation_normalized_float_{name}.amat").write_bytes(content)
    found = rotated_mnist(tmp_path, scale="none", size=None, verify=False)
    assert torch.equal(pixels(found)[2][:, 0], torch.from_numpy(turned["x_test"][:200]))
