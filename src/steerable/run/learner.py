"""The Lightning module of every task: what differs between classes and values stands in its objective."""

from __future__ import annotations

import math
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from steerable.data import Clouds, Samples
from steerable.data.errors import InputError
from steerable.run.ask import ask, like
from steerable.run.config import TrainConfig
from steerable.run.domains import augmented
from steerable.run.objectives import Objective

KEY = "steerable"


class Learner(L.LightningModule):
    """AdamW, one cycle of the learning rate; the figures of the objective on the validation part after each epoch.

    Args:
        model: ``[B, C, H, W] -> [B, K]``, or one of volumes or points.
        objective: the loss and the figures.
        samples: of training, which know how they are turned.
        train: how to train.
        seed: of the augmentation.
        record: what the run is, as plain JSON; it travels in the checkpoint.
        head: names of the tensors of the last layer; the others are the backbone, which may stand still at first
            (`train.freeze_epochs`) and learn more slowly (`train.backbone_lr`).
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        samples: Samples,
        train: TrainConfig,
        seed: int,
        record: dict[str, Any],
        head: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__()
        self.head = head
        self.model, self.objective, self.samples = model, objective, samples
        self.settings, self.seed, self.record = train, seed, record
        self._seen: list[tuple[Tensor, Tensor]] = []
        self._loss = torch.zeros(())

    def forward(self, x: Tensor | Clouds) -> Tensor:
        """Return what the network answers."""
        # the trainer moves point sets to the device and leaves their precision
        return ask(self.model, like(self.model, x) if isinstance(x, Clouds) else x)

    def training_step(self, batch: tuple[Tensor | Clouds, Tensor], index: int) -> Tensor:
        """Return the loss of one batch, augmented by draws that depend on the seed and the step alone."""
        x, y = batch
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.global_step)
        x, y = augmented(x, y, self.settings.augment, generator, self.samples)
        loss = self.objective.loss(self(x), y)
        self._loss = self._loss.to(loss.device) + loss.detach().float()
        return loss

    def on_train_epoch_start(self) -> None:
        """Hold the backbone still, with its running statistics, or let it go."""
        if not self.settings.freeze_epochs:
            return
        frozen = self.current_epoch < self.settings.freeze_epochs
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not frozen or name in self.head)
        self.model.train(not frozen)
        for name in {key.rpartition(".")[0] for key in self.head}:
            self.model.get_submodule(name).train()

    def on_train_epoch_end(self) -> None:
        """Log the mean loss, and stop where it is no number."""
        steps = max(int(self.trainer.num_training_batches), 1)
        mean = float(self._loss) / steps
        self._loss = torch.zeros(())
        if not math.isfinite(mean):
            raise InputError(
                f"training: the mean loss of epoch {self.current_epoch + 1} is {mean}; expected a finite number. "
                f"Lower train.lr (now {self.settings.lr}) or look at the images."
            )
        self.log("train_loss", mean)

    def validation_step(self, batch: tuple[Tensor | Clouds, Tensor], index: int) -> None:
        """Keep the answers to one batch."""
        x, y = batch
        self._seen.append((self(x).float().cpu(), y.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log the figures of the whole validation part."""
        out, y = (torch.cat(part) for part in zip(*self._seen, strict=True))
        self._seen.clear()
        self.log_dict(self.objective.figures(out, y))

    def configure_optimizers(self) -> dict[str, Any]:
        """Return AdamW and a one-cycle schedule over all steps."""
        s = self.settings
        named = list(self.model.named_parameters())
        groups = [{"params": [p for _, p in named]}]
        rates: float | list[float] = s.lr
        if s.backbone_lr != 1:
            groups = [{"params": [p for n, p in named if (n in self.head) is last]} for last in (True, False)]
            rates = [s.lr, s.backbone_lr * s.lr]
        optimiser = torch.optim.AdamW(groups, lr=s.lr, weight_decay=s.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        # one cycle divides by the steps on each side of its peak
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rates, total_steps=max(steps, 5))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the record beside the weights, so that a resumed run knows what it is."""
        checkpoint[KEY] = self.record
