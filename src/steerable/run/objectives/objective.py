"""What an objective is, and how its settings are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor

from steerable.data.errors import InputError

DISTANCES: dict[str, Callable[..., Tensor]] = {"huber": F.smooth_l1_loss, "mae": F.l1_loss, "mse": F.mse_loss}


class Objective(Protocol):
    """A loss on a batch, and figures of a whole part.

    Attributes:
        select: the figure by which the best epoch is kept.
    """

    select: str

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss of what the network answers, ``[B, K]``, against the truth ``[B]`` or ``[B, K]``."""
        ...

    def figures(self, out: Tensor, y: Tensor) -> dict[str, float]:
        """Return the figures of a whole part, named ``val_...``."""
        ...


def pick(key: str, given: str, known: tuple[str, ...], what: str) -> str:
    """Return the setting `given`, or the first of `known` for ``auto``.

    Raises:
        InputError: a setting that belongs to the other kind of answer.
    """
    if given == "auto":
        return known[0] if known else given
    if given not in known:
        raise InputError(
            f"train.{key} is '{given}', but the data has {what}; expected one of {', '.join(('auto', *known))}."
        )
    return given


def distance(given: str, known: tuple[str, ...], what: str) -> Callable[..., Tensor]:
    """Return the function that compares values: the loss `given`, or the first of `known` for ``auto``.

    Raises:
        InputError: another loss.
    """
    return DISTANCES[pick("loss", given, known, what)]
