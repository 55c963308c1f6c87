"""Where a blind fit begins: everything from the image, nothing from the truth or from the prior of a simulation."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from steerable.tasks.lensing.scene import MACRO

__all__ = ["MORE_STARTS", "SCAN_STARTS", "STARTS", "Start", "blind_starts", "bright_pixels"]


@dataclasses.dataclass(frozen=True)
class Start:
    """One way to read a ring.

    Attributes:
        name: in the report of a fit.
        centre: offset of the lens from the centre of the image, in units of the radius of the ring.
        size: theta_e over the radius of the ring that was found.
        radius: theta_e as a fraction of half the side of the image, instead of a ring that was found: only the pixels
            between 0.6 and 1.5 theta_e are read.
        to_shear: share of the quadrupole of the ring that is given to the shear.
        to_lens: share that is given to the ellipticity of the lens.
        source: the offset of the source, times this.
    """

    name: str
    centre: tuple[float, float] = (0.0, 0.0)
    size: float = 1.0
    radius: float | None = None
    to_shear: float = 1.0
    to_lens: float = 0.0
    source: float = 1.0


STARTS = (
    Start("shear"),
    Start("round", to_shear=0.0),
    Start("shear and ellipticity", to_shear=0.5, to_lens=0.5),
    Start("small", size=0.8),
    Start("large", size=1.2),
    Start("lens right", centre=(0.15, 0.0)),
    Start("lens left", centre=(-0.15, 0.0)),
    Start("lens up", centre=(0.0, 0.15)),
    Start("lens down", centre=(0.0, -0.15)),
    Start("source far", source=1.6),
)
"""The starts of a blind fit, most promising first."""


def _around(reach: float, eighth: int) -> Start:
    angle = eighth * math.pi / 4
    name = f"lens off by {reach:g} at {45 * eighth} degrees"
    return Start(name, (reach * math.cos(angle), reach * math.sin(angle)))


MORE_STARTS = (
    *(_around(reach, eighth) for reach in (0.2, 0.4) for eighth in range(8)),
    Start("smaller", size=0.6),
    Start("larger", size=1.5),
    Start("small and round", size=0.8, to_shear=0.0),
    Start("large and round", size=1.2, to_shear=0.0),
    Start("ellipticity", to_shear=0.0, to_lens=1.0),
    Start("source near", source=0.4),
    Start("source farther", source=2.5),
    Start("opposed", to_shear=1.5, to_lens=-0.5),
)
"""A second look, for images that the first round leaves with more than noise."""

SCAN_STARTS = tuple(
    Start(f"radius {share:.2f} of the half side", radius=share, to_shear=to_shear)
    for share in (0.1, 0.14, 0.19, 0.26, 0.36, 0.5, 0.69, 0.9)
    for to_shear in (0.0, 1.0)
)
"""Starts that try every radius: for images with lens light or neighbours, where the brightest pixels are no ring."""


def _ring(weight: Tensor, x: Tensor, y: Tensor, fixed: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Fit r = a0 + a1 cos p + b1 sin p + a2 cos 2p + b2 sin 2p to the bright pixels: ([B, 5], radial spread [B]).

    For an isothermal sphere with weak shear the light of a source at s lies near r = theta_e + s . u(p) +
    theta_e (g . u2(p)), so the five numbers are theta_e, the source and the shear. A weak ridge keeps the harmonics
    finite where an arc shows only part of the angles.
    """
    r, angle = torch.hypot(x, y), torch.atan2(y, x)
    basis = torch.stack((torch.ones_like(r), angle.cos(), angle.sin(), (2 * angle).cos(), (2 * angle).sin()))
    products = (basis[:, None] * basis[None]).flatten(0, 1)
    gram = (weight @ products.mT).unflatten(1, (5, 5))
    right = weight @ (basis * r).mT
    total = weight.sum(1)
    ridge = torch.diag(torch.tensor([0.0, 0.02, 0.02, 0.1, 0.1], dtype=weight.dtype, device=weight.device) + 1e-9)
    gram = gram + ridge * total[:, None, None]
    if fixed is None:
        solution = torch.linalg.solve(gram, right)
    else:
        rest = torch.linalg.solve(gram[:, 1:, 1:], right[:, 1:] - gram[:, 1:, 0] * fixed[:, None])
        solution = torch.cat((fixed[:, None], rest), 1)
    fitted = (solution * (2.0 * right - (gram @ solution[..., None])[..., 0])).sum(1)
    return solution, ((weight @ (r * r) - fitted).clamp_min(0.0) / total).sqrt()


