"""Files of points: XYZ, PLY, OFF, CSV, npz; features, elements, size; folders with classes or values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steerable.data import InputError, point_folder, read_points
from steerable.data.known import modelnet40
from steerable.data.point_file import PointReading, on_surface
from steerable.data.point_formats import PointSet
from steerable.data.resize import crop
from steerable.data.volume_file import read_volumes
from steerable.run.domains import DOMAINS

CUBE = "8 12 0\n" + "\n".join(f"{x} {y} {z}" for x in (0, 1) for y in (0, 1) for z in (0, 1)) + "\n" + "\n".join(
    "3 " + " ".join(map(str, f))
    for f in [(0, 1, 3), (0, 3, 2), (4, 5, 7), (4, 7, 6), (0, 1, 5), (0, 5, 4), (2, 3, 7), (2, 7, 6), (0, 2, 6),
              (0, 6, 4), (1, 3, 7), (1, 7, 5)]
)  # fmt: skip


def test_xyz(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text("2\nfirst\nH 0 0 0.5 9 9\ncl 1.5e0 0 -2*^-1\n\n1\nsecond\n6 1 2 3\n")
    a, b = read_points(path)
    assert a.elements.tolist() == [1, 17] and a.positions.tolist() == [[0, 0, 0.5], [1.5, 0, -0.2]]
    assert (a.comment, b.elements.tolist()) == ("first", [6])
    path.write_text("1\ngdb 1\nH 0 0 0\n100.0 200.0\nC\n")  # QM9 has more after the atoms
    assert len(read_points(path)) == 1
    path.write_text("1\nfirst\nH 0 0 0\nrubbish\n1\nthird\nH 0 0 0\n")  # of other files nothing is lost in silence
    with pytest.raises(InputError, match="'rubbish' on line 4"):
        read_points(path)


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    assert read_points(tmp_path / "a.npy")[0].positions.tolist() == [[0, 1, 2], [3, 4, 5]]
    np.save(tmp_path / "a.npy", np.zeros((2, 4)))
    with pytest.raises(InputError, match=r"float64 \[2, 4\]; expected positions"):
        read_points(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_text("no array")
    with pytest.raises(InputError, match="cannot be read"):
        read_points(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.xyz", "", "holds 0 molecules"),
        ("a.xyz", "two\n", "expected the number of atoms"),
        ("a.xyz", "3\n\nH 0 0 0\n", "expected the number of atoms"),
        ("a.xyz", "1\n\nQq 0 0 0\n", "'QQ'|'Qq'"),
        ("a.xyz", "1\n\nH 0 0\n", "three numbers"),
        ("a.off", "PLY", "expected OFF"),
        ("a.off", "OFF\n2 1 0\n0 0 0\n", "does not hold"),
        ("a.off", "OFF\n1 1 0\n0 0 0\n3 0 1 2\n", "has vertex 2 of 1"),
        ("a.ply", "plyx\n", "expected a PLY file"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n", "x, y, z first"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\n"
         "end_header\n1 2 3\n", "does not hold 2 vertices"),
        ("a.csv", "a,b\n1,2\n", "expected x, y and perhaps z"),
        ("a.csv", "x,y\n1,two\n", "no numbers"),
        ("a.csv", "x,y\n", "0 rows"),
        ("a.stl", "solid", "expected one of .npz"),
    ],
)  # fmt: skip
def test_bad_files(tmp_path, name, text, word):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=word) as e:
        read_points(tmp_path / name)
    assert "\n" not in str(e.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_points(tmp_path / "none.xyz")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no text"):
        read_points(tmp_path / "a.csv")


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply(tmp_path, kind):
    lines = ["ply", f"format {kind} 1.0", "comment x", "element vertex 2", "property uchar red", "property float x"]
    lines += ["property double y", "property float z", "element face 0", "property list uchar int vertex_indices"]
    head = "\n".join([*lines, "end_header\n"])
    rows = [(7, 1.0, 2.0, 3.0), (8, -1.0, 0.5, 0.25)]
    if kind == "ascii":
        body = "".join(" ".join(map(str, r)) + "\n" for r in rows).encode()
    else:
        o = "<" if "little" in kind else ">"
        body = np.array(rows, [("r", "u1"), ("x", f"{o}f4"), ("y", f"{o}f8"), ("z", f"{o}f4")]).tobytes()
    (tmp_path / "a.ply").write_bytes(head.encode() + body)
    assert read_points(tmp_path / "a.ply")[0].positions.tolist() == [[1, 2, 3], [-1, 0.5, 0.25]]


@pytest.mark.parametrize("head", ["OFF\n", "OFF"])
def test_off_and_its_surface(tmp_path, head):
    (tmp_path / "a.off").write_text(head + CUBE)
    mesh = read_points(tmp_path / "a.off")[0]
    assert mesh.positions.shape == (8, 3) and mesh.faces.shape == (12, 3)
    p = on_surface(mesh.positions, mesh.faces, 6000, "cube")
    assert np.array_equal(p, on_surface(mesh.positions, mesh.faces, 6000, "cube"))  # the same on every machine
    sides = np.stack([np.isclose(p, 0), np.isclose(p, 1)])
    assert sides.any((0, 2)).all()  # every point lies on a side
    assert np.abs(sides.sum(1) / 6000 - 1 / 6).max() < 0.02  # and the sides have their share
    with pytest.raises(InputError, match="area 0"):
        on_surface(mesh.positions * 0, mesh.faces, 5, "cube")


def test_csv_and_npz(tmp_path):
    (tmp_path / "a.csv").write_text("y,x,charge\n1,2,3\n4,5,6\n")
    one = read_points(tmp_path / "a.csv")[0]
    assert one.positions.tolist() == [[2, 1], [5, 4]] and one.features.tolist() == [[3], [6]]
    p = np.arange(15.0).reshape(5, 3)
    np.savez(tmp_path / "a.npz", positions=p, ptr=np.array([0, 2, 5]), elements=np.array([1, 1, 6, 1, 8]))
    a, b = read_points(tmp_path / "a.npz")
    assert a.positions.shape == (2, 3) and b.elements.tolist() == [6, 1, 8]
    for change, word in [
        ({"ptr": np.array([0, 2, 2, 5])}, "expected to ascend"),
        ({"ptr": np.array([0, 4])}, "expected to ascend"),
        ({"elements": np.zeros(4)}, "4 elements of 5 points"),
        ({"positions": np.zeros(3)}, "expected positions"),
        ({"positions": np.array(["a"])}, "expected positions"),
    ]:
        np.savez(tmp_path / "b.npz", **{"positions": p, **change})
        with pytest.raises(InputError, match=word):
            read_points(tmp_path / "b.npz")


def test_reading():
    raw = PointSet(np.array([[0.0, 0, 0], [2, 0, 0], [4, 0, 0]]), np.array([1, 6, 1]))
    features, positions = PointReading((1, 6))(raw, "a")
    assert features.tolist() == [[1, 0], [0, 1], [1, 0]] and positions.dtype == torch.float32
    features, positions = PointReading(normalise=True)(raw, "a")
    assert features.tolist() == [[1.0]] * 3
    assert positions.mean(0).abs().max() < 1e-6 and float(positions.square().sum(1).mean()) == pytest.approx(1)
    assert PointReading(points=2)(raw, "a")[1][:, 0].tolist() == [0, 2]
    assert PointReading()(raw._replace(features=np.ones((3, 4))), "a")[0].shape == (3, 4)
    one = PointReading(normalise=True)(PointSet(np.ones((1, 3))), "a")[1]
    assert one.tolist() == [[0, 0, 0]]  # a single point has no size
    reading = PointReading((1, 6), True, 5)
    assert PointReading.from_json(reading.to_json()) == reading
    for bad, how, word in [
        (raw._replace(positions=raw.positions * np.nan), PointReading(), "NaN"),
        (raw._replace(positions=np.zeros((0, 3))), PointReading(), "at least one"),
        (raw._replace(positions=np.zeros((3, 4))), PointReading(), "2 or 3 axes"),
        (raw, PointReading((1,)), r"atomic numbers \[6\]"),
        (raw._replace(elements=None), PointReading((1,)), "names no elements"),
    ]:
        with pytest.raises(InputError, match=word):
            how(bad, "a")
    with pytest.raises(InputError, match="expected 0"):
        PointReading(points=-1)


def save(path, seed):
    path.parent.mkdir(exist_ok=True, parents=True)
    np.savez(path, positions=np.random.default_rng(seed).standard_normal((5 + seed % 3, 3)))


def test_a_folder_of_classes(tmp_path):
    for k in range(10):
        save(tmp_path / "round" / f"{k}.npz", k)
        save(tmp_path / "flat" / f"{k}.npz", 50 + k)
    save(tmp_path / "flat" / "again.npz", 50)  # the same points: the same part
    (tmp_path / "flat" / "notes.txt").write_text("none")
    s = point_folder(tmp_path, fractions=(0.5, 0.25, 0.25))
    assert s.classes == ("flat", "round") and s.input == "points" and s.train.channels == 1
    assert sum(len(p) for p in (s.train, s.val, s.test)) == 21
    parts = [set(p.ids) for p in (s.train, s.val, s.test)]
    assert sum({"flat/0.npz", "flat/again.npz"} <= p for p in parts) == 1
    assert PointReading.from_json(s.settings) == PointReading(normalise=True)


def test_a_folder_with_a_table(tmp_path):
    pytest.importorskip("pyarrow")
    lines = ["id,energy"]
    for k in range(12):
        (tmp_path / f"{k}.xyz").write_text(f"2\n\nH 0 0 0\nO 0 0 {1 + k}\n")
        lines.append(f"{k}.xyz,{-float(k)}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    s = point_folder(tmp_path, "energy", "table.csv", unit="eV", normalise=False)
    assert str(s.target) == "energy [eV]" and s.train.channels == 2 and s.settings["elements"] == [1, 8]
    with pytest.raises(InputError, match="expected both"):
        point_folder(tmp_path, "energy")


def test_bad_folders(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        point_folder(tmp_path / "none")
    save(tmp_path / "one" / "a.npz", 0)
    with pytest.raises(InputError, match="expected two classes"):
        point_folder(tmp_path)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.stl").write_text("solid")
    with pytest.raises(InputError, match=r"two' has no file of .npz.*1 other files"):
        point_folder(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match="The split is made here"):
        point_folder(tmp_path)


def test_modelnet40(tmp_path):
    for name in ("bed", "chair"):
        for part, count in (("train", 6), ("test", 2)):
            folder = tmp_path / "ModelNet40" / name / part
            folder.mkdir(parents=True)
            for k in range(count):
                text = CUBE.replace("1 1 1", f"1 1 {1 + k + (name == 'bed')}")
                (folder / f"{name}_{part}_{k}.off").write_text("OFF" + text)
    with pytest.raises(InputError, match=r"expected \{'train': 9843, 'test': 2468\}.*modelnet.cs.princeton.edu"):
        modelnet40(tmp_path)
    s = modelnet40(tmp_path, points=50, verify=False, val_fraction=0.34)
    assert s.classes == ("bed", "chair") and [len(p) for p in (s.train, s.val, s.test)] == [8, 4, 4]
    assert s.train.x.counts().tolist() == [50] * 8
    few = modelnet40(tmp_path, per_class=1, points=50, verify=False, val_fraction=0.34)
    assert few.train.counts() == [1, 1] and torch.equal(few.test.x.positions, s.test.x.positions)
    upright = modelnet40(tmp_path, points=50, pose="upright", verify=False, val_fraction=0.34)
    straight = modelnet40(tmp_path, points=50, pose="none", verify=False, val_fraction=0.34)
    assert torch.allclose(upright.test.x.positions[:, 2], straight.test.x.positions[:, 2], atol=1e-6)
    assert not torch.allclose(s.test.x.positions[:, 2], straight.test.x.positions[:, 2], atol=0.1)
    for options, word in [
        ({"pose": "up"}, "data.options.pose is 'up'"),
        ({"points": 0}, "points 0"),
        ({"per_class": 9}, "there are fewer"),
    ]:
        with pytest.raises(InputError, match=word):
            modelnet40(tmp_path, verify=False, **options)
    (tmp_path / "ModelNet40" / "sofa" / "test").mkdir(parents=True)
    (tmp_path / "ModelNet40" / "sofa" / "test" / "a.off").write_text("OFF" + CUBE)
    with pytest.raises(InputError, match=r"\['sofa'\]"):
        modelnet40(tmp_path, verify=False)


def test_volume_files(tmp_path):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    np.save(tmp_path / "a.npy", x)
    np.savez(tmp_path / "b.npz", x=x)
    assert read_volumes(tmp_path / "a.npy").shape == (1, 2, 3, 4, 5)  # two channels
    assert read_volumes(tmp_path / "b.npz").shape == (2, 1, 3, 4, 5)  # two volumes
    np.save(tmp_path / "c.npy", np.full((2, 2, 2), 255, np.uint8))
    assert float(read_volumes(tmp_path / "c.npy").max()) == 1
    np.save(tmp_path / "d.npy", np.zeros(3))
    (tmp_path / "e.npy").write_text("no")
    for name, word in [("d.npy", r"expected \[D, H, W\]"), ("e.npy", "cannot be read"), ("f.png", "expected one of")]:
        with pytest.raises(InputError, match=word):
            read_volumes(tmp_path / name)
    v = torch.arange(27.0).view(1, 3, 3, 3)
    assert torch.equal(crop(crop(v, (5, 7, 3)), (3, 3, 3)), v)
    assert float(crop(v, (1, 1, 1))) == 13


@pytest.mark.parametrize("kind", ["volume", "points"])
def test_names_are_looked_at_before_the_first_file(tmp_path, kind):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"ends in '\.png'"):
        DOMAINS[kind].files.check(tmp_path / "a.png")
    with pytest.raises(InputError, match="does not exist"):
        DOMAINS[kind].files.check(tmp_path / "b.npz")
    assert DOMAINS[kind].files.listing(tmp_path) == ([], [tmp_path / "a.png"])
