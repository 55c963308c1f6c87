"""Canonical coordinates of an abelian group of plane maps, on a sampled rectangle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.domains.warp.axis import Axis
from steerable.domains.warp.chart import Chart
from steerable.domains.warp.generated import Generated, check_generators, homogeneous
from steerable.domains.warp.homography import move
from steerable.domains.warp.linear import AxisScale, Cartesian, Hyperbolic, Polar, Quadrants, Shear
from steerable.domains.warp.perspective import Perspective
from steerable.domains.warp.sphere import SphereView


@dataclass(frozen=True)
class Warp:
    """Coordinates (u, v) in which a one- or two-parameter abelian group T_a of maps of the plane acts by shifts.

    ``coordinates(T_a x) = coordinates(x) + a`` along the axes that shift. An image that is resampled on a regular grid
    of (u, v) is shifted when the image is moved, so an ordinary convolution there is equivariant. One-parameter groups:
    K. S. Tai, P. Bailis and G. Valiant, arXiv 1901.11399; two-parameter ones: J. Henriques and A. Vedaldi,
    arXiv 1609.04382.

    Points are in units of half the shorter side of the image, borders included: the square is ``[-1, 1]^2``, x1 to the
    right, x2 up. A resampled image has u along its rows and v along its columns, both growing with the index; sheets
    stand side by side along the axis that does not shift (along u if both do).

    Attributes:
        name: of the group.
        chart: the formulas.
        u, v: the axes.
    """

    name: str
    chart: Chart
    u: Axis
    v: Axis

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """U and v."""
        return (self.u, self.v)

    @property
    def shifts(self) -> tuple[int, ...]:
        """Which axes the group shifts: 0 for u, 1 for v."""
        return tuple(i for i, axis in enumerate(self.axes) if axis.shifts)

    @property
    def parameters(self) -> int:
        """Number of parameters of the group: 1 or 2."""
        return len(self.shifts)

    @property
    def periodic(self) -> tuple[bool, bool]:
        """Which axes close on themselves."""
        return (self.u.periodic, self.v.periodic)

    @property
    def sheets(self) -> int:
        """Number of points that share their coordinates."""
        return self.chart.sheets

    @property
    def stacked(self) -> int:
        """The axis of a resampled image along which the sheets stand: 0 for rows, 1 for columns."""
        return 1 if self.shifts == (0,) else 0

    def to_plane(self, u: Tensor, v: Tensor, sheet: Tensor | int = 0) -> Tensor:
        """Points ``[..., 2]`` of coordinates u, v ``[...]`` on a sheet."""
        return self.chart.to_plane(u, v, torch.as_tensor(sheet))

    def from_plane(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coordinates u, v and sheet, each ``[...]``, of points ``[..., 2]``; NaN where there are none."""
        return self.chart.from_plane(x)

    def sheet_size(self, size: Sequence[int]) -> tuple[int, int]:
        """Rows and columns of one sheet of a resampled image of ``size``.

        Raises:
            ValueError: if the sheets do not divide it.
        """
        if len(size) != 2 or min(size) < 1 or size[self.stacked] % self.sheets:
            side = ("rows", "columns")[self.stacked]
            raise ValueError(
                f"Warp {self.name}: got size {tuple(size)}; expected two positive numbers, {side} divisible by its "
                f"{self.sheets} sheets"
            )
        rows, columns = size
        return (rows // self.sheets, columns) if self.stacked == 0 else (rows, columns // self.sheets)

    def grid(self, size: Sequence[int]) -> Tensor:
        """Points ``[rows, columns, 2]`` (float64) to resample an image at; all sheets in ``size``."""
        rows, columns = self.sheet_size(size)
        u, v = self.u.samples(rows)[:, None], self.v.samples(columns)[None]
        parts = [self.to_plane(u, v, s).expand(rows, columns, 2) for s in range(self.sheets)]
        return torch.cat(parts, self.stacked)

    def steps(self, size: Sequence[int]) -> tuple[float, float]:
        """Distance of neighbours along u and v in a resampled image of ``size``."""
        rows, columns = self.sheet_size(size)
        return (self.u.step(rows), self.v.step(columns))

    def full(self, a: Tensor) -> tuple[Tensor, Tensor]:
        """Shifts along u and along v, each ``[...]``, of group parameters ``a [..., parameters]``.

        Raises:
            ValueError: for another number of parameters.
        """
        if a.shape[-1:] != (self.parameters,):
            raise ValueError(
                f"Warp {self.name}: got parameters of shape {tuple(a.shape)}; expected [..., {self.parameters}]"
            )
        parts = dict(zip(self.shifts, a.unbind(-1), strict=True))
        zero = torch.zeros_like(a[..., 0])
        return parts.get(0, zero), parts.get(1, zero)

    @property
    def is_projective(self) -> bool:
        """Whether the maps of the group are projective, so that :meth:`matrix` exists."""
        return self.chart.matrix(torch.zeros(()), torch.zeros(())) is not None

    def matrix(self, a: Tensor) -> Tensor:
        """The maps T_a as projective matrices ``[..., 3, 3]`` for parameters ``[..., parameters]``.

        Raises:
            ValueError: for a wrong number of parameters, or a group that is not projective.
        """
        found = self.chart.matrix(*self.full(a))
        if found is None:
            raise ValueError(
                f"Warp {self.name}: its maps are no 3x3 matrices, got a request for those of shape {tuple(a.shape)}; "
                "expected a projective group. Use act(a, points)"
            )
        return found

    def act(self, a: Tensor, x: Tensor) -> Tensor:
        """``T_a x``: points ``[..., 2]`` moved by parameters ``[..., parameters]`` that broadcast with them."""
        if self.is_projective:
            return move(self.matrix(a), x)
        du, dv = self.full(a)
        u, v, sheet = self.from_plane(x)
        return self.to_plane(u + du, v + dv, sheet)

    def oversampling(self, size: Sequence[int], side: int, most: int = 4) -> tuple[int, int]:
        """Samples a cell needs along u and v so that a picture of ``side`` pixels is not undersampled.

        Args:
            size: of the resampled image.
            side: pixels along the picture.
            most: upper bound.

        Returns:
            For each axis the distance of neighbours in pixels, where nine in ten of those inside the picture are
            nearer, rounded up.
        """
        grid = self.grid(size)
        found = []
        for axis in (0, 1):
            length = grid.diff(dim=axis).norm(dim=-1)
            inside = (grid.narrow(axis, 0, length.shape[axis]).abs() <= 1).all(-1) & (length < 1)
            pixels = length[inside].quantile(0.9).item() * side / 2 if bool(inside.any()) else 1.0
            found.append(min(most, max(1, math.ceil(pixels - 0.25))))
        return (found[0], found[1])

    # ---- the groups ------------------------------------------------------------------------------------------------

    @classmethod
    def translation(cls, reach: float = 1.0) -> Warp:
        """Translations by (u, v) up to ``reach``; the rows of the resampled image are x1, its columns x2."""
        return cls("translation", Cartesian(), Axis(-reach, reach, True), Axis(-reach, reach, True))

    @classmethod
    def rotation(cls, r_max: float = 1.0) -> Warp:
        """Rotations by v; u is the radius, up to ``r_max``."""
        return cls("rotation", Polar(False), Axis(0.0, r_max), Axis(-math.pi, math.pi, True, True))

    @classmethod
    def scale(cls, r_min: float = 0.1, r_max: float = 1.0) -> Warp:
        """Scalings by ``e^u``; v is the angle."""
        return cls("scale", Polar(True), _log_axis(r_min, r_max), Axis(-math.pi, math.pi, False, True))

    @classmethod
    def rotation_scale(cls, r_min: float = 0.1, r_max: float = 1.0) -> Warp:
        """Scalings by ``e^u`` and rotations by v: log-polar coordinates."""
        return cls("rotation_scale", Polar(True), _log_axis(r_min, r_max), Axis(-math.pi, math.pi, True, True))

    @classmethod
    def log_polar(cls, r_min: float = 0.1, r_max: float = 1.0) -> Warp:
        """Another name of :meth:`rotation_scale`."""
        return cls.rotation_scale(r_min, r_max)

    @classmethod
    def shear_x(cls, reach: float = 5.0) -> Warp:
        """Shears ``x1 + v x2``; u is x2, v the slope up to ``reach``."""
        return cls("shear_x", Shear(0), Axis(-1.0, 1.0), Axis(-reach, reach, True))

    @classmethod
    def shear_y(cls, reach: float = 5.0) -> Warp:
        """Shears ``x2 + v x1``; u is x1, v the slope up to ``reach``."""
        return cls("shear_y", Shear(1), Axis(-1.0, 1.0), Axis(-reach, reach, True))

    @classmethod
    def scale_x(cls, x_min: float = 0.1, x_max: float = 1.0) -> Warp:
        """x1 scaled by ``e^u``; v is x2."""
        return cls("scale_x", AxisScale(0), _log_axis(x_min, x_max), Axis(-1.0, 1.0))

    @classmethod
    def scale_y(cls, x_min: float = 0.1, x_max: float = 1.0) -> Warp:
        """x2 scaled by ``e^u``; v is x1."""
        return cls("scale_y", AxisScale(1), _log_axis(x_min, x_max), Axis(-1.0, 1.0))

    @classmethod
    def hyperbolic_rotation(cls, reach: float = math.log(6.0)) -> Warp:
        """x1 scaled by ``e^v`` and x2 by ``e^-v``, v up to ``reach``."""
        return cls("hyperbolic_rotation", Hyperbolic(), Axis(-1.0, 1.0), Axis(-reach, reach, True))

    @classmethod
    def perspective_x(cls, low: float = 1.0, high: float = 7.0) -> Warp:
        """Maps ``x / (1 + p x1)``, which add p to ``u = 1 / x1``; v is the angle of the point."""
        return _perspective(0, low, high)

    @classmethod
    def perspective_y(cls, low: float = 1.0, high: float = 7.0) -> Warp:
        """Maps ``x / (1 + p x2)``, which add p to ``u = 1 / x2``; v is the angle of the point."""
        return _perspective(1, low, high)

    @classmethod
    def scale_aspect(cls, x_min: float = 0.1, x_max: float = 1.0, quadrants: int = 1) -> Warp:
        """x1 scaled by ``e^u`` and x2 by ``e^v``, on the first quadrant or on all four.

        Raises:
            ValueError: for a number of quadrants that is neither 1 nor 4.
        """
        if quadrants not in (1, 4):
            raise ValueError(f"Warp.scale_aspect: got quadrants={quadrants}; expected 1 or 4")
        axis = _log_axis(x_min, x_max)
        return cls("scale_aspect", Quadrants(quadrants), axis, axis)

    @classmethod
    def sphere(cls, focal: float, radius: float, distance: float, reach: float = 1.0) -> Warp:
        """Yaw u and pitch v, up to ``reach`` radians, of a sphere seen in perspective.

        Args:
            focal: focal length in units of half the image.
            radius: of the sphere.
            distance: of its centre from the camera.
            reach: largest longitude and latitude.

        Raises:
            ValueError: if the camera is inside the sphere, or sees less than ``reach`` of it.
        """
        if not (focal > 0 and 0 < radius < distance):
            raise ValueError(
                f"Warp.sphere: got focal={focal}, radius={radius}, distance={distance}; expected a positive focal "
                "length and a camera outside the sphere, 0 < radius < distance"
            )
        # the corner of the range lies arccos(cos(reach)^2) from the middle; the horizon arccos(radius / distance)
        if not reach > 0 or math.cos(min(reach, math.pi / 2)) ** 2 <= radius / distance:
            most = math.acos(math.sqrt(radius / distance))
            raise ValueError(
                f"Warp.sphere: got reach={reach}, where the camera does not see the sphere; expected less than "
                f"{most:.3f} for radius / distance = {radius / distance:.3f}"
            )
        axis = Axis(-reach, reach, True)
        return cls("sphere", SphereView(float(focal), float(radius), float(distance)), axis, axis)

    @classmethod
    def from_generators(
        cls,
        A1: Tensor | Sequence[Sequence[float]],
        A2: Tensor | Sequence[Sequence[float]],
        x0: Sequence[float],
        u: tuple[float, float] = (-1.0, 1.0),
        v: tuple[float, float] = (-1.0, 1.0),
        periodic: tuple[bool, bool] = (False, False),
        name: str = "generated",
    ) -> Warp:
        """The group ``exp(u A1 + v A2)`` of two commuting generators, with coordinates of the points ``t_u(x0)``.

        Args:
            A1, A2: ``[2, 2]``, or ``[3, 3]`` for projective maps.
            x0: the pivot, in units of half the image.
            u, v: ranges; the inverse is looked for within them.
            periodic: which axes close on themselves.
            name: of the group.

        Raises:
            ValueError: for generators that do not commute, a pivot that they move in fewer than two directions, or a
                periodic axis whose range is no period.
        """
        first, second = homogeneous(torch.as_tensor(A1), "A1"), homogeneous(torch.as_tensor(A2), "A2")
        pivot = torch.as_tensor(x0, dtype=torch.float64)
        if pivot.shape != (2,):
            raise ValueError(f"Warp.from_generators: got x0 = {x0}; expected two numbers")
        check_generators(first, second, pivot)
        for axis, (generator, (low, high)) in enumerate(((first, u), (second, v))):
            turn = torch.linalg.matrix_exp((high - low) * generator)
            if periodic[axis] and float((move(turn, pivot) - pivot).abs().max()) > 1e-6:
                raise ValueError(
                    f"Warp.from_generators: axis {'uv'[axis]} is periodic but its range {(low, high)} is no period: "
                    f"the pivot comes to {move(turn, pivot).tolist()}; expected {pivot.tolist()}. Mend the range"
                )
        rows = [tuple(tuple(row) for row in a.tolist()) for a in (first, second)]
        chart = Generated(rows[0], rows[1], (float(pivot[0]), float(pivot[1])), (*map(float, u), *map(float, v)))
        return cls(name, chart, Axis(*u, True, periodic[0]), Axis(*v, True, periodic[1]))


def _log_axis(low: float, high: float) -> Axis:
    """The logarithms of a range of lengths, shifted by scalings."""
    if not 0 < low < high:
        raise ValueError(f"Warp: got lengths from {low} to {high}; expected 0 < lower < upper")
    return Axis(math.log(low), math.log(high), True)


def _perspective(axis: int, low: float, high: float) -> Warp:
    if not 0 < low < high:
        raise ValueError(f"Warp.perspective: got inverse lengths from {low} to {high}; expected 0 < lower < upper")
    v = Axis(-math.atan(high), math.atan(high))
    return Warp(f"perspective_{'xy'[axis]}", Perspective(axis, low + high), Axis(low, high, True), v)
