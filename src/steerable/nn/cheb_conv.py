"""Chebyshev convolutions: polynomials of the Laplacian of a graph."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from steerable.aggregate.pairs import PairRows, pair_rows, pair_sums
from steerable.domains.lie import LieGroupGraph
from steerable.nn.constants import ConstantModule
from steerable.nn.no_autocast import no_autocast


class ChebConv(ConstantModule):
    r"""Polynomial of a graph's Laplacian with matrices for coefficients, ``y = sum_j T_j(L') x Theta_j``.

    ``L'`` is the Laplacian brought to [-1, 1], ``T_0 = 1``, ``T_1 = L'``, ``T_j = 2 L' T_(j-1) - T_(j-2)``. The layer
    commutes with all that the Laplacian commutes with; how far it sees in which direction is the metric of the graph.
    Only products of the sparse matrix with features occur: of the input, or of the projected input (Clenshaw) where the
    output has fewer channels.

    Args:
        graph: where the fields ``[B, C, *graph.shape]`` lie.
        in_channels: channels of the input.
        out_channels: channels of the output.
        order: degree of the polynomial: samples so many steps away are reached.
        bias: learned bias.

    Raises:
        ValueError: for an order below 0 or channels below 1.

    Source: Defferrard, Bresson and Vandergheynst, arXiv 1606.09375; on Lie groups Aguettaz et al., arXiv 2111.12139.
    """

    def __init__(
        self, graph: LieGroupGraph, in_channels: int, out_channels: int, order: int = 4, bias: bool = True
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("order", order, 0),
            ("in_channels", in_channels, 1),
            ("out_channels", out_channels, 1),
        ):
            if value < least:
                raise ValueError(f"ChebConv: {name} is {value}; expected at least {least}")
        self.graph, self.in_channels, self.out_channels, self.order = graph, in_channels, out_channels, order
        step = graph.rescaled()
        rows = pair_rows(step.target, step.source, graph.num_vertices, graph.num_vertices)
        for name, tensor in rows._asdict().items():
            self.register_buffer(f"_{name}", tensor, persistent=False)
        self.register_constant("_values", step.values)
        self.weight = nn.Parameter(torch.empty(order + 1, in_channels, out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.normal_(self.weight, std=math.sqrt(2 / (in_channels * (order + 1))))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, *graph.shape]`` to ``[B, out_channels, *graph.shape]``.

        Raises:
            ValueError: for other channels or another grid.
        """
        check_vertices(self, x, self.graph, self.in_channels)
        with no_autocast(x):
            flat = x.to(self.weight.dtype).flatten(2).permute(2, 0, 1).contiguous()  # [V, B, C]
            y = self._inputs_first(flat) if self.in_channels <= self.out_channels else self._outputs_first(flat)
            y = y if self.bias is None else y + self.bias
        return y.permute(1, 2, 0).contiguous().view(x.shape[0], self.out_channels, *self.graph.shape)

    def _step(self, z: Tensor) -> Tensor:
        """``L' z`` of ``[V, B, C]``."""
        rows = PairRows(self._start, self._source, self._target, self._column_start, self._by_column)
        return pair_sums(self._values, z.reshape(z.shape[0], -1), rows).view(z.shape)

    def _inputs_first(self, x: Tensor) -> Tensor:
        before, z = None, x
        y = x @ self.weight[0]
        for j in range(1, self.order + 1):
            moved = self._step(z)
            before, z = z, moved if before is None else 2 * moved - before
            y = y + z @ self.weight[j]
        return y

    def _outputs_first(self, x: Tensor) -> Tensor:
        """Clenshaw, C. W. (1955): the sum from its last term, ``b_j = x Theta_j + 2 L' b_(j+1) - b_(j+2)``."""
        after, later = x @ self.weight[self.order], None
        for j in range(self.order - 1, -1, -1):
            moved = self._step(after)
            b = x @ self.weight[j] + (2 * moved if j else moved)
            after, later = (b if later is None else b - later), after
        return after

    def extra_repr(self) -> str:
        """Channels, order and graph."""
        return f"{self.in_channels} -> {self.out_channels}, order={self.order}, {self.graph!r}"


def check_vertices(layer: nn.Module, x: Tensor, graph: LieGroupGraph, channels: int | None = None) -> None:
    """Refuse a field of another graph, or of other channels. Looks at shapes only, silent while compiling.

    Raises:
        ValueError: naming both.
    """
    if torch.compiler.is_compiling():
        return
    if tuple(x.shape[2:]) != graph.shape or (channels is not None and x.shape[1] != channels):
        places = ", ".join(map(str, graph.shape))
        raise ValueError(
            f"{type(layer).__name__}: the input is {list(x.shape)}; expected [B, {channels or 'C'}, {places}] on "
            f"{graph!r}. graph.lift(x) repeats an image over the orientations"
        )
