"""To a coarser graph and back."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.aggregate.pairs import PairRows, pair_rows, pair_sums
from steerable.domains.lie import LieGroupGraph
from steerable.nn.cheb_conv import check_vertices
from steerable.nn.constants import ConstantModule
from steerable.nn.no_autocast import no_autocast

KINDS = ("mean", "max")


class GraphPool(ConstantModule):
    """From a graph to its coarser one, orientation by orientation: blocks of 2 x 2 pixels, or a vertex of the
    icosphere of the level before with its neighbours.

    Args:
        graph: of the input; the output lies on ``graph.coarser()``, the attribute ``targets``.
        kind: ``"mean"``, by area, or ``"max"``.

    Raises:
        ValueError: for a graph without a coarser one, or another kind.
    """

    def __init__(self, graph: LieGroupGraph, kind: str = "mean") -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"GraphPool: kind is {kind!r}; expected one of {', '.join(KINDS)}")
        self.graph, self.targets, self.kind = graph, graph.coarser(), kind
        index, weight = graph.shares()
        self.register_buffer("_index", index, persistent=False)
        self.register_buffer("_pads", weight == 0, persistent=False)
        self.register_constant("_weight", weight)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, *graph.shape]`` to ``[B, C, *targets.shape]``. Raises ``ValueError`` for another grid."""
        check_vertices(self, x, self.graph)
        near = x.flatten(2)[..., self._index]  # [B, C, coarse, n]
        if self.kind == "max":
            y = near.masked_fill(self._pads, -torch.inf).amax(-1)
        else:
            y = (near * self._weight.to(x.dtype)).sum(-1)
        return y.view(*x.shape[:2], *self.targets.shape)

    def extra_repr(self) -> str:
        """Kind and graphs."""
        return f"{self.kind}, {self.graph!r} -> {self.targets.shape}"


class GraphUnpool(ConstantModule):
    """From the coarser graph to a graph: the reverse of the mean of :class:`GraphPool`, which keeps constants and,
    weighted by area, the mean.

    Args:
        graph: of the output; the input lies on ``graph.coarser()``, the attribute ``sources``.

    Raises:
        ValueError: for a graph without a coarser one.
    """

    def __init__(self, graph: LieGroupGraph) -> None:
        super().__init__()
        self.graph, self.sources = graph, graph.coarser()
        index, weight = graph.shares()
        area = weight * self.sources.weights().flatten()[:, None]
        coarse = torch.arange(len(index))[:, None].expand(index.shape)
        kept = weight > 0
        order = (index[kept] * len(index) + coarse[kept]).argsort()
        target, source, values = index[kept][order], coarse[kept][order], area[kept][order]
        whole = values.new_zeros(graph.num_vertices).index_add(0, target, values)
        rows = pair_rows(target, source, graph.num_vertices, len(index))
        for name, tensor in rows._asdict().items():
            self.register_buffer(f"_{name}", tensor, persistent=False)
        self.register_constant("_values", values / whole[target])

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, *sources.shape]`` to ``[B, C, *graph.shape]``. Raises ``ValueError`` for another grid."""
        check_vertices(self, x, self.sources)
        rows = PairRows(self._start, self._source, self._target, self._column_start, self._by_column)
        wide = x if x.dtype in (torch.float32, torch.float64) else x.float()  # no sparse products of half precision
        with no_autocast(x):
            y = pair_sums(self._values.to(wide), wide.flatten(2).flatten(0, 1).T.contiguous(), rows)
        return y.T.to(x.dtype).reshape(*x.shape[:2], *self.graph.shape)

    def extra_repr(self) -> str:
        """Graphs."""
        return f"{self.sources.shape} -> {self.graph!r}"
