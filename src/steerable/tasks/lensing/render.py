"""From scenes to images as networks see them: surface brightness, row 0 the highest y, and noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.tasks.lensing.drawn import Drawn
from steerable.tasks.lensing.light_path import surface_brightness
from steerable.tasks.lensing.psf import blur, gaussian_matrix
from steerable.tasks.lensing.published import BACKGROUND, published_noise
from steerable.tasks.lensing.scene import Scene, smooth_scene
from steerable.tasks.lensing.settings import LensSettings

__all__ = ["add_noise", "blur", "noise_level", "noise_map", "pixel_grid", "psf_matrix", "render", "smooth_image"]


def pixel_grid(settings: LensSettings, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """(x, y) of the pixel centres in arcsec, each [pixels, pixels]; x grows rightwards, **row 0 has the highest y**.

    So `torch.rot90(image, 1, (-2, -1))` turns the sky counter-clockwise by 90 degrees.
    """
    n = settings.pixels
    ticks = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * settings.pixel_scale
    y, x = torch.meshgrid(ticks.flip(0), ticks, indexing="ij")
    return x.to(dtype), y.to(dtype)


def psf_matrix(settings: LensSettings, dtype: torch.dtype = torch.float32) -> Tensor:
    """[pixels, pixels] matrix of the point-spread function along one axis, see `psf.gaussian_matrix`."""
    return gaussian_matrix(settings.pixels, settings.psf_fwhm / settings.pixel_scale).to(dtype)


def smooth_image(macro: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Surface brightness [B, n, n] of smooth lenses [B, 14] (columns `MACRO`) at x, y [n, n], without the PSF."""
    scene = smooth_scene(macro)
    return surface_brightness(scene.lens, scene.source, x, y, macro.shape[0])


def render(scene: Scene | Drawn, settings: LensSettings, dtype: torch.dtype = torch.float32) -> Tensor:
    """Noise-free surface brightness [B, pixels, pixels] through the point-spread function, row 0 the highest y.

    That is `Scene.image` flipped once and divided by the area of a pixel.
    """
    scene = scene.scene if isinstance(scene, Drawn) else scene
    fwhm = settings.psf_fwhm or None
    image = scene.image(settings.pixels, settings.pixel_scale, fwhm, dtype=dtype, engine=settings.engine)
    return image.flip(-2) / settings.pixel_scale**2


def noise_level(image: Tensor, settings: LensSettings) -> Tensor:
    """[B] standard deviation of the noise at the peak of each noise-free image [B, n, n].

    The peak over `peak_snr`; for Model I as published that of its background.
    """
    if settings.mode == "as_published" and settings.model == "I":
        return image.new_full(image.shape[:1], BACKGROUND / settings.pixel_scale**2)
    return image.amax((-2, -1)) / settings.peak_snr


def noise_map(image: Tensor, sigma: Tensor, settings: LensSettings) -> Tensor:
    """[B, n, n] standard deviation of the noise of every pixel, from (noise-free or noisy) images and `noise_level`.

    variance = sigma^2 [(1 - poisson_share) + poisson_share max(image, 0) / peak], peak = sigma * peak_snr.
    """
    share = settings.poisson_share
    if share == 0.0:
        return sigma[:, None, None].expand_as(image)
    bright = image.clamp_min(0.0) / (sigma * settings.peak_snr)[:, None, None]
    return sigma[:, None, None] * torch.sqrt(1.0 - share + share * bright)


def add_noise(image: Tensor, sigma: Tensor, drawn: Drawn, settings: LensSettings) -> Tensor:
    """Noisy images [B, n, n] from noise-free ones: Gaussian background and Poisson photons, seeded by scene.

    The noise of a turned scene is that of the upright one, turned exactly by the whole quarter turns in its angle
    (white noise has no exact turn by less).
    """
    if settings.mode == "as_published":
        return published_noise(image, drawn.seed, settings)
    quarters = math.floor(drawn.scene.turn / 90.0 + 1e-9) % 4
    upright = torch.rot90(image, -quarters, (-2, -1))
    share, rows = settings.poisson_share, []
    for one, level, seed in zip(upright, sigma.tolist(), drawn.seed.tolist(), strict=True):
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(one.shape, generator=generator, dtype=torch.float64)
        if share == 0.0:
            rows.append(one + level * noise.to(one.dtype))
            continue
        gain = share * level / settings.peak_snr  # brightness of one photon: peak * gain = share * level^2
        photons = torch.poisson(one.double().clamp_min(0.0) / gain, generator=generator)
        rows.append((photons * gain + math.sqrt(1.0 - share) * level * noise).to(one.dtype))
    return torch.rot90(torch.stack(rows), quarters, (-2, -1))
