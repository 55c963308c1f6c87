"""One training run: a network, three parts of data, a folder; the best epoch on validation is kept."""

from __future__ import annotations

import logging
import math
import pickle
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from steerable.data import Splits
from steerable.data.errors import InputError
from steerable.run.ask import batch_of
from steerable.run.balance import class_weights
from steerable.run.config import TrainConfig
from steerable.run.learner import KEY, Learner
from steerable.run.loaders import loader
from steerable.run.objectives import objective_of
from steerable.run.outputs import CHECKPOINT
from steerable.run.progress import TimeLeft

BEST = "best.ckpt"
#: figures of validation of which more is better
LARGER = ("val_accuracy", "val_auc", "val_iou", "val_psnr")


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of `steerable fit`, tensors and plain values only.

    Raises:
        InputError: no file, a file that would run code, or a checkpoint of something else.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"--resume '{path}' does not exist; expected OUT.partial/{CHECKPOINT} of an unfinished run.")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as e:
        raise InputError(
            f"--resume '{path}' cannot be read as tensors and plain values ({str(e).splitlines()[0]}); expected a "
            "checkpoint that `steerable fit` wrote. Mend the path."
        ) from None
    if not isinstance(checkpoint, dict) or KEY not in checkpoint or "state_dict" not in checkpoint:
        raise InputError(f"--resume '{path}' is no checkpoint of `steerable fit`; expected OUT.partial/{CHECKPOINT}.")
    return checkpoint


def train_network(
    model: nn.Module,
    data: Splits,
    train: TrainConfig,
    seed: int,
    folder: Path,
    record: dict[str, Any] | None = None,
    resume: Path | None = None,
    label: str | None = "training",
    head: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Train in place and load the weights of the best epoch on the validation part.

    Args:
        model: ``[B, C, H, W] -> [B, K]``; K = 1 for values, which it learns standardised; or one of volumes or points.
        data: train and val are used; test is not looked at.
        train: how to train.
        seed: of the order of the images and of the augmentation; the weights were drawn by the caller.
        folder: gets `metrics.csv` and, while training, checkpoints.
        record: what the run is, as plain JSON.
        resume: a checkpoint of this very run.
        label: text before the progress bar; None shows none.
        head: names of the tensors of the last layer, where the backbone is treated otherwise.

    Returns:
        Best epoch (from 1), how many there were, its validation figures, seconds.

    Raises:
        InputError: a loss that is not finite, or settings that belong to the other kind of answer.
    """
    objective = objective_of(data.train, train)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    mode = "max" if objective.select in LARGER else "min"
    best = ModelCheckpoint(
        dirpath=folder, filename=Path(BEST).stem, monitor=objective.select, mode=mode, save_weights_only=True,
        enable_version_counter=False,
    )  # fmt: skip
    last = ModelCheckpoint(dirpath=folder, filename=Path(CHECKPOINT).stem, monitor=None, enable_version_counter=False)
    callbacks: list[Callback] = [best, last]
    if train.patience:
        # a figure that is no number (the AUC of one class) is no reason to end
        looks = math.ceil(train.patience / train.validate_every)
        callbacks.append(EarlyStopping(objective.select, mode=mode, patience=looks, check_finite=False))
    if label is not None:
        callbacks.append(TimeLeft(label, objective.select))
    module = Learner(model, objective, data.train, train, seed, record or {}, head)
    drawn = class_weights(data.train)[data.train.y] if train.balance == "sampler" else None
    version = "log" if resume is None else f"log-after-{read_checkpoint(resume)['epoch'] + 1}-epochs"
    start = time.perf_counter()
    with warnings.catch_warnings():
        # loader workers for data in memory, and how often to log: advice that does not apply here
        warnings.filterwarnings("ignore", module="lightning.*")
        trainer = L.Trainer(
            accelerator={"gpu": "gpu", "cpu": "cpu"}.get(train.device, "auto"),
            devices=1,
            precision=train.precision,
            max_epochs=train.epochs,
            check_val_every_n_epoch=train.validate_every,
            callbacks=callbacks,
            logger=CSVLogger(save_dir=folder, name="", version=version),
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=10**9,
        )
        handler = signal.getsignal(signal.SIGINT)
        try:
            trainer.fit(
                module,
                loader(data.train.rest(), train.batch_size, seed, drawn),
                loader(data.val.rest(), batch_of(data.val.x), None),
                ckpt_path=resume,
                weights_only=True,
            )
        except ValueError as e:
            if "when training" not in str(e):  # what torch and this library say of batch norms
                raise
            raise InputError(
                f"train.batch_size is {train.batch_size}, and a batch has one value for each channel, of which a batch "
                "norm can make no statistics; expected more. Raise train.batch_size to 2 or more."
            ) from None
        except SystemExit as e:
            # the trainer turns Ctrl-C into an exit and makes the process deaf to the next one
            signal.signal(signal.SIGINT, handler)
            if isinstance(e.__context__, KeyboardInterrupt):
                how = f"Go on with: steerable fit --resume {folder / CHECKPOINT}"
                raise KeyboardInterrupt(how if (folder / CHECKPOINT).exists() else "Nothing was written.") from None
            raise
    state = torch.load(folder / BEST, map_location="cpu", weights_only=True)
    model.cpu().load_state_dict({k.removeprefix("model."): v for k, v in state["state_dict"].items()})
    figures = {k: float(v) for k, v in read_best(folder, state["epoch"]).items()}
    for name in (BEST, CHECKPOINT):
        (folder / name).unlink(missing_ok=True)
    for parameter in model.parameters():  # a backbone that was never let go
        parameter.requires_grad_(True)
    seconds = round(time.perf_counter() - start, 1)
    return {"best_epoch": state["epoch"] + 1, "epochs": int(trainer.current_epoch), **figures, "seconds": seconds}


def read_best(folder: Path, epoch: int) -> dict[str, float]:
    """Return the validation figures of one epoch (from 0) out of the logs of a run."""
    import csv

    for path in sorted(folder.glob("log*/metrics.csv"), reverse=True):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if int(row["epoch"]) == epoch and row.get("val_loss"):
                    return {k: float(v) for k, v in row.items() if k.startswith("val_")}
    return {}
