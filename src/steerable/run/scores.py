"""What a classifier is worth, and whether it holds still when the image is turned."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from steerable.data import ImageData


def predict(model: nn.Module, x: Tensor, batch_size: int = 256) -> Tensor:
    """Return the logits ``[N, K]`` of images ``[N, C, H, W]``, on the CPU, with the model in eval mode."""
    parameter = next(model.parameters(), torch.zeros(()))
    was = model.training
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(part.to(parameter)).cpu() for part in x.split(batch_size)])
    model.train(was)
    return out


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Return the share of images ``[N, K]`` whose largest logit is the label ``[N]``."""
    return float((logits.argmax(1) == y).double().mean())


def auc(logits: Tensor, y: Tensor) -> float:
    """Return the area under the ROC curve, one class against the rest, averaged over the classes that occur."""
    from torchmetrics.functional.classification import multiclass_auroc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class may be missing from a small validation part
        each = multiclass_auroc(logits.double().softmax(1), y, num_classes=logits.shape[1], average="none")
    present = y.bincount(minlength=logits.shape[1]) > 0
    return float(each[present & (len(y.unique()) > 1)].mean()) if len(y.unique()) > 1 else float("nan")


def confusion(logits: Tensor, y: Tensor) -> list[list[int]]:
    """Return counts ``[K][K]``: row = label, column = prediction."""
    k = logits.shape[1]
    return (y * k + logits.argmax(1)).bincount(minlength=k * k).view(k, k).tolist()


def score(model: nn.Module, data: ImageData, train: ImageData | None = None) -> dict[str, Any]:
    """Score a classifier on images and on the same images turned by 90 degrees.

    Args:
        model: ``[B, C, H, W] -> [B, K]``.
        data: the test part.
        train: the training part: its most frequent class is the constant predictor.

    Returns:
        accuracy, accuracy_turned, auc, changed (share of predictions that a quarter turn changes), logit_error
        (norm of the change of the logits over their norm), floor (accuracy of the constant predictor), images,
        confusion.
    """
    logits, turned = predict(model, data.x), predict(model, torch.rot90(data.x, 1, (-2, -1)))
    common = int(torch.tensor((train or data).counts()).argmax())
    return {
        "accuracy": accuracy(logits, data.y),
        "accuracy_turned": accuracy(turned, data.y),
        "auc": auc(logits, data.y),
        "changed": float((logits.argmax(1) != turned.argmax(1)).double().mean()),
        "logit_error": float((logits - turned).norm() / logits.norm().clamp_min(1e-30)),
        "floor": float((data.y == common).double().mean()),
        "images": len(data),
        "confusion": confusion(logits, data.y),
    }
