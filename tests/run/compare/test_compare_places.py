"""`steerable compare` where answers stand at every place: figures of sums over samples, and going on after a kill."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from tests.run.spheres import made

from steerable.run.cli import main
from steerable.run.compare import work
from steerable.run.compare.merit import REGIONS, minus_root
from steerable.run.compare.read import read_plan
from steerable.run.compare.summary import difference, gather
from steerable.run.readers import READERS


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Winds and regions on 12 rings, two networks, two seeds; rates are chosen on validation."""
    monkeypatch.setitem(READERS, "made", made)
    small = {"widths": [2, 3], "kernel_size": 3}
    values = {
        "out": str(tmp_path / "cmp"),
        "base": {"data": {"name": "made"}, "train": {"epochs": 2, "batch_size": 6, "device": "cpu"}},
        "tasks": {k: {"data": {"options": {"kind": k}}} for k in ("regions", "wind")},
        "networks": {
            "steerable": {"model": {"name": "sphere_unet", "options": small}},
            "plain": {"model": {"name": "sphere_unet_plain", "options": small}},
        },
        "sizes": [8],
        "count": "images",
        "grid": {"train.lr": [1e-4, 2e-2]},
        "seeds": [0, 1],
        "reference": ["plain"],
    }
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_one_command_compares_answers_at_every_place(plan, tmp_path):
    assert main(["compare", str(plan)]) == 0
    out = tmp_path / "cmp"
    table = (out / "table.md").read_text()
    assert "**regions, 8 training maps**" in table
    assert table.count("Unit of the intervals: one of the 6 maps of the test part") == 2
    assert "the best isotropic filter" in table and "linear model of what surrounds a place" in table
    assert (out / "curves.png").read_bytes()[:4] == b"\x89PNG"
    rows = {(r.task, r.network): r for r in gather(read_plan(str(plan)), work.Images())}
    for task, key, sign in (("regions", "iou", 1), ("wind", "rmse", -1)):
        ours, plain = rows[task, "steerable"], rows[task, "plain"]
        # the gain is the difference of the figures that `steerable evaluate` writes, not a mean of figures of samples
        assert ours.gain[0] == pytest.approx(sign * (ours.figures[key][0] - plain.figures[key][0]), rel=1e-6)
        assert ours.gain[1] <= ours.gain[0] <= ours.gain[2]
        assert plain.gain is None
        assert ours.cost > 0 and np.isfinite(ours.floors["linear"][key])
        record = json.loads((out / task / "steerable/8/seed1/run.json").read_text())
        assert record["config"]["data"]["images"] == 8
        chosen = json.loads((out / task / "steerable/8/chosen.json").read_text())
        best = max(chosen["trials"], key=lambda t: sign * t["validation"][f"val_{key}"])
        assert chosen["keys"] == best["keys"] and chosen["by"] == f"val_{key}"


def test_going_on_after_a_kill_gives_the_same(plan, tmp_path, monkeypatch):
    one = ["compare", str(plan), "--tasks", "wind", "--networks", "steerable", "--seeds", "0"]
    assert main(one) == 0
    folder = tmp_path / "cmp/wind/steerable/8/seed0"
    whole = np.load(folder / "answers.npy")
    assert whole.shape == (6, 2)  # sums of each sample, not its places
    rows = json.loads((tmp_path / "cmp/rows.json").read_text())["rows"]
    shutil.rmtree(tmp_path / "cmp")
    real, count = work.fit_seed, [0]

    def stops(*a):
        count[0] += 1
        if count[0] == 3:
            raise KeyboardInterrupt("as if killed")
        return real(*a)

    monkeypatch.setattr(work, "fit_seed", stops)
    assert main(one) == 130
    assert main(one) == 0
    assert count[0] == 4  # two trials and the run, which was begun twice
    assert np.array_equal(np.load(folder / "answers.npy"), whole)
    again = json.loads((tmp_path / "cmp/rows.json").read_text())["rows"]
    timed = {"seconds", "floors"}
    assert [{k: v for k, v in r.items() if k not in timed} for r in again] == [
        {k: v for k, v in r.items() if k not in timed} for r in rows
    ]


def test_samples_are_drawn_again_with_all_their_places():
    """Mean IoU is none of single samples: their counts are summed first; the planted fault is the mean of figures."""
    data = made(kind="regions").test
    out = torch.randn(len(data), 3, *data.places, generator=torch.Generator().manual_seed(1))
    counts = REGIONS.keep(out, data)
    assert counts.shape == (6, 3, 3)
    figure = REGIONS.figure(counts.mean(0)[None])
    assert figure != pytest.approx(REGIONS.figure(counts).mean(), rel=1e-6)
    better = torch.nn.functional.one_hot(data.y.clamp_min(0), 3).movedim(-1, 1).float()
    gain, low, high = difference(REGIONS.keep(better, data)[None], counts[None], 200, REGIONS.figure)
    assert gain == pytest.approx(1 - figure[0])
    assert 0 < low < gain < high


def test_a_sample_of_which_more_is_known_counts_more():
    sums = np.array([[[8.0, 2.0], [0.0, 6.0]]])  # one seed, two samples: square errors and areas
    assert minus_root(sums.mean(1)) == pytest.approx(-1.0)


def test_a_count_that_there_is_not_is_told(plan, capsys):
    values = yaml.safe_load(plan.read_text())
    plan.write_text(yaml.safe_dump({**values, "count": "maps"}))
    assert main(["compare", str(plan)]) == 2
    assert "count is 'maps'; expected one of auto, per_class, images" in capsys.readouterr().err


def test_draws_without_a_known_answer_are_left_out():
    """One sample of eight is known: a draw without it says nothing; it is not a perfect answer, and not NaN."""
    ours, theirs = np.zeros((2, 2, 8, 2))
    ours[:, 3], theirs[:, 3] = (4.0, 2.0), (9.0, 2.0)
    gain, low, high = difference(ours, theirs, figure=minus_root)
    assert gain == pytest.approx(4.5**0.5 - 2**0.5)
    assert low == pytest.approx(gain) and high == pytest.approx(gain)
    counts = np.zeros((2, 2, 8, 2, 2))
    counts[:, :, 3], counts[0, :, 3] = [[5, 5], [5, 5]], [[10, 0], [5, 5]]
    gain, low, high = difference(*counts, figure=REGIONS.figure)
    assert low == pytest.approx(gain) and high == pytest.approx(gain) and gain > 0
    assert np.isnan(difference(0 * counts[0], 0 * counts[1], figure=REGIONS.figure)).all()
