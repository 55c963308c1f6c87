"""Dropout of whole fields."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule, field_of_channel, require_type


class FieldDropout(EquivariantModule):
    """In train, sets whole fields of a sample to zero at all positions and scales the others by ``1 / (1 - p)``.

    All channels of a field share their fate, so what is drawn commutes with the group; dropping single channels would
    not. On trivial fields it is ``torch.nn.Dropout2d`` (Tompson et al., CVPR 2015).

    Args:
        in_type: type of the channels ``x [B, C, ...]``.
        p: probability of dropping a field.

    Raises:
        ValueError: if ``p`` is no probability, or for wrong channels.
    """

    def __init__(self, in_type: FieldType, p: float = 0.5) -> None:
        require_type(in_type, "FieldDropout")
        super().__init__(in_type, in_type)
        if not 0 <= p <= 1:
            raise ValueError(f"FieldDropout: p must lie between 0 and 1, got {p!r}")
        self.p = float(p)
        self.num_fields = in_type.num_fields
        self.register_constant("field", field_of_channel(in_type))

    def forward(self, x: Tensor) -> Tensor:
        """Drop fields of ``x``."""
        self.check_input(x)
        if not self.training or self.p == 0:
            return x
        keep = F.dropout(torch.ones(x.shape[0], self.num_fields, dtype=x.dtype, device=x.device), self.p, True)
        return x * keep.index_select(1, self.field).reshape(x.shape[:2] + (1,) * (x.dim() - 2))

    def extra_repr(self) -> str:
        """Type and probability, for printing."""
        return f"{self.in_type!r}, p={self.p}"

    def bake(self) -> nn.Module:
        """Nothing happens in eval."""
        return nn.Identity()
