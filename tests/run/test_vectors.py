"""Targets that are vectors: the objective, its head, the commands from fit to catalogue, and floors beside."""

from __future__ import annotations

import json

import pytest
import torch

from steerable.data import InputError, Samples, Splits, Target
from steerable.run.cli import main
from steerable.run.config import TrainConfig
from steerable.run.floors import Floors
from steerable.run.heads import find_head
from steerable.run.objectives import objective_of, target_record
from steerable.run.objectives.vectors import Vectors
from steerable.run.scores import predict, vector_scores
from steerable.run.store import load
from steerable.tasks.galaxies import GalaxyZooFiles, GalaxyZooTree, galaxies_synthetic, simulate_galaxies

pytest.importorskip("lightning")


def vectors(n, seed, k=3):
    """Noise images and, as a vector, the mean of each colour times 10 to 1000."""
    x = torch.randn(n, k, 6, 6, generator=torch.Generator().manual_seed(seed))
    x = x + torch.randn(n, k, 1, 1, generator=torch.Generator().manual_seed(100 + seed))
    y = x.mean((2, 3)) * torch.tensor([10.0, 100.0, 1000.0])
    return Samples(x, y, Target("flux", "mJy", ("g", "r", "z")), f"vectors {seed}")


@pytest.fixture
def parts():
    return Splits(vectors(60, 0), vectors(30, 1), vectors(30, 2))


def test_values_of_a_vector_are_checked():
    data = vectors(4, 0)
    assert data.outputs == 3 and data.target.size == 3
    for y in (data.y[:, :2], data.y[:, 0], data.y.double()):
        with pytest.raises(InputError, match=r"expected torch.float32 \[4, 3\], one row for each image"):
            Samples(data.x, y, data.target)
    y = data.y.clone()
    y[2, 1] = torch.nan
    with pytest.raises(InputError, match=r"1 of 4 values of flux .* image 2"):
        Samples(data.x, y, data.target)


def test_a_vector_has_two_entries_or_more():
    for columns in (("a",), ("a", "b", "a")):
        with pytest.raises(ValueError, match="at least two different names"):
            Target("flux", columns=columns)
    assert Target("flux").size == 1


def test_each_entry_is_learned_in_units_of_its_spread(parts):
    record = target_record(parts.train)
    assert record["columns"] == ["g", "r", "z"] and record["std"][2] > 50 * record["std"][0]
    objective = objective_of(parts.train, TrainConfig())
    assert isinstance(objective, Vectors) and objective.select == "val_rmse"
    mean, std = torch.tensor(record["mean"]), torch.tensor(record["std"])
    out = (parts.val.y - mean) / std + 1.0
    assert float(objective.loss(out, parts.val.y)) == pytest.approx(1.0, rel=1e-4)
    figures = objective.figures(out, parts.val.y)
    assert figures["val_rmse"] == pytest.approx(float(std.square().mean().sqrt()), rel=1e-4)
    with pytest.raises(ValueError, match=r"expected \[B, K\] twice"):
        objective.loss(out[:, :2], parts.val.y)


def test_vectors_that_never_change_are_refused(parts):
    y = torch.ones(4, 3)
    with pytest.raises(InputError, match="are alike"):
        target_record(Samples(vectors(4, 0).x, y, parts.target))
    y[:, 0] = torch.arange(4.0)
    assert target_record(Samples(vectors(4, 0).x, y, parts.target))["std"][1:] == [1.0, 1.0]
    for train, words in ((TrainConfig(select="val_accuracy"), "train.select"),):
        with pytest.raises(InputError, match=f"{words} is 'val_accuracy', but the data has vectors of values"):
            objective_of(parts.train, train)
    with pytest.raises(InputError, match="expected one of galaxy_zoo"):
        find_head("galaxy")


def test_floors_of_vectors(parts, tmp_path):
    floors = Floors.fit(parts)
    scores = floors.scores(parts.test)
    mean = parts.train.y.double().mean(0)
    assert scores["constant"]["rmse"] == pytest.approx(float((parts.test.y - mean).square().mean().sqrt()))
    assert scores["linear"]["rmse"] < 0.05 * scores["constant"]["rmse"]  # the flux is one of its statistics
    floors.save(tmp_path)
    again = Floors.load(tmp_path).scores(parts.test)
    assert again["constant"] == scores["constant"] and again["linear"] == pytest.approx(scores["linear"])


def test_the_objective_of_galaxies_is_the_rmse_of_the_labels():
    data = galaxies_synthetic(train=20, validation=10, test=10, size=16).train
    objective, tree = objective_of(data, TrainConfig()), GalaxyZooTree()
    out = torch.randn(20, 37)
    expected = (tree(out) - data.y).square().mean()
    assert float(objective.loss(out, data.y)) == pytest.approx(float(expected), rel=1e-6)
    assert objective.figures(out, data.y)["val_rmse"] == pytest.approx(float(expected.sqrt()), rel=1e-5)


