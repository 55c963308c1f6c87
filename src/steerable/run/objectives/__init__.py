"""What training asks for, one kind of answer a file. Here alone an answer is compared with the truth."""

from __future__ import annotations

from steerable.data import Samples
from steerable.data.errors import InputError
from steerable.run.balance import class_weights
from steerable.run.config import TrainConfig
from steerable.run.domains import domain_of
from steerable.run.objectives.classes import Classes
from steerable.run.objectives.coded import Coded
from steerable.run.objectives.fields import Fields
from steerable.run.objectives.objective import Objective as Objective
from steerable.run.objectives.places import Places
from steerable.run.objectives.target import target_record as target_record
from steerable.run.objectives.values import Values
from steerable.run.objectives.vectors import Vectors


def objective_of(data: Samples, train: TrainConfig) -> Objective:
    """Return the objective that belongs to training images.

    Raises:
        InputError: a setting of the other kind, or training values that are all the same.
    """
    if (data.regions or data.target is not None) and (train.balance != "none" or train.calibrate):
        key, what = "calibrate" if train.calibrate else "balance", "regions" if data.regions else "values"
        raise InputError(
            f"train.{key} is {getattr(train, key)}, but {data.source} has {what}, not classes; expected it off."
        )
    if data.regions:
        return Places(data.outputs, train, domain_of(data).areas(data))
    if data.target is None:
        return Classes(data.outputs, train, class_weights(data) if train.balance == "loss" else None)
    target = target_record(data)
    if data.target.trade:
        return Coded(data.target.trade, train, domain_of(data).areas(data))
    if data.target.everywhere:
        return Fields(target, train, domain_of(data).areas(data), data.target)
    return Vectors(target, train) if data.target.columns else Values(target["mean"], target["std"], train)
