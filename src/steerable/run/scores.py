"""What a network is worth, and whether it holds still when the image is turned."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from steerable.data import Clouds, Samples
from steerable.groups.group import Group
from steerable.run.ask import ask, batch_of, like
from steerable.run.domains import domain_of


def predict(model: nn.Module, x: Tensor | Clouds, batch_size: int = 256) -> Tensor:
    """Return the answers ``[N, K]`` to images ``[N, C, H, W]``, on the CPU, with the model in eval mode.

    Args:
        model: what answers; a segmentation answers ``[N, K, (D,) H, W]``.
        x: images, volumes or point sets.
        batch_size: at most this many together.
    """
    was = model.training
    model.eval()
    with torch.no_grad():
        out = torch.cat([ask(model, like(model, part)).cpu() for part in x.split(batch_of(x, batch_size))])
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


def error_figures(answer: Tensor, y: Tensor) -> dict[str, float]:
    """Return MAE, RMSE and bias (answer minus truth, mean) of values, over all entries of vectors.

    Args:
        answer: ``[N]``, or ``[N, K]``.
        y: the truth in the same shape; another one would broadcast.

    Raises:
        ValueError: shapes that differ.
    """
    if answer.shape != y.shape or y.ndim not in (1, 2):
        raise ValueError(f"errors: answers {list(answer.shape)}, truth {list(y.shape)}; expected [N] twice.")
    d = answer.double() - y.double()
    return {"mae": float(d.abs().mean()), "rmse": float(d.square().mean().sqrt()), "bias": float(d.mean())}


def binned(answer: Tensor, y: Tensor, edges: list[float]) -> list[dict[str, float]]:
    """Return the error figures for each bin of the true value.

    Args:
        answer: ``[N]``.
        y: the truth ``[N]``.
        edges: of the bins, ascending; values outside count with the first or the last bin.

    Returns:
        For each bin: from, to, images, mae, rmse, bias; the last three are NaN in an empty bin.
    """
    inner = torch.tensor(edges[1:-1], dtype=torch.float64)
    place = torch.bucketize(y.double(), inner, right=True)
    rows = []
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        here = place == k
        rows.append({"from": low, "to": high, "images": int(here.sum()), **error_figures(answer[here], y[here])})
    return rows


def class_scores(model: nn.Module, data: Samples, group: Group | None = None) -> dict[str, Any]:
    """Score a classifier on images and on the same images turned (see :mod:`steerable.run.domains`).

    Args:
        model: ``[B, C, H, W] -> [B, K]``.
        data: the test part.
        group: by whose turn, see :class:`steerable.run.domains.Domain`.

    Returns:
        accuracy, accuracy_turned, auc, changed (share of predictions that the turn changes), logit_error
        (norm of the change of the logits over their norm), images, confusion.
    """
    logits, moved = predict(model, data.x), predict(model, domain_of(data).turn(group, data).turned(data))
    return {
        "accuracy": accuracy(logits, data.y),
        "accuracy_turned": accuracy(moved, data.y),
        "auc": auc(logits, data.y),
        "changed": float((logits.argmax(1) != moved.argmax(1)).double().mean()),
        "logit_error": float((logits - moved).norm() / logits.norm().clamp_min(1e-30)),
        "images": len(data),
        "confusion": confusion(logits, data.y),
    }


def value_scores(model: nn.Module, data: Samples, edges: list[float], group: Group | None = None) -> dict[str, Any]:
    """Score a regression, in the unit of the target, on images and on the same images turned.

    Args:
        model: ``[B, C, H, W] -> [B, 1]``.
        data: the test part.
        edges: of the bins of the true value.
        group: by whose turn.

    Returns:
        mae, mae_turned, rmse, bias, moved (mean absolute change of the answer under the turn), images, bins.
    """
    answer, moved = (predict(model, x)[:, 0] for x in (data.x, domain_of(data).turn(group, data).turned(data)))
    return {
        **error_figures(answer, data.y),
        "mae_turned": error_figures(moved, data.y)["mae"],
        "moved": float((answer - moved).double().abs().mean()),
        "images": len(data),
        "bins": binned(answer, data.y, edges),
    }


def vector_scores(
    model: nn.Module,
    data: Samples,
    report: Callable[[Tensor, Tensor], dict[str, Any]] | None = None,
    group: Group | None = None,
) -> dict[str, Any]:
    """Score a regression of vectors on images and on the same images turned (see :mod:`steerable.run.domains`).

    Args:
        model: ``[B, C, H, W] -> [B, K]``, in the unit of the target.
        data: the test part.
        report: of the head of the target, from answers and truth ``[N, K]``.
        group: by whose turn.

    Returns:
        mae, rmse, rmse_turned (all over the N K entries), moved (root mean square change of the answer under the
        turn), images, and what the report says.
    """
    answer, moved = (predict(model, x) for x in (data.x, domain_of(data).turn(group, data).turned(data)))
    errors = error_figures(answer, data.y)
    return {
        "rmse": errors["rmse"],
        "rmse_turned": error_figures(moved, data.y)["rmse"],
        "mae": errors["mae"],
        "moved": float((answer - moved).double().square().mean().sqrt()),
        "images": len(data),
        **({} if report is None else report(answer.double(), data.y.double())),
    }
