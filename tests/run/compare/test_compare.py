"""`steerable compare` from end to end on tiny images: tuning, going on after a kill, one process a run, honest rows."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
import yaml

from steerable.data.errors import InputError
from steerable.data.shards.lock import locked
from steerable.run.cli import main
from steerable.run.compare import summary, work
from steerable.run.compare.cost import multiplications
from steerable.run.compare.merit import minus_root
from steerable.run.compare.page import called
from steerable.run.compare.plan import Plan
from steerable.run.compare.read import packaged_plans, read_plan
from steerable.run.compare.summary import Row, difference, gather


@pytest.fixture
def plan(images, tmp_path, networks):
    """A plan of two networks, two sizes, two seeds, a grid of two, in a file."""
    values = {
        "out": str(tmp_path / "cmp"),
        "base": {
            "data": {"name": "folder", "root": str(images)},
            "train": {"epochs": 2, "batch_size": 16, "device": "cpu"},
        },
        "networks": {
            "invariant": {"model": {"name": "tiny_invariant", "group": "C4"}},
            "plain": {"model": {"name": "tiny_plain", "options": {"width": 5}}},
        },
        "sizes": [8, 16],
        "by_size": {8: {"train": {"epochs": 3}}},
        "grid": {"train.lr": [0.001, 0.05]},
        "seeds": [0, 1],
        "reference": ["plain"],
    }
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def folders(tmp_path):
    return {p.parent.relative_to(tmp_path / "cmp").as_posix() for p in (tmp_path / "cmp").rglob("run.json")}


def test_one_command_makes_table_and_figure(plan, tmp_path, capsys):
    assert main(["compare", str(plan)]) == 0
    out = tmp_path / "cmp"
    assert len(folders(tmp_path)) == 2 * 2 * (2 + 2)  # networks, sizes, seeds + points of the grid
    assert (out / "curves.png").read_bytes()[:4] == b"\x89PNG"
    table = (out / "table.md").read_text()
    assert table in capsys.readouterr().out + "\n"
    assert "linear model of global statistics" in table
    assert table.count("reference") == 2 * 2  # the head and the row of each size
    rows = json.loads((out / "rows.json").read_text())["rows"]
    assert [(r["network"], r["size"]) for r in rows] == [
        ("invariant", 8), ("plain", 8), ("invariant", 16), ("plain", 16)]  # fmt: skip
    for r in rows:
        chosen = json.loads((out / "classify" / r["network"] / str(r["size"]) / "chosen.json").read_text())
        best = max(chosen["trials"], key=lambda t: t["validation"]["val_accuracy"])
        assert chosen["keys"] == best["keys"] == r["chosen"]
        assert chosen["seed"] == 1000
        record = json.loads((out / "classify" / r["network"] / str(r["size"]) / "seed1" / "run.json").read_text())
        assert record["config"]["train"]["lr"] == chosen["keys"]["train.lr"]
        assert record["config"]["train"]["epochs"] == (3 if r["size"] == 8 else 2)
        assert record["config"]["data"]["per_class"] == r["size"]
    assert not list(out.rglob("*.lock"))


def test_settings_may_be_chosen_at_one_size(plan, tmp_path):
    values = yaml.safe_load(plan.read_text())
    plan.write_text(yaml.safe_dump({**values, "tuning_size": 8}))
    assert main(["compare", str(plan), "--networks", "plain"]) == 0
    out = tmp_path / "cmp/classify/plain"
    assert (out / "8/chosen.json").exists()
    assert not (out / "16/chosen.json").exists()
    rate = json.loads((out / "8/chosen.json").read_text())["keys"]["train.lr"]
    assert json.loads((out / "16/seed0/run.json").read_text())["config"]["train"]["lr"] == rate
    assert {r["chosen"]["train.lr"] for r in json.loads((tmp_path / "cmp/rows.json").read_text())["rows"]} == {rate}


def test_whole_runs_are_not_done_again(plan, tmp_path, monkeypatch, capsys):
    assert main(["compare", str(plan), "--sizes", "8"]) == 0
    calls = []
    monkeypatch.setattr(work, "fit_seed", lambda *a: calls.append(a))
    assert main(["compare", str(plan), "--sizes", "8"]) == 0
    assert main(["compare", str(plan), "--report"]) == 0
    assert not calls
    assert "4 of 8 runs" in capsys.readouterr().out


def test_going_on_gives_what_an_uninterrupted_one_gives(plan, tmp_path, monkeypatch):
    one = ["compare", str(plan), "--sizes", "8", "--networks", "plain", "--seeds", "0"]
    assert main(one) == 0
    whole = np.load(tmp_path / "cmp/classify/plain/8/seed0/answers.npy")
    shutil.rmtree(tmp_path / "cmp")
    real, count = work.fit_seed, [0]

    def stops(*a):
        count[0] += 1
        if count[0] == 2:
            raise KeyboardInterrupt("as if killed")
        return real(*a)

    monkeypatch.setattr(work, "fit_seed", stops)
    assert main(one) == 130
    # what a kill leaves: a partial folder without a checkpoint
    (tmp_path / "cmp/classify/plain/8/seed0.partial").mkdir(parents=True)
    assert main(one) == 0
    assert np.array_equal(np.load(tmp_path / "cmp/classify/plain/8/seed0/answers.npy"), whole)
    assert count[0] == 4  # two trials and the run, one of them twice


def test_a_run_that_another_process_is_at_is_left_to_it(plan, tmp_path, capsys):
    folder = tmp_path / "cmp/classify/plain/8/seed0.lock"
    args = ["compare", str(plan), "--sizes", "8", "--networks", "plain"]
    with locked(folder, "seed0"):
        assert main(args) == 0
        assert "another process is at 1" in capsys.readouterr().out
    assert not (tmp_path / "cmp/classify/plain/8/seed0").exists()
    assert main(args) == 0
    assert (tmp_path / "cmp/classify/plain/8/seed0/answers.npy").exists()


def test_a_run_with_other_settings_is_refused(plan, tmp_path, capsys):
    assert main(["compare", str(plan), "--sizes", "8", "--networks", "plain", "--seeds", "0"]) == 0
    values = yaml.safe_load(plan.read_text())
    values["base"]["train"]["weight_decay"] = 0.5
    plan.write_text(yaml.safe_dump(values))
    (tmp_path / "cmp/classify/plain/8/seed0/answers.npy").unlink()
    assert main(["compare", str(plan), "--sizes", "8", "--networks", "plain", "--seeds", "0"]) == 2
    text = capsys.readouterr().err
    assert "weight_decay" in text
    assert "expected the same" in text


def test_the_reference_is_chosen_on_validation_and_differences_have_a_sign(plan, tmp_path):
    assert main(["compare", str(plan), "--sizes", "16"]) == 0
    found = read_plan(str(plan))
    rows = {r.network: r for r in gather(found, work.Images())}
    gain = rows["invariant"].gain
    assert gain is not None
    assert rows["plain"].gain is None
    expected = rows["invariant"].figures["accuracy"][0] - rows["plain"].figures["accuracy"][0]
    assert gain[0] == pytest.approx(expected)
    assert gain[1] <= gain[0] <= gain[2]


def test_the_reference_is_not_the_best_on_the_test_part(tmp_path, monkeypatch):
    """Two references: the one that validation prefers is the worse one on the test images, and stays the reference."""
    values = {"out": str(tmp_path), "networks": {n: {} for n in ("ours", "honest", "lucky")}, "seeds": [0]}
    found = Plan(**values, reference=["honest", "lucky"])
    merit = {"ours": (0.95, 0.5), "honest": (0.9, 0.6), "lucky": (0.8, 0.9)}  # on validation, on the test part

    def row(plan, cells, images):
        valid, test = merit[cells[0].network]
        right = (np.arange(100)[None] < 100 * test).astype(float)
        return Row(*cells[0].group, [0], {}, valid, {}, 1, 1, 1.0, {}, right)

    monkeypatch.setattr(summary, "_row", row)
    for cell in found.cells():
        cell.folder(tmp_path).mkdir(parents=True)
        (cell.folder(tmp_path) / work.ANSWERS).touch()
    gains = {r.network: r.gain for r in gather(found, work.Images())}
    assert gains["honest"] is None
    assert gains["ours"][0] == pytest.approx(-0.1)
    assert gains["lucky"][0] == pytest.approx(0.3)


def test_intervals_cover_what_they_should():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        hard = rng.random(200)  # images are hard for both: pairs matter
        a = (rng.random((3, 200)) < 0.9 - 0.3 * hard).astype(float)
        b = (rng.random((3, 200)) < 0.8 - 0.3 * hard).astype(float)
        _, low, high = difference(a, b, draws=300)
        covered += low <= 0.1 <= high
    assert covered >= 88  # 95 expected; seeds are few, so a little more or less


def test_intervals_cover_the_luck_of_three_seeds():
    """Where training decides and images hardly matter, three seeds drawn again would cover 70 % or so."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        level = np.linspace(0, 1, 2000)  # a network with skill s is right on the share s of the images
        a, b = ((level < rng.normal(skill, 0.02, 3)[:, None]).astype(float) for skill in (0.9, 0.8))
        _, low, high = difference(a, b, draws=300)
        covered += low <= 0.1 <= high
    assert covered >= 184  # 190 expected, spread 3


