"""A regression network that answers in the unit of its target."""

from __future__ import annotations

from torch import Tensor, nn


class InUnits(nn.Module):
    """Mean and spread of the training values, folded into the answer of a network that learned standardised values.

    Args:
        model: ``[B, C, H, W] -> [B, 1]``, standardised.
        mean: of the training values.
        std: of the training values.
    """

    def __init__(self, model: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.model, self.mean, self.std = model, mean, std

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W] -> [B, 1]``, in the unit of the target."""
        return self.mean + self.std * self.model(x)

    def extra_repr(self) -> str:
        """Return the two numbers."""
        return f"mean={self.mean:g}, std={self.std:g}"