def bright_pixels(image: Tensor, sigma: Tensor, mask: Tensor | None = None) -> Tensor:
    """[B, n * n] float64 weights: what an image has above 3 sigma and above a fifth of its brightest pixels.

    Where nothing is that bright all pixels weigh the same.
    """
    flat = image.flatten(1).double()
    noise = sigma.expand_as(image).flatten(1).double()
    if mask is not None:
        flat = torch.where(mask.expand_as(image).flatten(1), flat, torch.zeros_like(flat))
    peak = flat.topk(max(5, flat.shape[1] // 200), dim=1).values.mean(1, keepdim=True)
    return _positive(flat - torch.maximum(3.0 * noise, 0.2 * peak))


def _positive(weight: Tensor) -> Tensor:
    weight = weight.clamp_min(0.0)
    return torch.where(weight.sum(1, keepdim=True) > 0, weight, torch.ones_like(weight))


def blind_starts(
    image: Tensor,
    sigma: Tensor,
    x: Tensor,
    y: Tensor,
    psf_sigma: float,
    mask: Tensor | None = None,
    starts: tuple[Start, ...] = STARTS,
) -> Tensor:
    """[B, S, 14] first guesses, one per entry of `starts`, for images [B, n, n] at pixel centres x, y [n, n] arcsec.

    The radius of the ring, its shift and its quadrupole are those of the bright pixels (see `_ring`); its width gives
    the radius of the source, since an isothermal lens does not magnify along the radius.
    """
    weight = bright_pixels(image, sigma, mask)
    signal = (image / sigma).flatten(1).double() - 2.0
    if mask is not None:
        signal = torch.where(mask.flatten(1), signal, torch.zeros_like(signal))
    x, y = x.flatten().double(), y.flatten().double()
    step = float((x[1] - x[0]).abs())
    half, r = float(x.max()) + 0.5 * step, torch.hypot(x, y)
    size = _ring(weight, x, y)[0][:, 0].clamp_min(2.0 * step)
    guesses = []
    for start in starts:
        p = torch.zeros(image.shape[0], len(MACRO), dtype=torch.float64)
        if start.radius is None:
            ring, spread = _ring(weight, x, y, None if start.size == 1.0 else start.size * size)
            scale = size
        else:
            fixed = torch.full_like(size, start.radius * half)
            inside = (r > 0.6 * start.radius * half) & (r < 1.5 * start.radius * half)
            ring, spread = _ring(_positive(signal * inside), x, y, fixed)
            scale = fixed
        theta_e = ring[:, 0].clamp_min(2.0 * step)
        quadrupole = ring[:, 3:5] / theta_e[:, None]
        p[:, 0] = theta_e
        p[:, 1:3] = 3.0 * start.to_lens * quadrupole  # a ring of ellipticity e has the quadrupole e / 3
        p[:, 3:5] = start.to_shear * quadrupole
        p[:, 5:7] = torch.tensor(start.centre, dtype=torch.float64) * scale[:, None]
        p[:, 7:9] = start.source * ring[:, 1:3]
        p[:, 9] = (1.5 * (spread**2 - psf_sigma**2).clamp_min(0.0).sqrt()).clamp(step, 0.5 * half)
        p[:, 10] = 1.0
        p[:, 13] = 1.0
        for first, most in ((1, 0.5), (3, 0.25)):
            pair = p[:, first : first + 2]
            p[:, first : first + 2] = pair * (most / pair.norm(dim=1, keepdim=True).clamp_min(most))
        guesses.append(p)
    return torch.stack(guesses, 1)
