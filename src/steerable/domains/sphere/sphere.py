"""The promise of a sampling of the sphere."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from steerable.domains.domain import Domain
from steerable.domains.points.cloud import Points
from steerable.domains.points.neighbourhood import Neighbourhood
from steerable.domains.sphere.memo import remember
from steerable.domains.sphere.neighbours import sphere_neighbours
from steerable.domains.sphere.pooling import Pooling, nearest_pooling
from steerable.fields.type import FieldType
from steerable.groups import SO2
from steerable.groups.group import Group

if TYPE_CHECKING:
    from steerable.domains.sphere.equiangular import EquiangularSphere
    from steerable.domains.sphere.gauss import GaussSphere
    from steerable.domains.sphere.healpix import HealpixSphere
    from steerable.domains.sphere.icosahedral import IcosahedralSphere
    from steerable.domains.sphere.nodes import FibonacciSphere, SpherePoints

# radians between points that count as one
_SAME = 1e-9


def degrees(value: float) -> float:
    """An angle given in degrees, in radians: ``Sphere.gauss(64).neighbours(degrees(5))``."""
    return math.radians(value)


class Sphere(Domain):
    """Points on the unit sphere with quadrature weights and a tangent frame at each.

    Fields have types of SO2 (or of a subgroup), the group of the frames: ``"1x0 + 1x2"`` is a scalar and a field of
    spin 2. The frame at colatitude theta and longitude phi is (south, east) with the normal outwards: the columns of
    ``Rz(phi) Ry(theta)``. A rotation g of SO3 acts by ``[g f](p) = rho(h) f(g^-1 p)``, with h the angle from the
    moved frame to the frame that is there. Features are ``[B, C, *shape]``.

    Samplings are compared by value and may be keys of a cache. They are made by :meth:`gauss`, :meth:`equiangular`,
    :meth:`healpix`, :meth:`icosahedral`, :meth:`fibonacci` and :meth:`scattered`.

    Example:
        >>> Sphere.gauss(64)
        GaussSphere(64 x 128)
    """

    # ---- the samplings

    @staticmethod
    def gauss(L: int, nlon: int | None = None, shift: float = 0.0) -> GaussSphere:
        """Rings at the nodes of Gauss and Legendre, the fewest for fields of degrees ``l < L``.

        Args:
            L: number of rings and band limit.
            nlon: longitudes; default ``2 L``, at least ``2 L - 1`` for the band to be L.
            shift: longitude of the first sample in steps.
        """
        from steerable.domains.sphere.gauss import GaussSphere

        return GaussSphere(L, 2 * L if nlon is None else nlon, shift)

    @staticmethod
    def equiangular(
        L: int | None = None,
        kind: str = "dh",
        *,
        nlat: int | None = None,
        nlon: int | None = None,
        shift: float = 0.0,
    ) -> EquiangularSphere:
        """Rings at equal steps of latitude: by band L, or by size.

        Args:
            L: the smallest grid that holds this band.
            kind: ``dh``, ``mw``, ``mwss``, ``cc`` (with poles) or ``fejer`` (without), see :class:`EquiangularSphere`.
            nlat, nlon: sizes instead of L; nlon is by default twice the steps of latitude between the poles.
            shift: longitude of the first sample in steps.

        Raises:
            ValueError: unless one of L and nlat is given.
        """
        from steerable.domains.sphere.equiangular import EquiangularSphere

        if (L is None) == (nlat is None) or (L is not None and nlon is not None):
            raise ValueError(
                f"Sphere.equiangular: L={L}, nlat={nlat}, nlon={nlon}; expected either L or nlat (and nlon)"
            )
        if nlat is None:
            return EquiangularSphere.of_band(L, kind, shift)
        usual = {"cc": 2 * nlat - 2, "mwss": 2 * nlat - 2, "mw": 2 * nlat - 1, "dh": nlat}.get(kind, 2 * nlat)
        return EquiangularSphere(kind, nlat, usual if nlon is None else nlon, shift)

    @staticmethod
    def healpix(nside: int, nested: bool = False, weighting: str = "area") -> HealpixSphere:
        """``12 nside^2`` pixels of equal area, by rings or nested; see :class:`HealpixSphere`."""
        from steerable.domains.sphere.healpix import HealpixSphere

        return HealpixSphere(nside, nested, weighting)

    @staticmethod
    def icosahedral(level: int) -> IcosahedralSphere:
        """``10 4^level + 2`` vertices of an icosahedron whose faces are divided level times."""
        from steerable.domains.sphere.icosahedral import IcosahedralSphere

        return IcosahedralSphere(level)

    @staticmethod
    def fibonacci(n: int) -> FibonacciSphere:
        """``n`` points of equal area along a golden spiral."""
        from steerable.domains.sphere.nodes import FibonacciSphere

        return FibonacciSphere(n)

    @staticmethod
    def scattered(
        xyz: Tensor,
        weights: Tensor | str | None = None,
        total: Literal["sphere", "given"] = "sphere",
        reach: float | None = None,
    ) -> SpherePoints:
        """Given directions ``[N, 3]``; weights ``[N]``, ``"area"`` of their Voronoi cells, or ``None``: equal.

        Weights are scaled to the sum 4 pi; for a part of the sky keep them as areas, ``total="given"``, and say how far
        a cell reaches; see :class:`SpherePoints`.
        """
        from steerable.domains.sphere.nodes import SpherePoints

        return SpherePoints(xyz, weights, total, reach)

    # ---- the promise

    @property
    @abstractmethod
    def key(self) -> tuple[object, ...]:
        """What makes two samplings equal."""

    @property
    @abstractmethod
    def band(self) -> int:
        """Largest L for which fields of degrees ``l < L`` are analysed exactly; 0 if there is none."""

    @abstractmethod
    def angles(self) -> Tensor:
        """Colatitude and longitude of every sample, ``[*shape, 2]`` float64 in radians."""

    @property
    def usual_band(self) -> int:
        """Band up to which fields are usually analysed: the exact one where there is one."""
        return self.band or max(1, int(math.sqrt(self.num_points / 2)))

    @property
    def sampling_band(self) -> int:
        """Band L that a sampling theorem holds, by whatever means: :attr:`band`, or more on equiangular rings."""
        return self.band

    @property
    def meridian_extension(self) -> bool:
        """Whether :attr:`sampling_band` needs the extension of meridians to circles, see :class:`EquiangularSphere`."""
        return False

    @property
    def num_points(self) -> int:
        """Number of samples."""
        return math.prod(self.shape)

    @property
    def spacing(self) -> float:
        """Mean distance of neighbouring samples in radians: the side of a square of the mean area."""
        return math.sqrt(4 * math.pi / self.num_points)

    def points(self) -> Tensor:
        """Unit vectors ``[*shape, 3]`` float64."""
        return self.frames()[..., 2]

    def frames(self) -> Tensor:
        """Rotation matrices ``[*shape, 3, 3]`` float64 with the columns south, east, outward."""
        return frames_at(*self.angles().unbind(-1))

    def neighbours(self, radius: float, targets: Sphere | None = None) -> Neighbourhood:
        """Return all pairs of a target and a sample at most ``radius`` radians apart, a point itself included.

        ``offset [E, 2]`` is the logarithm of the source in the frame of the target, ``transport [E]`` the angle by
        which parallel transport along the geodesic turns the frame of the source against that of the target,
        ``weight [E]`` the quadrature weight of the source.

        Args:
            radius: in radians, positive and below pi.
            targets: where the result is wanted; default the samples themselves.

        Raises:
            ValueError: for another radius.
        """
        there = self if targets is None else targets
        with torch.device("cpu"):  # samplings lie there
            return remember(("neighbours", self, there, radius), (), lambda: self._neighbours(radius, there))

    def _neighbours(self, radius: float, targets: Sphere) -> Neighbourhood:
        there = targets.frames().reshape(-1, 3, 3)
        return sphere_neighbours(there, self.frames().reshape(-1, 3, 3), self.flat_weights(), radius)

    # ---- coarser and finer

    def coarser(self) -> Sphere:
        """The sampling of the same kind with about a quarter of the samples.

        Raises:
            ValueError: where there is none.
        """
        raise ValueError(f"{self!r} has no coarser sampling of its kind; name one, as in sphere.pooling(coarse)")

    def finer(self) -> Sphere:
        """The sampling of the same kind with about four times the samples.

        Raises:
            ValueError: where there is none.
        """
        raise ValueError(f"{self!r} has no finer sampling of its kind; name one, as in finer.pooling(sphere)")

    def pooling(self, coarse: Sphere | str | None = None) -> Pooling:
        """Shares of areas between this sampling and a coarser one.

        Here: each sample belongs to the coarse one that is nearest, if that conserves areas; else to the 3, 6 or 12
        nearest, at most two spacings away, with shares that do.

        Args:
            coarse: a sampling or its name; default :meth:`coarser`.

        Raises:
            ValueError: if no such shares conserve areas.
        """
        return nearest_pooling(self, self._coarse(coarse))

    def _coarse(self, given: Sphere | str | None) -> Sphere:
        """The sampling that is meant by an argument of :meth:`pooling`."""
        from steerable.domains.sphere.parse import parse_sphere  # it names samplings

        return self.coarser() if given is None else parse_sphere(given)

    def regrid(self, x: Tensor, type: FieldType | str, to: Sphere | str) -> Tensor:
        """Fields of any spin from this sampling to another: linear interpolation, with transport of the frames.

        At each place of the other sampling a linear function is fitted to the samples at most two spacings away, whose
        frames are carried there, so that vectors stay vectors, over the poles as well. Constants stay; the error of
        smooth fields falls with the square of the spacing, waves as short as two samples are smoothed, at places that
        are samples, too. Nothing is averaged: to a much coarser sampling go by
        :meth:`pooling` (means of areas), or by harmonics (:class:`steerable.nn.SHT`), which are exact up to a band.
        For many calls hold a :class:`steerable.domains.sphere.Regrid`.

        Args:
            x: ``[..., type.size, *shape]``, NaN where nothing is known.
            type: of SO2, or its text such as ``"1x0 + 1x1"``.
            to: where the fields are wanted, a sampling or its name.

        Returns:
            ``[..., type.size, *to.shape]``, NaN where the nearest sample is unknown, or none is near.

        Raises:
            ValueError: a map of another length, other channels, or a type of another group.
        """
        from steerable.domains.sphere.regrid import Regrid  # it reads samplings

        return Regrid(self, to)(x, type)

    def areas(self) -> Tensor:
        """What pooling conserves ``[N]``: the weights."""
        return self.flat_weights()

    def single_valued(self, x: Tensor) -> Tensor:
        """Scalars ``[..., *shape]`` with the mean at samples that are the same point of the sphere (poles of rings)."""
        return x

    # ---- what fits

    def check_map(self, x: Tensor) -> tuple[int, ...]:
        """Return the axes of a map before those of the sphere.

        Raises:
            ValueError: for another length.
        """
        k = len(self.shape)
        if tuple(x.shape[-k:]) != self.shape:
            raise ValueError(
                f"{self!r}: the map is {list(x.shape)}; expected [..., {', '.join(map(str, self.shape))}]"
                f"{self._likely(x)}"
            )
        return tuple(x.shape[:-k])

    def _likely(self, x: Tensor) -> str:
        return ""

    def check_band(self, L: int) -> int:
        """Return a band that this sampling holds.

        Raises:
            ValueError: for one above :attr:`sampling_band`, or :attr:`usual_band` where none is exact; or below 1.
        """
        most = self.sampling_band or self.usual_band
        if not 1 <= L <= most:
            how = "exact" if self.sampling_band else "usual, none is exact"
            raise ValueError(f"{self!r}: band {L}; expected 1 to {most}, the largest that it holds ({how})")
        return L

    # ---- symmetries

    def is_exact(self, group: Group, g: Tensor) -> bool:
        """Whether one rotation or reflection moves samples onto samples."""
        matrix, points = group.action(g, 3), self.points().reshape(-1, 3)
        few = points[torch.linspace(0, len(points) - 1, 8).long()] @ matrix.T
        if bool(((points[(points @ few.T).argmax(0)] - few).norm(dim=-1) > _SAME).any()):
            return False
        found = Points(points).cross(Points(points @ matrix.T), _SAME)
        return len(found.target.unique()) == len(points)

    def permutation(self, group: Group, g: Tensor) -> Tensor:
        """Number of the sample to which each is moved, int64 ``[N]``: ``(g f)[permutation] = f`` for scalars.

        Raises:
            ValueError: for an element that does not move samples onto samples.
        """
        points = self.points().reshape(-1, 3)
        found = Points(points).cross(Points(points @ group.action(g, 3).T), _SAME)
        if len(found.source) != len(points) or len(found.source.unique()) != len(points):
            raise ValueError(f"{self!r}: {group.name} {g.tolist()} moves samples between samples; expected a symmetry")
        return found.source

    def move(self, x: Tensor, group: Group, g: Tensor) -> Tensor:
        """``f(g^-1 p)`` of scalars ``[B, C, *shape]``, in the harmonic domain up to :attr:`usual_band`."""
        return self.transform(x, x.shape[1] * SO2().trivial, g)

    def transform(self, x: Tensor, type: FieldType | str, g: Tensor) -> Tensor:
        """``[g f](p) = rho(h) f(g^-1 p)`` for one element g of SO3, in the harmonic domain up to :attr:`usual_band`.

        Args:
            x: ``[B, type.size, *shape]``.
            type: fields of SO2, or their text such as ``"1x0 + 1x1"``.
            g: a unit quaternion ``[4]``.

        Raises:
            ValueError: a map of another length, other channels, a type of another group, or what is no quaternion.
        """
        from steerable.domains.spectral.transform import rotate_fields  # it reads samplings

        fields = SO2().type(type) if isinstance(type, str) else type
        lead = self.check_map(x)
        if len(lead) != 2 or lead[1] != fields.size:
            raise ValueError(
                f"{self!r}: fields {list(x.shape)} of the type '{fields}'; expected "
                f"[B, {fields.size}, {', '.join(map(str, self.shape))}]"
            )
        if g.shape not in ((4,), (lead[0], 4)):
            raise ValueError(
                f"{self!r}: the rotation is {list(g.shape)}; expected a unit quaternion [4]. Of a matrix [3, 3] it is "
                f"st.SO3().from_action(matrix)"
            )
        return rotate_fields(self, x, fields, g)

    def flat_weights(self) -> Tensor:
        """Quadrature weights ``[N]``, of sum 4 pi but where areas of a part of the sphere were given."""
        return self.weights().expand(self.shape).reshape(-1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sphere) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({' x '.join(map(str, self.shape))})"


def frames_at(theta: Tensor, phi: Tensor) -> Tensor:
    """Rotation matrices ``Rz(phi) Ry(theta)``, ``[..., 3, 3]`` with the columns south, east, outward."""
    ct, st, cp, sp = theta.cos(), theta.sin(), phi.cos(), phi.sin()
    south, east, out = (ct * cp, ct * sp, -st), (-sp, cp, torch.zeros_like(sp)), (st * cp, st * sp, ct)
    return torch.stack([torch.stack(row, -1) for row in zip(south, east, out, strict=True)], -2)
