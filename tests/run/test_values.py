"""Regression: shapes that cannot broadcast, figures on known numbers, and a known linear target learned in its unit."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from steerable.data import InputError, Samples, Splits, Target
from steerable.run.cli import main
from steerable.run.config import TrainConfig
from steerable.run.floors import Floors
from steerable.run.objectives import objective_of
from steerable.run.objectives.classes import Classes
from steerable.run.objectives.values import Values, column
from steerable.run.scores import binned, error_figures, predict, value_scores
from steerable.run.store import load


def linear_images(n, seed):
    """Noise images, the left half brighter by 2 a than the right, and the value 100 + 50 a."""
    rng = np.random.default_rng(seed)
    x = 0.2 * rng.standard_normal((n, 8, 8)).astype(np.float32)
    left = rng.uniform(-1, 1, n).astype(np.float32)
    x[:, :, :4] += left[:, None, None]
    x[:, :, 4:] -= left[:, None, None]
    return x, (100 + 50 * left).astype(np.float32)


@pytest.fixture
def linear(tmp_path, networks, monkeypatch):
    """A folder with the column `flux`, and arguments of a fit that learns it."""
    monkeypatch.setitem(networks, "tiny_plain", lambda in_channels, num_classes: torch.nn.Sequential(
        torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(4 * in_channels, num_classes)))  # fmt: skip
    folder = tmp_path / "linear"
    folder.mkdir()
    for seed, (part, n) in enumerate({"train": 128, "val": 40, "test": 60}.items()):
        x, y = linear_images(n, seed)
        np.savez(folder / f"{part}.npz", x=x, flux=y)
    return [
        "--model.name=tiny_plain", "--data.name=folder", f"--data.root={folder}", "--data.target=flux",
        "--data.options.unit=mJy", "--train.epochs=30", "--train.batch_size=16", "--train.lr=0.1",
        "--train.device=cpu", f"--out={tmp_path / 'out'}",
    ]  # fmt: skip


def test_column_refuses_what_would_broadcast():
    y = torch.zeros(3)
    assert column(torch.zeros(3, 1), y).shape == (3,)
    for out, truth in [
        (torch.zeros(3), y),
        (torch.zeros(3, 1), torch.zeros(3, 1)),
        (torch.zeros(3, 2), y),
        (torch.zeros(1, 1), y),
        (torch.zeros(3, 1), torch.zeros(1)),
    ]:
        with pytest.raises(ValueError, match="do not broadcast"):
            column(out, truth)
    with pytest.raises(ValueError, match=r"expected \[N\] twice"):
        error_figures(torch.zeros(3, 1), y)


@pytest.mark.parametrize("kind", ["huber", "mae", "mse"])
def test_the_loss_is_that_of_standardised_values(kind):
    o = Values(10.0, 4.0, TrainConfig(loss=kind))
    out, y = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([10.0, 10.0, 30.0])
    function = {"huber": F.smooth_l1_loss, "mae": F.l1_loss, "mse": F.mse_loss}[kind]
    assert float(o.loss(out, y)) == pytest.approx(float(function(out[:, 0], torch.tensor([0.0, 0.0, 5.0]))))
    figures = o.figures(out, y)  # answers 10, 14, 18
    assert figures["val_mae"] == pytest.approx((0 + 4 + 12) / 3)
    assert figures["val_rmse"] == pytest.approx(((16 + 144) / 3) ** 0.5)
    assert figures["val_bias"] == pytest.approx((4 - 12) / 3)


def test_classes_refuse_other_shapes():
    o = Classes(3, TrainConfig())
    with pytest.raises(ValueError, match=r"expected \[2, 3\]"):
        o.loss(torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"expected \[2, 3\]"):
        o.loss(torch.zeros(2, 3), torch.zeros(2, 1, dtype=torch.int64))


def test_settings_belong_to_the_kind_of_answer():
    x = torch.zeros(4, 1, 2, 2)
    values = Samples(x, torch.arange(4.0), Target("m"))
    labels = Samples(x, torch.arange(4) % 2, ("a", "b"))
    assert objective_of(values, TrainConfig()).select == "val_mae"
    assert objective_of(labels, TrainConfig()).select == "val_accuracy"
    with pytest.raises(InputError, match=r"train.select is 'val_accuracy', but the data has values"):
        objective_of(values, TrainConfig(select="val_accuracy"))
    with pytest.raises(InputError, match=r"train.loss is 'mse', but the data has classes"):
        objective_of(labels, TrainConfig(loss="mse"))
    with pytest.raises(InputError, match="values that differ"):
        objective_of(Samples(x, torch.ones(4), Target("m")), TrainConfig())


def test_bins():
    y = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0, 9.0])
    rows = binned(y + torch.tensor([1.0, -1, 0, 0, 2, -2]), y, [0.0, 2.0, 4.0])
    assert [r["images"] for r in rows] == [2, 4]
    assert [(r["mae"], r["bias"]) for r in rows] == [(1.0, 0.0), (1.0, 0.0)]
    assert [(r["from"], r["to"]) for r in rows] == [(0.0, 2.0), (2.0, 4.0)]
    empty = binned(y, y, [-2.0, -1.0, 0.0, 9.0])
    assert empty[0]["images"] == 0
    assert np.isnan(empty[0]["mae"])


def test_floors_of_values():
    x = torch.randn(40, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    y = torch.cat([torch.zeros(30), torch.full((10,), 8.0)])
    part = Samples(x, y, Target("m"))
    floors = Floors.fit(Splits(part, part, part))
    scores = floors.scores(part)
    assert scores["constant"]["mae"] == pytest.approx(2.0)  # the median, 0
    assert scores["constant"]["rmse"] == pytest.approx(12**0.5)  # the mean, 2
    assert scores["constant"]["bias"] == pytest.approx(0.0)
    assert [b["images"] for b in scores["constant"]["bins"]] == [30, 0, 0, 10]
    assert scores["constant"]["bins"][3]["mae"] == pytest.approx(8.0)
    assert scores["linear"]["rmse"] <= scores["constant"]["rmse"]
    assert floors.edges(2) == [0.0, 4.0, 8.0]


def test_floors_of_classes(tmp_path):
    x = torch.zeros(6, 1, 4, 4)
    train = Samples(x, torch.tensor([0, 0, 1, 0, 1, 0]), ("a", "b", "c"))
    test = Samples(x[:4], torch.tensor([0, 1, 1, 2]), ("a", "b", "c"))
    floors = Floors.fit(Splits(train, train, test))
    scores = floors.scores(test)
    assert scores["constant"]["accuracy"] == 0.25
    assert scores["constant"]["auc"] == 0.5
    assert scores["linear"]["accuracy"] == 0.25  # images that are all the same tell nothing
    floors.save(tmp_path)
    assert Floors.load(tmp_path).scores(test) == scores


def test_a_linear_target_is_learned_in_its_unit(linear, tmp_path, capsys):
    assert main(["fit", *linear]) == 0
    text = capsys.readouterr().out
    assert "MAE" in text
    assert "constant" in text
    assert "linear" in text
    out = tmp_path / "out"
    model, record = load(out)
    assert record["target"]["name"] == "flux"
    assert record["target"]["unit"] == "mJy"
    _, y = linear_images(128, 0)
    assert record["target"]["mean"] == pytest.approx(float(y.mean()), rel=1e-5)
    assert record["target"]["std"] == pytest.approx(float(y.std(ddof=1)), rel=1e-5)
    assert main(["evaluate", str(out)]) == 0
    text = capsys.readouterr().out
    assert "floor: constant" in text
    assert "floor: linear" in text
    assert "flux [mJy]" in text
    scores = json.loads((out / "evaluation.json").read_text())
    floors = scores["floors"]
    assert scores["mae"] < 3  # of a range of 100
    assert floors["constant"]["mae"] == pytest.approx(25, abs=5)
    assert scores["mae"] < 0.5 * floors["linear"]["mae"]  # which cannot tell left from right
    assert scores["mae_turned"] > 10  # a turned image has another left half
    assert abs(scores["bias"]) < 2
    assert len(scores["bins"]) == 4
    assert sum(b["images"] for b in scores["bins"]) == 60
    assert all(b["mae"] < 5 for b in scores["bins"])
    # what the library loads answers in the unit, too
    x, y = linear_images(60, 2)
    own = predict(model, torch.from_numpy(x)[:, None])[:, 0]
    assert error_figures(own, torch.from_numpy(y))["mae"] == pytest.approx(scores["mae"], rel=1e-6)
    assert main(["evaluate", str(out), "--bins", "2"]) == 0
    assert len(json.loads((out / "evaluation.json").read_text())["bins"]) == 2
    same = tmp_path / "linear" / "test.npz"
    assert main(["evaluate", str(out), "--images", str(same)]) == 0
    assert json.loads((out / "evaluation.test.json").read_text())["mae"] == pytest.approx(scores["mae"], rel=1e-6)


def test_a_loss_that_broadcasts_is_caught(linear, tmp_path, monkeypatch):
    """The planted fault: with [B, 1] against [B] the network learns the mean; the test above would fail."""
    monkeypatch.setattr(Values, "loss", lambda self, out, y: (out - (y - self.mean) / self.std).square().mean())
    assert main(["fit", *linear]) == 0
    model, _ = load(tmp_path / "out")
    x, y = linear_images(60, 2)
    scores = value_scores(
        model, Samples(torch.from_numpy(x)[:, None], torch.from_numpy(y), Target("flux")), [50.0, 150.0]
    )
    assert scores["mae"] > 15


def test_seeds_of_a_regression(linear, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["fit", *linear, "--seeds", "0", "1", "--train.epochs=3"]) == 0
    assert main(["evaluate", str(out)]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary["test"]) == {"mae", "mae_turned", "rmse", "bias", "moved"}
    assert set(summary["floors"]) == {"constant", "linear"}
    row = (out / "row.md").read_text()
    assert row.count("floor: constant") == 2  # the figures, and the bins
    assert "+-" in row


def test_training_sizes(linear, tmp_path):
    assert main(["fit", *linear, "--data.images=32", "--train.epochs=1"]) == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["images"] == {"train": [32], "val": [40], "test": [60]}


def test_a_regression_resumes(linear, tmp_path, monkeypatch):
    from safetensors.torch import load_file

    from steerable.run import training

    args = [*linear, "--train.epochs=4"]
    assert main(["fit", *args]) == 0
    original, count = training.Learner.on_train_epoch_end, []

    def interrupt(self):
        original(self)
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.Learner, "on_train_epoch_end", interrupt)
        assert main(["fit", *args, f"--out={tmp_path / 'b'}"]) == 130
    assert main(["fit", "--resume", str(tmp_path / "b.partial" / "last.ckpt")]) == 0
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "b"))
    assert all(torch.equal(a[k], b[k]) for k in a)
