"""Answers at every pixel, voxel or sample of the sphere against the truth; places without one do not count."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from steerable.data import Samples
from steerable.groups.group import Group
from steerable.run.domains import domain_of
from steerable.run.scores import predict


def place_counts(out: Tensor, y: Tensor, areas: Tensor | None = None) -> Tensor:
    """Return how many places of each class got each answer, ``[K, K]``: row = label, column = prediction.

    Args:
        out: logits ``[N, K, ...]``.
        y: labels ``[N, ...]``; -1 where there is none.
        areas: of the places ``[...]``, in place of 1 each; then the counts are float64, else int64.
    """
    k = out.shape[1]
    known = y >= 0
    pairs = (y * k + out.argmax(1))[known]
    if areas is None:
        return pairs.bincount(minlength=k * k).view(k, k)
    weights = areas.to(torch.float64).expand(y.shape)[known]
    return pairs.bincount(weights, minlength=k * k).view(k, k)


def mean_iou(counts: Tensor) -> float:
    """Return the intersection over union of :func:`place_counts`, averaged over the classes that occur as labels."""
    both = counts.diagonal().double()
    union = counts.sum(0) + counts.sum(1) - both
    union = torch.where(union > 0, union, 1)
    return float((both / union)[counts.sum(1) > 0].mean())


def share_right(counts: Tensor) -> float:
    """Return the share of places whose answer is right, of :func:`place_counts`."""
    return float(counts.diagonal().sum() / counts.sum())


def known_mean(values: Tensor, known: Tensor, areas: Tensor | None = None) -> Tensor:
    """Return the mean of values where they are known, by area; 0 where none is.

    Args:
        values: ``[N, K, *places]`` or ``[N, *places]``.
        known: the same shape, bool.
        areas: ``[*places]``; None: all alike.
    """
    share = known.to(values.dtype) if areas is None else known * areas.to(values)
    return (torch.where(known, values, 0) * share).sum() / share.sum().clamp_min(torch.finfo(values.dtype).tiny)


def field_errors(answer: Tensor, y: Tensor, areas: Tensor | None = None) -> dict[str, float]:
    """Return RMSE, MAE and bias (answer minus truth) of values at places, by area, over all entries that are known.

    Args:
        answer: ``[N, K, *places]``.
        y: the truth in the same shape; NaN where there is none.
        areas: of the places.

    Raises:
        ValueError: shapes that differ.
    """
    if answer.shape != y.shape:
        raise ValueError(f"errors: answers {list(answer.shape)}, truth {list(y.shape)}; expected one shape.")
    known = torch.isfinite(y)
    d = answer.double() - y.double()
    mean = {name: float(known_mean(v, known, areas)) for name, v in (("s", d.square()), ("mae", d.abs()), ("bias", d))}
    return {"rmse": mean.pop("s") ** 0.5, **mean}


def region_scores(model: nn.Module, data: Samples, group: Group | None = None) -> dict[str, Any]:
    """Score a segmentation on samples, and on the same turned (see :mod:`steerable.run.domains`).

    Args:
        model: ``[B, C, *places] -> [B, K, *places]``.
        data: the test part, with regions.
        group: by whose turn, see :class:`steerable.run.domains.Domain`.

    Returns:
        iou and iou_turned (mean intersection over union), accuracy (share of places that are right), changed (share of
        places whose answer a turn changes), logit_error, images, confusion (of places). All by area on the sphere.
    """
    domain = domain_of(data)
    areas, turn = domain.areas(data), domain.turn(group, data)
    logits = predict(model, data.x)
    back = turn.back(predict(model, turn.turned(data)), data)
    counts = place_counts(logits, data.y, areas)
    moved = (logits.argmax(1) != back.argmax(1)).double()
    everywhere = torch.ones_like(moved, dtype=torch.bool)
    return {
        "iou": mean_iou(counts),
        "iou_turned": mean_iou(place_counts(back, data.y, areas)),
        "accuracy": share_right(counts),
        "changed": float(known_mean(moved, everywhere, areas)),
        "logit_error": float((logits - back).norm() / logits.norm().clamp_min(1e-30)),
        "images": len(data),
        "confusion": counts.tolist(),
    }


def field_scores(model: nn.Module, data: Samples, group: Group | None = None) -> dict[str, Any]:
    """Score a regression at every place, in the unit of the target, on samples and on the same turned.

    Args:
        model: ``[B, C, *places] -> [B, K, *places]``.
        data: the test part.
        group: by whose turn.

    Returns:
        rmse, rmse_turned, mae, bias, moved (root mean square change of the answer under a turn), images; by area on the
        sphere, over places whose truth is known.
    """
    domain = domain_of(data)
    areas, turn = domain.areas(data), domain.turn(group, data)
    answer = predict(model, data.x)
    back = turn.back(predict(model, turn.turned(data)), data)
    errors = field_errors(answer, data.y, areas)
    everywhere = torch.ones_like(answer, dtype=torch.bool)
    return {
        **errors,
        "rmse_turned": field_errors(back, data.y, areas)["rmse"],
        "moved": float(known_mean((answer - back).double().square(), everywhere, areas)) ** 0.5,
        "images": len(data),
    }
