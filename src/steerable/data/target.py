"""What a value of an image is called and measured in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """The quantity that a regression answers.

    Attributes:
        name: of the quantity, which is also the name of its column in a catalogue.
        unit: what it is measured in; empty for a pure number.
    """

    name: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name} [{self.unit}]" if self.unit else self.name
