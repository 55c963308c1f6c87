"""Classes: one label for each sample."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from steerable.run.config import TrainConfig
from steerable.run.objectives.objective import pick
from steerable.run.scores import accuracy, auc


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
