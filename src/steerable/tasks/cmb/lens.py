"""Lensing of maps of the sphere: what is seen at a point comes from a displaced one, ``T~(n) = T(exp_n(grad phi))``."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.tasks.cmb.at_frames import fields_at


def gradient(potential: Tensor, band: int, frames: Tensor) -> Tensor:
    """Gradient of scalars at the places of frames, by harmonics: no pole is special.

    Args:
        potential: coefficients ``[B, L^2]`` float64, radians^2 for a lensing potential.
        band: L.
        frames: ``[N, 3, 3]``, see :func:`fields_at`.

    Returns:
        ``[B, 2, N]`` along the first two columns of the frames: (d/d theta, 1 / sin theta d/d phi) for (south, east).
    """
    return fields_at(gradient_coefficients(potential, band), 1, band, frames)


def gradient_coefficients(potential: Tensor, band: int) -> Tensor:
    """Coefficients ``[B, 2 (L^2 - 1)]`` of the gradient, a field of spin 1: ``sqrt(l (l + 1))`` in the electric copies.

    Raises:
        ValueError: for another number of coefficients, or a band with constants only.
    """
    if band < 2 or potential.shape[-1] != band**2:
        raise ValueError(
            f"gradient_coefficients: {list(potential.shape)} coefficients, band {band}; expected [B, {band**2}] and a "
            f"band from 2 on"
        )
    parts = []
    for l in range(1, band):
        part = potential[:, l * l : (l + 1) ** 2]
        parts += [torch.zeros_like(part), (l * (l + 1)) ** 0.5 * part]
    return torch.cat(parts, 1)


def carried(frames: Tensor, displacement: Tensor) -> Tensor:
    """Frames moved along geodesics, by parallel transport.

    Args:
        frames: ``[..., 3, 3]``, the third column is the place.
        displacement: ``[..., 2]`` in radians, along the first two columns.

    Returns:
        ``[..., 3, 3]``: the frame at ``exp(displacement)``. In it a field of any spin has the components that lensing
        brings to the frame it came from.
    """
    square = displacement.square().sum(-1, keepdim=True)
    length = square.sqrt()
    small = square < 1e-12
    safe = torch.where(small, 1.0, length)
    first = torch.where(small, 1 - square / 6, length.sin() / safe)  # sin d / d
    second = torch.where(
        small, square / 24 - 0.5, -2 * (length / 2).sin().square() / safe.square()
    )  # (cos d - 1) / d^2
    south, east, out = frames.unbind(-1)
    ahead = displacement[..., :1] * south + displacement[..., 1:] * east
    turn = second * ahead - first * out
    columns = [axis + displacement[..., k : k + 1] * turn for k, axis in enumerate((south, east))]
    return torch.stack([*columns, length.cos() * out + first * ahead], -1)


def lensed_at(c: Tensor, spin: int, potential: Tensor, band: int, frames: Tensor) -> Tensor:
    """Lensed fields at the places of frames, exactly: the series is summed at every displaced point.

    Args:
        c: coefficients of the unlensed fields ``[B, D]`` float64.
        spin: 0 for temperature, 2 for polarisation (Q, U).
        potential: coefficients of the lensing potentials ``[B, L^2]``, in radians^2.
        band: L, of both.
        frames: ``[N, 3, 3]``, such as ``sphere.frames().reshape(-1, 3, 3)``.

    Returns:
        ``[B, 1 or 2, N]`` in the units of the fields. Lensed fields have no band.

    Raises:
        ValueError: for other numbers of fields or of coefficients.

    Source: Challinor and Chon, "Geometry of weak lensing of CMB polarization", Phys. Rev. D 66, 127301 (2002); Lewis
    and Challinor, Physics Reports 429 (2006), equation 2.6 and section 6.
    """
    if len(c) != len(potential):
        raise ValueError(f"lensed_at: {len(c)} fields and {len(potential)} potentials; expected one for each")
    there = carried(frames, gradient(potential, band, frames).mT)
    found = [fields_at(one[None], spin, band, place) for one, place in zip(c, there, strict=True)]
    return torch.cat(found) if found else c.new_zeros(0, 2 if spin else 1, len(frames))
