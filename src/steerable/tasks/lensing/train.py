"""A small training loop, enough for the demo; `steerable.run` has the full one."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from steerable.tasks.lensing.metrics import accuracy, predict

__all__ = ["Fit", "fit", "turn_d4"]


@dataclasses.dataclass(frozen=True)
class Fit:
    """What a training run leaves: mean loss of each epoch, final validation loss and accuracy, wall seconds."""

    losses: tuple[float, ...]
    validation_loss: float
    validation_accuracy: float
    seconds: float


def turn_d4(images: Tensor, element: int) -> Tensor:
    """Images [..., n, n] moved by element r + 4 s of D(4): R(90 degrees)^r after the flip x2 -> -x2 if s = 1. Exact."""
    if element >= 4:
        images = images.flip(-2)
    return torch.rot90(images, element % 4, (-2, -1))


def fit(
    model: nn.Module,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    *,
    epochs: int,
    lr: float,
    batch: int = 32,
    weight_decay: float = 1e-4,
    augment: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Fit:
    """Train a classifier with AdamW and a one-cycle schedule; the model is changed in place and left in eval mode.

    Args:
        model: maps [B, C, n, n] to logits [B, classes].
        train: inputs [N, C, n, n] and labels [N].
        validation: the same; looked at once, after the last epoch.
        epochs: passes over the training images.
        lr: peak learning rate.
        batch: images per step; a smaller last batch is used too, unless it is a single image.
        weight_decay: of AdamW.
        augment: move each image by a random element of D(4) at each pass; exact, no interpolation.
        seed: of the order of images and of the augmentation.
        progress: called with (epochs done, epochs).

    Raises:
        FloatingPointError: when the loss is not finite.
    """
    inputs, labels = train
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay, foreach=True)
    steps = math.ceil(len(labels) / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=lr, total_steps=steps * epochs)
    start, losses = time.perf_counter(), []
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for index in torch.randperm(len(labels), generator=generator).split(batch):
            images, target = inputs[index], labels[index]
            if augment:
                which = torch.randint(8, (len(index),), generator=generator)
                moved = torch.empty_like(images)
                for element in range(8):
                    mask = which == element
                    moved[mask] = turn_d4(images[mask], element)
                images = moved
            if len(index) > 1:  # batch statistics of one image say nothing
                loss = nn.functional.cross_entropy(model(images), target)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                total += float(loss.detach()) * len(index)
            schedule.step()
        losses.append(total / len(labels))
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(
                f"fit: the loss of epoch {epoch + 1} is {losses[-1]}; expected a finite one: lower lr={lr}"
            )
        if progress is not None:
            progress(epoch + 1, epochs)
    model.eval()
    logits = predict(model, validation[0])
    return Fit(
        losses=tuple(losses),
        validation_loss=float(nn.functional.cross_entropy(logits, validation[1])),
        validation_accuracy=accuracy(logits, validation[1]),
        seconds=time.perf_counter() - start,
    )
