"""Models I to III of the public lensing benchmark (DeepLense), quirks and all.

They are kept to read published figures against, not to learn from. What the public code does: one and the same lens,
shear and source shape in every image; an Einstein radius from luminosity distances (0.770 of the right one); always 25
sub-halos, as point masses, with a mass function so flat that they weigh 3.8 % of the halo, uniform in radius; a vortex
of 3 % **added** to the mass of the smooth lens. So the mean radius of the ring tells the classes apart: the linear
baseline that stands beside every score here says how far that goes. Model I draws photon noise twice; II and III are
the image twice over, without noise. Source: ML4SCI/DeepLense and mwt5345/DeepLenseSim, public code.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.tasks.lensing.cosmology import angular_diameter_distance, einstein_radius
from steerable.tasks.lensing.drawn import Drawn, assemble, vortex_points
from steerable.tasks.lensing.halos import halo_masses
from steerable.tasks.lensing.settings import LensSettings

__all__ = ["BACKGROUND", "draw_published", "published_einstein_radius", "published_noise", "published_settings"]

BACKGROUND = 1e-2
"""Standard deviation of the background of Model I, flux per pixel."""

_HALO, _VORTEX = 1e12, 3e10  # solar masses
_MODELS = {
    "I": {"pixels": 150, "pixel_scale": 0.05, "psf_fwhm": 0.087},
    "II": {"pixels": 64, "pixel_scale": 0.101, "psf_fwhm": 0.16},
    "III": {"pixels": 64, "pixel_scale": 0.08, "psf_fwhm": 0.08},
}


def published_settings(model: str = "I", **changes: object) -> LensSettings:
    """Settings of a published model; `changes` override, e.g. `pixels=64, pixel_scale=0.08`.

    The classes stand in the published, alphabetical order: axion (our "vortex"), cdm, no_sub (our "none").

    Raises:
        ValueError: an unknown model or setting.
    """
    if model not in _MODELS:
        raise ValueError(f"published_settings: model={model!r}; expected one of {', '.join(_MODELS)}")
    values = {
        "mode": "as_published", "model": model, "classes": ("vortex", "cdm", "none"), **_MODELS[model],
        "peak_snr": 25.0, "halo_masses": (1e6, 1e10), "halo_slope": 0.9, "vortex_points": 100,
        "log10_axion_mass": (-24.0, -22.0), **changes,
    }  # fmt: skip
    return LensSettings.from_dict(values)


def published_einstein_radius(mass: float, settings: LensSettings) -> float:
    """Einstein radius in arcsec as the public code has it: luminosity distances, and their difference for D_ls."""
    cosmology = {"hubble": settings.hubble, "omega_m": settings.omega_m}
    near, far = (
        (1.0 + z) ** 2 * angular_diameter_distance(z, **cosmology) for z in (settings.z_lens, settings.z_source)
    )
    true = einstein_radius(mass, z_lens=settings.z_lens, z_source=settings.z_source, **cosmology)
    d_l = angular_diameter_distance(settings.z_lens, **cosmology)
    d_s = angular_diameter_distance(settings.z_source, **cosmology)
    d_ls = angular_diameter_distance(settings.z_source, z_from=settings.z_lens, **cosmology)
    return true * math.sqrt((far - near) / (near * far) / (d_ls / (d_l * d_s)))


def draw_published(kind: str, generator: torch.Generator, settings: LensSettings, mass_unit: float) -> Drawn:
    """One scene; `mass_unit` is not used, the public code has its own."""
    unit = published_einstein_radius(1e12, settings) ** 2 / 1e12
    u = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
    macro = [
        math.sqrt(_HALO * unit), 0.1, 0.0, 0.05, 0.0, 0.0, 0.0, 0.7 * u[0] - 0.35, 0.7 * u[1] - 0.35,
        0.25, 1.0, -0.1, 0.1, 20.0,
    ]  # fmt: skip
    if kind == "cdm":
        draws = torch.rand(3, 25, generator=generator, dtype=torch.float64)
        mass, order = halo_masses(draws[0], settings).sort(descending=True)
        radius, angle = 0.25 + 1.75 * draws[1, order], 2.0 * math.pi * draws[2, order]
        values = {"theta_E": (mass * unit).sqrt(), "center_x": radius * angle.cos(), "center_y": radius * angle.sin()}
        return assemble(macro, "POINT_MASS", values, None, [0.0, 0.0])
    if kind == "vortex":
        low, high = settings.log10_axion_mass
        half_length = 0.03 * 10.0 ** (-22.0 - (low + (high - low) * u[2]))
        vortex = [math.pi * u[3], half_length]
        values = vortex_points(_VORTEX * unit, *vortex, settings.vortex_points)
        return assemble(macro, "POINT_MASS", values, None, vortex)
    return assemble(macro, "", {}, None, [0.0, 0.0])


def published_noise(image: Tensor, seeds: Tensor, settings: LensSettings) -> Tensor:
    """What the public code saves of noise-free surface brightness [B, n, n], in the same unit.

    Model I: photon noise and background are added, the sum times the exposure is drawn from Poisson **again** (and
    divided by the exposure here, a factor that scaling an image undoes). Models II and III: the image added to itself.

    Args:
        image: noise-free surface brightness.
        seeds: [B] int64.
        settings: the model and the pixel scale.
    """
    if settings.model != "I":
        return 2.0 * image
    rows = []
    for flux, seed in zip(image.double() * settings.pixel_scale**2, seeds.tolist(), strict=True):
        generator = torch.Generator().manual_seed(seed)
        uniform = float(torch.rand((), generator=generator, dtype=torch.float64))
        exposure = 10.0 ** (3.0 + 0.5 * uniform)
        seen = torch.poisson(flux.clamp_min(0.0) * exposure, generator=generator) / exposure
        seen = seen + BACKGROUND * torch.randn(flux.shape, generator=generator, dtype=torch.float64)
        rows.append(torch.poisson(seen.clamp_min(0.0) * exposure, generator=generator) / exposure)
    return (torch.stack(rows) / settings.pixel_scale**2).to(image.dtype)
