"""Chart of a sphere seen by a camera: yaw and pitch of what lies on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.domains.warp.chart import Chart


@dataclass(frozen=True)
class SphereView(Chart):
    """Longitude u (to the right) and latitude v (up) on a sphere, seen in perspective from in front.

    The camera stands at the origin and looks along the third axis; the centre of the sphere is ``distance`` away. A
    point of the sphere is ``radius (cos v sin u, sin v, -cos v cos u)`` from its centre and appears at
    ``focal (q1, q2) / q3``. A yaw is a turn of the sphere about its vertical axis; the pitch shifts latitudes, which is
    a turn about the horizontal axis where u = 0. J. Henriques and A. Vedaldi, arXiv 1609.04382, section 4.3.
    """

    focal: float
    radius: float
    distance: float

    def lift(self, u: Tensor, v: Tensor) -> Tensor:
        """Points ``[..., 3]`` of the sphere, seen from the camera."""
        return torch.stack(
            (
                self.radius * v.cos() * u.sin(),
                (self.radius * v.sin()).expand_as(u * v),
                self.distance - self.radius * v.cos() * u.cos(),
            ),
            -1,
        )

    def to_plane(self, u: Tensor, v: Tensor, sheet: Tensor) -> Tensor:
        """Project a point of the sphere."""
        q = self.lift(u, v)
        return self.focal * q[..., :2] / q[..., 2:]

    def from_plane(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where the ray of a pixel meets the sphere first; NaN beside its outline."""
        ray = torch.cat((x / self.focal, torch.ones_like(x[..., :1])), -1)
        a, b = ray.square().sum(-1), self.distance  # |t ray|^2 - 2 t d + d^2 = r^2
        root = b * b - a * (b * b - self.radius**2)
        t = (b - root.sqrt()) / a
        q = t[..., None] * ray
        u = torch.atan2(q[..., 0], self.distance - q[..., 2])
        v = (q[..., 1] / self.radius).asin()
        return u, v, torch.zeros_like(u, dtype=torch.int64)
