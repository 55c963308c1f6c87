"""A disc outside which there is nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule, require_type


def disc_mask(x: Tensor, margin: float) -> Tensor:
    """Zero ``x [..., H, W]`` outside the inscribed disc, ``margin`` pixels inside the border."""
    height, width = x.shape[-2:]
    # twice the coordinates are integers, so the disc is symmetric to the last bit
    rows = 2 * torch.arange(height, device=x.device) - (height - 1)
    columns = 2 * torch.arange(width, device=x.device) - (width - 1)
    diameter = min(height, width) - 1 - 2 * margin
    inside = rows.square()[:, None] + columns.square() <= (diameter * diameter + 1e-6 if diameter >= 0 else -1)
    return x * inside.to(x.dtype)


class DiscMask(EquivariantModule):
    """Sets pixels outside the inscribed disc to zero, so that corners cannot tell the orientation; any type, any size.

    Use it on the input when data are turned by angles other than quarter turns (Weiler and Cesa, NeurIPS 2019).

    Args:
        in_type: any type.
        margin: pixels between the disc and the border.

    Raises:
        ValueError: for a negative margin or wrong channels.
    """

    def __init__(self, in_type: FieldType, margin: float = 1.0) -> None:
        require_type(in_type, "DiscMask")
        super().__init__(in_type, in_type)
        if not margin >= 0:
            raise ValueError(f"DiscMask: margin must not be negative, got {margin!r}")
        self.margin = float(margin)

    def forward(self, x: Tensor) -> Tensor:
        """Mask ``x [B, C, H, W]``."""
        self.check_input(x, spatial=2)
        return disc_mask(x, self.margin)

    def extra_repr(self) -> str:
        """Type and margin, for printing."""
        return f"{self.in_type!r}, margin={self.margin}"

    def bake(self) -> nn.Module:
        """The same mask without a type."""
        return PlainDiscMask(self.margin)


class PlainDiscMask(nn.Module):
    """Zero outside the inscribed disc."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, x: Tensor) -> Tensor:
        """Mask ``x [..., H, W]``."""
        return disc_mask(x, self.margin)
