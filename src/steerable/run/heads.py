"""Vectors that a network does not answer directly: the function that makes them, by name, and how they are judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from steerable.data.errors import InputError


class Head(NamedTuple):
    """A head.

    Attributes:
        values: raw answers of a network ``[B, K]`` to values ``[B, K]``.
        report: from values and truth ``[N, K]`` to further figures for `steerable evaluate`, as plain JSON. Under
            ``tables`` it may hold tables: title, and for each column a figure.
    """

    values: Callable[[Tensor], Tensor]
    report: Callable[[Tensor, Tensor], dict[str, Any]]


def _galaxy_zoo(published: bool) -> Callable[[], Head]:
    def build() -> Head:
        from steerable.tasks.galaxies import GalaxyZooTree, question_report

        tree = GalaxyZooTree(published)
        return Head(tree, lambda answer, y: question_report(answer, y, tree))

    return build


HEADS: dict[str, Callable[[], Head]] = {
    "galaxy_zoo": _galaxy_zoo(published=True),
    "galaxy_zoo_tree": _galaxy_zoo(published=False),
}


def find_head(name: str) -> Head:
    """Return the head of a name.

    Raises:
        InputError: an unknown name.
    """
    if name not in HEADS:
        raise InputError(f"the head of the target is '{name}'; expected one of {', '.join(HEADS)}. Train again.")
    return HEADS[name]()
