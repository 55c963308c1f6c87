"""Pointwise functions: legal where the group only permutes channels."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.groups.representation import Representation
from steerable.nn.module import EquivariantModule, require_type


def is_signed_permutation(rep: Representation) -> bool:
    """Whether every matrix permutes the basis up to signs: odd functions are equivariant there."""
    if rep.frequency and not rep.group.is_finite:
        return False
    m = rep(rep.group.generators).abs()
    return bool(((m - m.round()).abs() < 1e-9).all() and (m.round().sum(-1) == 1).all())


class Pointwise(EquivariantModule):
    """One function of one variable on every channel; ``[B, C, ...]`` to the same shape and type.

    Args:
        in_type: regular, quotient and trivial fields; for an odd function also fields whose channels the group permutes
            up to signs (the sign of a reflection, for example).
        function: a module that acts on each value alone.
        odd: whether ``f(-x) = -f(x)`` exactly.

    Raises:
        TypeError: for a field on which the function would break the symmetry.

    Source: Weiler and Cesa, "General E(2)-Equivariant Steerable CNNs", NeurIPS 2019, section 2.6.
    """

    def __init__(self, in_type: FieldType, function: nn.Module, odd: bool = False) -> None:
        name = type(self).__name__
        for b in require_type(in_type, name).blocks:
            if b.rep.is_permutation or (odd and is_signed_permutation(b.rep)):
                continue
            allowed = "regular, quotient and trivial fields" + (" and signs" if odd else "")
            raise TypeError(
                f"{name}: a function of single channels is equivariant only on {allowed}, got {b} in {in_type!r}; "
                f"use NormAct, Gate or FourierAct on it"
            )
        super().__init__(in_type, in_type)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """The function of every value of `x`."""
        self.check_input(x)
        return self.function(x)

    def bake(self) -> nn.Module:
        """The function itself."""
        return copy.deepcopy(self.function)


class ReLU(Pointwise):
    """``torch.nn.ReLU`` on permuted fields; see `Pointwise`."""

    def __init__(self, in_type: FieldType, inplace: bool = False) -> None:
        super().__init__(in_type, nn.ReLU(inplace))


class ReLU6(Pointwise):
    """``torch.nn.ReLU6``, values between 0 and 6, on permuted fields; see `Pointwise`."""

    def __init__(self, in_type: FieldType, inplace: bool = False) -> None:
        super().__init__(in_type, nn.ReLU6(inplace))


class ELU(Pointwise):
    """``torch.nn.ELU`` on permuted fields; see `Pointwise`."""

    def __init__(self, in_type: FieldType, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(in_type, nn.ELU(alpha, inplace))


class LeakyReLU(Pointwise):
    """``torch.nn.LeakyReLU`` on permuted fields; see `Pointwise`."""

    def __init__(self, in_type: FieldType, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(in_type, nn.LeakyReLU(negative_slope, inplace))


class SiLU(Pointwise):
    """``torch.nn.SiLU`` on permuted fields; see `Pointwise`."""

    def __init__(self, in_type: FieldType, inplace: bool = False) -> None:
        super().__init__(in_type, nn.SiLU(inplace))


class GELU(Pointwise):
    """``torch.nn.GELU`` on permuted fields; see `Pointwise`."""

    def __init__(self, in_type: FieldType, approximate: str = "none") -> None:
        super().__init__(in_type, nn.GELU(approximate))


class Softplus(Pointwise):
    """``torch.nn.Softplus`` on permuted fields; see `Pointwise`."""

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, nn.Softplus())


class Sigmoid(Pointwise):
    """``torch.nn.Sigmoid`` on permuted fields; see `Pointwise`."""

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, nn.Sigmoid())


class Tanh(Pointwise):
    """``torch.nn.Tanh``: odd, so signs are legal too; see `Pointwise`."""

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, nn.Tanh(), odd=True)


class Hardtanh(Pointwise):
    """``torch.nn.Hardtanh`` between -limit and limit: odd, so signs are legal too; see `Pointwise`."""

    def __init__(self, in_type: FieldType, limit: float = 1.0) -> None:
        super().__init__(in_type, nn.Hardtanh(-limit, limit), odd=True)
