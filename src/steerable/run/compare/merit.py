"""What networks are compared by: a figure of sums over samples, one kind for each kind of answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from steerable.data import Samples
from steerable.run.coded import square_error
from steerable.run.dense import mean_iou, place_counts
from steerable.run.domains import domain_of
from steerable.run.field_units import field_parts, field_spreads


class Merit(NamedTuple):
    """How answers of one kind are compared.

    Samples of the test part are the unit: each has a tally, and the figure is made of the mean tally. So samples can be
    drawn again, and a difference is that of the figures in the table, also where they are no means over samples (RMSE,
    mean IoU).

    Attributes:
        keys: the figures of a run that a table shows; the first is compared.
        select: by which of validation the reference is chosen.
        larger: whether more of both is better.
        keep: what is kept of the answers ``[N, K, ...]``: the answers themselves, or tallies where they are many.
        tally: from what was kept of each seed, ``[S, N, ...]``, and the test part to tallies ``[S, N, ...]``.
        figure: from mean tallies ``[S, ...]`` to the figure of each seed, ``[S]``; more is better.
    """

    keys: tuple[str, ...]
    select: str
    larger: bool
    keep: Callable[[Tensor, Samples], np.ndarray]
    tally: Callable[[np.ndarray, Samples], np.ndarray]
    figure: Callable[[np.ndarray], np.ndarray]


def plain_mean(tally: np.ndarray) -> np.ndarray:
    """The tally itself, ``[S]``."""
    return tally


def minus_root(tally: np.ndarray) -> np.ndarray:
    """Minus the root of a mean square error; from ``[S]``, or ``[S, 2]``: its sum and what it is a mean over.

    NaN where it is a mean over nothing.
    """
    with np.errstate(invalid="ignore"):
        return -np.sqrt(tally if tally.ndim == 1 else tally[:, 0] / tally[:, 1])


def overlap(counts: np.ndarray) -> np.ndarray:
    """Mean intersection over union of counts ``[S, K, K]``; NaN where nothing was counted."""
    return np.array([mean_iou(torch.from_numpy(c)) for c in counts])


def answers(out: Tensor, data: Samples) -> np.ndarray:
    """The answers as they are: one for each sample."""
    return out.numpy()


def square_sums(out: Tensor, data: Samples) -> np.ndarray:
    """Sum of square errors of each sample over places by area, and the area of those that are known: ``[N, 2]``."""
    return _sums(out.double(), data.y.double(), domain_of(data).areas(data))


def _sums(out: Tensor, y: Tensor, areas: Tensor | None) -> np.ndarray:
    known = torch.isfinite(y)
    share = known.double() if areas is None else known * areas.double()
    error = torch.where(known, out - y, 0).square() * share
    return torch.stack([error.flatten(1).sum(1), share.flatten(1).sum(1)], 1).numpy()


def field_sums(out: Tensor, data: Samples) -> np.ndarray:
    """As :func:`square_sums`, of each field by itself in units of the spread of its truth: ``[N, F, 2]``."""
    if data.target is None:
        raise TypeError(f"{data.source}: labels; expected values at every place")
    areas = domain_of(data).areas(data)
    spreads = field_spreads(data.y, areas, data.target)
    sums = []
    for (_, part), spread in zip(field_parts(data.target), spreads, strict=True):
        if spread > 0:
            sums.append(_sums(out[:, part].double() / spread, data.y[:, part].double() / spread, areas))
    return np.stack(sums, 1)


def minus_mean_root(tally: np.ndarray) -> np.ndarray:
    """As :func:`minus_root`, the mean over fields; from ``[S, F, 2]``."""
    with np.errstate(invalid="ignore"):
        return -np.sqrt(tally[..., 0] / tally[..., 1]).mean(-1)


def region_counts(out: Tensor, data: Samples) -> np.ndarray:
    """How much of each class got each answer, in each sample: ``[N, K, K]``."""
    areas = domain_of(data).areas(data)
    pairs = zip(out.split(1), data.y.split(1), strict=True)
    return torch.stack([place_counts(o, y, areas).double() for o, y in pairs]).numpy()


def traded(out: Tensor, data: Samples) -> np.ndarray:
    """Bits and distortion of each sample, ``[N]``, as they are traded in training."""
    trade = data.target.trade if data.target is not None else 0.0
    error = square_error(out.double(), data.y.double(), domain_of(data).areas(data))
    return (out[:, -1].double().flatten(1).mean(1) + trade * 255**2 * error).numpy()


def _right(kept: np.ndarray, data: Samples) -> np.ndarray:
    return (kept.argmax(-1) == data.y.numpy()).astype(float)


def _absolute(kept: np.ndarray, data: Samples) -> np.ndarray:
    return -np.abs(kept[..., 0] - data.y.numpy())


def _square(kept: np.ndarray, data: Samples) -> np.ndarray:
    return np.square(kept.astype(float) - data.y.numpy()).mean(-1)


def _itself(kept: np.ndarray, data: Samples) -> np.ndarray:
    return kept


CLASSES = Merit(("accuracy", "auc"), "val_accuracy", True, answers, _right, plain_mean)
VALUES = Merit(("mae", "rmse"), "val_mae", False, answers, _absolute, plain_mean)
VECTORS = Merit(("rmse", "mae"), "val_rmse", False, answers, _square, minus_root)
REGIONS = Merit(("iou", "accuracy"), "val_iou", True, region_counts, _itself, overlap)
FIELDS = Merit(("rmse", "mae"), "val_rmse", False, square_sums, _itself, minus_root)
SEVERAL = Merit(("relative",), "val_relative", False, field_sums, _itself, minus_mean_root)
CODEC = Merit(("loss", "psnr", "rate"), "val_loss", False, traded, _itself, np.negative)


def merit_of(data: Samples) -> Merit:
    """Return how networks that answer to these samples are compared."""
    if data.regions:
        return REGIONS
    if data.target is None:
        return CLASSES
    if data.target.trade:
        return CODEC
    if data.target.everywhere:
        return SEVERAL if len(field_parts(data.target)) > 1 else FIELDS
    return VECTORS if data.target.columns else VALUES
