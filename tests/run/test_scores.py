"""Figures of a classifier against hand-made cases, and the pieces that the commands stand on."""

from __future__ import annotations

import json

import pytest
import torch

from steerable.data import Samples
from steerable.run.loaders import EpochBatches, loader
from steerable.run.outputs import whole_folder, write_json
from steerable.run.scores import auc, class_scores, confusion, predict
from steerable.run.tables import cell, markdown, mean_and_spread, summarise


class TopHeavy(torch.nn.Module):
    """Class 1 if the upper half is brighter: the opposite answer for some quarter turns."""

    def forward(self, x):
        d = x[..., :2, :].mean((1, 2, 3)) - x[..., 2:, :].mean((1, 2, 3))
        return torch.stack([-d, d], 1)


def data():
    x = torch.zeros(4, 1, 4, 4)
    x[0, :, :2] = 1
    x[1, :, 2:] = 1
    x[2, :, :, :1] = 1
    x[2, :, :2] += 0.1
    x[3, :, :, 3:] = 1
    x[3, :, 2:] += 0.1
    return Samples(x, torch.tensor([1, 0, 1, 1]), ("a", "b"))


def test_score():
    s = class_scores(TopHeavy(), data())
    assert s["accuracy"] == 0.75  # the last one is wrong
    assert s["confusion"] == [[1, 0], [1, 2]]
    # a quarter turn counter-clockwise brings the right side to the top: the last image becomes class 1, the third
    # class 0, and the halves have no bright side any more (class 0, the first of two equal logits)
    assert s["changed"] == 0.75
    assert s["accuracy_turned"] == 0.5
    assert s["images"] == 4
    assert s["logit_error"] > 0.5


def test_auc_agrees_with_scikit_learn_on_a_literal():
    # sklearn.metrics.roc_auc_score(y, softmax(logits), multi_class="ovr", average="macro")
    logits = torch.tensor([[2.0, 1, 0], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [0, 1, 1.5]])
    y = torch.tensor([0, 1, 2, 0, 1, 2])
    assert auc(logits, y) == pytest.approx(0.75, abs=1e-9)
    assert confusion(logits, y) == [[1, 1, 0], [1, 1, 0], [0, 0, 2]]


def test_auc_skips_absent_classes():
    logits = torch.tensor([[3.0, 0, 0], [0, 3, 0], [2, 1, 0], [1, 2, 0]])
    assert auc(logits, torch.tensor([0, 1, 0, 1])) == 1.0
    assert auc(logits, torch.tensor([0, 0, 0, 0])) != auc(logits, torch.tensor([0, 1, 0, 1]))


def test_predict_keeps_the_mode_and_the_dtype():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(4, 2)).double().train()
    x = torch.randn(5, 1, 2, 2)
    assert torch.equal(predict(net, x, 2), predict(net, x, 5))
    assert predict(net, x).dtype == torch.float64
    assert net.training


def test_batches_are_even_and_depend_on_seed_and_epoch():
    s = EpochBatches(10, 4, 0)
    first = list(s)
    assert [len(b) for b in first] == [4, 3, 3]
    assert torch.equal(torch.cat(first).sort().values, torch.arange(10))
    assert all(torch.equal(a, b) for a, b in zip(first, s, strict=True))
    s.set_epoch(1)
    assert not torch.equal(torch.cat(first), torch.cat(list(s)))
    x, y = next(iter(loader(data(), 2, None)))
    assert x.shape == (2, 1, 4, 4)
    assert y.tolist() == [1, 0]


def test_whole_folder_is_whole_or_absent(tmp_path):
    out = tmp_path / "a" / "b"
    with pytest.raises(RuntimeError), whole_folder(out) as folder:
        (folder / "x").touch()
        raise RuntimeError(f"{folder}")
    assert list(tmp_path.iterdir()) == []
    with whole_folder(out) as folder:
        (folder / "x").touch()
        assert not out.exists()
    assert [p.name for p in out.iterdir()] == ["x"]


def test_json_holds_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"a": [float("nan"), 1.0], "b": float("inf")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [None, 1.0], "b": None}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_tables():
    assert mean_and_spread([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
    s = summarise([{"a": 1.0, "b": float("nan")}, {"a": 3.0, "b": 1.0}], ("a", "b", "c"))
    assert s.keys() == {"a"}
    assert cell(s["a"], True) == "2.000 +- 1.414"
    assert cell({"mean": 3e-7, "spread": 0.0}, False) == "3e-07"
    assert cell(None, True) == "-"
    assert markdown(["a", "b"], [["x", "y"]]).splitlines() == ["| a | b |", "| --- | --- |", "| x | y |"]
