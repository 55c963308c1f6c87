"""Graphs on Lie groups with an anisotropic metric, and their Laplacians."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from steerable.domains.domain import Domain
from steerable.domains.lie.diffusion import Diffusion, density_diffusion, nearest_only, paper_diffusion
from steerable.domains.lie.s2_samples import S2Samples
from steerable.domains.lie.se2_grid import SE2Grid
from steerable.domains.lie.so3_frames import SO3Frames
from steerable.domains.lie.space import Edges, GroupSamples, Metric, Shares
from steerable.domains.lie.spectrum import largest_pairs
from steerable.domains.sphere.sphere import Sphere
from steerable.groups.group import Group

WEIGHTS = ("density", "paper")


class LieGroupGraph(Domain):
    """Samples of SE(2), SO(3) or the sphere, joined to those that are near in a left-invariant metric.

    ``d(g, h)^2 = c1^2 + eps c2^2 + xi c3^2`` with ``c = log(g^-1 h)``, in steps of the grid, and the least over the
    two representatives of an orientation without a head. Weights are ``exp(-d^2 / t)``, t a share of the mean squared
    distance. What the Laplacian commutes with is what keeps distances: turning the grid with its orientations.

    Graphs are compared by value. Make them by :meth:`se2`, :meth:`so3` and :meth:`s2`.

    Args:
        samples: where.
        eps: price of a step across the orientation: c2 is short of c1 by its root. 1: isotropic.
        xi: price of a turn by one radian, in squared steps of the grid; None: the usual one of the samples.
        k: neighbours away from borders, about (``"density"``: pairs within one distance, at which the median sample has
            k) or at least (``"paper"``: the k nearest of either end, those at equal distance with them).
        weights: ``"density"``: weighted by areas and normalised by the density of samples, so that the limit is the
            Laplacian of the metric; ``"paper"``: as published, whose limit also knows how the samples lie.
        bandwidth: t as a share of the mean squared distance; None: 0.5, or 0.2 as published.

    Raises:
        ValueError: for eps or xi that are not positive, k below 1 or from the number of samples, unknown weights,
            samples without area where these count.

    Source: Aguettaz, Bekkers and Defferrard, "ChebLieNet: Invariant Spectral Graph NNs Turned Equivariant by Riemannian
    Geometry on Lie Groups", arXiv 2111.12139.
    """

    def __init__(
        self,
        samples: GroupSamples,
        eps: float = 1.0,
        xi: float | None = None,
        k: int = 16,
        weights: str = "density",
        bandwidth: float | None = None,
    ) -> None:
        for name, value in (("eps", eps), ("xi", xi), ("bandwidth", bandwidth)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"LieGroupGraph: {name} is {value}; expected a positive number (eps=1: isotropic)")
        if weights not in WEIGHTS:
            raise ValueError(f"LieGroupGraph: weights are {weights!r}; expected one of {', '.join(WEIGHTS)}")
        count = math.prod(samples.shape)
        if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k < count:
            raise ValueError(
                f"LieGroupGraph: k is {k!r} on {samples!r} of {count} samples; expected 1 to {count - 1} neighbours"
            )
        lost = int((samples.areas() <= 0).sum()) if weights == "density" else 0
        if lost:
            raise ValueError(
                f"LieGroupGraph: {lost} of the {count} samples of {samples!r} have no area, so nothing flows to them; "
                "expected positive weights. Leave these samples out, or take weights='paper'"
            )
        self.samples, self.k, self.recipe = samples, k, weights
        self.metric = Metric(float(eps), None if xi is None else float(xi))
        self.bandwidth = (0.5 if weights == "density" else 0.2) if bandwidth is None else float(bandwidth)

    @classmethod
    def se2(
        cls,
        height: int,
        width: int | None = None,
        orientations: int = 6,
        eps: float = 0.1,
        xi: float | None = None,
        k: int = 16,
        weights: str = "density",
        bandwidth: float | None = None,
    ) -> LieGroupGraph:
        """Pixels and orientations; fields are ``[B, C, height, width, orientations]``.

        Args:
            height: rows.
            width: columns; default a square.
            orientations: angles in [-pi/2, pi/2); an even number turns with the grid.
            eps, xi, k, weights, bandwidth: of the graph.
        """
        samples = SE2Grid(height, height if width is None else width, orientations)
        return cls(samples, eps, xi, k, weights, bandwidth)

    @classmethod
    def so3(
        cls,
        level: int,
        orientations: int = 6,
        eps: float = 0.1,
        xi: float | None = None,
        k: int = 16,
        weights: str = "density",
        bandwidth: float | None = None,
    ) -> LieGroupGraph:
        """Frames at the vertices of an icosphere; fields are ``[B, C, 10 4^level + 2, orientations]``.

        Args:
            level: of the icosphere.
            orientations: angles in [-pi/2, pi/2).
            eps, xi, k, weights, bandwidth: of the graph.
        """
        return cls(SO3Frames(level, orientations), eps, xi, k, weights, bandwidth)

    @classmethod
    def s2(cls, sphere: Sphere, k: int = 16, weights: str = "density", bandwidth: float | None = None) -> LieGroupGraph:
        """Any sampling of the sphere; fields are ``[B, C, *sphere.shape]``.

        Args:
            sphere: the samples.
            k, weights, bandwidth: of the graph.
        """
        return cls(S2Samples(sphere), 1.0, None, k, weights, bandwidth)

    # ---- the domain

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two graphs equal."""
        return (self.samples.key, self.metric, self.k, self.recipe, self.bandwidth)

    @property
    def shape(self) -> tuple[int, ...]:
        """Axes of a field after the channels."""
        return self.samples.shape

    @property
    def num_vertices(self) -> int:
        """Number of samples."""
        return math.prod(self.shape)

    def points(self) -> Tensor:
        """Coordinates ``[*shape, n]``: x1, x2, theta of SE(2); quaternions of SO(3); unit vectors of the sphere."""
        return self.samples.points()

    def weights(self) -> Tensor:
        """Share of the space of each sample, ``[*shape]``."""
        return self.samples.areas().view(self.shape)

    def permutation(self, group: Group, g: Tensor) -> Tensor:
        """Number of the sample to which each is moved by one element, int64 ``[V]``.

        Raises:
            ValueError: for an element that does not move samples onto samples.
        """
        found = self.samples.permutation(group, g)
        if found is None:
            raise ValueError(
                f"{self!r}: {group.name} {g.tolist()} moves samples between samples; expected a symmetry of the grid"
            )
        return found

    def is_exact(self, group: Group, g: Tensor) -> bool:
        """Whether one element moves samples onto samples."""
        return self.samples.permutation(group, g) is not None

    def move(self, x: Tensor, group: Group, g: Tensor) -> Tensor:
        """``f(g^-1 p)`` of ``[B, C, *shape]`` for symmetries of the grid. Raises ``ValueError`` for others."""
        to = self.permutation(group, g)
        return torch.empty_like(x).flatten(2).index_copy(2, to, x.flatten(2)).view(x.shape)

    def lift(self, x: Tensor) -> Tensor:
        """A field of places, such as an image ``[B, C, H, W]``, the same for all orientations; of the sphere itself.

        Raises:
            ValueError: for other places.
        """
        count = self.samples.orientations_at
        places = self.shape[:-1] if count else self.shape
        if tuple(x.shape[2:]) != places:
            raise ValueError(f"{self!r}: the input is {list(x.shape)}; expected [B, C, {', '.join(map(str, places))}]")
        return x[..., None].expand(*x.shape, count) if count else x

    # ---- the graph

    @cached_property
    def edges(self) -> Edges:
        """The pairs that are joined, both ways, with their squared distances."""
        reach = self.samples.reach(self.metric, self.k)
        if self.recipe == "density":
            return self.samples.pairs(self.metric, float(reach.median()))
        found = self.samples.pairs(self.metric, float(reach.max()))
        return nearest_only(found, self.num_vertices, self.k)

    def diffusion(self, symmetric: bool = False) -> Diffusion:
        """A step of diffusion K, with ``laplacian = 1 - K``.

        Args:
            symmetric: ``D^-1/2 W D^-1/2`` in place of ``D^-1 W``; the published recipe always is.
        """
        if self.recipe == "paper":
            return paper_diffusion(self.edges, self.num_vertices, self.bandwidth)
        return density_diffusion(self.edges, self.samples.areas(), self.bandwidth, symmetric)

    def laplacian(self, symmetric: bool = False) -> Tensor:
        """The normalised Laplacian ``1 - K``, sparse ``[V, V]`` float64; its spectrum lies in [0, 2].

        Args:
            symmetric: as of :meth:`diffusion`. Otherwise constants are harmonic, with ``"density"``.
        """
        k, count = self.diffusion(symmetric), self.num_vertices
        own = torch.arange(count)
        place = torch.stack([torch.cat([k.target, own]), torch.cat([k.source, own])])
        values = torch.cat([-k.values, torch.ones(count, dtype=torch.float64)])
        return torch.sparse_coo_tensor(place, values, (count, count), check_invariants=False).coalesce()

    def rescaled(self) -> Diffusion:
        """The Laplacian brought to [-1, 1] by its bound 2, ``2 L / 2 - 1 = -K``: what Chebyshev polynomials take."""
        k = self.diffusion()
        return k._replace(values=-k.values)

    def eigenmaps(self, k: int) -> tuple[Tensor, Tensor]:
        """The smoothest functions: smallest eigenvalues ``[k]`` of the Laplacian, and eigenfunctions ``[k, *shape]``.

        Functions have mean square 1, by degree, and their largest value is positive; of equal eigenvalues any basis.

        Args:
            k: how many; above 2000 samples at most a third of them.

        Raises:
            ValueError: for another number.
        """
        step = self.diffusion(symmetric=True)
        values, vectors = largest_pairs(step.target, step.source, step.values, self.num_vertices, k)
        maps = vectors.T
        if self.recipe == "density":  # of the random walk
            maps = maps / step.degree.sqrt()
        maps = maps / ((maps.square() @ step.degree) / step.degree.sum()).sqrt()[:, None]
        largest = maps.gather(1, maps.abs().argmax(1, keepdim=True))
        return 1 - values, (maps * largest.sign()).view(-1, *self.shape)

    # ---- coarser

    def coarser(self) -> LieGroupGraph:
        """The same graph on samples of about a quarter of the places; the metric is the same in their steps.

        Raises:
            ValueError: where there is none.
        """
        return LieGroupGraph(
            self.samples.coarser(), self.metric.eps, self.metric.xi, self.k, self.recipe, self.bandwidth
        )

    def shares(self) -> Shares:
        """Which samples make up each of :meth:`coarser`."""
        return self.samples.shares()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LieGroupGraph) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        return (
            f"LieGroupGraph({type(self.samples).__name__} {size}, eps={self.metric.eps:g}, k={self.k}, {self.recipe})"
        )