def test_with_one_seed_the_interval_is_that_of_the_images():
    right = np.random.default_rng(0).random((2, 400)) < 0.7
    gain, low, high = difference(right[:1].astype(float), right[1:].astype(float))
    assert gain == pytest.approx(right[0].mean() - right[1].mean())
    spread = (right[0].astype(float) - right[1]).std() / 20
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"networks": {}}, "networks are []"),
        ({"seeds": [0, 0]}, "each once"),
        ({"seeds": [1000]}, "tuning_seed 1000"),
        ({"tuning_size": 9}, "expected one of sizes [8, 16]"),
        ({"reference": ["plian"]}, "Did you mean 'plain'"),
        ({"grid": {"train.rl": [1]}}, "Did you mean 'train.lr'"),
        ({"networks": {"a/b": {}}}, "cannot name a folder"),
        ({"base": {"trian": {"lr": 1}}}, "Did you mean 'train'"),
        ({"base": {"train": {"epoch": 1}}}, "epoch"),
        ({"tasks": []}, "expected a dict"),
        ({"nets": {}}, "there is no key 'nets'"),
    ],
)
def test_a_wrong_plan_is_told_in_one_line(plan, tmp_path, change, words, capsys):
    values = yaml.safe_load(plan.read_text())
    values.update(change)
    plan.write_text(yaml.safe_dump(values))
    assert main(["compare", str(plan)]) == 2
    text = capsys.readouterr().err
    assert words in text
    assert text.count("\n") == 1
    assert not (tmp_path / "cmp").exists()


