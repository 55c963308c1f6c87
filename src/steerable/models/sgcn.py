"""S-GCN: spherical convolutions in local frames, for a value of each residue and their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

import steerable.nn as snn
from steerable.domains.points import Neighbourhood, Points
from steerable.domains.points.frames import backbone_frames, in_frames, neighbour_frames
from steerable.kernels.envelope import envelope
from steerable.models.points import pooled


class SGCN(nn.Module):
    """Convolutions in local frames, a network at each point, the mean over each cloud.

    Exact for rotations and translations; a mirror is seen. Positions ``[N, 3, 3]`` are the atoms N, CA, C of residues
    in order, whose frames are those of the backbone; positions ``[N, 3]`` are points without an order, whose frames
    come from their neighbours and the mean of the cloud. Points that have no frame see distances through the weight of
    the pairs alone.

    Args:
        in_channels: plain channels of a point, such as the kind of a residue.
        num_classes: number of values.
        cutoff: radius of the neighbourhoods, in the units of the positions: about 10 angstroms between CA.
        widths: channels of each layer.
        lmax: largest degree of the harmonics; 0: plain message passing.
        shells: number of radial functions up to the cut-off; 0: only the weight falls off with the distance.
        hidden: width of the dense layer at a point.
        neighbours: how many a point has, about.
        separations: bounds of the classes of pairs by their distance along the chain, such as ``(1, 2, 4)``: up to 1,
            2, 4 residues away, or more, before and behind. Each class has weights of its own. Points must be in order.

    Raises:
        ValueError: a cut-off that is not positive, bounds that do not rise, or as :class:`LocalFrameSphericalConv`.

    Source: Igashov, Pavlichenko and Grudinin, Machine Learning: Science and Technology 2, 2021, arXiv 2011.07980. There
    neighbours share a face of the Voronoi tessellation and weights are its areas; here the weight is an envelope of
    the distance. Other edges and weights: :meth:`nodes_of`.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 1,
        cutoff: float = 1.0,
        widths: Sequence[int] = (32, 32),
        lmax: int = 4,
        shells: int = 3,
        hidden: int = 64,
        neighbours: float = 16.0,
        separations: Sequence[int] = (),
    ) -> None:
        super().__init__()
        bounds = [0, *(int(s) for s in separations)]
        if any(a >= b for a, b in pairwise(bounds)):
            raise ValueError(f"SGCN: separations are {tuple(separations)}; expected numbers that rise from 1 on.")
        if not cutoff > 0:
            raise ValueError(f"SGCN: cutoff is {cutoff}; expected a positive distance in the units of the positions")
        self.cutoff, self.separations = cutoff, tuple(bounds[1:])
        classes = 2 * len(bounds) if self.separations else 1
        radial = [cutoff * (k + 0.5) / shells for k in range(shells)] or None
        self.convs, self.norms, current = nn.ModuleList(), nn.ModuleList(), in_channels
        for width in widths:
            self.convs.append(
                snn.LocalFrameSphericalConv(
                    current, width, lmax, radial, bias=False, neighbours=neighbours, classes=classes
                )
            )
            self.norms.append(nn.BatchNorm1d(width))
            current = width
        self.head = nn.Sequential(nn.Linear(current, hidden), nn.SiLU(), nn.Linear(hidden, num_classes))

    def forward(self, x: Tensor, positions: Tensor, batch: Tensor | None = None) -> Tensor:
        """Features ``[N, in_channels]`` at ``[N, 3]`` or ``[N, 3, 3]`` to the mean of each cloud, ``[clouds, K]``."""
        return self.heads(x, positions, batch)[1]

    def heads(self, x: Tensor, positions: Tensor, batch: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The values of the points ``[N, K]`` and their means ``[clouds, K]``: train on both."""
        points, g = self.graph(positions, batch)
        nodes = self.nodes_of(x, g)
        return nodes, pooled(nodes, points, "mean")

    def graph(self, positions: Tensor, batch: Tensor | None = None) -> tuple[Points, Neighbourhood]:
        """The points and their neighbourhood in local frames, with weights and, if there are any, classes of pairs."""
        points, g = local(positions, batch, self.cutoff)
        if self.separations:
            g = replace(g, attributes=separation_classes(g, self.separations).to(g.offset))
        return points, g

    def nodes_of(self, x: Tensor, g: Neighbourhood) -> Tensor:
        """The values of the points ``[N, K]`` on a neighbourhood of your own, as of :meth:`graph`."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = nn.functional.silu(norm(conv(x, g)))
        return self.head(x)


def separation_classes(g: Neighbourhood, bounds: Sequence[int]) -> Tensor:
    """Classes of pairs ``[E, 2 (len(bounds) + 1)]``, one-hot, by the signed distance of their numbers ``j - i``.

    From far before over near to far behind; a bound belongs to the nearer class. A point and itself: near, behind.
    """
    # whole numbers on the device of the pairs: up to -b - 1, up to -1, up to b
    edges = torch.tensor([-b - 1 for b in reversed(bounds)] + [-1, *bounds], device=g.source.device)
    found = torch.bucketize(g.source - g.target, edges)
    return nn.functional.one_hot(found, len(edges) + 1)


def local(positions: Tensor, batch: Tensor | None, cutoff: float) -> tuple[Points, Neighbourhood]:
    """The points, and their neighbourhood in local frames with the envelope as its weight.

    Args:
        positions: ``[N, 3]``, or the atoms N, CA, C ``[N, 3, 3]`` of residues in order; N and C may be NaN.
        batch: number of the cloud of each, int64 ``[N]``.
        cutoff: the largest distance.

    Raises:
        ValueError: positions of another shape, a CA that is missing.
    """
    if positions.ndim not in (2, 3) or positions.shape[-1] != 3 or positions.shape[1] != 3:
        raise ValueError(
            f"SGCN: positions are {list(positions.shape)}; expected [N, 3] in space, or atoms N, CA, C as [N, 3, 3]."
        )
    if positions.ndim == 3:
        n, middle, c = positions.unbind(1)
        lost = int((~middle.isfinite()).any(1).sum())
        if lost and not torch.compiler.is_compiling():
            raise ValueError(f"SGCN: {lost} of {len(middle)} residues have no CA; expected one each. Drop them.")
        points = Points(middle, batch)
        g = points.neighbours(cutoff)
        frames = backbone_frames(n, middle, c, points.batch)
    else:
        points = Points(positions, batch)
        g = points.neighbours(cutoff)
        frames = neighbour_frames(points, g)
    weight = envelope(g.distance, cutoff)
    return points, replace(in_frames(g, frames), weight=weight)
