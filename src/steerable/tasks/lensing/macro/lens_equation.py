"""The lens equation for point sources: source positions, magnification and all images of a source."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.tasks.lensing.profiles import shear_deflection, sie_deflection

__all__ = ["POINT_LENS", "find_images", "lens_jacobian", "newton", "source_position"]

POINT_LENS = ("theta_e", "e1", "e2", "g1", "g2", "lens_x", "lens_y")
"""Columns of the lens parameters of this file: SIE + shear, as the first columns of `scene.MACRO`."""


def source_position(lens: Tensor, theta: Tensor) -> Tensor:
    """beta(theta) [..., 2] of points `theta` [..., 2] behind lenses `lens` [..., 7], columns `POINT_LENS`, arcsec."""
    theta_e, e1, e2, g1, g2, cx, cy = lens.unbind(-1)
    x, y = theta.unbind(-1)
    ax, ay = sie_deflection(x - cx, y - cy, theta_e, e1, e2)
    sx, sy = shear_deflection(x - cx, y - cy, g1, g2)
    return torch.stack((x - ax - sx, y - ay - sy), -1)


def lens_jacobian(lens: Tensor, theta: Tensor) -> Tensor:
    """Matrix d beta / d theta [..., 2, 2] at `theta` [..., 2]; its determinant is one over the magnification.

    For the isothermal ellipsoid the Hessian is 2 kappa t t^T with t the tangential direction.
    """
    theta_e, e1, e2, g1, g2, cx, cy = lens.unbind(-1)
    x, y = theta[..., 0] - cx, theta[..., 1] - cy
    free = 1.0 - e1 * e1 - e2 * e2
    zx, zy = (1.0 - e1) * x - e2 * y, (1.0 + e1) * y - e2 * x
    curve = theta_e * free.sqrt() / (zx * zx + zy * zy).clamp_min(1e-30).sqrt() / (x * x + y * y).clamp_min(1e-30)
    first = torch.stack((1.0 - curve * y * y - g1, curve * x * y - g2), -1)
    second = torch.stack((curve * x * y - g2, 1.0 - curve * x * x + g1), -1)
    return torch.stack((first, second), -2)


def newton(lens: Tensor, source: Tensor, theta: Tensor, steps: int, reach: Tensor) -> Tensor:
    """Points [..., 2] that map to `source` [..., 2], by Newton steps no longer than `reach` [...] from `theta`."""
    for _ in range(steps):
        a = lens_jacobian(lens, theta)
        determinant = a[..., 0, 0] * a[..., 1, 1] - a[..., 0, 1] * a[..., 1, 0]
        determinant = torch.where(determinant.abs() < 1e-9, torch.full_like(determinant, 1e-9), determinant)
        d = source - source_position(lens, theta)
        step = (
            torch.stack(
                (
                    a[..., 1, 1] * d[..., 0] - a[..., 0, 1] * d[..., 1],
                    a[..., 0, 0] * d[..., 1] - a[..., 1, 0] * d[..., 0],
                ),
                -1,
            )
            / determinant[..., None]
        )
        size = step.norm(dim=-1, keepdim=True)
        theta = theta + step * (reach[..., None] / size.clamp_min(1e-30)).clamp(max=1.0)
    return theta


def find_images(lens: Tensor, source: Tensor, grid: int = 60) -> Tensor:
    """All images [K, 2] of one point source [2] behind one lens [7], brightest first.

    Newton's method from a grid of points within three Einstein radii; solutions that agree within 1e-6 theta_e are one
    image. The demagnified image at the centre, which a singular lens does not have, is left out.
    """
    lens, source = lens.double(), source.double()
    theta_e = float(lens[0])
    ticks = torch.linspace(-3.0 * theta_e, 3.0 * theta_e, grid, dtype=torch.float64)
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    theta = torch.stack((x.flatten(), y.flatten()), -1) + lens[5:7]
    many = lens.expand(theta.shape[0], 7)
    theta = newton(many, source, theta, 60, torch.full((theta.shape[0],), 0.1 * theta_e, dtype=torch.float64))
    wrong = (source_position(many, theta) - source).norm(dim=1)
    theta = theta[(wrong < 1e-9 * theta_e) & ((theta - lens[5:7]).norm(dim=1) > 1e-4 * theta_e)]
    images: list[Tensor] = []
    for point in theta:
        if all(float((point - other).norm()) > 1e-6 * theta_e for other in images):
            images.append(point)
    if not images:
        return torch.zeros(0, 2, dtype=torch.float64)
    found = torch.stack(images)
    brightness = torch.linalg.det(lens_jacobian(lens.expand(len(found), 7), found)).abs()
    return found[brightness.argsort()]