def test_a_wrong_selection_or_nothing_to_report(plan, tmp_path, capsys):
    assert main(["compare", str(plan), "--networks", "plian"]) == 2
    assert "expected some of invariant, plain" in capsys.readouterr().err
    assert main(["compare", str(plan), "--report"]) == 2
    assert "no finished run" in capsys.readouterr().err
    assert main(["compare", "nothing.yaml"]) == 2
    assert "no packaged plan" in capsys.readouterr().err


def test_packaged_plans_can_be_read():
    for name in packaged_plans():
        assert isinstance(read_plan(name), Plan)


@pytest.fixture(scope="module")
def lenses(tmp_path_factory):
    """A folder of a few lenses for each mode of the simulator: the root of the packaged plans on them."""
    folder = tmp_path_factory.mktemp("lenses")
    few = ["--train=2", "--validation=1", "--test=1"]
    assert main(["simulate", "lensing", f"--out={folder / 'physical'}", *few]) == 0
    published = ["--published=II", "--settings.blind_fit=false"]
    assert main(["simulate", "lensing", f"--out={folder / 'published'}", *few, *published]) == 0
    return {"lensing": "physical", "lensing_inputs": "physical", "lensing_as_published": "published"}, folder


@pytest.mark.parametrize("name", packaged_plans())
def test_networks_of_packaged_plans_take_their_images(name, lenses, monkeypatch):
    of, folder = lenses
    found = read_plan(name, root=str(folder / of[name]) if name in of else None)
    few = next(iter(found.by_size.values()), {})
    found.sizes, found.by_size, found.tuning_size = [1], {1: few}, None
    monkeypatch.setattr(work.Floors, "fit", lambda data: None)
    images = work.Images()
    first = next(found.cells())
    try:
        images.read(found.config(first, {}).data)
    except InputError as e:
        if name in of or "STEERABLE_DATA" not in str(e):
            raise
        pytest.skip(f"the images of the plan are not here: {e}")
    work.try_networks(found, found.cells(), images)


def test_a_packaged_network_that_cannot_take_the_images_is_found(lenses, monkeypatch):
    """The planted fault of the test above."""
    of, folder = lenses
    found = read_plan("lensing_inputs", root=str(folder / of["lensing_inputs"]))
    found.sizes = [1]
    found.networks["D4, image"]["model"] = {"name": "wrn10_1", "group": "D4"}  # strides on 64 pixels
    monkeypatch.setattr(work.Floors, "fit", lambda data: None)
    with pytest.raises(InputError, match=r"network 'D4, image' .* break the symmetry"):
        work.try_networks(found, found.cells(), work.Images())


def test_the_cost_is_counted_in_multiplications():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, stride=2), torch.nn.Flatten(), torch.nn.Linear(8 * 4 * 5, 7))
    assert multiplications(net, 3, (12, 13)) == 8 * 3 * 25 * 4 * 5 + 8 * 4 * 5 * 7


def test_a_plan_without_tasks_is_called_as_its_data():
    values = {"networks": {"unet": {"model": {"name": "unet"}}}, "base": {"data": {"name": "masks"}}}
    assert called(Plan(**values), "classify") == "masks"
    assert called(Plan(**values, tasks={"cells": {}}), "cells") == "cells"


def test_a_plan_needs_networks():
    with pytest.raises(InputError, match="at least one"):
        Plan()


