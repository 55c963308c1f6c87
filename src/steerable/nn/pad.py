"""Padding by the same number of pixels on every border."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule, require_type

_PLAIN = {
    "zeros": nn.ZeroPad2d,
    "reflect": nn.ReflectionPad2d,
    "replicate": nn.ReplicationPad2d,
    "circular": nn.CircularPad2d,
}


class Pad2d(EquivariantModule):
    """``[B, C, H, W]`` to ``[B, C, H + 2 p, W + 2 p]``; any type. The centre stays the centre, so it is exact.

    Args:
        in_type: any type.
        padding: pixels on every border.
        mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Raises:
        ValueError: for a bad argument or wrong channels.
    """

    def __init__(self, in_type: FieldType, padding: int, mode: str = "zeros") -> None:
        require_type(in_type, "Pad2d")
        super().__init__(in_type, in_type)
        if not isinstance(padding, int) or padding < 0:
            raise ValueError(
                f"Pad2d: padding must be a non-negative integer, the same on every border, got {padding!r}"
            )
        if mode not in _PLAIN:
            raise ValueError(f"Pad2d: mode must be one of {list(_PLAIN)}, got {mode!r}")
        self.padding, self.mode = padding, mode

    def forward(self, x: Tensor) -> Tensor:
        """Pad ``x``."""
        self.check_input(x, spatial=2)
        return F.pad(x, (self.padding,) * 4, "constant" if self.mode == "zeros" else self.mode)

    def extra_repr(self) -> str:
        """Type and options, for printing."""
        return f"{self.in_type!r}, padding={self.padding}, mode={self.mode!r}"

    def bake(self) -> nn.Module:
        """The padding layer of torch."""
        return _PLAIN[self.mode](self.padding)
