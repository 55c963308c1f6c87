"""Fields on the icosahedron as five flat pictures, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.aggregate.hexagon import HexFrames, chart_frames, chart_places, chart_vertices, padded_charts
from steerable.fields.type import FieldType
from steerable.nn.icosahedral.gather import MovedGather, require_sixths


def to_atlas(x: Tensor, type: FieldType, frames: HexFrames, padding: int = 0) -> Tensor:
    """Fields ``[B, C, V]`` as five charts of ``2^r x 2^(r+1)`` pixels, ``[B, C, 5, H, W]``, in their own frames.

    Pixels are hexagons, sheared as in :class:`steerable.kernels.Hexagons`. The two poles (vertices 0 and 3, corners)
    lie on no chart.

    Args:
        x: the field.
        type: of C(6), D(6) or C(1).
        frames: of the field.
        padding: 1 adds a border of the pixels beyond, transported into the frames of the chart; corners are zero there,
            as is what lies across a corner.

    Raises:
        ValueError: for another padding, channels or number of vertices.
    """
    require_sixths("to_atlas", type)
    count, level = frames.sphere.num_points, frames.sphere.level
    if padding not in (0, 1) or tuple(x.shape[1:]) != (type.size, count):
        raise ValueError(
            f"to_atlas: padding {padding} and a field {list(x.shape)}; expected padding 0 or 1 and [B, {type.size}, "
            f"{count}] for {type!r} on {frames.sphere!r}"
        )
    vertex, seam = padded_charts(level)
    ahead = chart_frames(level).against(frames)
    turn = (seam + ahead[vertex.clamp(min=0)]) % 6
    if padding:
        inside = torch.zeros(vertex.shape, dtype=torch.bool)
        inside[:, 1:-1, 1:-1] = True
        vertex = torch.where((vertex < 12) & ~inside, -1, vertex)
    else:
        vertex, turn = vertex[:, 1:-1, 1:-1], turn[:, 1:-1, 1:-1]
    turn = torch.where(vertex < 12, 0, turn)
    return MovedGather(type, vertex, turn, count).to(x.device, x.dtype)(x)


def from_atlas(charts: Tensor, type: FieldType, frames: HexFrames) -> Tensor:
    """Five charts ``[B, C, 5, H, W]`` without border as a field ``[B, C, V]``; the poles are zero.

    Args:
        charts: pictures in the frames of the charts.
        type: of C(6), D(6) or C(1).
        frames: of the field.

    Raises:
        ValueError: for other sizes.
    """
    require_sixths("from_atlas", type)
    level = frames.sphere.level
    _, rows, columns = (chart_vertices(level)[:, 1:, :-1]).shape
    if tuple(charts.shape[1:]) != (type.size, 5, rows, columns):
        raise ValueError(
            f"from_atlas: the charts are {list(charts.shape)}; expected [B, {type.size}, 5, {rows}, {columns}] for "
            f"{type!r} on {frames.sphere!r}"
        )
    turn = -chart_frames(level).against(frames) % 6
    turn[:12] = 0
    place = chart_places(level, 0)
    return MovedGather(type, place, turn, 5 * rows * columns).to(charts.device, charts.dtype)(charts.flatten(2))
