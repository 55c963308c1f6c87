"""Regions: one label for every place."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from steerable.run.config import TrainConfig
from steerable.run.dense import known_mean, mean_iou, place_counts, share_right
from steerable.run.objectives.objective import pick


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
