"""Functions applied to every channel alike: legal where the group only permutes channels."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule, require_type


class Pointwise(EquivariantModule):
    """Any elementwise module on permutation fields (regular, quotient, trivial).

    A pointwise function commutes with a representation if it permutes the channels, and with no other useful one.

    Args:
        in_type: the type; ``out_type`` is the same.
        function: builds the elementwise module.

    Raises:
        ValueError: naming the block on which it would break the symmetry, and what to use there.
    """

    def __init__(self, in_type: FieldType, function: Callable[[], nn.Module]) -> None:
        name = type(self).__name__
        require_type(in_type, name)
        super().__init__(in_type, in_type)
        for block in in_type.blocks:
            if not block.rep.is_permutation:
                raise ValueError(f"{name}: a pointwise function breaks {block} of {in_type!r}, whose channels the group "
                                 f"mixes; use NormAct, Gate or FourierAct there, or regular fields")
        self.function = function()

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function; any shape ``[B, C, ...]``."""
        self.check_input(x)
        return self.function(x)

    def bake(self) -> nn.Module:
        """The elementwise module itself."""
        return self.function


class ReLU(Pointwise):
    """``max(x, 0)`` on permutation fields."""

    def __init__(self, in_type: FieldType, inplace: bool = False) -> None:
        super().__init__(in_type, lambda: nn.ReLU(inplace))


class ELU(Pointwise):
    """Exponential linear unit on permutation fields."""

    def __init__(self, in_type: FieldType, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(in_type, lambda: nn.ELU(alpha, inplace))


class LeakyReLU(Pointwise):
    """Leaky ReLU on permutation fields."""

    def __init__(self, in_type: FieldType, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(in_type, lambda: nn.LeakyReLU(negative_slope, inplace))


class SiLU(Pointwise):
    """``x sigmoid(x)`` on permutation fields."""

    def __init__(self, in_type: FieldType, inplace: bool = False) -> None:
        super().__init__(in_type, lambda: nn.SiLU(inplace))


class GELU(Pointwise):
    """Gaussian error linear unit on permutation fields."""

    def __init__(self, in_type: FieldType, approximate: str = "none") -> None:
        super().__init__(in_type, lambda: nn.GELU(approximate))


class Tanh(Pointwise):
    """Hyperbolic tangent on permutation fields."""

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, nn.Tanh)


class Sigmoid(Pointwise):
    """Logistic function on permutation fields."""

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, nn.Sigmoid)


class Softplus(Pointwise):
    """Smooth ReLU on permutation fields."""

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, nn.Softplus)
