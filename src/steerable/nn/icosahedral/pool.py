"""From one level of the icosahedron to the next, with transport."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.aggregate.hexagon import MEAN, HexFrames, hex_frames
from steerable.domains.sphere import IcosahedralSphere
from steerable.fields.type import FieldType
from steerable.nn.constants import ConstantModule, on_processor
from steerable.nn.icosahedral.conv import IcoCorners, check_words
from steerable.nn.icosahedral.gather import MovedGather, require_sixths
from steerable.nn.module import EquivariantModule
from steerable.nn.pool import require_permutation
from steerable.nn.sphere.conv import check_sphere


class IcoPool(EquivariantModule):
    """From level r to r - 1: each vertex that stays pools over its hexagon, read in its own frame.

    The mean has the weights 1/4 in the centre and 1/8 around it (half of each neighbour belongs to the vertex on its
    other side), scaled to one where a corner is missing: constants stay, and so do all types. The maximum is for
    permuted fields.

    Args:
        in_type: type of the field ``[B, in_type.size, V]``, of C(6), D(6) or C(1).
        sphere: the fine sampling, of level 2 or more, or its name.
        function: ``"mean"`` or ``"max"``.
        gauges: of the frames of the input ``[V]``; default those of the charts.
        coarse_gauges: of the output.
        corners: as in :class:`IcoConv`.

    Raises:
        TypeError: for another sampling; for the maximum of other fields.
        ValueError: for a level below 2, types of another group, unknown words.
    """

    @on_processor
    def __init__(
        self,
        in_type: FieldType,
        sphere: IcosahedralSphere | str,
        function: str = "mean",
        gauges: Tensor | None = None,
        coarse_gauges: Tensor | None = None,
        corners: IcoCorners = "zero",
    ) -> None:
        require_sixths("IcoPool", in_type)
        check_words(corners=(corners, ("zero", "invariant")), function=(function, ("mean", "max")))
        if function == "max":
            require_permutation(in_type, "IcoPool", 'function="mean"')
        super().__init__(in_type, in_type)
        fine = hex_frames(sphere, gauges)
        coarse = hex_frames(fine.sphere.coarser(), coarse_gauges)
        self.sphere, self.targets, self.function, self.corners = fine.sphere, coarse.sphere, function, corners
        self.frames, self.out_frames, n = fine, coarse, coarse.sphere.num_points
        ahead = ahead_of_fine(fine, coarse)
        here = torch.arange(n)[:, None]
        source = torch.cat([here, fine.neighbours[:n]], 1)
        turn = torch.cat([here * 0, fine.transport[:n]], 1) - ahead[:, None]
        source, turn = read(source, turn % 6, corners)
        if corners == "invariant":
            turn[:12] = MEAN  # a corner has no frame for a maximum, or for a turn
        weight = torch.tensor([2.0] + [1.0] * 6, dtype=torch.float64) * (source >= 0)
        weight = weight / weight.sum(1, keepdim=True).clamp(min=1)
        missing = (source < 0) & (here >= (12 if corners == "zero" else 0))  # the centre, twice, changes no maximum
        source = torch.where(missing, here, source)
        turn = torch.where(missing, turn[:, :1], turn)
        self.reduce = HexReduce(MovedGather(in_type, source.T, turn.T, fine.sphere.num_points), weight.T, function)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, V]`` to ``[B, C, V']``."""
        self.check_input(x)
        check_sphere(self, x, self.sphere)
        return self.reduce(x)

    def extra_repr(self) -> str:
        """Type, samplings and function."""
        return f"{self.in_type!r}, {self.sphere!r} -> {self.targets!r}, {self.function}"

    def bake(self) -> nn.Module:
        """The same without types."""
        return self.reduce


class IcoUnpool(EquivariantModule):
    """From level r to r + 1: vertices keep their value, new ones take the mean of their two parents, transported.

    Args:
        in_type: type of the field ``[B, in_type.size, V]``, of C(6), D(6) or C(1).
        sphere: the coarse sampling, of level 1 or more, or its name.
        gauges: of the frames of the input ``[V]``; default those of the charts.
        fine_gauges: of the output.
        corners: as in :class:`IcoConv`; with ``"zero"`` a neighbour of a corner takes its other parent alone.

    Raises:
        TypeError: for another sampling.
        ValueError: for level 0, types of another group, unknown words.
    """

    @on_processor
    def __init__(
        self,
        in_type: FieldType,
        sphere: IcosahedralSphere | str,
        gauges: Tensor | None = None,
        fine_gauges: Tensor | None = None,
        corners: IcoCorners = "zero",
    ) -> None:
        require_sixths("IcoUnpool", in_type)
        check_words(corners=(corners, ("zero", "invariant")))
        super().__init__(in_type, in_type)
        coarse = hex_frames(sphere, gauges)
        fine = hex_frames(coarse.sphere.finer(), fine_gauges)
        self.sphere, self.targets, self.corners = coarse.sphere, fine.sphere, corners
        self.frames, self.out_frames = coarse, fine
        n = coarse.sphere.num_points
        ahead = ahead_of_fine(fine, coarse)
        parents = fine.sphere.parents  # a vertex that stays is its own parent, twice
        here = torch.arange(len(parents))[:, None].expand(-1, 2)
        turn = fine.transport.gather(1, fine.slots(here, parents)) + ahead[parents]
        turn[:n] = ahead[:, None]
        source, turn = read(parents, turn % 6, corners)
        weight = (source >= 0).double()
        weight = weight / weight.sum(1, keepdim=True).clamp(min=1)
        self.reduce = HexReduce(MovedGather(in_type, source.T, turn.T, n), weight.T, "mean")

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, V]`` to ``[B, C, V']``."""
        self.check_input(x)
        check_sphere(self, x, self.sphere)
        return self.reduce(x)

    def extra_repr(self) -> str:
        """Type and samplings."""
        return f"{self.in_type!r}, {self.sphere!r} -> {self.targets!r}"

    def bake(self) -> nn.Module:
        """The same without types."""
        return self.reduce


class HexReduce(ConstantModule):
    """Weighted mean, or maximum, over the first axis of a table of columns.

    Args:
        columns: gives ``[B, C, K, V']``.
        weight: of the mean, ``[K, V']``.
        function: ``"mean"`` or ``"max"``.
    """

    def __init__(self, columns: MovedGather, weight: Tensor, function: str) -> None:
        super().__init__()
        self.columns, self.function = columns, function
        self.register_constant("_weight", weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, V]`` to ``[B, C, V']``."""
        found = self.columns(x)
        return found.amax(2) if self.function == "max" else (found * self._weight.to(x.dtype)).sum(2)


def ahead_of_fine(fine: HexFrames, coarse: HexFrames) -> Tensor:
    """Sixths ``[V']`` by which each coarse frame stands ahead of the fine one at the same vertex; 0 at corners."""
    n = coarse.sphere.num_points
    here = torch.arange(n)
    between = fine.neighbours[:n]  # midpoints of the edges of the coarse level
    other = fine.sphere.parents[between.clamp(min=0)].sum(2) - here[:, None]
    ahead = (other == coarse.neighbours[:, :1]).long().argmax(1)
    ahead[:12] = 0
    return ahead


def read(source: Tensor, turn: Tensor, corners: IcoCorners) -> tuple[Tensor, Tensor]:
    """A table of columns with corners read as zero, which then are targets of nothing, or as invariants."""
    corner = (source >= 0) & (source < 12)
    if corners == "invariant":
        return source, torch.where(corner, MEAN, turn)
    target = (torch.arange(len(source)) < 12)[:, None]
    return torch.where(corner | target, -1, source), turn
