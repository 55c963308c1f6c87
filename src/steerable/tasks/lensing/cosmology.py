"""Distances in a flat Lambda-CDM universe and the Einstein radius of a mass.

Source: D. W. Hogg, "Distance measures in cosmology" (astro-ph/9905116), equations 14-19 without radiation; the Einstein
radius is equation 18 of R. Narayan and M. Bartelmann, "Lectures on gravitational lensing" (astro-ph/9606001).
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["ARCSEC", "angular_diameter_distance", "einstein_radius"]

ARCSEC = math.pi / 648_000.0  # radians
_SPEED_OF_LIGHT = 299_792.458  # km / s
_GM_SUN = 1.3271244e20  # m^3 / s^2, IAU 2015 nominal value
_MEGAPARSEC = 3.0856775814913673e22  # m


def _comoving_distance(z: float, hubble: float, omega_m: float) -> float:
    """Line-of-sight comoving distance in Mpc: c / H0 times the integral of 1 / E(z), by 48-point Gauss-Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(48)
    z_nodes = 0.5 * z * (nodes + 1.0)
    expansion = np.sqrt(omega_m * (1.0 + z_nodes) ** 3 + 1.0 - omega_m)
    return float(_SPEED_OF_LIGHT / hubble * 0.5 * z * np.sum(weights / expansion))


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
    if not 0.0 <= z_from <= z:
        raise ValueError(f"angular_diameter_distance: got z_from={z_from}, z={z}; expected 0 <= z_from <= z")
    if not 0.0 <= omega_m <= 1.0 or hubble <= 0.0:
        raise ValueError(f"angular_diameter_distance: got omega_m={omega_m}, hubble={hubble}; expected 0..1 and > 0")
    far, near = _comoving_distance(z, hubble, omega_m), _comoving_distance(z_from, hubble, omega_m)
    return (far - near) / (1.0 + z)


def einstein_radius(
    mass: float, *, z_lens: float = 0.5, z_source: float = 1.0, hubble: float = 70.0, omega_m: float = 0.3
) -> float:
    """Einstein radius in arcsec of a `mass` in solar masses: sqrt(4 G M / c^2 * D_ls / (D_l D_s)).

    All three distances are angular-diameter distances: 1e12 solar masses at z 0.5 before a source at z 1.0 give 1.6645.

    Raises:
        ValueError: for a negative mass, or a lens that is not between the observer and the source.
    """
    if mass < 0.0 or not 0.0 < z_lens < z_source:
        raise ValueError(
            f"einstein_radius: got mass={mass}, z_lens={z_lens}, z_source={z_source}; expected mass >= 0 and "
            "0 < z_lens < z_source"
        )
    d_l = angular_diameter_distance(z_lens, hubble=hubble, omega_m=omega_m)
    d_s = angular_diameter_distance(z_source, hubble=hubble, omega_m=omega_m)
    d_ls = angular_diameter_distance(z_source, z_from=z_lens, hubble=hubble, omega_m=omega_m)
    schwarzschild = 4.0 * _GM_SUN * mass / (_SPEED_OF_LIGHT * 1e3) ** 2 / _MEGAPARSEC  # 4 G M / c^2 in Mpc
    return math.sqrt(schwarzschild * d_ls / (d_l * d_s)) / ARCSEC