def small(out):
    return [
        "--config=galaxies", "--model.options.width=0.03", "--model.options.part=37", "--data.options.train=24",
        "--data.options.validation=12", "--data.options.test=16", "--data.options.size=49", "--train.epochs=2",
        "--train.batch_size=8", "--train.device=cpu", f"--out={out}",
    ]  # fmt: skip


def test_galaxies_from_fit_to_catalogue(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["fit", *small(out), "--seeds", "0", "1"]) == 0
    shown = capsys.readouterr().out
    assert "RMSE" in shown and "constant" in shown and "linear" in shown
    assert main(["evaluate", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "RMSE by question" in shown and "floor: constant" in shown and "edge_on" in shown
    scores = json.loads((out / "seed0" / "evaluation.json").read_text())
    assert scores["rmse_turned"] == pytest.approx(scores["rmse"], abs=1e-6) and scores["moved"] < 1e-6
    assert {"constant", "linear"} == set(scores["floors"]) and "curves" in scores["floors"]["linear"]
    model, record = load(out / "seed0")
    parts = galaxies_synthetic(train=24, validation=12, test=16, size=49)
    answer = predict(model, parts.test.x)
    assert GalaxyZooTree().violations(answer.double()).max() < 1e-6
    assert vector_scores(model, parts.test)["rmse"] == pytest.approx(scores["rmse"], abs=1e-6)
    assert record["target"]["head"] == "galaxy_zoo" and len(record["target"]["columns"]) == 37

    # images as a user has them: JPEGs in a folder, 37 named columns come out
    Image = pytest.importorskip("PIL.Image")
    from pyarrow import parquet

    images = tmp_path / "images"
    images.mkdir()
    for i, x in enumerate(parts.test.x[:3]):
        Image.fromarray((255 * x).round().byte().permute(1, 2, 0).numpy()).save(images / f"{i}.jpg", quality=100)
    assert main(["predict", str(out), str(images), f"--out={tmp_path / 'votes.parquet'}"]) == 0
    found = parquet.read_table(tmp_path / "votes.parquet")
    assert found.column_names == ["id", *GalaxyZooTree.columns, "galaxy_zoo_spread"]
    labels = torch.tensor([found.column(c).to_pylist() for c in GalaxyZooTree.columns]).T
    assert GalaxyZooTree().violations(labels).max() < 1e-6
    assert all(v >= 0 for v in found.column("galaxy_zoo_spread").to_pylist())


def test_published_files_from_fit_to_catalogue(tmp_path, capsys):
    """Pictures as they are downloaded: cut and binned in training, and again by predict."""
    Image = pytest.importorskip("PIL.Image")
    from pyarrow import parquet

    made = simulate_galaxies(30, pixels=160)
    images = tmp_path / "images_training_rev1"
    images.mkdir()
    rows = ["GalaxyID," + ",".join(GalaxyZooTree.columns)]
    for i in range(30):
        array = (255 * made.images[i]).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(array).save(images / f"{1000 + i}.jpg", quality=95)
        rows.append(f"{1000 + i}," + ",".join(f"{v:.6f}" for v in made.labels[i].tolist()))
    (tmp_path / "training_solutions_rev1.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "run"
    assert main(["fit", "--config=galaxies", "--data.name=galaxies", f"--data.root={tmp_path}", f"--out={out}",
                 "--data.options.size=49", "--model.options.width=0.03", "--model.options.part=37", "--train.epochs=1",
                 "--train.augment=affine_colour", "--train.device=cpu", "--twin=augmented"]) == 0  # fmt: skip
    assert main(["predict", str(out), str(images), f"--out={tmp_path / 'votes.parquet'}"]) == 0
    found = parquet.read_table(tmp_path / "votes.parquet")
    assert len(found) == 30 and found.column("id")[0].as_py() == "1000.jpg"
    model, record = load(out)
    assert record["raw_size"] == [160, 160] and record["config"]["model"]["name"] == "dieleman_d4_plain"
    files = GalaxyZooFiles(tmp_path, size=49)
    expected = predict(model, files.read(range(30)))
    labels = torch.tensor([found.column(c).to_pylist() for c in GalaxyZooTree.columns]).T
    assert (labels - expected).abs().max() < 1e-5
    capsys.readouterr()


def test_a_network_of_another_size_is_refused(tmp_path, capsys):
    assert main(["fit", *small(tmp_path / "run"), "--train.select=val_auc"]) == 2
    assert "train.select is 'val_auc'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main(["fit", *small(tmp_path / "run"), "--data.name=galaxies", "--data.root=/nowhere"]) == 2
    assert "train" in capsys.readouterr().err
