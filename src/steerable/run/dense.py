"""Answers at every pixel, voxel or sample of the sphere against the truth; places without one do not count."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from steerable.data import Samples, Target
from steerable.groups.group import Group
from steerable.run.domains import domain_of
from steerable.run.field_units import field_parts, field_spreads
from steerable.run.scores import predict

FIGURES = {"RMSE": "rmse", "MAE": "mae", "bias": "bias"}


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


def field_figures(answer: Tensor, y: Tensor, areas: Tensor | None, target: Target) -> dict[str, Any]:
    """Return :func:`field_errors` of all entries, and, of several fields, those of each, which have units of their own.

    Args:
        answer: ``[N, K, *places]``.
        y: the truth in the same shape; NaN where there is none.
        areas: of the places.
        target: what the entries are.

    Returns:
        rmse, mae, bias; of several fields also `relative`, the mean over fields of RMSE over the spread of the truth,
        and `tables`: RMSE, MAE and bias by field. Errors of a vector are over all its components.
    """
    errors: dict[str, Any] = field_errors(answer, y, areas)
    parts = field_parts(target)
    if len(parts) < 2:
        return errors
    each = {name: field_errors(answer[:, part], y[:, part], areas) for name, part in parts}
    spreads = field_spreads(y, areas, target)
    ratios = [e["rmse"] / s for e, s in zip(each.values(), spreads, strict=True) if s > 0]
    tables = {f"{k} by field": {n: e[f] for n, e in each.items()} for k, f in FIGURES.items()}
    return {"relative": sum(ratios) / max(len(ratios), 1), **errors, "tables": tables}


def with_turned(figures: dict[str, Any], turned: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of :func:`field_figures` with the root mean square errors of turned samples.

    Args:
        figures: of the samples.
        turned: of the same turned.
    """
    found = {**figures, "rmse_turned": turned["rmse"]}
    if "tables" not in figures:
        return found
    name = "RMSE by field"
    tables = {**figures["tables"], f"{name}, turned": turned["tables"][name]}
    return {**found, "relative_turned": turned["relative"], "tables": tables}


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
        sphere, over places whose truth is known. Of several fields also what :func:`field_figures` returns.
    """
    domain = domain_of(data)
    areas, turn = domain.areas(data), domain.turn(group, data)
    answer = predict(model, data.x)
    back = turn.back(predict(model, turn.turned(data)), data)
    if data.target is None:
        raise TypeError(f"{data.source}: labels; expected values at every place")
    errors = field_figures(answer, data.y, areas, data.target)
    everywhere = torch.ones_like(answer, dtype=torch.bool)
    return {
        **with_turned(errors, field_figures(back, data.y, areas, data.target)),
        "moved": float(known_mean((answer - back).double().square(), everywhere, areas)) ** 0.5,
        "images": len(data),
    }
