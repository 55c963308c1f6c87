"""fit and evaluate from end to end, on tiny images."""

from __future__ import annotations

import json

import pytest
import torch
import yaml
from safetensors.torch import load_file

from steerable.run import training
from steerable.run.cli import main
from steerable.run.parse import packaged_configs, parse_fit
from steerable.run.store import load


def test_fit_then_evaluate(networks, arguments, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["fit", *arguments, "--train.epochs=8"]) == 0
    assert {p.name for p in out.iterdir()} == {"model.safetensors", "run.json", "floors.json", "log"}
    assert (out / "log" / "metrics.csv").read_text().count("\n") > 8
    record = json.loads((out / "run.json").read_text())
    assert record["classes"] == ["flat", "upright", "blob"]
    assert record["validation"]["val_accuracy"] > 0.8
    assert main(["evaluate", str(out)]) == 0
    scores = json.loads((out / "evaluation.json").read_text())
    assert scores["accuracy"] > 0.8
    assert scores["changed"] > 0.2  # a turned bar is the other class
    assert scores["floors"]["constant"]["accuracy"] == pytest.approx(1 / 3)
    assert sum(map(sum, scores["confusion"])) == 30
    assert "tiny_plain" in (out / "row.md").read_text()
    assert "tiny_plain" in capsys.readouterr().out


def test_the_best_epoch_is_what_is_saved(networks, arguments, tmp_path, monkeypatch):
    seen = {}

    def watch(folder, epoch):
        seen.update(torch.load(folder / training.BEST, weights_only=True)["state_dict"])
        return original(folder, epoch)

    original = training.read_best
    monkeypatch.setattr(training, "read_best", watch)
    assert main(["fit", *arguments]) == 0
    saved = load_file(tmp_path / "out" / "model.safetensors")
    assert {f"model.{k}" for k in saved} == set(seen)
    assert all(torch.equal(v, seen[f"model.{k}"]) for k, v in saved.items())


def test_seeds_make_rows(networks, arguments, tmp_path):
    out = tmp_path / "out"
    args = [*arguments, "--model.name=tiny_invariant", "--model.group=C4", "--seeds", "0", "1", "2"]
    assert main(["fit", *args]) == 0
    assert {p.name for p in out.iterdir()} == {"seed0", "seed1", "seed2", "validation.json"}
    assert main(["evaluate", str(out)]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["seeds"] == [0, 1, 2]
    assert summary["test"]["changed"] == {"mean": 0.0, "spread": 0.0}
    assert summary["test"]["accuracy"]["spread"] >= 0
    row = (out / "row.md").read_text().splitlines()[2]
    assert "+-" in row
    assert "| C4 |" in row
    a, b = (load_file(out / f"seed{k}" / "model.safetensors") for k in (0, 1))
    assert any(not torch.equal(a[k], b[k]) for k in a)


def test_the_same_seed_gives_the_same_weights(networks, arguments, tmp_path):
    for name in ("a", "b"):
        assert main(["fit", *arguments, "--train.augment=rotate", f"--out={tmp_path / name}"]) == 0
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_a_resumed_run_is_the_uninterrupted_one(networks, arguments, tmp_path, monkeypatch):
    args = [*arguments, "--train.augment=d4", "--train.epochs=4"]
    assert main(["fit", *args]) == 0
    whole = load_file(tmp_path / "out" / "model.safetensors")
    original, count = training.Learner.on_train_epoch_end, []

    def interrupt(self):
        original(self)
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.Learner, "on_train_epoch_end", interrupt)
        assert main(["fit", *args, f"--out={tmp_path / 'b'}"]) == 130
    assert not (tmp_path / "b").exists()
    checkpoint = tmp_path / "b.partial" / "last.ckpt"
    assert checkpoint.exists()
    assert main(["fit", "--resume", str(checkpoint)]) == 0
    again = load_file(tmp_path / "b" / "model.safetensors")
    assert all(torch.equal(whole[k], again[k]) for k in whole)
    assert not (tmp_path / "b.partial").exists()


def test_a_loaded_network_is_the_saved_one(networks, arguments, tmp_path):
    assert main(["fit", *arguments]) == 0
    model, record = load(tmp_path / "out")
    assert not model.training
    x = torch.randn(2, 1, 9, 9)
    again, _ = load(tmp_path / "out")
    assert torch.equal(model(x), again(x))
    assert record["parameters"] == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", packaged_configs())
def test_packaged_configs_are_read_and_every_line_is_explained(name):
    path = packaged_configs()[name]
    config, resume = parse_fit(["--config", name])
    assert resume is None
    text = path.read_text()
    assert all("#" in line for line in text.splitlines())
    given = yaml.safe_load(text)
    assert given.pop("model").keys() == vars(config.model).keys()
    assert given.pop("data").keys() == vars(config.data).keys()
    # what only fine-tuning needs stands in its own config, and elsewhere where it is used
    tuning = {"validate_every", "patience", "balance", "calibrate", "freeze_epochs", "backbone_lr"}
    train = given.pop("train").keys()
    assert train | tuning == vars(config.train).keys()
    if name == "folder":
        assert tuning <= train
        assert given.pop("page") is config.page is True
        assert given.pop("start") is config.start is None
    assert given == {"out": config.out, "seeds": config.seeds}


def test_the_command_line_wins_over_the_file():
    config, _ = parse_fit(
        ["--config", "digits", "--train.epochs", "2", "--seeds", "3", "4", "--data.options.size", "33"]
    )
    assert (config.train.epochs, config.seeds, config.data.options["size"]) == (2, [3, 4], 33)
    assert config.data.options["split_seed"] == 0


def test_a_key_is_not_guessed_from_its_beginning(capsys):
    assert main(["fit", "--train.epoch", "2"]) == 2
    assert "no key 'train.epoch'" in capsys.readouterr().err
