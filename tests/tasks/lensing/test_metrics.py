from __future__ import annotations

import pytest
import torch

from steerable.tasks.lensing import LensSettings, LinearFloor, draw_scenes, simulate
from steerable.tasks.lensing.floor import residual_statistics
from steerable.tasks.lensing.metrics import (
    accuracy,
    changed_predictions,
    confusion_matrix,
    equivariance_error,
    macro_auc,
    predict,
)
from steerable.tasks.lensing.render import add_noise, noise_level, render


def test_accuracy_confusion_and_changes() -> None:
    logits = torch.tensor([[2.0, 1, 0], [0, 3, 1], [0, 1, 2], [5, 0, 0]])
    label = torch.tensor([0, 1, 1, 2])
    assert accuracy(logits, label) == 0.5
    assert confusion_matrix(logits, label).tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 0]]
    assert changed_predictions(logits, logits.roll(1, 1)) == 1.0
    assert equivariance_error(logits, logits) == 0.0
    assert equivariance_error(logits, logits + 1) > 0.1


def test_macro_auc_is_the_share_of_ordered_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(3, (60,), generator=generator)
    logits = torch.randn(60, 3, generator=generator).mul(2).round() / 2  # with ties
    scores, areas = logits.double().softmax(1), []
    for k in range(3):
        difference = scores[label == k, k][:, None] - scores[label != k, k][None]
        areas.append(float(((difference > 0).double() + 0.5 * (difference == 0).double()).mean()))
    assert macro_auc(logits, label) == pytest.approx(sum(areas) / 3, abs=1e-12)
    with pytest.raises(ValueError, match="class 2 has 0 of 2 labels"):
        macro_auc(torch.randn(2, 3), torch.tensor([0, 1]))


def test_predict_restores_the_mode() -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.BatchNorm1d(16), torch.nn.Linear(16, 3)).train()
    before = model[1].running_mean.clone()
    assert predict(model, torch.randn(7, 1, 4, 4), batch=3).shape == (7, 3)
    assert model.training and torch.equal(before, model[1].running_mean)


def test_the_floor_is_above_chance_and_blind_to_position() -> None:
    train, test = simulate(60, split="train"), simulate(40, split="test")
    floor = LinearFloor().fit(train.residual, train.label)
    assert 0.5 < accuracy(floor(test.residual), test.label) < 0.85
    shuffled = test.residual.flatten(1)[:, torch.randperm(4096)].unflatten(1, (64, 64))
    assert torch.allclose(residual_statistics(test.residual), residual_statistics(shuffled), atol=1e-4)
    with pytest.raises(RuntimeError, match="before fit"):
        LinearFloor()(test.residual)


def test_global_statistics_of_the_image_do_not_tell_the_classes() -> None:
    """No shortcut: without the residual, flux, widths and quantiles leave a linear model near chance (1/3)."""
    settings = LensSettings()

    def features(split: str, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows, labels = [], []
        for label in range(3):
            scene = draw_scenes(settings, label, range(n), split=split)
            image = render(scene, settings)
            image = add_noise(image, noise_level(image, settings), scene, settings)
            flat = image.flatten(1).double()
            radius = torch.linspace(-1.575, 1.575, 64, dtype=torch.float64).square()
            radius = (radius[:, None] + radius[None]).sqrt().flatten()
            flux = flat.sum(1)
            moments = [(flat * radius**p).sum(1) / flux for p in (1, 2)]
            quantiles = torch.quantile(flat, torch.tensor([0.25, 0.5, 0.75, 0.9, 0.97], dtype=torch.float64), dim=1)
            rows.append(torch.stack([flux, flat.std(1), flat.amax(1), *moments, *quantiles], 1))
            labels.append(scene.label)
        table = torch.cat(rows)
        return torch.cat((table, table**2), 1), torch.cat(labels)

    x, y = features("train", 300)
    mean, std = x.mean(0), x.std(0)
    design = torch.cat(((x - mean) / std, torch.ones(len(x), 1, dtype=torch.float64)), 1)
    weight = torch.linalg.solve(design.T @ design + torch.eye(design.shape[1]), design.T @ torch.eye(3)[y].double())
    x, y = features("test", 300)
    design = torch.cat(((x - mean) / std, torch.ones(len(x), 1, dtype=torch.float64)), 1)
    assert accuracy(design @ weight, y) < 0.42
