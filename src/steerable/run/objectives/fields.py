"""Values at every place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from steerable.data import Target
from steerable.run.config import TrainConfig
from steerable.run.dense import field_figures, known_mean
from steerable.run.field_units import field_parts
from steerable.run.objectives.objective import distance, pick
from steerable.run.units import Affine


class Fields:
    """A loss between values at every place ``[B, K, *places]``, in units of the spread of each; NaN is not known.

    Args:
        target: what :func:`steerable.run.objectives.target.target_record` returns.
        train: how to train; the loss is mse by default, which no turn of the frames changes.
        areas: of the places ``[*places]``, mean 1; None: they count alike.
        meaning: what the values are. Of several fields the best epoch is the one with the least mean of RMSE over
            spread, for their units differ.
    """

    def __init__(self, target: dict[str, Any], train: TrainConfig, areas: Tensor | None, meaning: Target) -> None:
        self.areas = areas
        self._target = meaning
        several = len(field_parts(meaning)) > 1
        known = ("val_relative",) * several + ("val_rmse", "val_mae", "val_loss")
        self.select = pick("select", train.select, known, "values at every place")
        self._function = distance(train.loss, ("mse", "mae", "huber"), "values at every place")
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
        """Return RMSE and MAE in the unit of the values, and the loss; of several fields RMSE over spread, too."""
        errors = field_figures(self._units(out.double()), y, self.areas, self._target)
        found = {f"val_{k}": errors[k] for k in ("relative", "rmse", "mae") if k in errors}
        return {**found, "val_loss": float(self.loss(out, y))}
