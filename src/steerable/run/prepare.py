"""From images as they come to what a network was trained on: one table, by the `input` of the run's record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from steerable.data.errors import InputError

Columns = dict[str, Tensor | Sequence[Any]]
Function = Callable[[Tensor, Mapping[str, Any]], tuple[Tensor, Columns]]


class Preparation(NamedTuple):
    """How the input of a network is computed from images.

    Attributes:
        function: takes images ``[N, C, H, W]``, as they come from a file, and the options; returns what the recipe of
            the run is then applied to, ``[N, c, h, w]``, and further columns of the catalogue with N entries each:
            tensors ``[N]`` or lists. The options are the `input_settings` of the run, and above them what was said on
            the command line.
        options: those of the command line that it reads, such as ``pixel_scale``.
    """

    function: Function
    options: tuple[str, ...] = ()


def pixels(images: Tensor, options: Mapping[str, Any]) -> tuple[Tensor, Columns]:
    """Return the images themselves and no columns."""
    return images, {}


PREPARATIONS: dict[str, Preparation] = {"pixels": Preparation(pixels)}


def preparation(record: Mapping[str, Any], given: Mapping[str, float | None]) -> tuple[Function, dict[str, Any]]:
    """Return the function for a run, and its options.

    Args:
        record: of the run.
        given: options of the command line; None where one was not said.

    Raises:
        InputError: an input that cannot be computed from images, or an option that it has no use for.
    """
    kind = record["input"]
    if kind not in PREPARATIONS:
        raise InputError(
            f"the network sees '{kind}', which cannot be computed from images; expected one of "
            f"{', '.join(PREPARATIONS)}. Train on an input that can be computed without the truth."
        )
    entry = PREPARATIONS[kind]
    said = {k: v for k, v in given.items() if v is not None}
    for key in said:
        if key not in entry.options:
            known = ", ".join(f"--{k.replace('_', '-')}" for k in entry.options) or "no such option"
            flag = f"--{key.replace('_', '-')} {said[key]:g}"
            raise InputError(f"{flag}: the input '{kind}' has no use for it; expected {known}. Drop it.")
    return entry.function, {**record["input_settings"], **said}
