"""Vectors of values: some numbers for each sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from steerable.run.config import TrainConfig
from steerable.run.objectives.objective import distance, pick
from steerable.run.scores import error_figures
from steerable.run.units import vector_head


class Vectors:
    """A loss between vectors ``[B, K]``: what a head makes of the answers of the network, and the truth.

    Without a head each entry is learned in units of the spread of its training values.

    Args:
        target: what :func:`steerable.run.objectives.target.target_record` returns.
        train: how to train; the loss is mse by default, so that training lowers the RMSE by which vectors are scored.
    """

    def __init__(self, target: dict[str, Any], train: TrainConfig) -> None:
        self.select = pick("select", train.select, ("val_rmse", "val_mae", "val_loss"), "vectors of values")
        self._function = distance(train.loss, ("mse", "mae", "huber"), "vectors of values")
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
