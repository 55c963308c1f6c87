"""From scenes to images: ray shooting, the point-spread function and noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.tasks.lensing.profiles import (
    point_deflection,
    pseudo_jaffe_deflection,
    sersic,
    shear_deflection,
    sie_deflection,
)
from steerable.tasks.lensing.scene import Scene
from steerable.tasks.lensing.settings import LensSettings

__all__ = [
    "blur",
    "clump_deflection",
    "draw_noise",
    "noise_level",
    "pixel_grid",
    "psf_matrix",
    "render",
    "smooth_image",
]


def pixel_grid(settings: LensSettings, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """(x, y) of the pixel centres in arcsec, each [pixels, pixels]; x grows rightwards, **row 0 has the highest y**.

    So `torch.rot90(image, 1, (-2, -1))` turns the sky counter-clockwise by 90 degrees.
    """
    n = settings.pixels
    ticks = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * settings.pixel_scale
    y, x = torch.meshgrid(ticks.flip(0), ticks, indexing="ij")
    return x.to(dtype), y.to(dtype)


def psf_matrix(settings: LensSettings, dtype: torch.dtype = torch.float32) -> Tensor:
    """[pixels, pixels] matrix of the Gaussian point-spread function along one axis, cut at 5 sigma.

    The border is continued by *replication*: the sky does not end at the edge of the field, and zeros there would
    darken the border by up to a fifth of the peak. Equals scipy's `gaussian_filter1d(mode="nearest", truncate=5)`.
    """
    n = settings.pixels
    if settings.psf_fwhm == 0.0:
        return torch.eye(n, dtype=dtype)
    sigma = settings.psf_fwhm / settings.pixel_scale / math.sqrt(8.0 * math.log(2.0))
    reach = int(5.0 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1)
    taps = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    taps = taps / taps.sum()
    matrix = torch.zeros(n, n, dtype=torch.float64)
    for offset, tap in zip(offsets.tolist(), taps.tolist(), strict=True):
        columns = (torch.arange(n) + offset).clamp(0, n - 1)
        matrix[torch.arange(n), columns] += tap
    return matrix.to(dtype)


def blur(image: Tensor, psf: Tensor) -> Tensor:
    """Apply `psf` [n, n] along both axes of an image [..., n, n]."""
    return psf @ image @ psf.T


def smooth_image(
    macro: Tensor,
    x: Tensor,
    y: Tensor,
    deflection: tuple[Tensor, Tensor] | None = None,
    mass_inside: Tensor | None = None,
) -> Tensor:
    """Surface brightness [B, n, n], before the point-spread function, of a smooth lens plus given deflections.

    Args:
        macro: [B, 14] parameters in the order of `MACRO`.
        x: [n, n] horizontal coordinate of the pixel centres, arcsec.
        y: [n, n] vertical coordinate of the pixel centres, arcsec.
        deflection: two tensors [B, n, n] added to the smooth deflection (the clumps).
        mass_inside: [B] clump mass inside the Einstein radius; the smooth part is lowered by it.
    """
    columns = [column[:, None, None] for column in macro.unbind(-1)]
    theta_e, e1, e2, g1, g2, lens_x, lens_y, source_x, source_y, radius, index, s1, s2, amplitude = columns
    if mass_inside is not None:
        # The mass of an isothermal lens inside R is theta * R, so that the total inside theta_e stays theta_e^2.
        theta_e = theta_e - mass_inside[:, None, None] / theta_e
    dx, dy = x - lens_x, y - lens_y
    ax, ay = sie_deflection(dx, dy, theta_e, e1, e2)
    sx, sy = shear_deflection(dx, dy, g1, g2)
    beta_x, beta_y = x - ax - sx - source_x, y - ay - sy - source_y
    if deflection is not None:
        beta_x, beta_y = beta_x - deflection[0], beta_y - deflection[1]
    return sersic(beta_x, beta_y, radius, index, s1, s2, amplitude)


def clump_deflection(scene: Scene, settings: LensSettings, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Deflection [B, n, n] (two tensors) of sub-halos and vortex, in the dtype of `x`.

    One image at a time: the work is that of the clumps that exist, without padding, and the result of an image does
    not depend on its batch, to the last bit.
    """
    ax, ay = [], []
    for i in range(len(scene)):
        total_x, total_y = torch.zeros_like(x), torch.zeros_like(y)
        count = int(torch.count_nonzero(scene.halo_mass[i]))
        if count:
            position = scene.halo_position[i, :count].to(x)[:, :, None, None]
            mass = scene.halo_mass[i, :count].to(x)[:, None, None]
            theta_e = scene.macro[i, 0].to(x)
            dx, dy = pseudo_jaffe_deflection(x - position[:, 0], y - position[:, 1], mass, theta_e)
            total_x, total_y = total_x + dx.sum(0), total_y + dy.sum(0)
        if float(scene.vortex_mass[i]) > 0.0:
            points = settings.vortex_points
            steps = (
                torch.linspace(-1.0, 1.0, points, dtype=torch.float64, device=x.device) * scene.vortex_half_length[i]
            )
            px = (steps * torch.cos(scene.vortex_angle[i])).to(x)[:, None, None]
            py = (steps * torch.sin(scene.vortex_angle[i])).to(x)[:, None, None]
            dx, dy = point_deflection(x - px, y - py, (scene.vortex_mass[i] / points).to(x))
            total_x, total_y = total_x + dx.sum(0), total_y + dy.sum(0)
        ax.append(total_x)
        ay.append(total_y)
    return torch.stack(ax), torch.stack(ay)


def render(scene: Scene, settings: LensSettings, dtype: torch.dtype = torch.float32) -> Tensor:
    """Noise-free images [B, pixels, pixels] of the scenes, through the point-spread function."""
    x, y = pixel_grid(settings, dtype)
    deflection = clump_deflection(scene, settings, x, y)
    image = smooth_image(scene.macro.to(dtype), x, y, deflection, scene.mass_inside.to(dtype))
    return blur(image, psf_matrix(settings, dtype))


def noise_level(image: Tensor, settings: LensSettings) -> Tensor:
    """[B] standard deviation of the noise: the peak of each noise-free image [B, n, n] over `peak_snr`."""
    return image.amax((-2, -1)) / settings.peak_snr


def draw_noise(scene: Scene, settings: LensSettings, dtype: torch.dtype = torch.float32) -> Tensor:
    """Unit white noise [B, pixels, pixels] from the seed of each scene.

    The noise of a turned scene is that of the upright one, turned exactly by the whole quarter turns in its angle
    (white noise has no exact turn by less).
    """
    n = settings.pixels
    rows = [
        torch.randn(n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in scene.seed.tolist()
    ]
    quarters = math.floor(scene.turn / 90.0 + 1e-9) % 4
    return torch.rot90(torch.stack(rows), quarters, (-2, -1)).to(dtype)