def test_a_network_that_cannot_be_trained_is_found_before_the_first_run(plan, tmp_path, capsys):
    values = yaml.safe_load(plan.read_text())
    for keys, words in (
        ({"name": "tiny_plian"}, ("model.name is 'tiny_plian'", "Did you mean 'tiny_plain'?")),
        ({"name": "tiny_plain", "options": {"widht": 3}}, ("widht", "expected")),
    ):
        values["networks"]["plain"] = {"model": keys}
        plan.write_text(yaml.safe_dump(values))
        assert main(["compare", str(plan)]) == 2
        said = capsys.readouterr()
        assert said.out == "" and len(said.err.strip().splitlines()) == 1
        assert all(w in said.err for w in ("network 'plain' of the plan (classify)", *words))
        assert not (tmp_path / "cmp").exists()


def test_a_size_above_the_images_is_found_before_the_first_run(plan, tmp_path, capsys):
    values = yaml.safe_load(plan.read_text())
    values["sizes"], values["by_size"] = [8, 5000], {}
    plan.write_text(yaml.safe_dump(values))
    assert main(["compare", str(plan)]) == 2
    assert "5000" in capsys.readouterr().err
    assert not (tmp_path / "cmp").exists()


def test_what_is_there_is_said_once_and_the_time_that_is_left(plan, tmp_path, capsys):
    part = ["compare", str(plan), "--networks", "plain", "--sizes", "8"]
    assert main(part) == 0
    assert "min left] classify plain 8 seed 1" in capsys.readouterr().out
    assert main(part) == 0
    said = capsys.readouterr().out
    assert "2 of 2 runs are there already" in said and "classify plain 8 seed" not in said


@pytest.fixture
def galaxies(tmp_path):
    """A plan of two tiny networks on made-up galaxies, whose target is a vector."""
    tiny = {"width": 0.03, "part": 37}
    values = {
        "out": str(tmp_path / "cmp"),
        "base": {
            "data": {"name": "galaxies_synthetic", "options": {"train": 24, "validation": 12, "test": 16, "size": 49}},
            "train": {"epochs": 1, "batch_size": 8, "device": "cpu"},
        },
        "networks": {
            "D4": {"model": {"name": "dieleman_d4", "group": "D4", "options": tiny}},
            "plain": {"model": {"name": "dieleman_d4_plain", "options": tiny}},
        },
        "sizes": [12],
        "seeds": [0, 1],
        "reference": ["plain"],
    }
    path = tmp_path / "galaxies.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_vectors_are_compared_by_the_rmse_that_evaluate_reports(galaxies, tmp_path, capsys):
    assert main(["compare", str(galaxies)]) == 0
    shown = capsys.readouterr().out
    assert "RMSE" in shown and "12 training images" in shown and "of each class" not in shown
    rows = {r["network"]: r for r in json.loads((tmp_path / "cmp/rows.json").read_text())["rows"]}
    mean = {}
    for name, row in rows.items():
        seeds = [tmp_path / "cmp/classify" / name / "12" / f"seed{s}" for s in (0, 1)]
        found = [json.loads((s / "evaluation.json").read_text()) for s in seeds]
        mean[name] = np.mean([f["rmse"] for f in found])
        assert list(row["figures"]) == ["rmse", "mae"]
        assert row["figures"]["rmse"][0] == pytest.approx(mean[name])
        assert row["floors"]["constant"]["rmse"] > 0
        assert json.loads((seeds[0] / "run.json").read_text())["config"]["data"]["images"] == 12
    gain = rows["D4"]["gain"]
    assert gain[0] == pytest.approx(mean["plain"] - mean["D4"], rel=1e-4)  # a smaller error is a gain
    assert gain[1] <= gain[0] <= gain[2]


def test_roots_are_drawn_after_the_mean():
    """The root of a mean is not the mean of roots: one image with a large error weighs more."""
    rng = np.random.default_rng(0)
    a, b = rng.exponential(1.0, (2, 3, 400)) * np.array([4.0, 9.0])[:, None, None]
    gain, low, high = difference(a, b, figure=minus_root)
    assert gain == pytest.approx(np.sqrt(b.mean(1)).mean() - np.sqrt(a.mean(1)).mean())
    assert 0.0 < low < 1.0 < high


def test_networks_that_see_other_images_have_floors_of_their_own(plan, tmp_path):
    values = yaml.safe_load(plan.read_text())
    values["networks"]["cut"] = {"model": {"name": "tiny_plain"}, "data": {"scale": "peak"}}
    values.update(sizes=[8], by_size={}, seeds=[0], grid={})
    plan.write_text(yaml.safe_dump(values))
    assert main(["compare", str(plan)]) == 0
    table = (tmp_path / "cmp/table.md").read_text()
    assert "linear model of global statistics, images of cut |" in table
    assert "linear model of global statistics, images of invariant; plain |" in table
    assert table.count("\n| constant") == 1
