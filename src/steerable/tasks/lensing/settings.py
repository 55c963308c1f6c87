"""The numbers that define a simulated data set."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from steerable.tasks.lensing.cosmology import einstein_radius

__all__ = ["CLASSES", "KINDS", "MODES", "LensSettings"]

KINDS = ("none", "cdm", "wdm", "sidm", "vortex")
"""Kinds of dark matter: a smooth lens; cold, warm and self-interacting sub-halos; an axion vortex."""

CLASSES = ("none", "cdm", "vortex")
"""Class names of the usual data set, in label order."""

MODES = ("physical", "as_published")
"""Recipes: ours, and that of the public benchmark with its quirks (`published`)."""


@dataclasses.dataclass(frozen=True)
class LensSettings:
    """Settings of a simulation; the defaults are the set that the demo uses.

    In the mode `physical` every class draws its macro model from the same prior, and the smooth mass is lowered by the
    clump mass inside the Einstein radius, so that no class is heavier than another: a linear model on global
    statistics of the image stays at chance. Lengths are arcsec, masses solar masses, ellipticities
    |e| = (1 - q) / (1 + q).

    Attributes:
        mode: the recipe, one of `MODES`. `published_settings("I")` gives the settings that go with "as_published".
        model: "I", "II" or "III", of the mode "as_published".
        classes: the kinds of dark matter to draw, in label order, some of `KINDS`.
        blind_fit: whether a data set holds the residual after a blind fit of the macro model too (some 20 ms an
            image), beside the one that is linearised at the truth.
        engine: what computes the images: "torch", or "lenstronomy" (an extra).
        pixels: image side in pixels.
        pixel_scale: arcsec per pixel.
        psf_fwhm: full width at half maximum of the Gaussian point-spread function, arcsec; 0 for none.
        peak_snr: peak of the noise-free image over the standard deviation of the noise there.
        poisson_share: share of the variance at the peak that is photon noise, at least 0 and below 1; the rest is
            background, without which a dark pixel would have no noise.
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
        halo_fraction: mass of the sub-halos whose centres are inside the Einstein radius over the lens mass inside it,
            on average (cdm).
        halo_masses: range of sub-halo masses, solar masses.
        halo_slope: dn/dm ~ m ** -halo_slope.
        halo_field: radius of the disc that is filled with sub-halos at constant surface density, arcsec. It covers the
            ring (median chi2 per pixel of the residual: 1.30 for CDM, 1.04 for the vortex, 0.99 for none; 60 images
            each); further sub-halos act mostly as a shear.
        halo_profile: "PJAFFE" (cut at the tidal radius), or "NFW" (not cut) for cdm and wdm.
        half_mode_mass, half_mode_slope: warm sub-halos are (1 + half_mode_mass / m) ** -half_mode_slope as many.
        core_fraction: core radius of self-interacting sub-halos over their tidal radius; their mass stays.
        vortex_fraction: mass of the vortex over the lens mass inside the Einstein radius (vortex).
        vortex_points: point masses on the vortex line.
        log10_axion_mass: range of log10 (axion mass / eV); half length of the line = 0.03 arcsec * 1e-22 eV / mass.
    """

    mode: str = "physical"
    model: str = "I"
    classes: tuple[str, ...] = CLASSES
    blind_fit: bool = True
    engine: str = "torch"
    pixels: int = 64
    pixel_scale: float = 0.05
    psf_fwhm: float = 0.087
    peak_snr: float = 50.0
    poisson_share: float = 0.0
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
    halo_profile: str = "PJAFFE"
    half_mode_mass: float = 1e9
    half_mode_slope: float = 1.3
    core_fraction: float = 0.3
    vortex_fraction: float = 0.03
    vortex_points: int = 64
    log10_axion_mass: tuple[float, float] = (-24.0, -23.0)

    def __post_init__(self) -> None:
        choices = {
            "mode": MODES, "model": ("I", "II", "III"), "engine": ("torch", "lenstronomy"),
            "halo_profile": ("PJAFFE", "NFW"),
        }  # fmt: skip
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"LensSettings: {name}={getattr(self, name)!r} is not known; expected one of {known}")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):  # from JSON or YAML
                value = tuple(value)
                object.__setattr__(self, field.name, value)
            if (
                isinstance(value, tuple)
                and field.name != "classes"
                and not (len(value) == 2 and all(math.isfinite(v) for v in value) and value[0] <= value[1])
            ):
                raise ValueError(f"LensSettings: {field.name}={value}; expected two finite numbers, low <= high")
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"LensSettings: {field.name}={value}; expected a finite number")
        known = ("vortex", "cdm", "none") if self.mode != "physical" else KINDS
        if not self.classes or len(set(self.classes)) < len(self.classes) or set(self.classes) - set(known):
            raise ValueError(f"LensSettings: classes={self.classes}; expected some of {known}, each once")
        for name in ("pixels", "pixel_scale", "peak_snr", "vortex_points", "halo_field", "half_mode_mass"):
            if not getattr(self, name) > 0:
                raise ValueError(f"LensSettings: {name}={getattr(self, name)}; expected a number above 0")
        if self.pixels > 4096:
            raise ValueError(f"LensSettings: pixels={self.pixels}; expected at most 4096 a side")
        for name in ("psf_fwhm", "source_offset", "half_mode_slope"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"LensSettings: {name}={getattr(self, name)}; expected a number of at least 0")
        for name in ("poisson_share", "core_fraction", "halo_fraction", "vortex_fraction"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"LensSettings: {name}={getattr(self, name)}; expected a share between 0 and 1, 1 excluded"
                )
        for name in ("theta_e", "halo_masses", "source_radius", "sersic_index"):
            if getattr(self, name)[0] <= 0:
                raise ValueError(f"LensSettings: {name}={getattr(self, name)}; expected a range above 0")
        for name in ("ellipticity", "source_ellipticity", "shear"):
            if getattr(self, name)[0] < 0 or getattr(self, name)[1] >= 1:
                raise ValueError(f"LensSettings: {name}={getattr(self, name)}; expected a range within 0 and 1")
        if not (self.sersic_index[0] > 0.17 and self.sersic_index[1] <= 10):
            raise ValueError(f"LensSettings: sersic_index={self.sersic_index}; expected a range within 0.17 and 10")
        if not (self.log10_axion_mass[0] >= -30 and self.log10_axion_mass[1] <= -10):
            raise ValueError(
                f"LensSettings: log10_axion_mass={self.log10_axion_mass}; expected a range within -30 and -10: log10 "
                "of the mass in eV"
            )
        if self.halo_masses[1] > 1e13:
            raise ValueError(
                f"LensSettings: halo_masses={self.halo_masses}; expected solar masses of at most 1e13, far below the "
                "mass of the lens"
            )
        if not 0 < self.z_lens < self.z_source:
            raise ValueError(
                f"LensSettings: z_lens={self.z_lens}, z_source={self.z_source}; expected 0 < z_lens < z_source: the "
                "source lies behind the lens"
            )
        if not self.hubble > 0 or not 0 <= self.omega_m <= 1:
            raise ValueError(
                f"LensSettings: hubble={self.hubble}, omega_m={self.omega_m}; expected hubble > 0 and omega_m in 0..1"
            )
        if self.psf_fwhm > self.pixels * self.pixel_scale:
            raise ValueError(
                f"LensSettings: psf_fwhm={self.psf_fwhm} arcsec and the image is {self.pixels * self.pixel_scale:.4g} "
                "arcsec wide; expected a point-spread function that fits in"
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
