"""Angular power spectra of made-up maps of the microwave background, and of the potential that lenses them.

Coefficients ``c`` are those of :class:`steerable.nn.SHT`, orthonormal for the mean over the sphere; the usual ones of
cosmology are ``a = sqrt(4 pi) c``, so that ``C_l = 4 pi <c_lm^2>``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.nn.sphere.sht import spherical_fields


def flat_power(band: int, amplitude: float = 1.0, tilt: float = 0.0) -> Tensor:
    """A power law ``l (l + 1) C_l / 2 pi = amplitude (l / 10)^tilt`` from degree 2 on, ``[band]`` float64.

    Args:
        band: L, degrees ``l < L``.
        amplitude: in square microkelvin, for ``C_l`` in microkelvin^2 steradian.
        tilt: 0 is the plateau of Sachs and Wolfe.

    Raises:
        ValueError: for a band without degree 2, or a negative amplitude.
    """
    l = _degrees("flat_power", band, amplitude)
    return _from_plateau(l, amplitude * (l.clamp_min(1) / 10) ** tilt)


def acoustic_power(band: int, amplitude: float = 1.0, peak: float = 8.0, damping: float = 20.0) -> Tensor:
    """A plateau with acoustic peaks that are damped, moved to low degrees: ``[band]`` float64.

    ``l (l + 1) C_l / 2 pi = amplitude (1 + 4 x^2 / (1 + x^2) sin^2(pi x / 2)) exp(-(l / damping)^2)``, x = l / peak.
    It has the shape of what is seen (a plateau, a first peak three times as high, a tail) but not its scale: the true
    first peak lies at l = 220, the tail begins at 1,400.

    Args:
        band: L.
        amplitude: of the plateau, in square microkelvin.
        peak: degree of the first peak.
        damping: degree of the diffusion scale.

    Raises:
        ValueError: for a band without degree 2, or numbers that are not positive.
    """
    l = _degrees("acoustic_power", band, amplitude)
    if peak <= 0 or damping <= 0:
        raise ValueError(f"acoustic_power: peak {peak} and damping {damping}; expected degrees above 0")
    x = l / peak
    wave = 1 + 4 * x**2 / (1 + x**2) * (math.pi / 2 * x).sin() ** 2
    return _from_plateau(l, amplitude * wave * torch.exp(-((l / damping) ** 2)))


def lensing_power(band: int, deflection: float = 0.05, tilt: float = -1.0) -> Tensor:
    """Spectrum of the lensing potential, ``[l (l + 1)]^2 C_l / 2 pi ~ l^tilt`` from degree 2 on, ``[band]`` float64.

    Args:
        band: L.
        deflection: root mean square of the gradient, in radians. The true one is 8e-4 (2.7 minutes of arc), on maps
            of a thousand degrees; on maps of a few dozen it would move nothing by more than a hundredth of a sample.
            So it is **amplified**: the default is 60 times the true one, half a sample at L = 32.
        tilt: of the power of the deflection.

    Raises:
        ValueError: for a band without degree 2, or a negative deflection.

    Source: Lewis and Challinor, "Weak gravitational lensing of the CMB", Physics Reports 429 (2006), section 2.
    """
    l = _degrees("lensing_power", band, deflection)
    shape = _from_plateau(l, l.clamp_min(1) ** tilt) / (l * (l + 1)).clamp_min(1)
    found = ((2 * l + 1) / (4 * math.pi) * l * (l + 1) * shape).sum()
    return shape * deflection**2 / found


def power_spectrum(c: Tensor, band: int, spin: int = 0) -> Tensor:
    """Mean of ``4 pi c_lm^2`` over the orders of each degree: ``C_l`` of every field.

    Args:
        c: coefficients ``[..., D]`` of one field.
        band: L.
        spin: of the field; with a spin there are a magnetic (B) and an electric (E) spectrum, in this order.

    Returns:
        ``[..., L]``, or ``[..., 2, L]``; zero below the spin.

    Raises:
        ValueError: for another number of coefficients.
    """
    fields = spherical_fields("power_spectrum", f"1x{spin}", band)
    if c.shape[-1] != fields.type.size:
        raise ValueError(
            f"power_spectrum: {c.shape[-1]} coefficients; expected {fields.type.size} of spin {spin} below band {band}"
        )
    found = c.new_zeros(*c.shape[:-1], len(fields.copies), band)
    for k, copy in enumerate(fields.copies):
        for l, s in copy.items():
            found[..., k, int(l)] = 4 * math.pi * c[..., s].square().mean(-1)
    return found if spin else found[..., 0, :]


def draw(power: Tensor, count: int, generator: torch.Generator, spin: int = 0) -> Tensor:
    """Gaussian coefficients with a given spectrum, ``[count, D]`` float64.

    Args:
        power: ``C_l [L]``; with a spin it is that of the electric copies (E modes), the magnetic ones are zero.
        count: number of maps.
        generator: of the draws.
        spin: of the field.
    """
    parts = []
    for l in range(spin, len(power)):
        size = (2 if spin else 1, 2 * l + 1)
        part = torch.randn(count, 2 * l + 1, generator=generator, dtype=torch.float64)
        whole = part.new_zeros(count, *size)
        whole[:, -1] = part * (power[l] / (4 * math.pi)).sqrt()
        parts.append(whole.flatten(1))
    return torch.cat(parts, 1)


def per_degree(values: Tensor, spin: int = 0) -> Tensor:
    """Numbers of each degree ``[L]``, for every coefficient of a field ``[D]``."""
    l = torch.arange(spin, len(values))
    return values[spin:].repeat_interleave((2 if spin else 1) * (2 * l + 1))


def _degrees(name: str, band: int, amplitude: float) -> Tensor:
    if band < 3 or amplitude < 0:
        raise ValueError(f"{name}: band {band}, amplitude {amplitude}; expected a band from 3 on and no negative power")
    return torch.arange(band, dtype=torch.float64)


def _from_plateau(l: Tensor, height: Tensor) -> Tensor:
    return torch.where(l < 2, 0.0, 2 * math.pi * height / (l * (l + 1)).clamp_min(1))
