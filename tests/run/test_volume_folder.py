"""fit, evaluate, predict and check of a folder of real MRC files, as mrcfile writes them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from pyarrow import parquet

from steerable.data.volume_file import read_volumes
from steerable.run.cli import main

mrcfile = pytest.importorskip("mrcfile")
SIDE = 9
TINY = [
    f"--data.options.side={SIDE}", "--model.options={widths: [1, 1], kernel_size: 3, pool_after: [1]}",
    "--train.epochs=1", "--train.batch_size=4", "--train.device=cpu",
]  # fmt: skip


def save(path, x, voxel=1.5):
    with mrcfile.new(path, compression="gzip" if path.suffix == ".gz" else None, overwrite=True) as file:
        file.set_data(x)
        file.voxel_size = voxel


def solid(seed, hollow=False, side=SIDE):
    """A ball, or a shell, in noise."""
    rng = np.random.default_rng(seed)
    r = np.linalg.norm(np.stack(np.meshgrid(*[np.arange(side) - side // 2] * 3, indexing="ij")), axis=0)
    return (((r < 3.5) & ~((r < 2) & hollow)) + 0.1 * rng.standard_normal(r.shape)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "maps"
    for name in ("ball", "shell"):
        (root / name).mkdir(parents=True)
        for i in range(6):
            x = solid(i, name == "shell", SIDE + 2 * (i == 4))  # one of another size
            save(root / name / f"{i}{'.mrc.gz' if i % 2 else '.mrc'}", x)
    return root


def test_classes(tmp_path, folder, capsys):
    with mrcfile.open(folder / "ball" / "0.mrc") as file:
        assert np.array_equal(read_volumes(folder / "ball" / "0.mrc")[0, 0], file.data[:, ::-1])
    out = tmp_path / "out"
    assert main(["fit", "--config=volume_folder", f"--data.root={folder}", f"--out={out}", *TINY]) == 0
    record = json.loads((out / "run.json").read_text())
    assert (record["domain"], record["classes"], record["raw_size"]) == ("volume", ["ball", "shell"], [SIDE] * 3)
    assert record["reading"] == {"axes": "dhw", "pad": "border", "resize": "crop", "voxel": "1.5"}
    assert main(["evaluate", str(out)]) == 0
    found = json.loads((out / "evaluation.json").read_text())
    assert found["logit_error"] < 1e-5 and "floors" in found
    assert found["turn"] == "turned by 120 deg about a diagonal"
    table = tmp_path / "answers.parquet"
    assert main(["predict", str(out), str(folder), f"--out={table}"]) == 0  # the larger ones are cut, as in training
    rows = parquet.read_table(table).to_pylist()
    assert len(rows) == 12 and all(r["p_ball"] + r["p_shell"] == pytest.approx(1, abs=1e-5) for r in rows)
    assert main(["check", str(out)]) == 0
    save(folder / "ball" / "0.mrc", solid(0), voxel=3.0)
    capsys.readouterr()
    assert main(["predict", str(out), str(folder / "ball" / "0.mrc"), f"--out={table}", "--overwrite"]) == 2
    error = capsys.readouterr().err
    assert "voxels of 3 x 3 x 3; expected cubes of 1.5, as the network in" in error
    assert error.strip().count("\n") <= 1
    shutil.rmtree(folder / "shell")
    assert main(["fit", "--config=volume_folder", f"--data.root={folder}", f"--out={tmp_path / 'no'}", *TINY]) == 2
    error = capsys.readouterr().err
    assert "sub-folders ['ball']; expected two or more" in error and error.count("\n") == 1


def test_regions(tmp_path):
    root, out = tmp_path / "maps", tmp_path / "out"
    for name in ("volumes", "labels"):
        (root / name).mkdir(parents=True)
    for i in range(6):
        x = solid(i)
        save(root / "volumes" / f"{i}.mrc", x)
        save(root / "labels" / f"{i}.mrc", (x > 0.5).astype(np.int8))
    words = ["--data.options.labels=labels", "--data.options.classes=[outside, inside]", "--model.name=volume_unet"]
    words += ["--model.group=D4"]
    tiny = [f"--data.options.side={SIDE}", *TINY[2:], "--model.options={widths: [1, 1], kernel_size: 3}"]
    assert main(["fit", "--config=volume_folder", f"--data.root={root}", f"--out={out}", *words, *tiny]) == 0
    record = json.loads((out / "run.json").read_text())
    assert record["regions"] and record["classes"] == ["outside", "inside"]
    assert main(["evaluate", str(out)]) == 0
    found = json.loads((out / "evaluation.json").read_text())
    assert found["turn"] == "turned by 90 deg about x3" and found["logit_error"] < 1e-5
    assert found["turn"] in (out / "row.md").read_text()
    table, labels = tmp_path / "answers.parquet", tmp_path / "answers"
    assert main(["predict", str(out), str(root / "volumes"), f"--out={table}", f"--answers={labels}"]) == 0
    assert np.load(labels / "0.mrc.npy").shape == (SIDE,) * 3
    assert main(["check", str(out)]) == 0
