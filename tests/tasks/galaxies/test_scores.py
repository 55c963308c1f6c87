"""RMSE, its floors, and which predictions to trust."""

from __future__ import annotations

import math

import pytest
import torch

from steerable.tasks.galaxies import (
    GalaxyFloors,
    GalaxyZooTree,
    accuracy_curve,
    filter_confident,
    galaxy_rmse,
    question_report,
    simulate_galaxies,
)


@pytest.fixture(scope="module")
def parts():
    return [simulate_galaxies(n, pixels=24, split=s) for n, s in ((200, "train"), (60, "validation"), (100, "test"))]


def test_the_mean_predictor_is_the_constant_floor(parts):
    train, val, test = parts
    floors = GalaxyFloors.fit((train.images, train.labels), (val.images, val.labels))
    scores = floors.scores(test.images, test.labels)
    mean = train.labels.mean(0)
    assert scores["constant"] == pytest.approx(float((test.labels - mean).square().mean().sqrt()), abs=1e-12)
    # on its own part the mean is the best constant: the spread of the labels
    assert floors.scores(train.images, train.labels)["constant"] == pytest.approx(
        float(train.labels.var(0, unbiased=False).mean().sqrt()), abs=1e-12
    )
    assert galaxy_rmse((mean + 0.01).expand_as(train.labels), train.labels) > galaxy_rmse(
        mean.expand_as(train.labels), train.labels
    )
    assert 0.05 < scores["linear"] < scores["constant"]
    # a linear map keeps linear relations: the floor obeys the sums of the tree
    assert test.tree.violations(floors.linear(test.images)).max() < 1e-6


def test_rmse_is_over_all_answers():
    y = torch.zeros(2, 37)
    y[0, 0] = 1
    assert galaxy_rmse(torch.zeros(2, 37), y) == pytest.approx(math.sqrt(1 / 74))
    with pytest.raises(ValueError, match=r"expected \[N, 37\] twice"):
        galaxy_rmse(torch.zeros(2, 1), y)


def sharp(p, columns):
    """Labels in which one answer to the first question has the share p."""
    scores = torch.ones(37, dtype=torch.float64)
    scores[:3] = torch.tensor([p, (1 - p) / 2, (1 - p) / 2])
    return GalaxyZooTree()(scores)


def test_confidence_keeps_the_sharp_ones():
    pred = torch.stack([sharp(p, 3) for p in (1 / 3, 0.6, 0.9, 1.0)])
    kept = {t: filter_confident(pred, t)[:, 0].tolist() for t in (0.0, 0.1, 0.5, 1.0)}
    assert kept[0.0] == [True] * 4
    assert kept[0.1] == [False, True, True, True]
    assert kept[0.5] == [False, False, True, True]
    assert kept[1.0] == [False, False, False, True]
    assert filter_confident(pred, 0.5).shape == (4, 11)
    with pytest.raises(ValueError, match=r"threshold=1\.5"):
        filter_confident(pred, 1.5)


def test_the_curve_counts_only_what_half_of_the_volunteers_reached():
    tree = GalaxyZooTree()
    labels = torch.stack([sharp(p, 3) for p in (0.8, 0.49, 0.2)])  # question 7 hangs below the first answer
    share = labels[:, 0]
    curve = accuracy_curve(labels, labels, (1.0,))
    assert curve["round"][0]["images"] == int((share >= 0.5).sum()) == 1
    assert curve["smooth"][0]["images"] == 3
    assert accuracy_curve(labels, labels, (1.0,), reached=0.0)["round"][0]["images"] == 3
    assert tree.decode(labels)[1][:, 6].tolist() == pytest.approx(share.tolist())


def test_the_curve_rises_where_confidence_is_earned():
    """Answers that are right when they are sharp, and wrong when they are not."""
    p = torch.linspace(0.34, 1.0, 40, dtype=torch.float64)
    pred = torch.stack([sharp(float(v), 3) for v in p])
    truth = pred.clone()
    truth[:20] = truth[:20][:, [1, 0, *range(2, 37)]]
    truth[:20] = GalaxyZooTree().weights(GalaxyZooTree().decode(truth[:20])[0])
    rows = accuracy_curve(pred, truth, (1.0, 0.75, 0.5, 0.25))["smooth"]
    assert [r["accuracy"] for r in rows] == pytest.approx([0.5, 2 / 3, 1.0, 1.0])
    assert [r["images"] for r in rows] == [40, 30, 20, 10]
    thresholds = [r["threshold"] for r in rows]
    assert thresholds == sorted(thresholds)
    kept = filter_confident(pred, rows[2]["threshold"])[:, 0]
    assert int(kept.sum()) == 20
    with pytest.raises(ValueError, match="fractions above 0"):
        accuracy_curve(pred, truth, (0.0,))


def test_the_report_has_every_question_even_where_nobody_reached_it():
    labels = torch.stack([sharp(1.0, 3)] * 3)  # all smooth: no disc to ask about
    report = question_report(labels, labels)
    names = [q.name for q in GalaxyZooTree.questions]
    assert list(report["tables"]["RMSE by question"]) == names and set(report["curves"]) == set(names)
    assert report["curves"]["bar"][0]["images"] == 0 and math.isnan(report["curves"]["bar"][0]["accuracy"])
