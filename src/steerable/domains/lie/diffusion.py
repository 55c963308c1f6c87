"""From distances to a Laplacian: Gaussian weights, and what is done about uneven samples."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from steerable.domains.lie.space import TIE, Edges


class Diffusion(NamedTuple):
    """A step of diffusion on a graph.

    Attributes:
        target, source: entries in order, int64 ``[E]``.
        values: ``[E]``: ``K = D^-1 W`` (means: rows of sum 1) or, symmetric, ``D^-1/2 W D^-1/2``, with one spectrum.
        degree: D, ``[V]``.
    """

    target: Tensor
    source: Tensor
    values: Tensor
    degree: Tensor


def nearest_only(edges: Edges, count: int, k: int) -> Edges:
    """Pairs of which one is among the `k` nearest of the other, those at equal distance included."""
    order = edges.square.argsort(stable=True)
    order = order[edges.target[order].argsort(stable=True)]
    each = torch.bincount(edges.target, minlength=count)
    last = each.cumsum(0) - each + k - 1
    reach = torch.full((count,), torch.inf, dtype=torch.float64)
    full = each >= k
    reach[full] = edges.square[order][last[full]]
    limit = torch.maximum(reach[edges.target], reach[edges.source]) * TIE
    kept = edges.square <= limit
    return Edges(edges.target[kept], edges.source[kept], edges.square[kept])


def gaussian(edges: Edges, bandwidth: float) -> Tensor:
    """``exp(-d^2 / t)`` with t as a share of the mean squared distance of all pairs."""
    if not len(edges.square):
        return edges.square
    return torch.exp(-edges.square / (bandwidth * edges.square.mean()))


def paper_diffusion(edges: Edges, count: int, bandwidth: float) -> Diffusion:
    """The published recipe: ``D^-1/2 W D^-1/2`` with W as it is; samples without a neighbour keep what they have.

    Source: Aguettaz, Bekkers and Defferrard, arXiv 2111.12139, section 4.
    """
    weight = gaussian(edges, bandwidth)
    degree = weight.new_zeros(count).index_add(0, edges.target, weight)
    safe = torch.where(degree > 0, degree, 1.0)
    values = weight / (safe[edges.target] * safe[edges.source]).sqrt()
    return Diffusion(edges.target, edges.source, values, safe)


def density_diffusion(edges: Edges, areas: Tensor, bandwidth: float, symmetric: bool) -> Diffusion:
    """Diffusion whose limit knows the metric and not where samples are dense.

    ``W_ij = a_i w_ij a_j / (q_i q_j)`` with areas a and ``q_i = sum_j w_ij a_j``, each sample being its own neighbour.
    At a border q halves, and nothing flows through.

    Source: Coifman and Lafon, "Diffusion maps", 2006, with alpha = 1; weighted by areas.
    """
    count = len(areas)
    own = torch.arange(count)
    target, source = torch.cat([edges.target, own]), torch.cat([edges.source, own])
    weight = torch.cat([gaussian(edges, bandwidth), torch.ones(count, dtype=torch.float64)])
    order = (target * count + source).argsort()
    target, source, weight = target[order], source[order], weight[order]
    area = areas / areas.mean()
    density = torch.zeros(count, dtype=torch.float64).index_add(0, target, weight * area[source])
    share = area / density
    weight = share[target] * weight * share[source]
    degree = torch.zeros(count, dtype=torch.float64).index_add(0, target, weight)
    values = weight / ((degree[target] * degree[source]).sqrt() if symmetric else degree[target])
    return Diffusion(target, source, values, degree)
