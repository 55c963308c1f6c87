"""What a training run is made of, as plain dataclasses: the same file is config, check and record."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from steerable.data.errors import InputError

Augment = Literal[
    "none", "d4", "turn", "rotate", "turn_fourier", "rotate_fourier", "affine", "affine_colour", "mirror_shift",
    "upright", "cube", "cube_flips",
]  # fmt: skip
Select = Literal[
    "auto",
    "val_accuracy",
    "val_auc",
    "val_mae",
    "val_rmse",
    "val_loss",
    "val_iou",
    "val_psnr",
    "val_rate",
    "val_relative",
]
Loss = Literal["auto", "huber", "mae", "mse"]


@dataclass
class ModelConfig:
    """Which network.

    Args:
        name: a name that `steerable models` lists.
        group: the symmetry, such as C8, D4, SO2, O2, or a group of space; null for plain networks, else the default
            of the model.
        options: further arguments of the model, by name.
        exact_sizes: refuse images of a size at which strided layers break quarter turns and flips.
    """

    name: str = "steerable_cnn"
    group: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    exact_sizes: bool = True


@dataclass
class DataConfig:
    """Which images.

    Args:
        name: digits, frdeep, cfhtls, lensing, folder, images, masks, galaxies, galaxies_synthetic, or a published set:
            rotated_mnist, mnist, fashion_mnist, cifar10, cifar100, cifar10_subset, stl10, pcam, galaxy10 or deeplense.
            Volumes: volumes_synthetic, density_maps, volume_folder. Point sets: shapes, qm7, qm9, modelnet40, points.
        root: where the files lie; null takes the environment variable STEERABLE_DATA.
        target: the column of values to predict (a regression); null: the classes.
        scale: none, peak, noise, sqrt, standard or dataset, or fields (on the sphere); null: the reader's own.
        per_class: use only this many training images of each class; null uses all.
        images: the same for a regression: this many training images in all; null uses all.
        options: further arguments of the reader, by name (size, split_seed, ...).
    """

    name: str = "digits"
    root: str | None = None
    target: str | None = None
    scale: str | None = None
    per_class: int | None = None
    images: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # a record is JSON, which has no NaN: the readers of such options read the text as well
        odd = {k: str(v) for k, v in self.options.items() if isinstance(v, float) and not math.isfinite(v)}
        self.options = {**self.options, **odd}


@dataclass
class TrainConfig:
    """How to train.

    Args:
        epochs: passes over the training images.
        batch_size: images a step, at most (an epoch is cut into batches of nearly equal size).
        lr: the highest learning rate of the one-cycle schedule.
        weight_decay: of AdamW.
        augment: none; d4: one of the 8 turns and flips of the pixel grid; turn: any angle; rotate: any angle, and
            flips; turn_fourier, rotate_fourier: the same, but the noise of an image is not smoothed (its border must be
            empty or noise); affine: rotate with a shift and a zoom in one warp; affine_colour: and a change of colour;
            mirror_shift: left and right exchanged, and a shift by whole pixels, for pictures that have an up.
            Volumes: cube, cube_flips: one of the 24 or 48 symmetries of the voxels; upright: any angle about x3; turn
            and rotate, with _fourier too: any rotation. Point sets: upright, turn and rotate.
        loss: of a regression, on the standardised target: huber (auto), mae or mse; of vectors: mse (auto), mae or
            huber; classes have cross-entropy (auto).
        select: the validation figure by which the best epoch is kept; auto: val_accuracy, val_mae of a regression,
            val_rmse of vectors and of a field, val_relative (the mean of RMSE over spread) of several fields, val_iou
            of a segmentation.
        device: cpu, gpu or auto.
        precision: 32-true, bf16-mixed or 64-true.
        validate_every: look at the validation part after every so many epochs; a divisor of epochs. For few training
            images and many to validate on, when looking costs more than learning.
        patience: end after this many epochs without a better validation figure; 0 never.
        balance: of classes of unlike size: none; loss: weights in the loss; sampler: each class is drawn equally often.
        calibrate: fit a temperature to the validation part, so that a probability of 0.8 is right in 80 of 100 cases.
        freeze_epochs: train only the last layer for this many epochs; for a network that starts from a saved run.
        backbone_lr: the learning rate of all other layers, as a share of lr.
    """

    epochs: int = 20
    batch_size: int = 64
    lr: float = 5e-3
    weight_decay: float = 1e-4
    augment: Augment = "none"
    loss: Loss = "auto"
    select: Select = "auto"
    device: Literal["cpu", "gpu", "auto"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "64-true"] = "32-true"
    validate_every: int = 1
    patience: int = 0
    balance: Literal["none", "loss", "sampler"] = "none"
    calibrate: bool = False
    freeze_epochs: int = 0
    backbone_lr: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "validate_every"):
            if getattr(self, name) < 1:
                raise InputError(f"train.{name} is {getattr(self, name)}; expected at least 1.")
        if self.epochs % self.validate_every:
            raise InputError(
                f"train.validate_every is {self.validate_every} and train.epochs {self.epochs}; expected a divisor, so "
                "that the last epoch is looked at."
            )
        for name in ("patience", "freeze_epochs", "backbone_lr"):
            if not getattr(self, name) >= 0:
                raise InputError(f"train.{name} is {getattr(self, name)}; expected 0 or more.")
        if not self.lr > 0 or not self.weight_decay >= 0:
            raise InputError(
                f"train.lr is {self.lr}, train.weight_decay {self.weight_decay}; expected lr above 0, decay 0 or more."
            )


@dataclass
class FitConfig:
    """A whole run.

    Args:
        out: the folder of the run; it must not exist yet.
        model: which network.
        data: which images.
        train: how to train.
        seeds: one run for each seed; the split of the data does not depend on them.
        start: a run whose network, preparation and weights are taken over (`--from`); null: new weights.
        page: write report.html into the folder of the run, but for values and point sets.
    """

    out: str = "runs/fit"
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    seeds: list[int] = field(default_factory=lambda: [0])
    start: str | None = None
    page: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and strings."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(d: dict[str, Any]) -> FitConfig:
        """Build from what :meth:`to_dict` returned.

        Raises:
            InputError: keys or sections that are not those of a run.
        """
        try:
            parts = {
                "model": ModelConfig(**d["model"]),
                "data": DataConfig(**d["data"]),
                "train": TrainConfig(**d["train"]),
            }
            return FitConfig(**{**d, **parts})
        except (TypeError, KeyError) as e:
            raise InputError(
                f"config: {e} in {d}; expected the keys of a run as `steerable fit --help` lists them."
            ) from None
