"""Maxout: a learned convex function in place of a fixed nonlinearity."""

from __future__ import annotations

from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.nn.baked import Baked
from steerable.nn.module import EquivariantModule, require_type


def maxout(x: Tensor, pieces: int) -> Tensor:
    """``[B, pieces * C, ...] -> [B, C, ...]``: the largest of the `pieces` copies of each channel."""
    return x.unflatten(1, (pieces, x.shape[1] // pieces)).amax(1)


class Maxout(EquivariantModule):
    """The largest of several fields, channel by channel: ``pieces * out_type`` to ``out_type``.

    Where the group permutes the channels of each field it permutes those of the maximum alike, so the layer is exactly
    equivariant on regular, quotient and trivial fields.

    Args:
        out_type: regular, quotient and trivial fields; the input has `pieces` copies of it, one after another.
        pieces: how many.

    Raises:
        TypeError: for a field that the group does not permute.
        ValueError: for fewer than two pieces.

    Source: Goodfellow, Warde-Farley, Mirza, Courville and Bengio, "Maxout networks", ICML 2013, arXiv 1302.4389.
    """

    def __init__(self, out_type: FieldType, pieces: int = 2) -> None:
        for b in require_type(out_type, "Maxout", "out_type").blocks:
            if not b.rep.is_permutation:
                raise TypeError(
                    f"Maxout: expected regular, quotient or trivial fields, got {b} in {out_type!r}; the maximum of "
                    "other channels depends on the frame. Use NormAct or FourierAct for irreps"
                )
        if pieces < 2:
            raise ValueError(f"Maxout: got pieces={pieces}; expected at least 2")
        super().__init__(pieces * out_type, out_type)
        self.pieces = int(pieces)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, pieces * C, ...] -> [B, C, ...]``."""
        self.check_input(x)
        return maxout(x, self.pieces)

    def bake(self) -> nn.Module:
        """The same function without a type."""
        return Baked(maxout, self.pieces)


class MaxoutDense(nn.Module):
    """A plain dense layer followed by the largest of each `pieces` outputs: ``[B, in_features] -> [B, out_features]``.

    Args:
        in_features: numbers in.
        out_features: numbers out, after the maximum.
        pieces: linear maps behind each output.

    Raises:
        ValueError: for fewer than two pieces.

    Source: arXiv 1302.4389; two of them stand in the galaxy network of arXiv 1503.07077.
    """

    def __init__(self, in_features: int, out_features: int, pieces: int = 2) -> None:
        super().__init__()
        if pieces < 2:
            raise ValueError(f"MaxoutDense: got pieces={pieces}; expected at least 2")
        self.linear, self.pieces = nn.Linear(in_features, pieces * out_features), int(pieces)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_features] -> [B, out_features]``."""
        return maxout(self.linear(x), self.pieces)
