"""Eight-bit activations: ``value = scale (q - zero)`` with ``q`` in 0 ... 255."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: largest integer of an activation
TOP = 255


@dataclass(frozen=True)
class Affine:
    """How the integers of one tensor stand for numbers; one pair for the whole tensor, so no orientation differs.

    Attributes:
        scale: size of a step, a float32 number.
        zero: the integer that stands for 0.
    """

    scale: float
    zero: int

    @classmethod
    def of_range(cls, low: float, high: float) -> Affine:
        """The finest steps that hold ``low ... high`` and zero exactly. ``ValueError`` for a range of no width."""
        low, high = min(low, 0.0), max(high, 0.0)
        if not (math.isfinite(low) and math.isfinite(high) and high > low):
            raise ValueError(f"Affine: got the range {low} ... {high}; expected finite numbers that differ")
        scale = float(np.float32(max((high - low) / TOP, 1e-30)))
        return cls(scale, int(min(max(round(-low / scale), 0), TOP)))

    @property
    def low(self) -> float:
        """The smallest number it can hold."""
        return -self.scale * self.zero

    @property
    def high(self) -> float:
        """The largest."""
        return self.scale * (TOP - self.zero)

    def quantise(self, x: Tensor) -> Tensor:
        """``uint8`` integers of ``x``, halves to even."""
        return to_uint8(torch.round(x.float() / torch.tensor(self.scale, device=x.device)), self.zero)

    def dequantise(self, q: Tensor) -> Tensor:
        """float32 numbers of integers."""
        return (q.float() - self.zero) * self.scale

    def fake(self, x: Tensor) -> Tensor:
        """The numbers of the integers of ``x``; the gradient is that of a clamp (straight through the rounding)."""
        clamped = x.clamp(self.low, self.high)
        rounded = (torch.round(clamped / self.scale)) * self.scale
        return clamped + (rounded - clamped).detach()


def to_uint8(rounded: Tensor, zero: int) -> Tensor:
    """``rounded + zero`` cut to 0 ... 255, as ``uint8``; ``rounded`` holds whole numbers."""
    return rounded.clamp(-zero, TOP - zero).add(zero).to(torch.uint8)
