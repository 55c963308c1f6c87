"""Charts of linear maps: translation, polar, shear, scaling of one axis or of both, hyperbolic rotation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.domains.warp.chart import Chart
from steerable.domains.warp.homography import matrix3


def _sign(negative: Tensor, like: Tensor) -> Tensor:
    """-1 where true, 1 elsewhere."""
    return 1.0 - 2.0 * negative.to(like.dtype)


@dataclass(frozen=True)
class Cartesian(Chart):
    """``x = (u, v)``: translations."""

    def to_plane(self, u: Tensor, v: Tensor, sheet: Tensor) -> Tensor:
        """The pair itself."""
        return torch.stack(torch.broadcast_tensors(u, v), -1)

    def from_plane(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The pair itself."""
        return x[..., 0], x[..., 1], torch.zeros_like(x[..., 0], dtype=torch.int64)

    def matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """Translation by ``(a, b)``."""
        return matrix3([[1, 0, a], [0, 1, b], [0, 0, 1]])


@dataclass(frozen=True)
class Polar(Chart):
    """``x = r (cos v, sin v)`` with ``r = u``, or ``r = e^u`` if ``log``: rotations, and scalings if ``log``."""

    log: bool

    def to_plane(self, u: Tensor, v: Tensor, sheet: Tensor) -> Tensor:
        """From radius and angle."""
        r = u.exp() if self.log else u
        return torch.stack((r * v.cos(), r * v.sin()), -1)

    def from_plane(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Radius (or its logarithm) and angle in (-pi, pi]."""
        r = x.norm(dim=-1)
        v = torch.atan2(x[..., 1], x[..., 0])
        return (r.log() if self.log else r), v, torch.zeros_like(v, dtype=torch.int64)

    def matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """``e^a R(b)``."""
        c, s = a.exp() * b.cos(), a.exp() * b.sin()
        return matrix3([[c, -s, 0], [s, c, 0], [0, 0, 1]])


@dataclass(frozen=True)
class Shear(Chart):
    """``x = (u v, u)`` moves x1 by multiples of x2 (``axis`` 0); ``x = (u, u v)`` the other way round (``axis`` 1)."""

    axis: int

    def to_plane(self, u: Tensor, v: Tensor, sheet: Tensor) -> Tensor:
        """From height and slope."""
        pair = (u * v, u.expand_as(u * v))
        return torch.stack(pair if self.axis == 0 else pair[::-1], -1)

    def from_plane(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Height and slope."""
        u = x[..., 1 - self.axis]
        return u, x[..., self.axis] / u, torch.zeros_like(u, dtype=torch.int64)

    def matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """Shear by ``b``."""
        return matrix3([[1, b, 0], [0, 1, 0], [0, 0, 1]] if self.axis == 0 else [[1, 0, 0], [b, 1, 0], [0, 0, 1]])


@dataclass(frozen=True)
class AxisScale(Chart):
    """``x = (+-e^u, v)`` scales x1 (``axis`` 0), ``x = (v, +-e^u)`` scales x2 (``axis`` 1); a sheet for each sign."""

    axis: int

    @property
    def sheets(self) -> int:
        """Two half planes."""
        return 2

    def to_plane(self, u: Tensor, v: Tensor, sheet: Tensor) -> Tensor:
        """From the logarithm of one coordinate and the other coordinate."""
        pair = torch.broadcast_tensors(_sign(sheet == 1, u) * u.exp(), v)
        return torch.stack(pair if self.axis == 0 else pair[::-1], -1)

    def from_plane(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithm of one coordinate, the other, and the half plane."""
        scaled = x[..., self.axis]
        return scaled.abs().log(), x[..., 1 - self.axis], (scaled < 0).long()

    def matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """One axis by ``e^a``."""
        e = a.exp()
        return matrix3([[e, 0, 0], [0, 1, 0], [0, 0, 1]] if self.axis == 0 else [[1, 0, 0], [0, e, 0], [0, 0, 1]])


@dataclass(frozen=True)
class Hyperbolic(Chart):
    """``x = (u e^v, +-u e^-v)``: one axis grows as the other shrinks; a sheet for each pair of opposite quadrants."""

    @property
    def sheets(self) -> int:
        """Two pairs of quadrants."""
        return 2

    def to_plane(self, u: Tensor, v: Tensor, sheet: Tensor) -> Tensor:
        """From geometric mean and half the logarithm of the aspect."""
        return torch.stack((u * v.exp(), _sign(sheet == 1, u) * u * (-v).exp()), -1)

    def from_plane(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Geometric mean with the sign of x1, half the logarithm of ``|x1 / x2|``, and the pair of quadrants."""
        u = x[..., 0].sign() * (x[..., 0] * x[..., 1]).abs().sqrt()
        v = 0.5 * (x[..., 0] / x[..., 1]).abs().log()
        return u, v, ((x[..., 0] * x[..., 1]) < 0).long()

    def matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """``diag(e^b, e^-b)``."""
        return matrix3([[b.exp(), 0, 0], [0, (-b).exp(), 0], [0, 0, 1]])


@dataclass(frozen=True)
class Quadrants(Chart):
    """``x = (+-e^u, +-e^v)``: each axis scaled on its own (scale and aspect), on one quadrant or on all four."""

    quadrants: int

    @property
    def sheets(self) -> int:
        """Number of quadrants."""
        return self.quadrants

    def to_plane(self, u: Tensor, v: Tensor, sheet: Tensor) -> Tensor:
        """From the logarithms of both coordinates; quadrants are counted counter-clockwise."""
        first = _sign((sheet == 1) | (sheet == 2), u) * u.exp()
        return torch.stack(torch.broadcast_tensors(first, _sign(sheet >= 2, v) * v.exp()), -1)

    def from_plane(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithms of both coordinates, and the quadrant."""
        left, down = x[..., 0] < 0, x[..., 1] < 0
        sheet = torch.where(down, 3 - left.long(), left.long())
        u, v = x.abs().log().unbind(-1)
        outside = sheet >= self.quadrants
        return u.masked_fill(outside, torch.nan), v.masked_fill(outside, torch.nan), sheet.clamp(max=self.quadrants - 1)

    def matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """``diag(e^a, e^b)``."""
        return matrix3([[a.exp(), 0, 0], [0, b.exp(), 0], [0, 0, 1]])
