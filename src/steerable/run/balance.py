"""Classes of unlike size: what each image counts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from steerable.data import Samples
from steerable.data.errors import InputError


def class_weights(data: Samples) -> Tensor:
    """Return ``N / (K n_k)`` for each class, float32 ``[K]``: its mean over the images is 1.

    Raises:
        InputError: values instead of classes, or a class without images.
    """
    if data.target is not None:
        raise InputError(
            f"train.balance: {data.source} has the values {data.target}; expected classes. Set train.balance to none."
        )
    counts = torch.tensor(data.counts(), dtype=torch.float64)
    if (counts == 0).any():
        empty = [c for c, n in zip(data.classes, data.counts(), strict=True) if n == 0]
        raise InputError(f"train.balance: {data.source} has no training image of {empty}; expected some of each class.")
    return (counts.sum() / (len(counts) * counts)).float()


def balance_record(data: Samples, how: str) -> dict[str, Any]:
    """Return how the classes were balanced, for the record: training images and weight of each."""
    weights = class_weights(data).tolist() if how != "none" else [1.0] * len(data.classes)
    rows = zip(data.classes, data.counts(), weights, strict=True)
    return {"how": how, "classes": {c: {"images": n, "weight": round(w, 6)} for c, n, w in rows}}
