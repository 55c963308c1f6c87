"""One block of a field type: some fields of one representation, and where their channels lie."""

from __future__ import annotations

from dataclasses import dataclass

from steerable.groups.representation import Representation


@dataclass(frozen=True)
class Block:
    """``multiplicity`` fields of ``rep`` in channels ``start:stop``, viewed as ``[B, multiplicity, rep.size, ...]``."""

    multiplicity: int
    rep: Representation
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, int]:
        """``(multiplicity, rep.size)``: what ``unflatten`` of the channel axis takes."""
        return (self.multiplicity, self.rep.size)

    def __str__(self) -> str:
        name = self.rep.name
        return f"{self.multiplicity}x{name}" if name in self.rep.irreps else f"{self.multiplicity} {name}"
