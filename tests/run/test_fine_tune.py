"""Fine-tuning: what is taken over, what stands still, what is balanced and calibrated, and what is refused."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tests.run.conftest import bars

from steerable.data import InputError, Samples, Target
from steerable.run import training
from steerable.run.balance import balance_record, class_weights
from steerable.run.calibrate import calibrate, expected_error, fit_temperature, folds, reliability
from steerable.run.cli import main
from steerable.run.config import FitConfig, TrainConfig
from steerable.run.loaders import EpochBatches
from steerable.run.objectives import objective_of
from steerable.run.objectives.classes import Classes
from steerable.run.page.write import least_sure
from steerable.run.scores import predict
from steerable.run.store import load, load_network

Image = pytest.importorskip("PIL.Image")
NAMES = ("flat", "upright", "blob")


@pytest.fixture
def saved(networks, arguments, tmp_path):
    """A run on 9 x 9 grey images of three classes."""
    assert main(["fit", *arguments, "--data.options.size=9"]) == 0
    return tmp_path / "out"


def write_folder(root, counts=(30, 12, 16), seed=5, names=NAMES):
    """Bars as files: grey and coloured, of 8 and 16 bits, of two sizes."""
    x, y = bars(3 * max(counts), seed)
    done = [0] * len(names)
    for image, k in zip(x, y, strict=True):
        if k >= len(names) or done[k] >= counts[k]:
            continue
        done[k] += 1
        place = root / names[k]
        place.mkdir(parents=True, exist_ok=True)
        grey = np.clip(0.2 + 0.6 * image, 0, 1)
        if done[k] % 3 == 0:
            Image.fromarray((65535 * grey).astype(np.uint16)).save(place / f"{done[k]}.png")
        elif done[k] % 3 == 1:
            Image.fromarray((255 * grey).astype(np.uint8)).resize((18, 18)).save(place / f"{done[k]}.png")
        else:
            Image.fromarray(np.dstack(3 * [(255 * grey).astype(np.uint8)])).save(place / f"{done[k]}.png")
    return root


@pytest.fixture
def mine(tmp_path):
    """A folder of two other classes, one of them rare."""
    return write_folder(tmp_path / "mine", (30, 12), names=("lying", "standing"))


def tune(mine, saved, out, *more):
    short = ["--train.epochs=3", "--train.device=cpu", "--train.freeze_epochs=1", "--train.batch_size=16"]
    return ["fit", "--config=folder", f"--data.root={mine}", f"--from={saved}", f"--out={out}", *short, *more]


def record_of(run):
    return json.loads((run / "run.json").read_text())


def test_one_command(saved, mine, tmp_path, capsys):
    out = tmp_path / "tuned"
    assert main(tune(mine, saved, out)) == 0
    record, before = record_of(out), record_of(saved)
    assert record["classes"] == ["lying", "standing"]
    assert record["config"]["model"] == before["config"]["model"]
    assert record["preprocessing"] == before["preprocessing"]
    assert record["raw_size"] == before["raw_size"]
    assert record["start"]["head"] == "new"
    assert record["start"]["classes"] == list(NAMES)
    assert record["balance"]["how"] == "loss"
    assert record["balance"]["classes"]["standing"]["weight"] > 1 > record["balance"]["classes"]["lying"]["weight"]
    assert record["reading"] == {"colour": "grey", "depth": "full", "pad": "border", "resize": "scale"}
    assert record["calibration"]["images"] == sum(record["images"]["val"])
    assert main(["evaluate", str(out)]) == 0
    scores = json.loads((out / "evaluation.json").read_text())
    assert 0 <= scores["ece"] <= 1
    assert main(["predict", str(out), str(mine), f"--out={tmp_path / 'c.parquet'}"]) == 0
    rows = pq.read_table(tmp_path / "c.parquet").to_pylist()
    assert len(rows) == 42
    model, _ = load(out)
    network, _ = load_network(out)
    x = torch.randn(5, 1, 9, 9)
    assert torch.allclose(model(x) * record["calibration"]["temperature"], network(x), atol=1e-5)


def test_the_catalogue_holds_calibrated_answers_to_images_read_as_in_training(saved, mine, tmp_path):
    from steerable.run.config import DataConfig
    from steerable.run.readers import load_data

    out = tmp_path / "tuned"
    assert main(tune(mine, saved, out)) == 0
    assert main(["predict", str(out), str(mine), f"--out={tmp_path / 'c.parquet'}"]) == 0
    rows = {r["id"]: r["p_lying"] for r in pq.read_table(tmp_path / "c.parquet").to_pylist()}
    data = load_data(DataConfig(**record_of(out)["config"]["data"])).test
    model, _ = load(out)
    expected = predict(model, data.x).double().softmax(1)[:, 0].tolist()
    assert [rows[name] for name in data.ids] == pytest.approx(expected, abs=1e-5)


def test_images_of_another_size_are_told_once_by_runs_and_files(saved, mine, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out, catalogue = tmp_path / "tuned", f"--out={tmp_path / 'c.parquet'}"
    assert main(tune(mine, saved, out, "--train.epochs=1", "--train.freeze_epochs=0")) == 0
    assert main(["export", str(out), "--images", str(mine), f"--out={tmp_path / 'm.onnx'}"]) == 0
    said = "14 of 42 images were not 9 x 9 pixels: interpolated to that size (as the images of '{}' were in training)"
    assert said.format(out) in capsys.readouterr().out  # the images of the check
    answers = []
    for what in (out, tmp_path / "m.onnx"):
        assert main(["predict", str(what), str(mine), catalogue, "--overwrite", "--batch-size=8"]) == 0
        assert capsys.readouterr().err.count(said.format(what)) == 1
        answers.append([r["p_lying"] for r in pq.read_table(tmp_path / "c.parquet").to_pylist()])
    assert answers[0] == pytest.approx(answers[1], abs=1e-5)
    assert main(["predict", str(out), str(mine), catalogue, "--overwrite", "--resize=crop"]) == 0
    assert (
        "14 of 42 images were not 9 x 9 pixels: cut or padded to that size (--resize crop)" in capsys.readouterr().err
    )


def test_a_frozen_backbone_stands_still(saved, mine, tmp_path):
    assert main(tune(mine, saved, tmp_path / "a", "--train.freeze_epochs=9")) == 0
    before, after = (load_file(f / "model.safetensors") for f in (saved, tmp_path / "a"))
    moved = [k for k in after if before[k].shape != after[k].shape or not torch.equal(before[k], after[k])]
    assert moved == ["5.bias", "5.weight"]
    assert main(tune(mine, saved, tmp_path / "b", "--train.freeze_epochs=1")) == 0
    after = load_file(tmp_path / "b" / "model.safetensors")
    assert not torch.equal(before["0.weight"], after["0.weight"])


def test_a_slow_backbone_moves_less(saved, mine, tmp_path):
    still = ["--train.freeze_epochs=0", "--train.weight_decay=0"]
    before = load_file(saved / "model.safetensors")
    moved = []
    for name, rate in (("a", 0.01), ("b", 1.0)):
        assert main(tune(mine, saved, tmp_path / name, *still, f"--train.backbone_lr={rate}")) == 0
        after = load_file(tmp_path / name / "model.safetensors")
        moved.append(float((after["0.weight"] - before["0.weight"]).norm()))
    assert 0 < moved[0] < 0.1 * moved[1]


def test_the_last_layer_stays_where_the_classes_are_the_same(saved, tmp_path):
    mine = write_folder(tmp_path / "same")
    folder = tmp_path / "same"
    for name in NAMES:  # the classes of a folder are in the order of their names
        assert (folder / name).is_dir()
    assert main(tune(mine, saved, tmp_path / "tuned")) == 0
    assert record_of(tmp_path / "tuned")["start"]["head"] == "new"  # flat, upright, blob in another order
    assert main(tune(mine, tmp_path / "tuned", tmp_path / "again", "--train.lr=1e-9", "--train.augment=none")) == 0
    assert record_of(tmp_path / "again")["start"]["head"] == "kept"
    a, b = (load_file(tmp_path / n / "model.safetensors")["5.weight"] for n in ("tuned", "again"))
    assert torch.allclose(a, b, atol=1e-5)


def test_from_nothing(networks, mine, tmp_path):
    args = ["fit", "--config=folder", f"--data.root={mine}", f"--out={tmp_path / 'new'}", "--train.epochs=1"]
    args += ["--model.name=tiny_plain", "--model.options={}", "--model.group=null", "--data.options.side=9"]
    assert main([*args, "--train.device=cpu"]) == 0
    record = record_of(tmp_path / "new")
    assert record["in_channels"] == 3
    assert record["config"]["train"]["freeze_epochs"] == 0
    assert record["config"]["train"]["backbone_lr"] == 1
    assert "start" not in record


def test_a_resumed_fine_tuning_is_the_uninterrupted_one(saved, mine, tmp_path, monkeypatch):
    more = ["--train.epochs=4", "--train.freeze_epochs=2", "--train.balance=sampler", "--train.patience=8"]
    assert main(tune(mine, saved, tmp_path / "a", *more)) == 0
    original, count = training.Learner.on_train_epoch_end, []

    def interrupt(self):
        original(self)
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.Learner, "on_train_epoch_end", interrupt)
        assert main(tune(mine, saved, tmp_path / "b", *more)) == 130
    saved.rename(tmp_path / "gone")  # all that is needed lies in the checkpoint
    assert main(["fit", "--resume", str(tmp_path / "b.partial" / "last.ckpt")]) == 0
    a, b = (load_file(tmp_path / n / "model.safetensors") for n in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert record_of(tmp_path / "b")["start"] == record_of(tmp_path / "a")["start"]


def test_several_seeds(saved, mine, tmp_path):
    assert main([*tune(mine, saved, tmp_path / "many"), "--seeds", "0", "1"]) == 0
    assert main(["predict", str(tmp_path / "many"), str(mine), f"--out={tmp_path / 'c.parquet'}"]) == 0
    assert main(tune(mine, tmp_path / "many", tmp_path / "x")) == 2
    assert main(tune(mine, tmp_path / "many" / "seed1", tmp_path / "x")) == 0


def test_no_patience(saved, mine, tmp_path):
    args = ["--train.epochs=20", "--train.patience=2", "--train.select=val_accuracy", "--train.lr=1e-9"]
    assert main(tune(mine, saved, tmp_path / "tuned", *args, "--train.augment=none")) == 0
    assert record_of(tmp_path / "tuned")["validation"]["epochs"] == 3


def test_validation_looks_every_second_epoch(saved, mine, tmp_path):
    args = ["--train.epochs=20", "--train.validate_every=2", "--train.patience=3", "--train.select=val_accuracy"]
    assert main(tune(mine, saved, tmp_path / "tuned", *args, "--train.lr=1e-9", "--train.augment=none")) == 0
    found = record_of(tmp_path / "tuned")["validation"]  # looks after 2, 4, 6: two without a gain
    assert (found["epochs"], found["best_epoch"]) == (6, 2)
    rows = (tmp_path / "tuned" / "log" / "metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + 6 + 3  # a loss of each epoch, a validation of every second


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--model.name=tiny_invariant"], "is taken over"),
        (["--twin=plain"], "is taken over"),
        (["--data.scale=peak"], "expected null"),
        (["--data.name=folder"], "expected images"),
        (["--train.patience=-1"], "expected 0 or more"),
        (["--train.epochs=4", "--train.validate_every=3"], "expected a divisor"),
        (["--train.balance=both"], "balance"),
        (["--from=nowhere"], "not a folder"),
        (["--from=/nowhere/at"], "not a folder"),
        (["--from=src/nothing"], "not a folder"),
    ],
)
def test_what_is_refused(saved, mine, tmp_path, capsys, monkeypatch, more, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    assert main(tune(mine, saved, tmp_path / "tuned", *more)) == 2
    text = capsys.readouterr().err.strip()
    assert says in text.splitlines()[-1], text
    assert not (tmp_path / "tuned").exists()
    assert not (tmp_path / "tuned.partial").exists()


def test_a_start_that_sees_something_else(saved, mine, tmp_path, capsys):
    record = record_of(saved)
    record["input"] = "residual"
    (saved / "run.json").write_text(json.dumps(record))
    assert main(tune(mine, saved, tmp_path / "tuned")) == 2
    assert "computed from images" in capsys.readouterr().err


def test_freezing_without_a_saved_run(networks, arguments, capsys):
    assert main(["fit", *arguments, "--train.freeze_epochs=2"]) == 2
    assert "without a saved run" in capsys.readouterr().err


def test_an_old_run_is_read(saved, mine, tmp_path):
    record = record_of(saved)
    for key in ("files", "reading", "balance"):
        record.pop(key, None)
    for key in ("validate_every", "patience", "balance", "calibrate", "freeze_epochs", "backbone_lr"):
        record["config"]["train"].pop(key)
    for key in ("start", "page"):
        record["config"].pop(key)
    (saved / "run.json").write_text(json.dumps(record))
    config = FitConfig.from_dict(record["config"])
    assert (config.train.patience, config.start, config.page) == (0, None, False)
    model, _ = load(saved)
    assert model(torch.zeros(1, 1, 9, 9)).shape == (1, 3)
    assert main(["evaluate", str(saved)]) == 0
    assert main(tune(mine, saved, tmp_path / "tuned")) == 0


def test_the_page(saved, mine, tmp_path):
    assert main(tune(mine, saved, tmp_path / "tuned")) == 0
    text = (tmp_path / "tuned" / "report.html").read_text(encoding="utf-8")
    record = record_of(tmp_path / "tuned")
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert len(pictures) == 3 + sum(min(6, n) for n in record["images"]["val"])
    assert all(base64.b64decode(p).startswith(b"\x89PNG") for p in pictures)
    assert not re.search(r"https?://", text)
    assert "lying/" in text
    assert "standing/" in text
    assert "<script" not in text


def test_names_cannot_break_the_page(saved, tmp_path):
    mine = write_folder(tmp_path / "mine", (12, 12), names=("a<b>", "c&d"))
    assert main(tune(mine, saved, tmp_path / "tuned")) == 0
    text = (tmp_path / "tuned" / "report.html").read_text(encoding="utf-8")
    assert "<b>" not in text.replace("<b>red", "").replace("<figcaption><b>", "")
    assert "a&lt;b&gt;" in text


def test_least_sure_first():
    p = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
    assert least_sure(p, torch.tensor([0, 0, 0, 1, 1]), 2) == [[1, 2], [4, 3]]


def labelled(counts):
    y = torch.cat([torch.full((n,), k) for k, n in enumerate(counts)])
    return Samples(torch.zeros(len(y), 1, 2, 2), y, tuple(f"c{k}" for k in range(len(counts))))


def test_weights_of_classes():
    data = labelled([60, 30, 10])
    w = class_weights(data)
    assert torch.allclose(w[data.y].mean(), torch.tensor(1.0))
    assert torch.allclose(w * torch.tensor([60.0, 30.0, 10.0]), torch.tensor(100 / 3))
    assert balance_record(data, "none")["classes"]["c2"] == {"images": 10, "weight": 1.0}
    with pytest.raises(InputError, match="no training image of"):
        class_weights(Samples(data.x, data.y, ("c0", "c1", "c2", "c3")))


def test_a_weighted_loss_counts_each_class_alike():
    data = labelled([60, 30, 10])
    out = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    each = F.cross_entropy(out, data.y, reduction="none")
    objective = objective_of(data, TrainConfig(balance="loss"))
    expected = torch.stack([each[data.y == k].mean() for k in range(3)]).mean()
    assert torch.allclose(objective.loss(out, data.y), expected)
    plain = Classes(3, TrainConfig())
    assert objective.figures(out, data.y) == plain.figures(out, data.y)


def test_a_weighted_sampler_draws_each_class_alike():
    data = labelled([600, 300, 100])
    sampler = EpochBatches(1000, 64, 0, class_weights(data)[data.y])
    drawn = torch.cat(list(sampler))
    assert len(drawn) == 1000
    share = data.y[drawn].bincount() / 1000
    assert torch.allclose(share, torch.full((3,), 1 / 3), atol=0.06)
    sampler.set_epoch(1)
    assert not torch.equal(torch.cat(list(sampler)), drawn)


@pytest.mark.parametrize("key", ["balance", "calibrate"])
def test_values_are_not_balanced(key):
    data = Samples(torch.zeros(4, 1, 2, 2), torch.arange(4.0), Target("size"))
    with pytest.raises(InputError, match=key):
        objective_of(data, TrainConfig(**{key: "loss" if key == "balance" else True}))


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_a_temperature_is_found(factor):
    generator = torch.Generator().manual_seed(0)
    honest = 2 * torch.randn(4000, 4, generator=generator, dtype=torch.float64)
    y = torch.multinomial(honest.softmax(1), 1, generator=generator)[:, 0]
    assert fit_temperature(factor * honest, y) == pytest.approx(factor, rel=0.06)
    found = calibrate(factor * honest, y)
    assert found["ece_after"] < 0.03
    if factor != 1:
        assert found["ece_before"] > 0.1
        assert found["loss_after"] < found["loss_before"]


def test_every_fold_holds_every_class():
    y = torch.arange(60) % 5  # in the order that a fold of every fifth image cannot bear
    assert all((y[folds(y) == k].bincount(minlength=5) > 0).all() for k in range(5))


def test_no_image_is_judged_by_a_temperature_that_saw_it():
    """Cross-fitting is worse than the fit on the same images, and far worse where one fold alone is different."""
    generator = torch.Generator().manual_seed(0)
    honest = torch.randn(500, 3, generator=generator, dtype=torch.float64)
    y = torch.multinomial(honest.softmax(1), 1, generator=generator)[:, 0]
    fold = folds(y)
    z = torch.where((fold == 0)[:, None], 8 * honest, honest)  # images of one fold are answered far too boldly
    found = calibrate(z, y)
    others = fit_temperature(z[fold != 0], y[fold != 0])
    rest = [z[fold == k] / fit_temperature(z[fold != k], y[fold != k]) for k in range(1, 5)]
    labels = [y[fold == k] for k in range(1, 5)]
    expected = F.cross_entropy(torch.cat((z[fold == 0] / others, *rest)), torch.cat((y[fold == 0], *labels)))
    assert found["loss_after"] == pytest.approx(float(expected))
    assert found["loss_after"] > float(F.cross_entropy(z / found["fitted"], y)) + 0.01


def test_always_right_is_not_infinitely_sure():
    z = 5 * F.one_hot(torch.arange(60) % 3, 3).double()
    t = fit_temperature(z, torch.arange(60) % 3)
    assert 0.5 < t < 3
    assert calibrate(z[:6], torch.arange(6) % 3)["ece_after"] is None


def test_a_temperature_that_harms_is_not_used():
    z = torch.randn(12, 3, generator=torch.Generator().manual_seed(4)).double()
    harmful = next(
        found
        for seed in range(50)
        for found in [calibrate(z, torch.randint(3, (12,), generator=torch.Generator().manual_seed(seed)))]
        if found["loss_after"] > found["loss_before"]
    )
    assert harmful["temperature"] == 1
    assert harmful["fitted"] != 1


def test_reliability_by_hand():
    p = torch.tensor([[0.95, 0.05], [0.85, 0.15], [0.45, 0.55], [1.0, 0.0]])
    rows = reliability(p, torch.tensor([0, 1, 1, 0]), 10)
    assert [(r["images"], r["accuracy"]) for r in rows] == [(1, 1.0), (1, 0.0), (2, 1.0)]
    assert expected_error(p, torch.tensor([0, 1, 1, 0]), 10) == pytest.approx((0.45 + 0.85 + 2 * 0.025) / 4, abs=1e-6)
