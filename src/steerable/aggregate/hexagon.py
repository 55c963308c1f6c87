"""Frames on an icosahedral sphere: who is next to whom, and by how many sixths of a turn frames differ."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from steerable.domains.sphere import IcosahedralSphere, parse_sphere
from steerable.groups.group import Group

#: what a table of sources says of the invariant part of a field, where frames do not exist: at the 12 corners
MEAN = 6
#: rows and columns from a pixel of a chart to the hexagon at each slot
STEPS = ((0, 1), (-1, 1), (-1, 0), (0, -1), (1, -1), (1, 0))


@dataclass(frozen=True, eq=False)
class HexFrames:
    """A frame at each vertex of an icosahedral sphere, its first axis towards one of the neighbours.

    Slot k of a vertex is the neighbour at k sixths of a turn, counter-clockwise seen from outside, from that axis. A
    direction goes straight on through a vertex by three slots, which carries frames from neighbour to neighbour:
    ``transport[v, k] = k - (slot of v seen from its neighbour k) - 3`` (mod 6), and coefficients of the neighbour read
    in the frame of v are ``rho(transport) f``.

    The 12 corners have five neighbours and no frame. At each other vertex this is exact: walking around a triangle
    turns nothing, around a corner one sixth.

    Attributes:
        sphere: the sampling.
        gauges: which entry of ``sphere.hexagons`` each first axis points to, int64 ``[V]``.

    Raises:
        ValueError: for gauges of another length or outside 0 to 5.

    Source: Cohen, Weiler, Kicanaoglu and Welling, ICML 2019, arXiv 1902.04615, section 4.
    """

    sphere: IcosahedralSphere
    gauges: Tensor

    def __post_init__(self) -> None:
        count = self.sphere.num_points
        if tuple(self.gauges.shape) != (count,) or self.gauges.dtype != torch.int64:
            raise ValueError(
                f"{self.sphere!r}: gauges are {self.gauges.dtype} {list(self.gauges.shape)}; expected one integer 0 to "
                f"5 for each vertex, torch.int64 [{count}]"
            )
        if bool(((self.gauges < 0) | (self.gauges > 5)).any()):
            raise ValueError(
                f"{self.sphere!r}: gauges from {int(self.gauges.min())} to {int(self.gauges.max())}; expected 0 to 5, "
                f"the sixths of a turn"
            )

    @cached_property
    def neighbours(self) -> Tensor:
        """``[V, 6]`` by slot; corners start at their first neighbour and end with -1."""
        turned = torch.where(torch.arange(self.sphere.num_points) < 12, 0, self.gauges)
        return self.sphere.hexagons.gather(1, (torch.arange(6) + turned[:, None]) % 6)

    def slots(self, here: Tensor, there: Tensor) -> Tensor:
        """The slot of ``there`` at ``here``, for pairs of neighbours."""
        return (self.neighbours[here] == there[..., None]).long().argmax(-1)

    @cached_property
    def transport(self) -> Tensor:
        """``[V, 6]``, 0 to 5; without meaning from and to corners."""
        here = torch.arange(self.sphere.num_points)[:, None].expand(-1, 6)
        back = self.slots(self.neighbours.clamp(min=0), here)
        return (torch.arange(6) - back - 3) % 6

    def against(self, other: HexFrames) -> Tensor:
        """Sixths by which frames of another choice stand ahead of these, ``[V]``; coefficients go over by rho(it)."""
        return (other.gauges - self.gauges) % 6

    def moved_by(self, group: Group, g: Tensor) -> tuple[Tensor, Tensor, bool]:
        """How a symmetry of the icosahedron moves vertices and frames.

        Args:
            group: a group of space, as :func:`steerable.groups.icosahedral` or ``full_icosahedral``.
            g: one element.

        Returns:
            Where each vertex goes ``[V]``, the slot there to which its first axis goes ``[V]``, and whether the
            orientation is reversed.

        Raises:
            ValueError: for an element that moves vertices elsewhere.
        """
        to = _image(self.sphere, group, int(g)) if group.is_finite else self.sphere.permutation(group, g)
        slot = self.slots(to, to[self.neighbours[:, 0]])
        return to, slot, bool(torch.linalg.det(group.action(g, 3)) < 0)


@lru_cache(maxsize=16)
def chart_frames(level: int) -> HexFrames:
    """The frames in which five flat charts have no transport within: the default ones.

    Raises:
        ValueError: for level 0, which has corners alone.
    """
    charts = chart_vertices(level)
    sphere = IcosahedralSphere(level)
    canonical = HexFrames(sphere, torch.zeros(sphere.num_points, dtype=torch.int64))
    gauges = torch.zeros(sphere.num_points, dtype=torch.int64)
    rows, columns = charts.shape[1] - 1, charts.shape[2] - 1
    for slot, (i, j) in enumerate(STEPS):  # any neighbour in the chart
        here = charts[:, max(0, -i) : rows + 1 - max(0, i), max(0, -j) : columns + 1 - max(0, j)]
        there = charts[:, max(0, i) : rows + 1 + min(0, i), max(0, j) : columns + 1 + min(0, j)]
        owned = torch.zeros(charts.shape, dtype=torch.bool)
        owned[:, 1:, :-1] = True
        owned = owned[:, max(0, -i) : rows + 1 - max(0, i), max(0, -j) : columns + 1 - max(0, j)]
        here, there = here[owned], there[owned]
        gauges[here] = (canonical.slots(here, there) - slot) % 6
    gauges[:12] = 0
    return HexFrames(sphere, gauges)


@lru_cache(maxsize=512)
def _image(sphere: IcosahedralSphere, group: Group, g: int) -> Tensor:
    return sphere.permutation(group, group.elements[g])


def hex_frames(sphere: IcosahedralSphere | str, gauges: Tensor | None = None) -> HexFrames:
    """Frames by their gauges ``[V]``, by default those of the charts.

    Raises:
        TypeError: for another sampling.
        ValueError: for level 0, or gauges that do not fit.
    """
    found = parse_sphere(sphere)
    if not isinstance(found, IcosahedralSphere):
        raise TypeError(f"frames by sixths need the vertices of an IcosahedralSphere, got {found!r}; use SphereConv")
    check_level(found.level)
    with torch.device("cpu"):  # a table that is kept, wherever weights are laid
        return chart_frames(found.level) if gauges is None else HexFrames(found, gauges)


def check_level(level: int) -> None:
    """Raise ``ValueError`` for level 0."""
    if level < 1:
        raise ValueError(
            f"level {level} of the icosahedron has 12 corners with five neighbours and no hexagon; expected level 1 or "
            f"more"
        )


@lru_cache(maxsize=16)
def chart_vertices(level: int) -> Tensor:
    """Vertices ``[5, n + 1, 2 n + 1]`` of five overlapping parallelograms, n = 2^level.

    Each is unfolded from four faces between the poles: row 0 starts at the north pole (vertex 0), the last row ends at
    the south pole. Steps to the right and up lie at 0 and 120 degrees, see :class:`steerable.kernels.Hexagons`. A chart
    owns its rows from 1 and its columns up to the last but one: together all vertices but the poles, once.

    Raises:
        ValueError: for level 0.
    """
    check_level(level)
    around = IcosahedralSphere(0).hexagons[:, :5].tolist()
    upper = around[0]
    charts = []
    for a in range(5):
        here, there = upper[a], upper[(a + 1) % 5]
        below = _opposite(around, here, there, 0)
        further = _opposite(around, there, below, here)
        charts.append([[0, there, further], [here, below, _opposite(around, below, further, there)]])
    labels = torch.tensor(charts)
    for r in range(1, level + 1):
        a, b = IcosahedralSphere(r).parents.sort(1).values.T
        base = int(b.max()) + 1
        known, number = (a * base + b).sort()

        def between(p: Tensor, q: Tensor, known: Tensor = known, number: Tensor = number, base: int = base) -> Tensor:
            return number[torch.searchsorted(known, torch.minimum(p, q) * base + torch.maximum(p, q))]

        fine = labels.new_zeros(5, 2 * labels.shape[1] - 1, 2 * labels.shape[2] - 1)
        fine[:, ::2, ::2] = labels
        fine[:, 1::2, ::2] = between(labels[:, 1:], labels[:, :-1])
        fine[:, ::2, 1::2] = between(labels[:, :, 1:], labels[:, :, :-1])
        fine[:, 1::2, 1::2] = between(labels[:, 1:, :-1], labels[:, :-1, 1:])
        labels = fine
    return labels


def padded_charts(level: int) -> tuple[Tensor, Tensor]:
    """Five charts with a border of one pixel, ``[5, n + 2, 2 n + 2]``.

    Returns:
        Vertices (-1 where nothing is read) and the sixths by which each turns into the frame of the chart.
    """
    frames, inner = chart_frames(level), chart_vertices(level)[:, 1:, :-1]
    rows, columns = inner.shape[1:]
    vertex = torch.full((5, rows + 2, columns + 2), -1)
    turn = torch.zeros_like(vertex)
    for slot, (i, j) in enumerate(STEPS):
        place = (slice(None), slice(1 + i, rows + 1 + i), slice(1 + j, columns + 1 + j))
        # what a corner has for neighbours says nothing
        known = (inner >= 12) & (frames.neighbours[inner, slot] >= 0)
        vertex[place] = torch.where(known, frames.neighbours[inner, slot], vertex[place])
        turn[place] = torch.where(known, frames.transport[inner, slot], turn[place])
    vertex[:, 1:-1, 1:-1], turn[:, 1:-1, 1:-1] = inner, 0
    return vertex, turn


def chart_places(level: int, apart: int) -> Tensor:
    """Where each vertex lies in five charts, stacked with rows between them and flattened; -1 for poles ``[V]``."""
    inner = chart_vertices(level)[:, 1:, :-1]
    _, rows, columns = inner.shape
    place = torch.full((10 * 4**level + 2,), -1)
    line = (rows + apart) * torch.arange(5)[:, None, None] + torch.arange(rows)[:, None]
    place[inner] = line * columns + torch.arange(columns)
    return place


def _opposite(around: list[list[int]], a: int, b: int, not_this: int) -> int:
    """The corner that closes a face with a and b, on the other side from a third one."""
    return next(c for c in around[a] if c in around[b] and c != not_this)
