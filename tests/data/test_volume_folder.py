"""Your own volumes: classes by sub-folder, labels by voxel, and what is refused in one line."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch
from tests.data.test_mrc import write

from steerable.data import InputError, volume_folder
from steerable.data.recipe import standard
from steerable.data.volume_file import list_volumes, read_label_volumes, read_volumes


def volume(seed, shape=(6, 6, 6)):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def classes(folder, count=6, shape=(6, 6, 6)):
    """Two classes of MRC, packed MRC and npy files."""
    for k, name in enumerate(("hollow", "solid")):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            x = volume(10 * k + i, shape)
            path = folder / name / f"{i}.mrc"
            if i % 3 == 2:
                np.save(path.with_suffix(".npy"), x)
                continue
            write(path, x, cell=tuple(float(n) for n in reversed(shape)))
            if i % 3 == 1:
                path.with_name(f"{i}.mrc.gz").write_bytes(gzip.compress(path.read_bytes()))
                path.unlink()
    return folder


def regions(folder, count=6, shape=(6, 6, 6)):
    for name in ("volumes", "labels"):
        (folder / name).mkdir(parents=True)
    for i in range(count):
        x = volume(i, shape)
        write(folder / "volumes" / f"{i}.mrc", x, cell=tuple(float(n) for n in reversed(shape)))
        write(folder / "labels" / f"{i}.map", x > 0, mode=0)
    return folder


def test_classes(tmp_path):
    found = volume_folder(classes(tmp_path), scale="none")
    assert found.classes == ("hollow", "solid") and found.train.domain == "volume"
    ids = {i for part in (found.train, found.val, found.test) for i in part.ids}
    names = ("0.mrc", "1.mrc.gz", "2.npy", "3.mrc", "4.mrc.gz", "5.npy")
    assert ids == {f"{c}/{n}" for c in ("hollow", "solid") for n in names}
    assert all(min(part.counts()) >= 1 for part in (found.train, found.val, found.test))
    parts = {i: x for part in (found.train, found.val, found.test) for i, x in zip(part.ids, part.x, strict=True)}
    # y grows in a file, x2 falls along the rows
    assert torch.equal(parts["solid/1.mrc.gz"][0], torch.from_numpy(volume(11)[:, ::-1].copy()))
    assert torch.equal(parts["solid/2.npy"][0], torch.from_numpy(volume(12)))
    assert found.reading == {"axes": "dhw", "voxel": "1"}
    again = volume_folder(tmp_path, scale="none")
    assert again.test.ids == found.test.ids


def test_axes_of_arrays_are_those_of_maps(tmp_path):
    x = volume(0, (3, 4, 5))  # [z, y, x]
    write(tmp_path / "a.mrc", x)
    np.save(tmp_path / "b.npy", x)
    np.save(tmp_path / "c.npy", x.transpose(2, 1, 0))
    want = read_volumes(tmp_path / "a.mrc")
    assert torch.equal(read_volumes(tmp_path / "b.npy", "zyx"), want)
    assert torch.equal(read_volumes(tmp_path / "c.npy", "xyz"), want)
    assert not torch.equal(read_volumes(tmp_path / "b.npy"), want)  # the planted fault: its own mirror image
    with pytest.raises(InputError, match=r"data.options.axes is 'zxy'; expected one of dhw, zyx, xyz"):
        read_volumes(tmp_path / "b.npy", "zxy")


def test_each_volume_is_standardised_by_itself(tmp_path):
    found = volume_folder(classes(tmp_path))
    x = torch.cat([found.train.x, found.val.x, found.test.x])
    assert torch.allclose(x.mean((1, 2, 3, 4)), torch.zeros(12), atol=1e-6)
    assert torch.allclose(x.std((1, 2, 3, 4), unbiased=False), torch.ones(12), atol=1e-5)
    assert str(found.recipe) == "standard"
    assert not standard(torch.full((1, 1, 3, 3, 3), 7.0)).any()
    y = torch.randn(2, 2, 5, 5, 5, dtype=torch.float64)
    assert torch.allclose(standard(torch.rot90(y, 1, (2, 4))), torch.rot90(standard(y), 1, (2, 4)), atol=1e-14)


def test_regions(tmp_path):
    found = volume_folder(regions(tmp_path), labels="labels", classes=("low", "high"), scale="none")
    assert found.train.regions and found.classes == ("low", "high")
    for part in (found.train, found.val, found.test):
        assert torch.equal(part.y, (part.x[:, 0] > 0).long())  # both are turned over
        assert all(name.startswith("volumes/") for name in part.ids)


def test_padded_voxels_have_no_label(tmp_path):
    found = volume_folder(regions(tmp_path), labels="labels", resize="crop", side=8, scale="none")
    y = found.train.y
    assert y.shape[1:] == (8, 8, 8) and (y[:, 0] == -1).all() and (y[:, 1:7, 1:7, 1:7] >= 0).all()
    assert found.reading["resize"] == "crop"
    found = volume_folder(tmp_path, labels="labels", resize="scale", side=12, scale="none")
    assert found.train.y.shape[1:] == (12, 12, 12) and set(found.train.y.unique().tolist()) == {0, 1}
    found = volume_folder(tmp_path, labels="labels", resize="crop", side=4, scale="none")
    assert torch.equal(found.train.y, (found.train.x[:, 0] > 0).long())


def numbered(folder, table, count=6):
    """Label volumes in which 0 and 1 are other numbers; the first row of the first volume is `table[-1]`."""
    for i in range(count):
        y = (volume(i) > 0).astype(np.int16)
        y = np.where(y > 0, table[1], table[0]).astype(np.int16)
        if -1 in table and i == 0:
            y[:, -1] = table[-1]
        write(folder / "labels" / f"{i}.map", y, mode=1)
    return folder


def test_values_of_labels(tmp_path):
    plain = volume_folder(regions(tmp_path), labels="labels", scale="none")
    folder = numbered(tmp_path, {0: 7, 1: 255})
    found = volume_folder(folder, labels="labels", values=[7, 255], classes=("low", "high"), scale="none")
    assert found.classes == ("low", "high") and torch.equal(found.train.y, plain.train.y)
    assert volume_folder(folder, labels="labels", values=[7, 255]).classes == ("7", "255")
    turned = volume_folder(folder, labels="labels", values=[255, 7], scale="none")
    assert torch.equal(turned.train.y, 1 - plain.train.y)  # in the order that is said
    padded = volume_folder(folder, labels="labels", values=[7, 255], resize="crop", side=8)
    assert (padded.train.y[:, 0] == -1).all() and (padded.train.y[:, 1:7, 1:7, 1:7] >= 0).all()
    scaled = volume_folder(folder, labels="labels", values=[7, 255], resize="scale", side=12)
    assert scaled.train.y.unique().tolist() == [0, 1]


def test_what_is_no_class_and_labels_that_number_things(tmp_path):
    folder = numbered(regions(tmp_path), {0: 0, 1: 9, -1: 3})
    for options in ({"values": [0, 9], "ignore": 3}, {"instances": True, "ignore": 3}):
        found = volume_folder(folder, labels="labels", scale="none", **options)
        parts = (found.train, found.val, found.test)
        y = {i: y for part in parts for i, y in zip(part.ids, part.y, strict=True)}["volumes/0.mrc"]
        assert (y[:, 0] == -1).all() and y[:, 1:].unique().tolist() == [0, 1]  # x2 falls along the rows
    found = volume_folder(folder, labels="labels", instances=True)
    assert all(set(part.y.unique().tolist()) == {0, 1} for part in (found.train, found.val, found.test))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"values": [0, 9]}, r"values is \[0, 9\], and the labels of '.*labels' also hold \[3\]"),
        ({"values": [0, 9, 9], "ignore": 3}, "each once"),
        ({"values": [0, 3, 9], "ignore": 3}, "expected a value that is no class"),
        ({"values": [0, 3, 9], "classes": ("a", "b")}, "and one name for each. Mend one of the two"),
        ({"values": [-1, 0, 3, 9]}, "values from 0 on"),
        ({}, r"hold 0, 3, 9; expected 0, 1, ... without a gap. Say which they are"),
        ({"labels": None, "values": [0, 9]}, "Set data.options.labels"),
    ],
)
def test_values_and_labels_that_disagree_are_one_line(tmp_path, options, says):
    folder = numbered(regions(tmp_path), {0: 0, 1: 9, -1: 3})
    with pytest.raises(InputError, match=says) as e:
        volume_folder(folder, **({"labels": "labels"} | options))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("name", ["labels", "Masks"])
def test_a_folder_of_labels_is_no_class(tmp_path, name):
    regions(tmp_path)
    (tmp_path / "labels").rename(tmp_path / "aside")
    (tmp_path / "aside").rename(tmp_path / name)
    with pytest.raises(InputError, match=f"Of a segmentation, say --data.options.labels={name};") as e:
        volume_folder(tmp_path)
    assert "\n" not in str(e.value)
    assert volume_folder(tmp_path, labels=name).train.regions


@pytest.mark.parametrize("ground", [0.0, 200.0])
def test_padded_voxels_have_the_background(tmp_path, ground):
    for k, name in enumerate(("hollow", "solid")):
        (tmp_path / name).mkdir()
        for i in range(6):
            x = np.full((6, 6, 6), ground, np.float32)
            x[2:4, 2:4, 2:4] += 1 + i + 10 * k
            np.save(tmp_path / name / f"{i}.npy", x)
    found = volume_folder(tmp_path, resize="crop", side=8, scale="none")
    assert (found.train.x[:, :, 0] == ground).all() and found.reading["pad"] == "border"
    found = volume_folder(tmp_path, resize="crop", side=8, scale="none", pad="zero")
    assert (found.train.x[:, :, 0] == 0).all() and found.reading["pad"] == "zero"
    with pytest.raises(InputError, match=r"data.options.pad is 'edge'; expected one of border, zero"):
        volume_folder(tmp_path, pad="edge")


def test_labels_beside_loose_volumes_and_in_npz(tmp_path):
    (tmp_path / "own").mkdir()
    for i in range(3):
        x = volume(i)[None]
        np.savez(tmp_path / f"{i}.npz", x=np.concatenate([x, -x]))
        np.savez(tmp_path / "own" / f"{i}.npz", y=np.concatenate([x > 0, x < 0]).astype(np.int16))
    found = volume_folder(tmp_path, labels="own")
    assert len(found.train) + len(found.val) + len(found.test) == 6
    assert torch.equal(read_label_volumes(tmp_path / "own" / "0.npz")[1], torch.from_numpy(volume(0) < 0).long())


def nan(folder):
    np.save(folder / "solid" / "2.npy", np.where(np.arange(216).reshape(6, 6, 6) == 5, np.nan, volume(1)))


def oblong(folder):
    write(folder / "solid" / "0.mrc", volume(5), cell=(6.0, 6.0, 12.0))


def finer(folder):
    write(folder / "solid" / "0.mrc", volume(5), cell=(3.0, 3.0, 3.0))


def alone(folder):
    for i in ("0.mrc", "1.mrc.gz", "2.npy", "4.mrc.gz", "5.npy"):
        (folder / "solid" / i).unlink()


@pytest.mark.parametrize("how", ["crop", "scale"])
def test_volumes_of_three_sides(tmp_path, how):
    data = volume_folder(classes(tmp_path), resize=how, side=[3, 5, 8])
    assert data.train.x.shape[1:] == (1, 3, 5, 8)


BAD = [
    (lambda f: write(f / "solid" / "0.mrc", volume(1, (5, 6, 6))), {"voxels": "any"}, "expected the same in all files"),
    (nan, {}, "1 of 216 voxels that are NaN"),
    (oblong, {}, "has voxels of 1 x 1 x 2; expected cubes"),
    (finer, {}, "has voxels of 0.5 x 0.5 x 0.5; expected cubes of 1"),
    (alone, {}, r"class 'solid' of .* has 1 volume\(s\), 1 of them different; expected at least 3"),
    (lambda f: (f / "solid" / "0.mrc").write_bytes(b"no map" * 400), {}, "as of an MRC file"),
    (lambda f: (f / "solid" / "1.mrc.gz").write_bytes(b"no map" * 400), {}, "cannot be unpacked"),
    (lambda f: (f / "solid" / "1.mrc.gz").write_bytes((f / "solid" / "1.mrc.gz").read_bytes()[:-200]), {}, "unpacked"),
    (lambda f: np.save(f / "solid" / "2.npy", np.zeros(3)), {}, r"expected \[D, H, W\]"),
    (lambda f: (f / "third").mkdir(), {}, "third' has no file of .mrc"),
    (lambda f: (f / "solid").rename(f / "test"), {}, "expected one for each class. The split is made here"),
    (lambda f: (f / "solid").rename(f / ".solid"), {}, r"sub-folders \['hollow'\]; expected two or more"),
    (lambda f: None, {"root": "nowhere"}, "'nowhere' is not a folder"),
    (lambda f: None, {"resize": "cop", "side": 5}, "Did you mean 'crop'"),
    (lambda f: None, {"side": 5}, "expected both or neither"),
    (lambda f: None, {"resize": "crop", "side": [5, 6]}, "or depth, height and width"),
    (lambda f: None, {"voxels": "some"}, "expected one of equal, any"),
    (lambda f: None, {"scale": "noise"}, "Choose another scale"),
    (lambda f: None, {"labels": "lables"}, "expected a sub-folder of"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "options", "says"), BAD)
def test_bad_folders_are_one_line(tmp_path, spoil, options, says):
    root = classes(tmp_path)
    spoil(root)
    with pytest.raises(InputError, match=says) as e:
        volume_folder(**({"root": root} | options))
    assert "\n" not in str(e.value)


def test_unequal_voxels_can_be_taken(tmp_path):
    oblong(classes(tmp_path))
    assert "voxel" not in volume_folder(tmp_path, voxels="any").reading


@pytest.mark.parametrize(
    ("spoil", "options", "says"),
    [
        (lambda f: (f / "labels" / "2.map").unlink(), {}, "has no labels; expected '.*labels/2'"),
        (lambda f: write(f / "labels" / "2.map", volume(0)), {}, "expected whole numbers"),
        (lambda f: write(f / "labels" / "2.map", volume(0, (5, 6, 6)) > 0), {}, "1 x 5 x 6 x 6 labels"),
        (
            lambda f: write(f / "labels" / "2.map", 3 * (volume(0) > 0)),
            {"classes": ("a", "b")},
            "labels run from 0 to 3",
        ),
        (lambda f: write(f / "labels" / "2.map", 7 * (volume(0) > 0)), {}, r"hold 0, 1, 7; expected .* without a gap"),
        (
            lambda f: [(f / "volumes" / f"{i}.mrc").unlink() for i in range(6)],
            {},
            "outside of 'labels'; expected volum",
        ),
        (lambda f: [(f / "volumes" / f"{i}.mrc").unlink() for i in range(4)], {}, r"has 2 volume\(s\)"),
    ],
)
def test_bad_labels_are_one_line(tmp_path, spoil, options, says):
    spoil(regions(tmp_path))
    with pytest.raises(InputError, match=says) as e:
        volume_folder(tmp_path, labels="labels", **options)
    assert "\n" not in str(e.value)


def test_files_of_other_kinds_are_left_out(tmp_path):
    classes(tmp_path)
    (tmp_path / "solid" / "notes.txt").write_text("no volume")
    volumes, others = list_volumes(tmp_path)
    assert len(volumes) == 12 and [p.name for p in others] == ["notes.txt"]
    assert len(volume_folder(tmp_path).train) >= 2


def test_a_file_of_labels_belongs_to_one_volume(tmp_path):
    folder = regions(tmp_path)
    np.save(folder / "labels" / "0.npy", np.zeros((6, 6, 6), int))
    with pytest.raises(InputError, match=r"'.*labels/0\.map' and '.*labels/0\.npy' are both|0\.npy' and '.*0\.map'"):
        volume_folder(folder, labels="labels")
    (folder / "labels" / "0.npy").unlink()
    (folder / "more").mkdir()
    np.save(folder / "more" / "0.npy", volume(9))  # another volume, which the labels of the first do not fit
    with pytest.raises(InputError, match=r"are both of the labels '.*labels/0\.map'"):
        volume_folder(folder, labels="labels")
    (folder / "labels" / "more").mkdir()
    np.save(folder / "labels" / "more" / "0.npy", np.zeros((6, 6, 6), int))
    found = volume_folder(folder, labels="labels")
    assert len(found.train) + len(found.val) + len(found.test) == 7


@pytest.mark.parametrize("unit", [1e-30, 1e-3, 1.0, 1e30])
def test_standard_in_any_unit_and_of_constants(unit):
    x = torch.from_numpy(volume(0, (3, 1, 9, 9, 9))) * unit
    x[1] = 0.7 * unit  # whose mean is not quite 0.7
    y = standard(x)
    assert not y[1].any()
    assert torch.allclose(y[0].mean(), torch.tensor(0.0), atol=1e-6)
    assert torch.allclose(y[0].std(correction=0), torch.tensor(1.0))
