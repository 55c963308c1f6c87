"""fit, evaluate and predict of volumes, regions and point sets, from end to end."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from pyarrow import parquet
from tests.run import space

from steerable.run.cli import main
from steerable.run.store import load

real = pytest.mark.skipif("STEERABLE_DATA" not in os.environ, reason="STEERABLE_DATA is not set")
SMALL = {
    "volumes": ["--data.name=volumes_synthetic", "--data.options.train=24", "--data.options.validation=8",
                "--data.options.test=16", "--data.options.size=9"],
    "shapes": ["--data.name=shapes", "--data.options.train=44", "--data.options.validation=22",
               "--data.options.test=22", "--data.options.points=24"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def spatial(networks, monkeypatch):
    """The networks of this module beside those of the others."""
    for name, build in space.NETWORKS.items():
        monkeypatch.setitem(networks, name, build)


def fit(out, network, *words, epochs=2):
    args = [f"--model.name={network}", f"--train.epochs={epochs}", "--train.batch_size=8", "--train.device=cpu"]
    return main(["fit", *args, f"--out={out}", *words])


def scores(out):
    assert main(["evaluate", str(out)]) == 0
    return json.loads((out / "evaluation.json").read_text())


@pytest.mark.parametrize("augment", ["none", "cube_flips", "turn", "rotate_fourier"])
def test_volumes(tmp_path, augment):
    out = tmp_path / "out"
    assert fit(out, "tiny_volume", *SMALL["volumes"], f"--train.augment={augment}") == 0
    record = json.loads((out / "run.json").read_text())
    assert (record["domain"], record["regions"], record["raw_size"]) == ("volume", False, [9, 9, 9])
    if augment != "none":
        return
    found = scores(out)
    assert found["images"] == 16 and found["logit_error"] > 0.01  # a plain network is not turned with the volume
    assert found["floors"]["constant"]["accuracy"] == pytest.approx(1 / 8)
    assert "turned" in (out / "row.md").read_text() and "90 deg" not in (out / "row.md").read_text()
    folder = tmp_path / "files"
    folder.mkdir()
    x = np.random.default_rng(0).standard_normal((3, 9, 9, 9)).astype(np.float32)
    np.save(folder / "a.npy", x[0])
    np.savez(folder / "b.npz", x=x[1:])
    (folder / "notes.txt").write_text("no volume")
    table = tmp_path / "answers.parquet"
    assert main(["predict", str(out), str(folder), f"--out={table}"]) == 0
    rows = parquet.read_table(table).to_pylist()
    assert [r["id"] for r in rows] == ["a.npy", "b.npz#0", "b.npz#1"]
    model, _ = load(out)
    with torch.no_grad():
        p = model(torch.from_numpy(x)[:, None]).double().softmax(1)
    assert rows[2]["p_torus"] == pytest.approx(float(p[2, record["classes"].index("torus")]), abs=1e-6)
    np.save(folder / "a.npy", x[0, :7])
    assert main(["predict", str(out), str(folder), f"--out={table}", "--overwrite"]) == 2
    assert main(["predict", str(out), str(folder), f"--out={table}", "--overwrite", "--resize=crop"]) == 0
    assert main(["predict", str(out), str(folder), f"--out={table}", "--overwrite", "--skip-bad"]) == 0
    assert "expected 9 x 9 x 9" in parquet.read_table(table).to_pylist()[0]["error"]


def test_regions(tmp_path):
    out = tmp_path / "out"
    words = [*SMALL["volumes"], "--data.options.task=segment", "--data.options.noise=0.1", "--train.lr=0.02"]
    assert fit(out, "tiny_voxels", *words, "--train.augment=cube", epochs=6) == 0
    record = json.loads((out / "run.json").read_text())
    assert record["regions"] and record["classes"] == ["background", "ball", "box", "torus"]
    assert record["validation"]["val_iou"] > record["validation"]["floors"]["constant"]["iou"]
    found = scores(out)
    assert 0 < found["iou"] <= 1 and np.sum(found["confusion"]) == 16 * 9**3
    assert {"iou", "accuracy"} <= found["floors"]["linear"].keys()
    folder, labels = tmp_path / "files", tmp_path / "labels"
    folder.mkdir()
    x = np.random.default_rng(0).standard_normal((2, 9, 9, 9)).astype(np.float32)
    np.savez(folder / "some.npz", x=x)
    table = tmp_path / "answers.parquet"
    assert main(["predict", str(out), str(folder), f"--out={table}", f"--answers={labels}"]) == 0
    row = parquet.read_table(table).to_pylist()[1]
    label = np.load(labels / "some.npz#1.npy")
    assert label.shape == (9, 9, 9) and row["share_background"] == pytest.approx((label == 0).mean())
    assert sum(v for k, v in row.items() if k.startswith("share_")) == pytest.approx(1)
    y = np.zeros((2, 9, 9, 9), np.int64)
    np.savez(tmp_path / "truth.npz", x=x, y=y)
    assert main(["evaluate", str(out), f"--images={tmp_path / 'truth.npz'}"]) == 0
    assert main(["check", str(out)]) == 1  # a plain network of voxels
    assert main(["export", str(out), f"--out={tmp_path / 'a.pt2'}"]) == 0


@pytest.mark.parametrize("augment", ["none", "upright", "turn", "rotate"])
def test_points(tmp_path, augment):
    out = tmp_path / "out"
    assert fit(out, "tiny_points", *SMALL["shapes"], f"--train.augment={augment}") == 0
    record = json.loads((out / "run.json").read_text())
    assert (record["domain"], record["input"], record["in_channels"]) == ("points", "points", 1)
    if augment != "none":
        return
    found = scores(out)
    assert found["logit_error"] > 1e-3 and found["images"] == 22
    folder = tmp_path / "files"
    folder.mkdir()
    rng = np.random.default_rng(0)
    p = rng.standard_normal((20, 3))
    np.savez(folder / "a.npz", positions=p)
    (folder / "b.csv").write_text("x,y,z\n" + "\n".join(",".join(map(str, row)) for row in 5 * p + 1))
    table = tmp_path / "answers.parquet"
    assert main(["predict", str(out), str(folder), f"--out={table}"]) == 0
    a, b = parquet.read_table(table).to_pylist()
    assert a["p_torus"] == pytest.approx(b["p_torus"], abs=1e-5)  # brought to one place and size
    assert main(["export", str(out), f"--out={tmp_path / 'a.pt2'}"]) == 2  # no fixed size
    (folder / "c.csv").write_text("x,y,z\n1,2,nan\n")
    assert main(["predict", str(out), str(folder), f"--out={table}", "--overwrite"]) == 2


def test_an_invariant_network_on_points_holds_still(tmp_path):
    out = tmp_path / "out"
    assert fit(out, "tiny_invariant_points", *SMALL["shapes"]) == 0
    assert scores(out)["logit_error"] < 1e-5


@real
def test_energies_have_their_baseline_put_back(tmp_path):
    out = tmp_path / "out"
    assert fit(out, "tiny_invariant_points", "--data.name=qm7", "--data.images=200", "--train.precision=64-true") == 0
    record = json.loads((out / "run.json").read_text())
    target = record["target"]
    assert len(target["baseline"]) == 5 and target["std"] < 60 < 150  # the spread of what is left, not of the energies
    found = scores(out)
    assert found["mae"] < 0.3 * found["floors"]["constant"]["mae"]
    (tmp_path / "methane.xyz").write_text(
        "5\nmethane\nC 0 0 0\nH 0.63 0.63 0.63\nH -0.63 -0.63 0.63\nH -0.63 0.63 -0.63\nH 0.63 -0.63 -0.63\n"
    )
    table = tmp_path / "answers.parquet"
    assert main(["predict", str(out), str(tmp_path / "methane.xyz"), f"--out={table}"]) == 0
    energy = parquet.read_table(table).to_pylist()[0]["heat_of_formation"]
    assert -700 < energy < -250  # CH4: about -420 kcal/mol
    (tmp_path / "iron.xyz").write_text("1\n\nFe 0 0 0\n")
    assert main(["predict", str(out), str(tmp_path / "iron.xyz"), f"--out={table}", "--overwrite"]) == 2


def test_settings_of_another_kind_are_refused(tmp_path, capsys):
    for network, words, text in [
        ("tiny_volume", [*SMALL["volumes"], "--train.augment=d4"], "expected one of none, cube"),
        ("tiny_points", [*SMALL["shapes"], "--train.augment=cube"], "expected one of none, upright"),
        ("tiny_volume", [*SMALL["volumes"], "--data.options.task=segment"], "at every place, [4, 9, 9, 9]"),
        ("tiny_voxels", [*SMALL["volumes"]], "returns"),
        ("tiny_points", [*SMALL["shapes"], "--data.images=3"], "Set data.per_class"),
        ("tiny_voxels", [*SMALL["volumes"], "--data.options.task=segment", "--data.per_class=2"], "Set data.images"),
        ("tiny_voxels", [*SMALL["volumes"], "--data.options.task=segment", "--train.balance=loss"], "expected it off"),
        ("tiny_points", [*SMALL["shapes"], "--page=true"], "expected images with classes"),
        ("tiny_points", [*SMALL["shapes"], "--train.select=val_iou"], "val_iou"),
    ]:
        assert fit(tmp_path / "out", network, *words) == 2, words
        error = capsys.readouterr().err
        assert text in error and error.count("\n") == 1, (words, error)
    assert not list(tmp_path.iterdir())


def test_a_batch_of_one_is_one_line(tmp_path, capsys):
    assert fit(tmp_path / "out", "tiny_volume_norm", *SMALL["volumes"], "--train.batch_size=1") == 2
    err = capsys.readouterr().err
    assert "train.batch_size is 1" in err and "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("network", "words", "says"),
    [
        ("tiny_points", SMALL["volumes"], "'tiny_points', which takes points, but volumes (train) has volumes"),
        (
            "tiny_volume",
            SMALL["shapes"],
            "'tiny_volume', which takes volumes, but shapes (train) has point sets of 1 features;",
        ),
    ],
)
def test_a_network_of_another_domain_is_refused(tmp_path, capsys, network, words, says):
    assert fit(tmp_path / "out", network, *words) == 2
    err = capsys.readouterr().err
    assert says in err and "Set model.name to one of tiny_" in err and err.count("\n") == 1


def test_volumes_without_channels_are_explained(tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", x=rng.standard_normal((30, 5, 5, 5)).astype(np.float32), y=np.arange(30) % 2)
    words = ("--data.name=folder", f"--data.root={tmp_path}")
    assert fit(tmp_path / "out", "tiny_volume", *words) == 2
    assert "save volumes of one channel as x [N, 1, D, H, W]" in capsys.readouterr().err


def test_options_of_another_reader_are_explained(tmp_path, capsys):
    assert fit(tmp_path / "out", "tiny_volume", *SMALL["volumes"], "--data.options.points=3") == 2
    assert "replace them all with --data.options '{}'" in capsys.readouterr().err
