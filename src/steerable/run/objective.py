"""What training asks for: classes, values, vectors, regions. Here alone an answer is compared with the truth."""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data import Samples
from steerable.data.errors import InputError
from steerable.run.balance import class_weights
from steerable.run.coded import coded_figures, square_error
from steerable.run.config import TrainConfig
from steerable.run.dense import field_errors, known_mean, mean_iou, place_counts, share_right
from steerable.run.domains import domain_of
from steerable.run.field_units import field_units
from steerable.run.scores import accuracy, auc, error_figures
from steerable.run.units import Affine, vector_head


class Objective(Protocol):
    """A loss on a batch, and figures of a whole part.

    Attributes:
        select: the figure by which the best epoch is kept.
    """

    select: str

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss of what the network answers, ``[B, K]``, against the truth ``[B]`` or ``[B, K]``."""
        ...

    def figures(self, out: Tensor, y: Tensor) -> dict[str, float]:
        """Return the figures of a whole part, named ``val_...``."""
        ...


class Classes:
    """Cross-entropy on logits ``[B, K]`` and labels ``[B]``.

    Args:
        count: K.
        train: how to train.
        weights: of the classes in the loss of training, ``[K]``; None: 1. Figures never have weights.
    """

    def __init__(self, count: int, train: TrainConfig, weights: Tensor | None = None) -> None:
        self.count, self.weights = count, weights
        self.select = pick("select", train.select, ("val_accuracy", "val_auc", "val_loss"), "classes")
        pick("loss", train.loss, (), "classes")

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy.

        Raises:
            ValueError: shapes that do not belong together.
        """
        if out.shape != (len(y), self.count) or y.ndim != 1:
            raise ValueError(
                f"loss: the network answers {list(out.shape)} to labels {list(y.shape)}; expected "
                f"[{len(y)}, {self.count}] and [{len(y)}]."
            )
        if self.weights is None:
            return F.cross_entropy(out, y)
        # the mean over images, not over weights: a batch without a rare class counts less
        return F.cross_entropy(out, y, self.weights.to(out), reduction="sum") / len(y)

    def figures(self, out: Tensor, y: Tensor) -> dict[str, float]:
        """Return accuracy, AUC and loss."""
        loss = float(F.cross_entropy(out, y))
        return {"val_accuracy": accuracy(out, y), "val_auc": auc(out, y), "val_loss": loss}


