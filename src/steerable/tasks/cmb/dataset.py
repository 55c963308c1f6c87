"""Delensing: noisy lensed maps of the microwave background, and what they were before."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.domains.sphere import Sphere, parse_sphere
from steerable.nn.sphere.sht import SHT, InverseSHT
from steerable.tasks.cmb.lens import lensed_at
from steerable.tasks.cmb.spectra import acoustic_power, draw, lensing_power, per_degree

#: channels of each kind of map, and their types
FIELDS = {"T": "1x0", "QU": "1x2", "TQU": "1x0 + 1x2"}
#: maps that are lensed at once
_CHUNK = 32


@dataclass(frozen=True)
class DelensingMaps:
    """Pairs of maps.

    Attributes:
        lensed: what is observed ``[N, C, *shape]`` in microkelvin; with a tracer the noisy potential is the last
            channel, divided by the root mean square of the true one.
        unlensed: the truth ``[N, C', *shape]`` in microkelvin, without beam or noise.
        in_type: type of the observed channels, of SO2: ``"1x0"``, ``"1x2"``, ...
        out_type: type of the truth.
        sphere: where they are sampled.
        band: L of the truth and of the potential.
        potential: coefficients ``[N, L^2]`` in radians^2.
    """

    lensed: Tensor
    unlensed: Tensor
    in_type: str
    out_type: str
    sphere: Sphere
    band: int
    potential: Tensor


def delensing(
    count: int,
    sphere: str | Sphere = "gauss(32)",
    band: int | None = None,
    fields: str = "T",
    amplitude: float = 1.0,
    deflection: float = 0.05,
    noise: float = 0.02,
    beam: float = 0.0,
    tracer: float | None = None,
    oversample: float = 2.0,
    power: Tensor | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> DelensingMaps:
    """Draw Gaussian skies and potentials, lens, blur, and add noise.

    The sky is lensed exactly at the samples of a finer sphere and analysed up to the band of ``sphere``, so what is
    observed is band-limited and turns exactly. Deflections are **amplified**, see :func:`lensing_power`.

    Args:
        count: number of pairs.
        sphere: a sampling with an exact band, or its name.
        band: L of sky and potential; default three quarters of the band of the sphere, so that some of the power that
            lensing moves upwards is seen.
        fields: ``"T"``, ``"QU"`` (E modes only, no B) or ``"TQU"``; temperature and E modes are independent.
        amplitude: of the plateau, in square microkelvin (a tenth of it for polarisation); the truth is of order 1.
        deflection: root mean square of the gradient of the potential, in radians.
        noise: of each component, white up to the band of the sphere: square root of its ``C_l`` in microkelvin radian.
            0: none; 0.02 has a spread of ``0.02 L / sqrt(4 pi)``, 0.18 microkelvin at L = 32, where the sky has 2.
        beam: full width at half maximum in radians; 0: none.
        tracer: adds a map of the potential, as from large-scale structure, with white noise in the gradient of so many
            times its own power; ``None``: blind.
        oversample: rings of the finer sphere over those that the sphere needs.
        power: ``C_l [L]`` of temperature in microkelvin^2 steradian; default :func:`acoustic_power`.
        seed: of all draws.
        progress: called with (maps done, maps in all).

    Raises:
        ValueError: for other fields, a sphere without a band, or numbers out of range.
    """
    here = parse_sphere(sphere)
    wide, band = _bands(here, band, oversample)
    if fields not in FIELDS:
        raise ValueError(f"delensing: fields {fields!r}; expected one of {', '.join(FIELDS)}")
    if count < 1 or min(amplitude, deflection, noise, beam, tracer or 0) < 0:
        raise ValueError(
            f"delensing: count {count}, amplitude {amplitude}, deflection {deflection}, noise {noise}, beam {beam}, "
            f"tracer {tracer}; expected at least one pair and no negative number"
        )
    power = acoustic_power(band, amplitude) if power is None else power.double()
    if len(power) != band:
        raise ValueError(f"delensing: power of {len(power)} degrees; expected {band}, those below the band")
    generator = torch.Generator().manual_seed(seed)
    phi_power = lensing_power(band, deflection)
    potential = draw(phi_power, count, generator)
    fine = Sphere.gauss(math.ceil(oversample * wide))
    seen, truth = [], []
    for spin in [0] * ("T" in fields) + [2] * ("Q" in fields):
        kind = f"1x{spin}"
        c = draw(power / 10 if spin else power, count, generator, spin)
        lensed = _lensed(c, spin, potential, band, fine, wide, progress)
        l = torch.arange(wide, dtype=torch.float64)
        blur = torch.exp(-(l * (l + 1) - spin**2) * beam**2 / (16 * math.log(2)))
        c_noise = noise / math.sqrt(4 * math.pi) * torch.randn(lensed.shape, generator=generator, dtype=lensed.dtype)
        seen.append(InverseSHT(here, kind, wide).double()(lensed * per_degree(blur, spin) + c_noise))
        truth.append(InverseSHT(here, kind, band).double()(c))
    in_type = FIELDS[fields]
    if tracer is not None:
        seen.append(_traced(potential, phi_power, tracer, here, band, generator))
        in_type += " + 1x0"
    return DelensingMaps(
        torch.cat(seen, 1).float(), torch.cat(truth, 1).float(), in_type, FIELDS[fields], here, band, potential
    )


def _bands(sphere: Sphere, band: int | None, oversample: float) -> tuple[int, int]:
    """Bands of what is observed and of the truth."""
    wide = sphere.sampling_band
    narrow = max(3, 3 * wide // 4) if band is None else band
    if not 3 <= narrow <= wide or oversample < 1:
        raise ValueError(
            f"delensing: {sphere!r} holds fields of band {wide}, got band {narrow} and oversample {oversample}; "
            f"expected a sampling with an exact band, 3 or more and no less than that of the sky, and oversample "
            f"from 1 on"
        )
    return wide, narrow


def _lensed(
    c: Tensor,
    spin: int,
    potential: Tensor,
    band: int,
    fine: Sphere,
    wide: int,
    progress: Callable[[int, int], None] | None,
) -> Tensor:
    """Coefficients of lensed fields up to a band ``[N, D]``."""
    frames = fine.frames().reshape(-1, 3, 3)
    analysis = SHT(fine, f"1x{spin}", wide).double()
    found: list[Tensor] = []
    for start in range(0, len(c), _CHUNK):
        part = slice(start, start + _CHUNK)
        values = lensed_at(c[part], spin, potential[part], band, frames)
        found.append(analysis(values.unflatten(-1, fine.shape)))
        if progress is not None:
            progress(min(start + _CHUNK, len(c)), len(c))
    return torch.cat(found)


def _traced(
    potential: Tensor, power: Tensor, tracer: float, sphere: Sphere, band: int, generator: torch.Generator
) -> Tensor:
    """Maps of the potential with noise that is white in the gradient, ``[N, 1, *shape]``, over its own spread."""
    l = torch.arange(band, dtype=torch.float64)
    own = ((2 * l + 1) * power).sum()
    white = torch.where(l < 2, 0.0, 1 / (l * (l + 1)).clamp_min(1))
    white = white * ((2 * l + 1) * l * (l + 1) * power).sum() / ((2 * l + 1) * l * (l + 1) * white).sum()
    seen = potential + draw(tracer * white, len(potential), generator)
    spread = (own / (4 * math.pi)).sqrt().clamp_min(1e-300)
    return InverseSHT(sphere, "1x0", band).double()(seen) / spread
