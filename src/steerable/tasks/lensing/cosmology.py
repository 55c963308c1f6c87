"""Angular-diameter distances (astropy), the Einstein radius of a mass and the deflection of a dark halo."""

from __future__ import annotations

import functools
import math
from typing import Any

__all__ = ["ARCSEC", "angular_diameter_distance", "einstein_radius", "nfw_halo"]

ARCSEC = math.pi / 648_000.0  # radians


@functools.lru_cache(maxsize=8)
def _cosmology(hubble: float, omega_m: float) -> Any:
    """Flat Lambda-CDM without radiation."""
    from astropy.cosmology import FlatLambdaCDM

    if not 0.0 <= omega_m <= 1.0 or not 0.0 < hubble < math.inf:
        raise ValueError(f"cosmology: got hubble={hubble}, omega_m={omega_m}; expected hubble > 0 and omega_m in 0..1")
    return FlatLambdaCDM(H0=hubble, Om0=omega_m, Tcmb0=0.0)


def angular_diameter_distance(z: float, *, z_from: float = 0.0, hubble: float = 70.0, omega_m: float = 0.3) -> float:
    """Angular-diameter distance in Mpc of redshift `z` seen from redshift `z_from`.

    Args:
        z: redshift of the far object.
        z_from: redshift of the observer, 0 <= z_from <= z.
        hubble: Hubble constant in km/s/Mpc.
        omega_m: matter density today, between 0 and 1; the rest is a cosmological constant.

    Raises:
        ValueError: for redshifts out of order or densities outside [0, 1].
    """
    if not 0.0 <= z_from <= z < math.inf:
        raise ValueError(f"angular_diameter_distance: got z_from={z_from}, z={z}; expected 0 <= z_from <= z")
    far, near = (float(_cosmology(hubble, omega_m).comoving_distance(at).value) for at in (z, z_from))
    return (far - near) / (1.0 + z)  # flat


def einstein_radius(
    mass: float, *, z_lens: float = 0.5, z_source: float = 1.0, hubble: float = 70.0, omega_m: float = 0.3
) -> float:
    """Einstein radius in arcsec of a `mass` in solar masses: sqrt(4 G M / c^2 * D_ls / (D_l D_s)).

    All three distances are angular-diameter distances: 1e12 solar masses at z 0.5 before a source at z 1.0 give 1.6645.
    Source: R. Narayan, M. Bartelmann, astro-ph/9606001, equation 18.

    Raises:
        ValueError: for a negative mass, or a lens that is not between the observer and the source.
    """
    if not 0.0 <= mass < math.inf or not 0.0 < z_lens < z_source < math.inf:
        raise ValueError(
            f"einstein_radius: got mass={mass}, z_lens={z_lens}, z_source={z_source}; expected mass >= 0 and "
            "0 < z_lens < z_source"
        )
    d_l = angular_diameter_distance(z_lens, hubble=hubble, omega_m=omega_m)
    d_s = angular_diameter_distance(z_source, hubble=hubble, omega_m=omega_m)
    d_ls = angular_diameter_distance(z_source, z_from=z_lens, hubble=hubble, omega_m=omega_m)
    return math.sqrt(4.0 * _schwarzschild_megaparsec() * mass * d_ls / (d_l * d_s)) / ARCSEC


@functools.lru_cache(maxsize=1)
def _schwarzschild_megaparsec() -> float:
    """G M_sun / c^2 in Mpc."""
    from astropy import constants, units

    return float((constants.GM_sun / constants.c**2).to_value(units.Mpc))


def nfw_halo(mass: float, *, z_lens: float, mass_unit: float, hubble: float, omega_m: float) -> tuple[float, float]:
    """(scale radius, deflection there) in arcsec of a Navarro-Frenk-White halo of `mass` = M200 in solar masses.

    The concentration is that of A. R. Duffy et al., MNRAS 390, L64 (2008), table 1 (NFW, full sample, 200 times the
    critical density). `mass_unit` is the squared Einstein radius of one solar mass.
    """
    cosmology = _cosmology(hubble, omega_m)
    concentration = 5.71 * (mass * hubble / 100.0 / 2e12) ** -0.084 * (1.0 + z_lens) ** -0.47
    density = float(cosmology.critical_density(z_lens).to_value("Msun / Mpc3"))
    radius = (3.0 * mass / (800.0 * math.pi * density)) ** (1.0 / 3.0)
    scale = radius / concentration / angular_diameter_distance(z_lens, hubble=hubble, omega_m=omega_m) / ARCSEC
    inner = mass / (math.log1p(concentration) - concentration / (1.0 + concentration))
    return scale, mass_unit * inner * (1.0 - math.log(2)) / scale
