"""The numbers that define a simulated data set."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from steerable.tasks.lensing.cosmology import einstein_radius

__all__ = ["CLASSES", "LensSettings"]

CLASSES = ("none", "cdm", "vortex")
"""Class names in label order: a smooth lens, cold dark matter sub-halos, an axion vortex."""


@dataclasses.dataclass(frozen=True)
class LensSettings:
    """Settings of the `physical` simulation; the defaults are the set that the demo uses.

    Every class draws its macro model from the same prior, and the smooth mass is lowered by the clump mass inside the
    Einstein radius, so that no class is heavier than another: a linear model on global statistics of the image stays
    at chance. Lengths are arcsec, masses solar masses, ellipticities |e| = (1 - q) / (1 + q).

    Attributes:
        mode: the recipe; `physical` is the only one.
        pixels: image side in pixels.
        pixel_scale: arcsec per pixel.
        psf_fwhm: full width at half maximum of the Gaussian point-spread function, arcsec; 0 for none.
        peak_snr: peak of the noise-free image over the standard deviation of the (constant, Gaussian) noise.
        z_lens, z_source: redshifts.
        hubble: Hubble constant, km/s/Mpc.
        omega_m: matter density; flat universe.
        theta_e: range of the total Einstein radius, arcsec.
        ellipticity: range of the lens ellipticity.
        shear: range of the external shear.
        source_radius: range of the Sersic half-light radius, arcsec.
        sersic_index: range of the Sersic index.
        source_ellipticity: range of the source ellipticity.
        source_offset: radius of the disc that holds the source centre, arcsec.
        halo_fraction: mass in sub-halos over the lens mass, both inside the Einstein radius, on average (cdm).
        halo_masses: range of sub-halo masses, solar masses.
        halo_slope: dn/dm ~ m ** -halo_slope.
        halo_field: radius of the disc that is filled with sub-halos at constant surface density, arcsec. It covers the
            ring (median chi2 per pixel of the residual: 1.30 for CDM, 1.04 for the vortex, 0.99 for none; 60 images
            each); further sub-halos act mostly as a shear.
        vortex_fraction: mass of the vortex over the lens mass inside the Einstein radius (vortex).
        vortex_points: point masses on the vortex line.
        log10_axion_mass: range of log10 (axion mass / eV); half length of the line = 0.03 arcsec * 1e-22 eV / mass.
    """

    mode: str = "physical"
    pixels: int = 64
    pixel_scale: float = 0.05
    psf_fwhm: float = 0.087
    peak_snr: float = 50.0
    z_lens: float = 0.5
    z_source: float = 1.0
    hubble: float = 70.0
    omega_m: float = 0.3
    theta_e: tuple[float, float] = (0.9, 1.2)
    ellipticity: tuple[float, float] = (0.0, 0.2)
    shear: tuple[float, float] = (0.0, 0.08)
    source_radius: tuple[float, float] = (0.1, 0.25)
    sersic_index: tuple[float, float] = (0.8, 1.6)
    source_ellipticity: tuple[float, float] = (0.0, 0.3)
    source_offset: float = 0.3
    halo_fraction: float = 0.05
    halo_masses: tuple[float, float] = (1e8, 1e10)
    halo_slope: float = 1.9
    halo_field: float = 1.4
    vortex_fraction: float = 0.03
    vortex_points: int = 64
    log10_axion_mass: tuple[float, float] = (-24.0, -23.0)

    def __post_init__(self) -> None:
        if self.mode != "physical":
            raise ValueError(f"LensSettings: mode={self.mode!r} is not known; expected 'physical'")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):  # from JSON or YAML
                value = tuple(value)
                object.__setattr__(self, field.name, value)
            if isinstance(value, tuple) and not (
                len(value) == 2 and all(math.isfinite(v) for v in value) and value[0] <= value[1]
            ):
                raise ValueError(f"LensSettings: {field.name}={value}; expected two finite numbers, low <= high")
        for name in ("pixels", "pixel_scale", "peak_snr", "vortex_points", "halo_field"):
            if not getattr(self, name) > 0:
                raise ValueError(f"LensSettings: {name}={getattr(self, name)}; expected a number above 0")
        for name in ("psf_fwhm", "halo_fraction", "vortex_fraction", "source_offset"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"LensSettings: {name}={getattr(self, name)}; expected a number of at least 0")
        if self.theta_e[0] <= 0 or self.halo_masses[0] <= 0 or self.source_radius[0] <= 0 or self.sersic_index[0] <= 0:
            raise ValueError(
                f"LensSettings: theta_e={self.theta_e}, halo_masses={self.halo_masses}, source_radius="
                f"{self.source_radius}, sersic_index={self.sersic_index}; expected ranges above 0"
            )

    @property
    def mass_unit(self) -> float:
        """Squared Einstein radius (arcsec^2) of one solar mass: masses times this are what deflections need."""
        radius = einstein_radius(
            1e12, z_lens=self.z_lens, z_source=self.z_source, hubble=self.hubble, omega_m=self.omega_m
        )
        return radius**2 / 1e12

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-ready dictionary of all settings."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LensSettings:
        """Settings from a dictionary as `to_dict` writes it.

        Raises:
            ValueError: for a name that is not a setting.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ValueError(f"LensSettings: unknown setting {unknown[0]!r}; expected one of {', '.join(known)}")
        return cls(**values)
