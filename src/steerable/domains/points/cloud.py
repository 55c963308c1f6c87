"""A cloud of points in the plane or in space, or many clouds in one batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from steerable.domains.domain import Domain
from steerable.domains.points.nearest import nearest
from steerable.domains.points.neighbourhood import Neighbourhood
from steerable.domains.points.periodic import check_cell
from steerable.domains.points.search import Pairs, Side, offsets, search
from steerable.fields.type import FieldType
from steerable.groups.group import Group


class Points(Domain):
    """Points of R^2 or R^3 that carry features ``[N, C]``; several clouds lie one after another.

    Points may coincide (their offset is then 0), a cloud may have one point or none. Which points are near is searched
    without a gradient, whenever it is asked for; offsets are differentiable in the positions and the cell, so that
    forces and stresses are gradients. Build neighbourhoods outside a compiled region and pass them to the layers.

    Args:
        positions: ``[N, n]`` with n = 2 or 3, finite; they need not lie inside the cell.
        batch: number of the cloud of each point, int64 ``[N]``, ascending; None: one cloud.
        cell: lattice vectors as rows, ``[n, n]`` for all clouds or ``[num_graphs, n, n]``; along a row of zeros
            nothing repeats. None: no cell.
        num_graphs: number of clouds, where the last ones are empty; None: the highest number and one.
        weights: the share of space of each point ``[N]``, such as of a quadrature; None: 1.

    Raises:
        TypeError: what is no tensor.
        ValueError: shapes that do not belong together, positions or weights that are not finite, a batch that is not
            sorted.
    """

    def __init__(
        self,
        positions: Tensor,
        batch: Tensor | None = None,
        cell: Tensor | None = None,
        num_graphs: int | None = None,
        weights: Tensor | None = None,
    ) -> None:
        for name, given in (("positions", positions), ("batch", batch), ("cell", cell), ("weights", weights)):
            if not isinstance(given, Tensor) and not (given is None and name != "positions"):
                raise TypeError(
                    f"Points: {name} is of the type {type(given).__name__}; expected a tensor. Say torch.as_tensor()."
                )
        check_positions(positions)
        self.positions = positions
        self.batch, self.num_graphs = check_batch(batch, positions, num_graphs)
        self.cell = None if cell is None else check_cell(cell.to(positions), positions.shape[1], self.num_graphs)
        self._weights = None if weights is None else check_weights(weights, positions)

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        cell = "" if self.cell is None else ", periodic"
        return f"Points({len(self)} in R^{self.dimension}, {self.num_graphs} graphs{cell})"

    @property
    def dimension(self) -> int:
        """Number of coordinates n."""
        return self.positions.shape[1]

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N,)``; features are ``[N, C]``."""
        return (len(self),)

    def points(self) -> Tensor:
        """Positions ``[N, n]`` float64."""
        return self.positions.detach().double()

    def weights(self) -> Tensor:
        """The share of space of each point ``[N]``."""
        return torch.ones(len(self), dtype=torch.float64) if self._weights is None else self._weights

    def counts(self) -> Tensor:
        """Number of points of each cloud, int64 ``[num_graphs]``."""
        return torch.bincount(self.batch, minlength=self.num_graphs)

    # ---- who is near ------------------------------------------------------------------------------------------------

    def neighbours(self, cutoff: float, loop: bool = False, method: str = "auto") -> Neighbourhood:
        """Return all pairs of points of one cloud at most `cutoff` apart, images of a periodic cell among them.

        A cut-off above half the cell, or above several cells, finds every image (up to ten cells on each side).

        Args:
            cutoff: the largest distance, positive; infinite: all pairs.
            loop: whether a point is near itself; its own images always are.
            method: ``brute``, ``bins``, or ``auto``: which search. All find the same pairs.

        Raises:
            ValueError: a cut-off that is not positive or reaches over too many cells.
        """
        side = self._side()
        own = None if loop else torch.arange(len(self), device=side.graph.device)
        return self._neighbourhood(self, search(side, side, self.num_graphs, cutoff, self._cell64(), own, method))

    def knn(self, k: int, loop: bool = False) -> Neighbourhood:
        """Return for each point the `k` nearest others of its cloud; in a smaller cloud all others there are.

        Points at equal distance are taken in order of their number (and shift), so that a lattice, where many are, gets
        another graph when it is turned: use :meth:`neighbours` there.

        Args:
            k: how many, at least 1.
            loop: whether a point counts among its own nearest.

        Raises:
            ValueError: `k` below 1.
        """
        side = self._side()
        return self._neighbourhood(self, nearest(side, self.num_graphs, k, self._cell64(), loop))

    def cross(self, queries: Points, cutoff: float, method: str = "auto") -> Neighbourhood:
        """Return which points of this cloud are near other points, which receive: ``num_targets = len(queries)``.

        Args:
            queries: points of the same dimension with as many graphs; the cell is that of this cloud.
            cutoff: the largest distance, positive.
            method: as in :meth:`neighbours`.

        Raises:
            TypeError: queries that are no `Points`.
            ValueError: another dimension or number of graphs.
        """
        if not isinstance(queries, Points):
            raise TypeError(
                f"Points.cross: the queries are of the type {type(queries).__name__}; expected Points. Say "
                "st.Points(queries)."
            )
        if (queries.dimension, queries.num_graphs) != (self.dimension, self.num_graphs):
            raise ValueError(
                f"Points.cross: the queries are {queries}, the cloud is {self}; expected points of R^{self.dimension} "
                f"in {self.num_graphs} graphs. Give both the same num_graphs."
            )
        pairs = search(queries._side(), self._side(), self.num_graphs, cutoff, self._cell64(), None, method)
        return self._neighbourhood(queries, pairs)

    def _side(self) -> Side:
        return Side(self.points(), self.batch)

    def _cell64(self) -> Tensor | None:
        return None if self.cell is None else self.cell.detach().double()

    def _neighbourhood(self, targets: Points, pairs: Pairs) -> Neighbourhood:
        away = offsets(targets.positions, self.positions, pairs, targets.batch, self.cell)
        weight = None if self._weights is None else self._weights[pairs.source]
        return Neighbourhood(pairs.target, pairs.source, away, len(targets), len(self), weight)

    # ---- how a symmetry moves them ----------------------------------------------------------------------------------

    def at(self, positions: Tensor) -> Points:
        """Return the same points elsewhere ``[N, n]``, as a simulation moves them."""
        if positions.shape != self.positions.shape:
            raise ValueError(
                f"Points.at: positions are {list(positions.shape)}; expected {list(self.positions.shape)}, as before."
            )
        return Points(positions, self.batch, self.cell, self.num_graphs, self._weights)

    def reordered(self, order: Tensor) -> Points:
        """Return the same points in another order, int64 ``[N]``, which keeps each cloud together."""
        weights = None if self._weights is None else self._weights[order]
        return Points(self.positions[order], self.batch[order], self.cell, self.num_graphs, weights)

    def moved(self, group: Group, g: Tensor) -> Points:
        """Return the points, and the cell, moved by one element: ``g p``."""
        matrix = group.action(g, self.dimension).to(self.positions)
        cell = None if self.cell is None else self.cell @ matrix.mT
        return Points(self.positions @ matrix.mT, self.batch, cell, self.num_graphs, self._weights)

    def is_exact(self, group: Group, g: Tensor) -> bool:
        """Any element of a group that acts on R^n: points go where they are sent."""
        return group.acts_on(self.dimension)

    def move(self, x: Tensor, group: Group, g: Tensor) -> Tensor:
        """Features ``[N, C]`` as they are: each stays with its point, which :meth:`moved` moves."""
        return x

    def transform(self, x: Tensor, type: FieldType, g: Tensor) -> Tensor:
        """``rho(g) x`` ``[N, C]``, the features of the points that :meth:`moved` returns."""
        return type.transform(x, g)

    def sample(
        self, batch: int, channels: int, dtype: torch.dtype = torch.float64, generator: torch.Generator | None = None
    ) -> Tensor:
        """Random features ``[N, channels]``; `batch` has no meaning, since clouds of unlike size have no such axis."""
        return torch.randn(len(self), channels, dtype=dtype, generator=generator)

    def to(self, *args: Any, **kwargs: Any) -> Points:
        """Move to a device, a dtype or both, as of :meth:`torch.Tensor.to`."""
        positions = self.positions.to(*args, **kwargs)
        weights = None if self._weights is None else self._weights.to(*args, **kwargs)
        return Points(positions, self.batch.to(positions.device), self.cell, self.num_graphs, weights)


