"""Dark sub-halos: how many, how heavy, how dense."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.tasks.lensing.cosmology import nfw_halo
from steerable.tasks.lensing.light_path import add_deflection
from steerable.tasks.lensing.profiles.point_mass import SOFTENING
from steerable.tasks.lensing.scene import Part
from steerable.tasks.lensing.settings import LensSettings

__all__ = ["Halos", "draw_halos", "halo_masses", "mass_inside", "mean_halo_mass"]

MOST = 100_000
"""Sub-halos of a scene, on average; more say that a mass or a redshift makes no sense."""

Halos = tuple[str, dict[str, Tensor], Tensor]
"""(kind of profile, its values [K], mass inside the Einstein radius [] in arcsec^2)."""


def mean_halo_mass(settings: LensSettings) -> float:
    """Mean of the cold sub-halo mass function in solar masses."""
    low, high = settings.halo_masses

    def moment(power: float) -> float:
        return math.log(high / low) if abs(power) < 1e-9 else (high**power - low**power) / power

    return moment(2.0 - settings.halo_slope) / moment(1.0 - settings.halo_slope)


def halo_masses(uniform: Tensor, settings: LensSettings) -> Tensor:
    """Masses in solar masses from uniform numbers in [0, 1): inverse of the cumulative cold mass function."""
    low, high = settings.halo_masses
    power = 1.0 - settings.halo_slope
    if abs(power) < 1e-9:
        return low * (high / low) ** uniform
    return (low**power + uniform * (high**power - low**power)) ** (1.0 / power)


def draw_halos(
    kind: str, theta_e: float, generator: torch.Generator, settings: LensSettings, mass_unit: float
) -> Halos:
    """Sub-halos of one scene, rows by falling mass.

    Cold: a Poisson number at constant surface density in a disc of radius `halo_field`, such that the mean mass inside
    the Einstein radius is `halo_fraction` of the lens. Warm: the same, thinned by (1 + half_mode_mass / m)^-slope, so
    that warm scenes hold less. Self-interacting: the same masses with cores.

    Args:
        kind: "cdm", "wdm" or "sidm".
        theta_e: Einstein radius of the whole lens, arcsec: sets the tidal radius.
        generator: of the random numbers.
        settings: of the mass function and the profile.
        mass_unit: squared Einstein radius of one solar mass.

    Raises:
        InputError: more sub-halos than can be drawn, on average.
    """
    # Constant surface density: the mean mass inside theta_e is halo_fraction * theta_e^2, in the disc more.
    total = settings.halo_fraction * settings.halo_field**2
    expected = total / (mean_halo_mass(settings) * mass_unit)
    if not expected <= MOST:
        raise InputError(
            f"sub-halos: halo_fraction={settings.halo_fraction} of masses {settings.halo_masses}, z_lens="
            f"{settings.z_lens} and z_source={settings.z_source} make {expected:.3g} in each scene; expected at most "
            f"{MOST}. Raise the lowest mass, or move the source away from the lens."
        )
    rate = torch.tensor(expected, dtype=torch.float64)
    count = int(torch.poisson(rate, generator=generator))
    draws = torch.rand(3, count, generator=generator, dtype=torch.float64)
    solar, order = halo_masses(draws[0], settings).sort(descending=True)
    radius, angle = settings.halo_field * draws[1, order].sqrt(), 2.0 * math.pi * draws[2, order]
    if kind == "wdm":
        keep = torch.rand(count, generator=generator, dtype=torch.float64)
        there = keep < (1.0 + settings.half_mode_mass / solar) ** -settings.half_mode_slope
        solar, radius, angle = solar[there], radius[there], angle[there]
    mass = solar * mass_unit
    values = {"center_x": radius * angle.cos(), "center_y": radius * angle.sin()}
    if settings.halo_profile == "NFW" and kind != "sidm":
        cosmology = {"hubble": settings.hubble, "omega_m": settings.omega_m}
        pairs = [nfw_halo(m, z_lens=settings.z_lens, mass_unit=mass_unit, **cosmology) for m in solar.tolist()]
        scale, alpha = torch.tensor(pairs, dtype=torch.float64).reshape(-1, 2).unbind(1)
        values = {"Rs": scale, "alpha_Rs": alpha, **values}
        return "NFW", values, mass_inside("NFW", values, theta_e)
    # Isothermal inside the tidal radius sqrt(b theta_e) of a sphere of Einstein radius b = (mass^2 / theta_e)^(1/3):
    # J. A. Munoz, C. S. Kochanek, C. R. Keeton, ApJ 558, 657 (2001), section 2. The mass is 2 sigma0 core cut.
    cut = (mass * theta_e) ** (1.0 / 3.0)
    core = settings.core_fraction * cut if kind == "sidm" else torch.full_like(cut, SOFTENING)
    values = {"sigma0": mass / (2.0 * core * cut), "Ra": core, "Rs": cut, **values}
    return "PJAFFE", values, mass_inside("PJAFFE", values, theta_e)


def mass_inside(kind: str, values: dict[str, Tensor], radius: float) -> Tensor:
    """Projected mass [] of halos inside a circle of `radius` arcsec about the origin, as a squared Einstein radius.

    Gauss's law: the mean outward deflection on the circle times the radius, here over 720 points. Halos are extended,
    so it is less than the mass of those whose centres are inside (cdm: 92 %; as NFW halos, which have no edge: 69 %).

    Args:
        kind: a round profile, of `profiles.LENSES`.
        values: its parameters, [K].
        radius: arcsec.
    """
    angle = 2.0 * math.pi * (torch.arange(720, dtype=torch.float64)[None] + 0.5) / 720
    cos, sin = angle.cos(), angle.sin()
    part = Part(kind, {name: value[None] for name, value in values.items()})
    ax, ay = add_deflection((part,), radius * cos, radius * sin, 1)
    return radius * (ax * cos + ay * sin).mean()
