"""A local frame at each point, from other points: what makes any function of coordinates invariant."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from steerable.domains.points.cloud import Points
from steerable.domains.points.neighbourhood import Neighbourhood

# sine of the smallest angle between two vectors that still span a plane
_COLLINEAR = 1e-4


class LocalFrames(NamedTuple):
    """Frames of points.

    Attributes:
        matrix: ``[N, 3, 3]``, columns e1, e2, e3 of a rotation; zeros where there is no frame, so that every direction
            seen from there is 0 and harmonics above degree 0 vanish.
        mask: bool ``[N]``, whether there is a frame.
    """

    matrix: Tensor
    mask: Tensor


def frames_from(first: Tensor, second: Tensor) -> LocalFrames:
    """Return frames by Gram and Schmidt: e1 along the first vector, e2 along what the second has across it.

    Vectors that are short to nothing, not finite or collinear (to an angle of 1e-4) give no frame, with gradient 0.

    Args:
        first, second: ``[N, 3]``.

    Raises:
        ValueError: other shapes.
    """
    if first.shape != second.shape or first.shape[1:] != (3,):
        raise ValueError(
            f"frames_from: vectors are {list(first.shape)} and {list(second.shape)}; expected [N, 3] twice."
        )
    a, b = (v / _scale(v) for v in (first, second))
    square = a.square().sum(-1)
    across = torch.linalg.cross(a.detach(), b.detach()).square().sum(-1)
    mask = (square.detach() > 0) & (across > _COLLINEAR**2 * square.detach() * b.detach().square().sum(-1))
    # where there is no frame, compute with one that is harmless
    a = torch.where(mask[:, None], a, a.new_tensor([1.0, 0.0, 0.0]))
    b = torch.where(mask[:, None], b, b.new_tensor([0.0, 1.0, 0.0]))
    e1 = a / a.norm(dim=-1, keepdim=True)
    rest = b - (b * e1).sum(-1, keepdim=True) * e1
    e2 = rest / rest.norm(dim=-1, keepdim=True)
    matrix = torch.stack([e1, e2, torch.linalg.cross(e1, e2)], -1)
    return LocalFrames(torch.where(mask[:, None, None], matrix, 0.0), mask)


def _scale(v: Tensor) -> Tensor:
    """The largest coordinate ``[N, 1]``, 1 where it is 0 or no number; vectors of 1e-200 have squares that are 0."""
    largest = v.detach().abs().amax(-1, keepdim=True)
    return torch.where((largest > 0) & largest.isfinite(), largest, 1.0)


def backbone_frames(N: Tensor, CA: Tensor, C: Tensor, chain: Tensor | None = None) -> LocalFrames:
    """Return the frame of each residue: e1 from CA to C, e2 in the plane of N, e3 = e1 x e2.

    Where N or C is missing (NaN) or lies on one line with CA, the trace takes their place: e1 to the next CA, e2 in the
    plane of the previous one; ends of a chain, breaks and straight lines have no frame then. Turning all atoms turns
    the frames; a mirror does not mirror them, so that handedness is seen.

    Args:
        N, CA, C: places of the atoms ``[R, 3]``, NaN where one is missing.
        chain: number of the chain of each residue, int64 ``[R]``; None: one chain.

    Raises:
        ValueError: other shapes.

    Source: Igashov, Pavlichenko and Grudinin, "Spherical convolutions on molecular graphs for protein model quality
    assessment", Machine Learning: Science and Technology 2, 2021, arXiv 2011.07980.
    """
    if not (N.shape == CA.shape == C.shape and CA.shape[1:] == (3,)):
        raise ValueError(
            f"backbone_frames: N, CA, C are {list(N.shape)}, {list(CA.shape)}, {list(C.shape)}; expected [R, 3] each, "
            "with NaN for a missing atom."
        )
    own = frames_from(C - CA, N - CA)
    trace = trace_frames(CA, chain)
    return LocalFrames(torch.where(own.mask[:, None, None], own.matrix, trace.matrix), own.mask | trace.mask)


def trace_frames(x: Tensor, chain: Tensor | None = None) -> LocalFrames:
    """Return frames along a line of points: e1 to the next, e2 in the plane of the one before.

    Args:
        x: ``[R, 3]`` in order, NaN where a point is missing.
        chain: number of the line of each point, int64 ``[R]``; None: one line.

    Raises:
        ValueError: other shapes.
    """
    if chain is not None and chain.shape != x.shape[:1]:
        raise ValueError(f"trace_frames: chain is {list(chain.shape)}; expected [{len(x)}], one number a point.")
    step = x[1:] - x[:-1]
    if chain is not None:
        step = torch.where((chain[1:] == chain[:-1])[:, None], step, torch.nan)
    none = x.new_full((min(len(x), 1), 3), torch.nan)
    return frames_from(torch.cat([step, none]), torch.cat([none, -step]))


def neighbour_frames(points: Points, g: Neighbourhood) -> LocalFrames:
    """Return frames of points without an order: e1 to the mean of the neighbours, e2 in the plane of the cloud's mean.

    Where both lie on one line (points on an axis of symmetry), or one of them is a ten-thousandth of what it is the sum
    of (the middle of a symmetric neighbourhood, of a cloud: only rounding is left), there is no frame.

    Args:
        points: in space.
        g: their neighbourhood.

    Raises:
        ValueError: points of the plane, or another neighbourhood.
    """
    if points.dimension != 3 or (g.num_targets, g.num_sources) != (len(points), len(points)):
        raise ValueError(
            f"neighbour_frames: {points} with {g.num_targets} targets; expected points of space, all of them."
        )
    x = points.positions
    total = torch.zeros_like(x).index_add(0, g.target, g.offset)
    count = x.new_zeros(points.num_graphs, 1).index_add(0, points.batch, torch.ones_like(x[:, :1]))
    mean = x.new_zeros(points.num_graphs, 3).index_add(0, points.batch, x) / count.clamp_min(1)
    inward = mean[points.batch] - x
    lengths = x.new_zeros(len(x), 1).index_add(0, g.target, g.distance.detach()[:, None])
    square = inward.detach().square().sum(-1, keepdim=True)
    spread = torch.zeros_like(count).index_add(0, points.batch, square) / count.clamp_min(1)
    return frames_from(_left(total, lengths), _left(inward, spread.sqrt()[points.batch]))


def _left(v: Tensor, size: Tensor) -> Tensor:
    """Vectors ``[N, 3]``, and 0 where almost all of what they sum up ``[N, 1]`` has cancelled."""
    return torch.where(v.detach().norm(dim=-1, keepdim=True) > _COLLINEAR * size, v, 0.0)


def in_frames(g: Neighbourhood, frames: LocalFrames) -> Neighbourhood:
    """Return the neighbourhood with each offset as the target sees it, ``R_i^T (x_j - x_i)``: invariant under motions.

    Args:
        g: pairs of points in space.
        frames: of the targets.

    Raises:
        ValueError: frames of other points.
    """
    if frames.matrix.shape != (g.num_targets, 3, 3) or g.dimension != 3:
        raise ValueError(
            f"in_frames: frames are {list(frames.matrix.shape)}, offsets {list(g.offset.shape)}; expected "
            f"[{g.num_targets}, 3, 3] and [E, 3]."
        )
    matrix = frames.matrix.to(g.offset).index_select(0, g.target)
    return replace(g, offset=(matrix * g.offset[:, :, None]).sum(1))
