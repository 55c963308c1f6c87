"""Equivariant linear maps of the channels, at every point alike."""

from __future__ import annotations

from torch import Tensor, nn

from steerable.aggregate.schur import schur_map, schur_plan
from steerable.fields.type import FieldType
from steerable.kernels.pixels import Point
from steerable.nn.init import initialise
from steerable.nn.steerable_map import SteerableMap


class Linear(SteerableMap):
    """The most general equivariant linear map between two types, for any group, planar or not.

    Args:
        in_type: type of the input, ``[B, in_type.size]`` or ``[B, in_type.size, *space]``.
        out_type: type of the output.
        bias: learned bias along invariant vectors.
        init: ``"he"`` or ``"delta"`` (orthogonal).

    Between types that are split into irreps (:attr:`FieldType.fourier`) each irrep is mapped on its own, by Schur's
    lemma: for regular features of D8 28 multiplications in place of 256.
    """

    def __init__(self, in_type: FieldType, out_type: FieldType, bias: bool = True, init: str = "he") -> None:
        super().__init__(in_type, out_type, Point(), 1, 0, 1, bias)
        self._blocks = schur_plan(self.bank)
        self._init = init
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights again, bias zero."""
        initialise(self, self._init)

    def forward(self, x: Tensor) -> Tensor:
        """Map axis 1 from ``in_type.size`` to ``out_type.size``."""
        self.check_input(x)
        bias = self.expanded_bias()
        if self._blocks is not None:
            y = schur_map(x, self.split_weights(), self._banks(), self._blocks)
        elif x.dim() == 2:
            return nn.functional.linear(x, self.filter(), bias)
        else:
            y = (self.filter() @ x.flatten(2)).unflatten(2, x.shape[2:])
        return y if bias is None else y + bias.view(-1, *[1] * (x.dim() - 2))

    def bake(self) -> nn.Module:
        """A plain module with this matrix."""
        return PlainLinear(self.filter().detach().clone(), None if self.bias is None else self.expanded_bias())


class PlainLinear(nn.Linear):
    """``torch.nn.Linear`` along axis 1."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight.shape[1], weight.shape[0], bias is not None, device="meta")
        self.weight = nn.Parameter(weight)
        if bias is not None:
            self.bias = nn.Parameter(bias.detach().clone())

    def forward(self, input: Tensor) -> Tensor:
        """Map axis 1."""
        if input.dim() == 2:
            return super().forward(input)
        y = (self.weight @ input.flatten(2)).unflatten(2, input.shape[2:])
        return y if self.bias is None else y + self.bias.view(-1, *[1] * (input.dim() - 2))
