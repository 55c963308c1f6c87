"""Pooling to a given size: the windows of ``torch`` lie symmetrically about the centre, so every size is exact."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule, require_type
from steerable.nn.pool import require_permutation


class _AdaptivePool2d(EquivariantModule):
    """Holds the size; window ``i`` of ``n`` runs from ``floor(i S / n)`` to ``ceil((i + 1) S / n)``."""

    def __init__(self, in_type: FieldType, output_size: int) -> None:
        require_type(in_type, type(self).__name__)
        super().__init__(in_type, in_type)
        if not isinstance(output_size, int) or output_size < 1:
            raise ValueError(
                f"{type(self).__name__}: output_size must be a positive integer (turns swap the axes), "
                f"got {output_size!r}"
            )
        self.output_size = output_size

    def extra_repr(self) -> str:
        """Type and size, for printing."""
        return f"{self.in_type!r}, output_size={self.output_size}"


class AdaptiveAvgPool2d(_AdaptivePool2d):
    """Mean over ``output_size`` by ``output_size`` windows of ``[B, C, H, W]``; any type, exact at every size."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``x`` to ``[B, C, output_size, output_size]``."""
        self.check_input(x, spatial=2)
        return F.adaptive_avg_pool2d(x, self.output_size)

    def bake(self) -> nn.Module:
        """``torch.nn.AdaptiveAvgPool2d``."""
        return nn.AdaptiveAvgPool2d(self.output_size)


class AdaptiveMaxPool2d(_AdaptivePool2d):
    """Maximum over ``output_size`` by ``output_size`` windows; permutation fields, exact at every size."""

    def __init__(self, in_type: FieldType, output_size: int) -> None:
        require_permutation(in_type, "AdaptiveMaxPool2d", "AdaptiveAvgPool2d")
        super().__init__(in_type, output_size)

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``x`` to ``[B, C, output_size, output_size]``."""
        self.check_input(x, spatial=2)
        return F.adaptive_max_pool2d(x, self.output_size)

    def bake(self) -> nn.Module:
        """``torch.nn.AdaptiveMaxPool2d``."""
        return nn.AdaptiveMaxPool2d(self.output_size)
