"""Temperature scaling: one number that makes probabilities mean what they say (Guo et al. 2017, 1706.04599)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

BINS, FOLDS = 15, 5
LOW, HIGH = 0.05, 20.0  # of the temperature


def fit_temperature(logits: Tensor, y: Tensor) -> float:
    """Return the temperature T that minimises the cross-entropy of ``logits / T``.

    The loss is convex in 1/T, so its slope is bisected. The labels are softened by Platt's rule, (N+1)/(N+K) for the
    true class: where every image is right, the best T would be 0 otherwise.

    Args:
        logits: ``[N, K]``.
        y: labels ``[N]``.
    """
    z = logits.double()
    n, k = z.shape
    soft = torch.full_like(z, 1 / (n + k)).scatter(1, y[:, None], (n + 1) / (n + k))
    target = float((soft * z).sum(1).mean())
    low, high = 1 / HIGH, 1 / LOW
    for _ in range(60):
        middle = (low * high) ** 0.5
        slope = float(((middle * z).softmax(1) * z).sum(1).mean()) - target
        low, high = (low, middle) if slope > 0 else (middle, high)
    return 1 / (low * high) ** 0.5


def reliability(probability: Tensor, y: Tensor, bins: int = BINS) -> list[dict[str, float]]:
    """Return for each bin of the confidence: from, to, images, confidence (mean) and accuracy; empty bins are left out.

    Args:
        probability: ``[N, K]``.
        y: labels ``[N]``.
        bins: of equal width.
    """
    sure, best = probability.double().max(1)
    right = (best == y).double()
    place = (sure * bins).long().clamp(0, bins - 1)
    rows = []
    for k in place.unique().tolist():
        here = place == k
        rows.append({"from": k / bins, "to": (k + 1) / bins, "images": int(here.sum()),
                     "confidence": float(sure[here].mean()), "accuracy": float(right[here].mean())})  # fmt: skip
    return rows


def expected_error(probability: Tensor, y: Tensor, bins: int = BINS) -> float:
    """Return the expected calibration error: the mean gap between confidence and accuracy, weighted by images."""
    rows = reliability(probability, y, bins)
    return sum(r["images"] * abs(r["confidence"] - r["accuracy"]) for r in rows) / len(y)


def folds(y: Tensor) -> Tensor:
    """Return the fold of each label ``[N]``: every fold holds every class, in whatever order the images come."""
    fold = torch.empty(len(y), dtype=torch.int64)
    fold[y.argsort(stable=True)] = torch.arange(len(y)) % FOLDS
    return fold


def calibrate(logits: Tensor, y: Tensor) -> dict[str, Any]:
    """Return the temperature of a validation part, and what it does to the calibration there.

    A temperature that raises the cross-fitted cross-entropy is not used: ``temperature`` is 1 then, ``fitted`` what it
    would have been. That happens where images are few.

    ``after`` is cross-fitted: each fifth of the images is judged by the temperature of the other four, since a fit
    looks better on its own images. With fewer than 10 images it is None.

    Args:
        logits: ``[N, K]``.
        y: labels ``[N]``.
    """
    z = logits.double()
    temperature = fit_temperature(z, y)
    own = torch.empty_like(z)
    fold = folds(y)
    for k in range(FOLDS if len(y) >= 2 * FOLDS else 0):
        own[fold == k] = z[fold == k] / fit_temperature(z[fold != k], y[fold != k])
    scaled = own if len(y) >= 2 * FOLDS else None
    helps = scaled is None or F.cross_entropy(scaled, y) <= F.cross_entropy(z, y)
    return {
        "temperature": temperature if helps else 1.0,
        "fitted": temperature,
        "images": len(y),
        "ece_before": expected_error(z.softmax(1), y),
        "ece_after": None if scaled is None else expected_error(scaled.softmax(1), y),
        "loss_before": float(F.cross_entropy(z, y)),
        "loss_after": None if scaled is None else float(F.cross_entropy(scaled, y)),
    }