class Places:
    """Cross-entropy at every place: logits ``[B, K, *places]`` and labels ``[B, *places]``, -1 where there is none.

    Args:
        count: K.
        train: how to train.
        areas: of the places ``[*places]``, mean 1; None: they count alike.
    """

    def __init__(self, count: int, train: TrainConfig, areas: Tensor | None = None) -> None:
        self.count, self.areas = count, areas
        self.select = pick("select", train.select, ("val_iou", "val_accuracy", "val_loss"), "regions")
        pick("loss", train.loss, (), "regions")

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy, the mean over all places that have a label, by area.

        Raises:
            ValueError: shapes that do not belong together.
        """
        if out.shape != (len(y), self.count, *y.shape[1:]) or y.ndim < 2:
            raise ValueError(
                f"loss: the network answers {list(out.shape)} to labels {list(y.shape)}; expected one of "
                f"{self.count} logits at every place, [B, {self.count}, ...]. Take a network for segmentation."
            )
        return known_mean(F.cross_entropy(out, y, ignore_index=-1, reduction="none"), y >= 0, self.areas)

    def figures(self, out: Tensor, y: Tensor) -> dict[str, float]:
        """Return the mean intersection over union, the share of places that are right, and the loss."""
        counts = place_counts(out, y, self.areas)
        return {"val_iou": mean_iou(counts), "val_accuracy": share_right(counts), "val_loss": float(self.loss(out, y))}


class Fields:
    """A loss between values at every place ``[B, K, *places]``, in units of the spread of each; NaN is not known.

    Args:
        target: what :func:`target_record` returns.
        train: how to train; the loss is mse by default, which no turn of the frames changes.
        areas: of the places ``[*places]``, mean 1; None: they count alike.
    """

    def __init__(self, target: dict[str, Any], train: TrainConfig, areas: Tensor | None = None) -> None:
        self.areas = areas
        self.select = pick("select", train.select, ("val_rmse", "val_mae", "val_loss"), "values at every place")
        kind = pick("loss", train.loss, ("mse", "mae", "huber"), "values at every place")
        self._function = {"huber": F.smooth_l1_loss, "mae": F.l1_loss, "mse": F.mse_loss}[kind]
        self._units = Affine(target["mean"], target["std"])

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """Return the loss.

        Raises:
            ValueError: shapes that would broadcast.
        """
        if out.shape != y.shape or y.ndim < 3:
            raise ValueError(
                f"loss: the network answers {list(out.shape)} to values {list(y.shape)}; expected the same shape. Take "
                "a network that answers at every place."
            )
        known = torch.isfinite(y)
        truth = self._units.back(torch.where(known, y, 0))
        return known_mean(self._function(out, truth, reduction="none"), known, self.areas)

    def figures(self, out: Tensor, y: Tensor) -> dict[str, float]:
        """Return RMSE and MAE in the unit of the values, and the loss."""
        errors = field_errors(self._units(out.double()), y, self.areas)
        return {"val_rmse": errors["rmse"], "val_mae": errors["mae"], "val_loss": float(self.loss(out, y))}


class Coded:
    """Bits a sample and the mean square error in units of 1/255, traded: what a codec is trained by.

    Args:
        trade: the weight of the error.
        train: how to train.
        areas: of the places ``[*places]``, mean 1; None: they count alike.

    Source: Balle et al., ICLR 2018, arXiv 1802.01436, equation 3.
    """

    def __init__(self, trade: float, train: TrainConfig, areas: Tensor | None = None) -> None:
        self.trade, self.areas = trade, areas
        self.select = pick("select", train.select, ("val_loss", "val_psnr", "val_rate"), "compression")
        pick("loss", train.loss, (), "compression")

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """Return rate and distortion.

        Raises:
            ValueError: shapes that would broadcast.
        """
        if out.shape != y.shape or y.ndim < 3:
            raise ValueError(
                f"loss: the network answers {list(out.shape)} to values {list(y.shape)}; expected the same shape. Take "
                "a codec."
            )
        return out[:, -1].mean() + self.trade * 255**2 * square_error(out, y, self.areas).mean()

    def figures(self, out: Tensor, y: Tensor) -> dict[str, float]:
        """Return PSNR in decibels, bits a sample and the loss."""
        return {**{f"val_{k}": v for k, v in coded_figures(out, y, self.areas).items()},
                "val_loss": float(self.loss(out, y))}  # fmt: skip


class Values:
    """A loss between answers ``[B, 1]`` and values ``[B]``, both in units of the spread of the training values.

    Args:
        mean: of the training values.
        std: of the training values, positive.
        train: how to train.
    """

    def __init__(self, mean: float, std: float, train: TrainConfig) -> None:
        self.mean, self.std = mean, std
        self.select = pick("select", train.select, ("val_mae", "val_rmse", "val_loss"), "values")
        kind = pick("loss", train.loss, ("huber", "mae", "mse"), "values")
        self._function = {"huber": F.smooth_l1_loss, "mae": F.l1_loss, "mse": F.mse_loss}[kind]

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """Return the loss.

        Raises:
            ValueError: shapes that would broadcast.
        """
        return self._function(column(out, y), (y - self.mean) / self.std)

    def figures(self, out: Tensor, y: Tensor) -> dict[str, float]:
        """Return MAE, RMSE and bias in the unit of the values, and the loss."""
        errors = error_figures(self.mean + self.std * column(out, y).double(), y)
        return {**{f"val_{k}": v for k, v in errors.items()}, "val_loss": float(self.loss(out, y))}


class Vectors:
    """A loss between vectors ``[B, K]``: what a head makes of the answers of the network, and the truth.

    Without a head each entry is learned in units of the spread of its training values.

    Args:
        target: what :func:`target_record` returns.
        train: how to train; the loss is mse by default, so that training lowers the RMSE by which vectors are scored.
    """

    def __init__(self, target: dict[str, Any], train: TrainConfig) -> None:
        self.select = pick("select", train.select, ("val_rmse", "val_mae", "val_loss"), "vectors of values")
        kind = pick("loss", train.loss, ("mse", "mae", "huber"), "vectors of values")
        self._function = {"huber": F.smooth_l1_loss, "mae": F.l1_loss, "mse": F.mse_loss}[kind]
        self._head = vector_head(target)
        self._scale = torch.tensor(1.0 if target["head"] else target["std"])

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """Return the loss.

        Raises:
            ValueError: shapes that would broadcast.
        """
        if out.shape != y.shape or y.ndim != 2:
            raise ValueError(
                f"loss: the network answers {list(out.shape)} to values {list(y.shape)}; expected [B, K] twice. Set "
                "its num_classes."
            )
        scale = self._scale.to(y)
        return self._function(self._head(out) / scale, y / scale)

    def figures(self, out: Tensor, y: Tensor) -> dict[str, float]:
        """Return MAE and RMSE over all entries, in the unit of the values, and the loss."""
        errors = error_figures(self._head(out.double()), y)
        return {"val_mae": errors["mae"], "val_rmse": errors["rmse"], "val_loss": float(self.loss(out, y))}


def column(out: Tensor, y: Tensor) -> Tensor:
    """Return ``[B, 1]`` as ``[B]``, if the truth is ``[B]``.

    A difference of ``[B, 1]`` and ``[B]`` is ``[B, B]``: it trains without an error and learns the mean.

    Raises:
        ValueError: other shapes.
    """
    if y.ndim != 1 or out.shape != (len(y), 1):
        raise ValueError(
            f"loss: the network answers {list(out.shape)} to values {list(y.shape)}; expected [B, 1] and [B], which "
            "do not broadcast. Let the network return one number an image."
        )
    return out[:, 0]


def pick(key: str, given: str, known: tuple[str, ...], what: str) -> str:
    """Return the setting `given`, or the first of `known` for ``auto``.

    Raises:
        InputError: a setting that belongs to the other kind of answer.
    """
    if given == "auto":
        return known[0] if known else given
    if given not in known:
        raise InputError(
            f"train.{key} is '{given}', but the data has {what}; expected one of {', '.join(('auto', *known))}."
        )
    return given


def objective_of(data: Samples, train: TrainConfig) -> Objective:
    """Return the objective that belongs to training images.

    Raises:
        InputError: a setting of the other kind, or training values that are all the same.
    """
    if data.regions:
        if train.balance != "none" or train.calibrate:
            key = "calibrate" if train.calibrate else "balance"
            raise InputError(
                f"train.{key} is {getattr(train, key)}, but {data.source} has regions, not classes; expected it off."
            )
        return Places(data.outputs, train, domain_of(data).areas(data))
    if data.target is None:
        return Classes(data.outputs, train, class_weights(data) if train.balance == "loss" else None)
    if train.balance != "none" or train.calibrate:
        key = "calibrate" if train.calibrate else "balance"
        raise InputError(
            f"train.{key} is {getattr(train, key)}, but {data.source} has values, not classes; expected it off."
        )
    target = target_record(data)
    if data.target.trade:
        return Coded(data.target.trade, train, domain_of(data).areas(data))
    if data.target.everywhere:
        return Fields(target, train, domain_of(data).areas(data))
    return Vectors(target, train) if data.target.columns else Values(target["mean"], target["std"], train)


def target_record(data: Samples) -> dict[str, Any]:
    """Return what the record of a run says of the target of its training images, as plain JSON.

    Raises:
        InputError: classes, or values that are all the same.
    """
    target = data.target
    if target is None:
        raise InputError(f"{data.source}: the images have the classes {list(data.classes)}; expected values.")
    found: dict[str, Any] = {"name": target.name, "unit": target.unit}
    if target.everywhere:
        mean, std = ([0.0] * target.size, [1.0] * target.size) if target.trade else field_units(data)
        more = {"everywhere": True, "type": target.type, "columns": list(target.names), "trade": target.trade}
        return {**found, **more, "mean": mean, "std": std}
    if not target.columns:
        mean, std = standard(data)
        baseline = {"baseline": list(target.baseline)} if target.baseline else {}
        return {**found, "mean": mean, "std": std, **baseline}
    found |= {"columns": list(target.columns), "head": target.head}
    if target.head:
        return found
    y = data.y.double()
    spread = y.std(0)
    if not (spread > 0).any():
        raise InputError(f"{data.source}: all {len(y)} training rows of {target} are alike; expected some that differ.")
    # an entry that never changes is learned as it is
    return {**found, "mean": y.mean(0).tolist(), "std": torch.where(spread > 0, spread, 1.0).tolist()}


def standard(data: Samples) -> tuple[float, float]:
    """Return mean and standard deviation of the values, without the baseline of their target.

    Raises:
        InputError: fewer than two different values.
    """
    y = data.rest().y.double()
    if torch.unique(y).numel() < 2:
        raise InputError(
            f"{data.source}: all {len(y)} training values of {data.target} are {float(y[0]):g}; expected values that "
            "differ. Choose another data.target."
        )
    return float(y.mean()), float(y.std())
