"""The domains of samples, one a file: how they are turned, scored and read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from steerable.data import Samples
from steerable.data.errors import InputError
from steerable.run.domains.domain import Batch
from steerable.run.domains.domain import Domain as Domain
from steerable.run.domains.domain import Turn as Turn
from steerable.run.domains.files import together as together
from steerable.run.domains.plane import PLANE
from steerable.run.domains.points import POINTS
from steerable.run.domains.sphere import SPHERE
from steerable.run.domains.volume import VOLUME

DOMAINS: Mapping[str, Domain] = {d.name: d for d in (PLANE, VOLUME, POINTS, SPHERE)}


def domain_of(data: Samples | Mapping[str, Any]) -> Domain:
    """Return the domain of samples, or that of the record of a run."""
    return DOMAINS[data.domain if isinstance(data, Samples) else data.get("domain", "plane")]


def domain_taken(what: str) -> Domain:
    """Return the domain of networks that take ``images``, ``volumes``, ``points`` or ``sphere``."""
    return next(d for d in DOMAINS.values() if d.takes == what)


def augmented(x: Batch, y: Tensor, how: str, generator: torch.Generator, data: Samples) -> tuple[Batch, Tensor]:
    """Draw one element for each sample and apply it, to answers at every place as well.

    Args:
        x: a batch.
        y: its answers.
        how: one of the augmentations of the domain.
        generator: on the CPU, so that a run draws the same on every device.
        data: the samples that the batch is of.
    """
    return (x, y) if how == "none" else domain_of(data).augment(x, y, how, generator, data)


def check_augment(data: Samples, how: str) -> None:
    """Refuse an augmentation that another kind of data has.

    Raises:
        InputError: naming those that there are, or a volume that is no cube.
    """
    known = domain_of(data).augmentations
    if how not in known:
        raise InputError(
            f"train.augment is '{how}', but {data.source} has {data.domain} data; expected one of {', '.join(known)}."
        )
    if data.domain == "volume" and how != "none" and len(set(data.size)) > 1:
        raise InputError(
            f"train.augment is '{how}', but {data.source} has volumes of {' x '.join(map(str, data.size))}; expected "
            "cubes. Crop them, or set it to none."
        )
