"""Made-up volumes and shapes, real density maps and molecules: what they hold, and what their floors know."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest
import torch

from steerable.data import Clouds, InputError, Regions
from steerable.data.rotations import random_rotations
from steerable.domains import VoxelGrid
from steerable.run.config import DataConfig
from steerable.run.domains.voxel_turns import TURNS, move_voxels
from steerable.run.floors import Floors
from steerable.run.readers import load_data
from steerable.tasks.floor import image_statistics
from steerable.tasks.molecules import element_baseline, qm7, qm9
from steerable.tasks.shapes import SHAPES, shapes
from steerable.tasks.statistics import cloud_statistics, place_statistics, some_places
from steerable.tasks.volumes import SOLIDS, density_maps, volumes_synthetic
from steerable.tasks.volumes.density import find_maps, slabs

real = pytest.mark.skipif("STEERABLE_DATA" not in os.environ, reason="STEERABLE_DATA is not set")


def unit(n=2000, seed=0):
    return torch.rand(2, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", SHAPES)
def test_surfaces_are_finite_and_of_one_size(name):
    p = SHAPES[name](*unit())
    assert p.shape == (2000, 3) and torch.isfinite(p).all() and 0.5 < p.norm(dim=-1).max() < 2


def test_what_lies_on_the_surfaces():
    u, v = unit()
    assert torch.allclose(SHAPES["sphere"](u, v).norm(dim=-1), torch.ones(2000).double())
    box = SHAPES["box"](u, v)
    assert torch.allclose(box.abs().amax(1), torch.ones(2000).double())
    assert (box.abs() > 1 - 1e-9).double().mean(0).sub(1 / 3).abs().max() < 0.05  # as many on each pair of sides
    octahedron = SHAPES["octahedron"](u, v)
    assert torch.allclose(octahedron.abs().sum(1), torch.ones(2000).double())
    assert octahedron.mean(0).abs().max() < 0.05
    mirror = torch.tensor([1.0, -1.0, 1.0]).double()
    t = torch.linspace(0, 1, 50).double()
    # the tubes are mirror images as sets: the curves in their middle are, point for point
    right, left = (
        torch.stack([SHAPES[f"helix_{h}"](t, torch.full_like(t, k / 4)) for k in range(4)]).mean(0)
        for h in ("right", "left")
    )
    assert torch.allclose(right * mirror, left, atol=1e-9)


def test_shapes():
    s = shapes(train=22, validation=11, test=11, points=20, missing=0.25)
    assert s.train.counts() == [2] * 11 and s.train.x.counts().tolist() == [15] * 22
    assert torch.equal(
        s.train.x.positions, shapes(train=22, validation=11, test=11, points=20, missing=0.25).train.x.positions
    )
    p = s.test.x.positions.view(11, 15, 3)
    assert p.mean(1).abs().max() < 1e-6 and torch.allclose(p.square().sum(-1).mean(1), torch.ones(11))
    up = shapes(train=22, validation=11, test=11, points=400, noise=0, stretch=0, train_pose="upright", pose="none")
    box = list(SHAPES).index("box")
    for one in up.train.x[up.train.y == box].split(1):
        flat = one.positions[:, 2]
        assert ((flat - flat.max()).abs() < 1e-3).double().mean() > 0.1  # the top stays where it is
    for options, word in [
        ({"pose": "side"}, "data.options.pose"),
        ({"train": 5}, "at least 11 sets"),
        ({"points": 3}, "8 points"),
        ({"missing": 1.0}, "missing from 0"),
        ({"noise": -1.0}, "noise 0 or more"),
    ]:
        with pytest.raises(InputError, match=word):
            shapes(**options)


def test_floors_of_shapes_cannot_tell_left_from_right():
    s = load_data(DataConfig("shapes", options={"train": 220, "validation": 110, "test": 220}))
    floors = Floors.fit(s)
    again = Floors.from_json(
        {
            "constant": floors.constant,
            "range": [0, 0],
            "outputs": 11,
            "statistics": "cloud",
            "linear": floors.linear.to_json(),
        },
        "x",
    )
    rows = again.scores(s.test)
    assert rows["constant"]["accuracy"] == pytest.approx(1 / 11) and rows["linear"]["accuracy"] > 0.6
    chiral = torch.tensor([list(SHAPES).index(f"helix_{h}") for h in ("right", "left")])
    pick = torch.isin(s.test.y, chiral).nonzero()[:, 0]
    answer = floors.linear(s.test.x[pick])[:, chiral].argmax(1)
    assert 0.2 < float((chiral[answer] == s.test.y[pick]).double().mean()) < 0.8


def test_statistics_of_clouds_know_no_orientation():
    generator = torch.Generator().manual_seed(0)
    x = Clouds.of(
        [(torch.randn(n, 2, generator=generator), torch.randn(n, 3, generator=generator)) for n in (1, 2, 9, 40)]
    )
    a = cloud_statistics(x)
    assert a.shape == (4, 2 * 2 + 3 + 24) and torch.isfinite(a).all()
    moved = x.at(x.positions @ random_rotations(1, 3, generator, flips=True)[0].float().T + 5)
    assert (cloud_statistics(moved) - a).abs().max() < 1e-2
    order = torch.cat([torch.arange(3), 3 + torch.randperm(9, generator=generator), torch.arange(12, 52)])
    shuffled = Clouds(x.features[order], x.positions[order], x.ptr)
    assert torch.allclose(cloud_statistics(shuffled), a, atol=1e-5)
    stretched = x.at(x.positions * torch.tensor([1.0, 1.0, 2.0]))
    assert (cloud_statistics(stretched)[2:] - a[2:]).abs().max() > 0.1  # the planted fault


def test_statistics_of_volumes_know_no_orientation():
    x = torch.randn(3, 2, 6, 6, 6, generator=torch.Generator().manual_seed(0))
    diagonal = torch.tensor(TURNS[0][1], dtype=torch.float64)
    assert torch.allclose(image_statistics(move_voxels(x, diagonal)), image_statistics(x), atol=1e-6)
    assert image_statistics(x).shape == (3, 32)
    places = place_statistics(x)
    assert places.shape == (3 * 216, 17)
    grid = torch.arange(3 * 216).view(3, 1, 6, 6, 6)
    moved = places[move_voxels(grid, diagonal).flatten()]
    assert torch.allclose(place_statistics(move_voxels(x, diagonal)), moved, atol=1e-6)
    assert place_statistics(x[:, :, 0]).shape == (3 * 36, 17)
    y = torch.arange(3 * 216).view(3, 6, 6, 6)
    some, label = some_places(x, y)
    assert torch.equal(some, places[label])


def test_solids():
    s = volumes_synthetic(train=16, validation=8, test=8, size=15, noise=0.0)
    assert s.classes == tuple(SOLIDS) and s.train.size == (15, 15, 15)
    assert float(s.train.x.min()) >= 0 and 0.9 < float(s.train.x.max()) <= 1
    p = VoxelGrid(15, 15, 15).points() / 7.5
    mirror = torch.tensor([1.0, -1.0, 1.0]).double()
    right, left = (SOLIDS[f"helix_{h}"](p) for h in ("right", "left"))
    assert torch.allclose(SOLIDS["helix_right"](p * mirror), left) and not torch.allclose(right, left, atol=0.1)
    none = volumes_synthetic(train=8, validation=8, test=8, size=15, noise=0.0, stretch=0.0, train_pose="none")
    assert not torch.equal(none.train.x, s.train.x[:8])
    for options, word in [
        ({"task": "find"}, "data.options.task"),
        ({"pose": "x"}, "data.options.pose"),
        ({"train": 3}, "at least 8 volumes"),
        ({"size": 4}, "8 voxels a side"),
    ]:
        with pytest.raises(InputError, match=word):
            volumes_synthetic(**options)


def test_solids_to_be_found():
    s = load_data(DataConfig("volumes_synthetic", images=5, options={"task": "segment", "train": 8, "validation": 4,
                                                                     "test": 4, "size": 15, "noise": 0.1}))  # fmt: skip
    assert len(s.train) == 5 and isinstance(s.train.meaning, Regions)
    assert s.test.y.unique().tolist() == [0, 1, 2, 3]
    inside = s.test.x[:, 0][s.test.y > 0].mean() - s.test.x[:, 0][s.test.y == 0].mean()
    assert inside > 0.6
    rows = Floors.fit(s).scores(s.test)
    assert rows["linear"]["iou"] > rows["constant"]["iou"] and rows["constant"]["accuracy"] > 0.5


@real
@pytest.mark.parametrize("task", ["classify", "segment"])
def test_density_maps(task):
    s = density_maps(task=task, train=12, validation=6, test=6, size=9, noise=0.5)
    assert s.train.size == (9, 9, 9) and torch.isfinite(s.test.x).all()
    if task == "classify":
        assert s.train.counts() == [4, 4, 4] and s.classes == ("1ake_density", "emd_3001", "emd_3197")
    else:
        assert 0.01 < float(s.train.y.double().mean()) < 0.9
    again = density_maps(task=task, train=12, validation=6, test=6, size=9, noise=0.5)
    assert torch.equal(again.train.x, s.train.x)
    one = density_maps(task="segment", maps=["emd_3197"], train=2, validation=1, test=1, size=9, pose="none")
    assert len(one.train) == 2


@real
def test_no_voxel_is_in_two_parts_and_crops_are_pieces():
    maps = find_maps(None, None, 2)
    for name, rho in maps.items():
        parts = slabs(rho, 1.5, name)
        assert sum(p.numel() for p in parts) == rho.numel()
        assert all((p > 1.5).any() for p in parts)
    s = density_maps(
        task="segment", maps=["emd_3197"], train=3, validation=1, test=1, size=5, noise=0.0, train_pose="none"
    )
    part = slabs(maps["emd_3197"], 1.5, "x")[0]
    windows = (
        torch.nn.functional.pad(part, [2] * 6).unfold(0, 5, 1).unfold(1, 5, 1).unfold(2, 5, 1).reshape(-1, 5, 5, 5)
    )
    for crop in s.train.x[:, 0]:
        assert (windows - crop).abs().amax((1, 2, 3)).min() < 1e-4
    for options, word in [
        ({"maps": ["none"]}, "Mend data.root or data.options.maps"),
        ({"maps": ["emd_3197"]}, "expected 2 or more"),
        ({"contour": 99.0}, "Lower data.options.contour"),
        ({"task": "x"}, "data.options.task"),
        ({"size": 2}, "4 voxels"),
    ]:
        with pytest.raises(InputError, match=word):
            density_maps(**options)


@real
def test_qm7():
    s = qm7()
    sizes = [len(p) for p in (s.train, s.val, s.test)]
    assert sum(sizes) == 5601 and sizes[2] == pytest.approx(1120, abs=4)
    folds = [set(qm7(fold=k).test.ids) for k in range(5)]
    assert len(set().union(*folds)) == sum(map(len, folds)) == 5601
    assert not set(s.train.ids) & (set(s.val.ids) | set(s.test.ids))
    assert s.settings["elements"] == [1, 6, 7, 8, 16] and s.train.channels == 5
    counts, y = s.train.x.totals().numpy(), s.train.y.double().numpy()
    expected = np.linalg.lstsq(counts, y, rcond=None)[0]
    assert s.target.baseline == pytest.approx(expected, abs=1e-3)  # fitted to the training part
    assert s.train.rest().y.std() < 0.1 * s.train.y.std()
    few = load_data(DataConfig("qm7", images=50))
    assert len(few.train) == 50 and few.target.baseline == element_baseline(few.train) != s.target.baseline
    ev = qm7(unit="eV")
    assert float(ev.test.y[0] / s.test.y[0]) == pytest.approx(0.0433641, rel=1e-5)
    assert qm7(baseline="none").target.baseline == ()
    for options, word in [({"target": "gap"}, "expected heat_of_formation"), ({"unit": "J"}, "kcal/mol"),
                          ({"fold": 5}, "0 to 4"), ({"baseline": "atoms"}, "elements, none")]:  # fmt: skip
        with pytest.raises(InputError, match=word):
            qm7(**options)


def test_qm9(tmp_path):
    with pytest.raises(InputError, match="figshare"):
        qm9(tmp_path / "none")
    with pytest.raises(InputError, match=r"0 files .*figshare"):
        qm9(tmp_path)
    for k in range(1, 25):
        values = [f"{k}.5", *["1.0"] * 3, *(str(v) for v in range(12))]
        energy = f"-{k}.25*^1"
        values[10] = energy
        text = f"{2 + k % 2}\ngdb {k}\t" + "\t".join(values[1:]) + "\t\nC 0 0 0 0.1\nH 0 0 1.*^0 -0.1\n"
        text += "O 0 1 0 0\n" * (k % 2) + "100.0\t200.0\nC\tC\nInChI\n"
        (tmp_path / f"dsgdb9nsd_{k:06d}.xyz").write_text(text.replace(energy, energy))
    (tmp_path / "uncharacterized.txt").write_text("3 of them\n" * 9 + " 7 C  0.1 0.2\n 9 N  0.1 0.2\n")
    s = qm9(tmp_path, target="mu", fractions=(0.5, 0.25, 0.25))
    assert str(s.target) == "mu [D]" and s.target.baseline == () and s.settings["elements"] == [1, 6, 8]
    names = list(itertools.chain(s.train.ids, s.val.ids, s.test.ids))
    assert len(names) == 22 and "dsgdb9nsd_000007" not in names
    assert set(s.train.y.tolist()) == {0.0}  # the first number after A, B, C
    assert set(qm9(tmp_path, target="alpha", fractions=(0.5, 0.25, 0.25)).train.y.tolist()) == {1.0}
    with pytest.raises(InputError, match="Did you mean 'alpha'"):
        qm9(tmp_path, target="alfa")
    (tmp_path / "dsgdb9nsd_000001.xyz").write_text("1\nno numbers\nH 0 0 0\n")
    with pytest.raises(InputError, match="on its second line"):
        qm9(tmp_path)


def test_qm9_as_one_file(tmp_path):
    n = 16
    p = np.random.default_rng(0).standard_normal((3 * n, 3))
    good = {"positions": p, "elements": np.tile([8, 1, 1], n), "ptr": 3 * np.arange(n + 1), "u0": -np.arange(float(n))}
    np.savez(tmp_path / "qm9.npz", **good)
    s = qm9(tmp_path, unit="eV", fractions=(0.5, 0.25, 0.25), images=5)
    assert len(s.train) == 5 and len(s.target.baseline) == 2 and str(s.target) == "u0 [eV]"
    np.savez(tmp_path / "qm9.npz", **{**good, "u0": np.arange(3.0)})
    with pytest.raises(InputError, match="3 values of u0"):
        qm9(tmp_path)
