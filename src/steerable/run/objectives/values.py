"""Values: one number for each sample."""

from __future__ import annotations

from torch import Tensor

from steerable.run.config import TrainConfig
from steerable.run.objectives.objective import distance, pick
from steerable.run.scores import error_figures


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
        self._function = distance(train.loss, ("huber", "mae", "mse"), "values")

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