def check_positions(positions: Tensor) -> None:
    """Refuse what is not finite ``[N, 2]`` or ``[N, 3]``.

    Raises:
        ValueError: saying what was given.
    """
    if positions.ndim != 2 or positions.shape[1] not in (2, 3) or not positions.is_floating_point():
        raise ValueError(
            f"Points: positions are {positions.dtype} {list(positions.shape)}; expected real numbers [N, 2] or [N, 3]. "
            "Join several clouds along the first axis and say batch."
        )
    broken = (~torch.isfinite(positions)).any(1)
    if bool(broken.any()):
        raise ValueError(
            f"Points: {int(broken.sum())} of {len(positions)} positions are NaN or infinite (first: point "
            f"{int(broken.nonzero()[0])}); expected finite numbers. Drop these points."
        )


def check_batch(batch: Tensor | None, positions: Tensor, num_graphs: int | None) -> tuple[Tensor, int]:
    """Return the number of the cloud of each point, and how many clouds there are.

    Raises:
        ValueError: another shape or dtype, numbers that fall or are too large.
    """
    count = len(positions)
    if num_graphs is not None and not (isinstance(num_graphs, int) and num_graphs >= 0):
        raise ValueError(f"Points: num_graphs is {num_graphs!r}; expected a whole number, 0 or more.")
    if batch is None:
        graphs = 1 if num_graphs is None else num_graphs
        batch = torch.zeros(count, dtype=torch.int64, device=positions.device)
    elif batch.shape != (count,) or batch.dtype != torch.int64:
        raise ValueError(
            f"Points: batch is {batch.dtype} {list(batch.shape)}; expected torch.int64 [{count}], the number of the "
            "cloud of each point."
        )
    else:
        graphs = (int(batch[-1]) + 1 if count else 0) if num_graphs is None else num_graphs
    falls = batch[1:] < batch[:-1]
    if bool(falls.any()):
        at = int(falls.nonzero()[0])
        raise ValueError(
            f"Points: batch falls from {int(batch[at])} to {int(batch[at + 1])} after point {at}; expected ascending "
            "numbers. Sort points and features by their cloud."
        )
    if count and (int(batch[0]) < 0 or int(batch[-1]) >= graphs):
        raise ValueError(
            f"Points: batch runs from {int(batch[0])} to {int(batch[-1])}; expected numbers from 0 to {graphs - 1}, "
            f"below num_graphs = {graphs}. Count clouds from 0, or raise num_graphs."
        )
    return batch, graphs


def check_weights(weights: Tensor, positions: Tensor) -> Tensor:
    """Return the share of space of each point in the dtype of the positions.

    Raises:
        ValueError: another shape, or shares that are not finite.
    """
    if weights.shape != positions.shape[:1]:
        raise ValueError(f"Points: weights are {list(weights.shape)}; expected [{len(positions)}], one a point.")
    broken = ~torch.isfinite(weights)
    if bool(broken.any()):
        raise ValueError(
            f"Points: {int(broken.sum())} of {len(weights)} weights are NaN or infinite; expected finite shares of "
            "space. Drop these points."
        )
    return weights.to(positions)
