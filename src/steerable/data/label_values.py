"""The numbers in masks and label volumes, and the classes that they stand for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from steerable.data.errors import InputError

MOST = 64  # more values than that are no classes


def joined(labels: Tensor, kept: Sequence[int | None]) -> Tensor:
    """Return labels in which all single things are one class: 0 stays, other numbers become 1, `kept` stay."""
    found = (labels != 0).long()
    for value in kept:
        found = found if value is None else torch.where(labels == value, labels, found)
    return found


def class_values(
    labels: Sequence[Tensor],
    given: Sequence[int] | None,
    ignore: int | None,
    none: int,
    source: str,
    kind: tuple[str, str] = ("masks", "masks"),
) -> list[int]:
    """Return the values of the classes, all that occur among them.

    Args:
        labels: whole numbers, of any shape.
        given: those that are said, in the order of the classes; None: all that occur, ascending.
        ignore: what stands where there is no class; None: nothing does.
        none: what stands where a file had no place.
        source: where the labels lie, for a message.
        kind: the reader, and what it calls the files.

    Raises:
        InputError: values that are no classes, or that were not said.
    """
    reader, what = kind
    occur = sorted({v for part in labels for v in part.unique().tolist()} - {ignore, none})
    if given is None:
        if len(occur) > MOST:
            raise InputError(
                f"{reader}: those of '{source}' have {len(occur)} different values; expected at most {MOST} classes. "
                "If they number single things, set data.options.instances; else name them in data.options.values."
            )
        return occur
    if ignore in given:
        raise InputError(
            f"{reader}: data.options.values is {list(given)}, data.options.ignore {ignore}; expected a value that is "
            "no class, or none. Take it out of one of the two."
        )
    other = [v for v in occur if v not in given]
    if other or len(set(given)) < len(given):
        raise InputError(
            f"{reader}: data.options.values is {list(given)}, and the {what} of '{source}' also hold {other[:5]}"
            f"{', ...' if len(other) > 5 else ''}; expected all of them, each once, or one in data.options.ignore."
        )
    return list(given)


def class_numbers(labels: Tensor, values: Sequence[int]) -> Tensor:
    """Return the number of the class of each place, from its value; -1 where it is none of them."""
    y = torch.full_like(labels, -1)
    for k, value in enumerate(values):
        y[labels == value] = k
    return y
