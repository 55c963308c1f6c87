"""One axis of canonical coordinates: its range, whether the group shifts it, whether it closes on itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Axis:
    """The interval ``[low, high]`` of one canonical coordinate.

    Attributes:
        low, high: ends of the range.
        shifts: whether the group moves points along it.
        periodic: whether ``high`` is the same place as ``low``.

    Raises:
        ValueError: for ends that are not finite or not in order.
    """

    low: float
    high: float
    shifts: bool = False
    periodic: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"Axis: got the range [{self.low}, {self.high}]; expected finite ends, lower first")

    @property
    def length(self) -> float:
        """``high - low``."""
        return self.high - self.low

    def step(self, n: int) -> float:
        """Distance of neighbours among ``n`` samples: a shift by it is a shift by one sample."""
        return self.length / n

    def samples(self, n: int) -> Tensor:
        """Centres ``[n]`` (float64) of ``n`` equal cells.

        No end is a sample, so on a periodic axis no place is counted twice and a roll is exact.
        """
        return self.low + (torch.arange(n, dtype=torch.float64) + 0.5) * self.step(n)
