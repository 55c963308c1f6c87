"""What a value of an image is called and measured in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """The quantity, or the vector of quantities, that a regression answers.

    Attributes:
        name: of the quantity, which is also the name of its column in a catalogue.
        unit: what it is measured in; empty for a pure number.
        columns: of a vector: the names of its entries, at least two; empty for a single value.
        head: of a vector: the name of the function that makes it from what a network answers (see
            `steerable.run.heads`); empty: mean and spread of each entry.

    Raises:
        ValueError: a vector of one entry, whose column ``[N, 1]`` would broadcast, or names that occur twice.
    """

    name: str
    unit: str = ""
    columns: tuple[str, ...] = ()
    head: str = ""

    def __post_init__(self) -> None:
        if len(self.columns) == 1 or len(set(self.columns)) < len(self.columns):
            raise ValueError(
                f"Target {self.name}: got the columns {list(self.columns)}; expected none (a single value) or at least "
                "two different names."
            )

    @property
    def size(self) -> int:
        """How many numbers a network answers."""
        return len(self.columns) or 1

    def __str__(self) -> str:
        return f"{self.name} [{self.unit}]" if self.unit else self.name
