"""One bar for the whole run, with the time that is left."""

from __future__ import annotations

from typing import Any

import lightning as L
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class TimeLeft(L.Callback):
    """A bar over all steps of all epochs, on standard error; the best validation figure stands beside it.

    Args:
        label: what is being trained.
        monitor: the validation figure to show.
    """

    def __init__(self, label: str, monitor: str) -> None:
        from rich.console import Console

        self.label, self.monitor = label, monitor
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figure]}"),
            console=Console(stderr=True),
            refresh_per_second=4,
        )
        self.task: Any = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show the bar, from the step at which a resumed run goes on."""
        total = int(trainer.estimated_stepping_batches)
        self.bar.start()
        self.task = self.bar.add_task(self.label, total=total, completed=trainer.global_step, figure="")

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        """Move the bar by one step."""
        self.bar.advance(self.task)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show the validation figure of the last epoch, which the module logs after its epoch has ended."""
        value = trainer.callback_metrics.get(self.monitor)
        if self.task is not None and value is not None:
            self.bar.update(self.task, figure=f"{self.monitor} {float(value):.3f}")

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave the full bar on the screen."""
        self.bar.stop()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Take the unfinished bar away and give the terminal back."""
        self.bar.live.transient = True
        self.bar.live.stop()  # not bar.stop(), which writes an empty line into a pipe
