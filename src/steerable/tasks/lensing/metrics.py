"""Numbers that say how good and how steady a classifier is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["accuracy", "changed_predictions", "confusion_matrix", "equivariance_error", "macro_auc", "predict"]


@torch.no_grad()
def predict(model: torch.nn.Module | Callable[[Tensor], Tensor], inputs: Tensor, batch: int = 128) -> Tensor:
    """Logits [N, classes] in evaluation mode, `batch` images at a time; the mode of the model is restored."""
    training = isinstance(model, torch.nn.Module) and model.training
    if isinstance(model, torch.nn.Module):
        model.eval()
    try:
        return torch.cat([model(part) for part in inputs.split(batch)])
    finally:
        if training and isinstance(model, torch.nn.Module):
            model.train()


def accuracy(logits: Tensor, label: Tensor) -> float:
    """Share of correct predictions; logits [N, classes], labels [N]."""
    return float((logits.argmax(1) == label).double().mean())


def macro_auc(logits: Tensor, label: Tensor) -> float:
    """Area under the ROC curve, one class against the rest on softmax scores, mean over classes; ties count half.

    Source: the rank-sum identity, J. A. Hanley and B. J. McNeil, Radiology 143, 29 (1982).

    Raises:
        ValueError: when a class is absent from the labels.
    """
    scores = logits.double().softmax(1)
    areas = []
    for k in range(scores.shape[1]):
        positive = label == k
        n, m = int(positive.sum()), int((~positive).sum())
        if n == 0 or m == 0:
            raise ValueError(f"macro_auc: class {k} has {n} of {n + m} labels; expected some, not all")
        _, where, counts = torch.unique(scores[:, k], return_inverse=True, return_counts=True)
        ranks = (counts.cumsum(0) - (counts - 1) / 2)[where]  # mean rank of tied scores
        areas.append((float(ranks[positive].sum()) - n * (n + 1) / 2) / (n * m))
    return sum(areas) / len(areas)


def confusion_matrix(logits: Tensor, label: Tensor) -> Tensor:
    """[classes, classes] int64 counts: row = truth, column = prediction."""
    classes = logits.shape[1]
    return torch.bincount(label * classes + logits.argmax(1), minlength=classes * classes).reshape(classes, classes)


def changed_predictions(logits: Tensor, turned: Tensor) -> float:
    """Share of images whose predicted class differs between two sets of logits [N, classes]."""
    return float((logits.argmax(1) != turned.argmax(1)).double().mean())


def equivariance_error(logits: Tensor, turned: Tensor) -> float:
    """Relative error of an invariant answer: norm of the difference over that of the centred logits [N, classes]."""
    centred = logits - logits.mean(0)
    return float((turned - logits).double().norm() / centred.double().norm().clamp_min(1e-30))
