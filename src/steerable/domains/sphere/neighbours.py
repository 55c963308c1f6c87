"""Which points of a sphere are near which, and how frames are carried from one to the other."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from steerable.domains.points.cloud import Points
from steerable.domains.points.neighbourhood import Neighbourhood

#: pairs whose frames are held together
CHUNK = 1 << 18
#: radius from which chords do not tell angles well
_FAR = 3.0


def sphere_neighbours(targets: Tensor, sources: Tensor, weights: Tensor, radius: float) -> Neighbourhood:
    """Return all pairs at most ``radius`` apart on the unit sphere.

    Args:
        targets: frames ``[N, 3, 3]``, columns south, east, outward.
        sources: frames ``[M, 3, 3]``.
        weights: of the sources ``[M]``.
        radius: in radians.

    Raises:
        ValueError: for a radius that is not between 0 and pi, where a point has no logarithm.
    """
    chord = check_radius(radius)
    near = Points(sources[..., 2]).cross(Points(targets[..., 2]), chord)
    if radius > _FAR:  # the distance from the antipode tells
        rest = (targets[near.target, :, 2] + sources[near.source, :, 2]).norm(dim=-1)
        pairs = 2 * torch.asin((rest / 2).clamp(max=1)) >= (math.pi - radius) * (1 - 1e-9)
        near = replace(near, target=near.target[pairs], source=near.source[pairs], offset=near.offset[pairs])
    offset, transport = targets.new_empty(near.num_edges, 2), targets.new_empty(near.num_edges)
    for e in range(0, near.num_edges, CHUNK):  # frames of all pairs would take more memory than the result
        part = slice(e, e + CHUNK)
        offset[part], transport[part] = logarithm(targets[near.target[part]], sources[near.source[part]])
    return Neighbourhood(
        near.target, near.source, offset, len(targets), len(sources), weights[near.source], None, transport
    )


def check_radius(radius: float) -> float:
    """Return the chord of a radius, a little longer than it is.

    Raises:
        ValueError: for a radius that is not between 0 and pi, where a point has no logarithm.
    """
    if not 0 < radius < math.pi:
        raise ValueError(f"the radius of a neighbourhood on the sphere is {radius}; expected radians between 0 and pi")
    return 2 * math.sin(radius / 2) * (1 + 1e-12)


def logarithm(targets: Tensor, sources: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates of points in the tangent planes of others, and how parallel transport turns their frames.

    Args:
        targets: frames ``[E, 3, 3]``.
        sources: frames ``[E, 3, 3]``; none antipodal to its target.

    Returns:
        ``log [E, 2]`` along the first two axes of the target's frame, with the length of the geodesic; and the angle
        ``[E]`` t for which the coefficients c of a vector at the source become ``R(t) c`` at the target.
    """
    normal, other = targets[..., 2], sources[..., 2]
    cos = (normal * other).sum(-1)
    sin = torch.linalg.cross(normal, other).norm(dim=-1)
    length = torch.atan2(sin, cos)
    plane = (targets[..., :2] * other[..., None]).sum(-2)  # components of the source along south and east
    offset = plane * torch.where(sin > 0, length / torch.where(sin > 0, sin, 1.0), 1.0)[..., None]
    south = sources[..., 0]
    along = (south * normal).sum(-1) / (1 + cos)
    carried = south - along[..., None] * (normal + other)
    x, y = (targets[..., :2] * carried[..., None]).sum(-2).unbind(-1)
    return offset, torch.atan2(y, x)
