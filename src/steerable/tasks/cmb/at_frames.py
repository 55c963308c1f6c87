"""Values of band-limited fields at any points, in any frames, by their series: nothing is interpolated."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from steerable.domains.spectral.spin import spin_mixing
from steerable.domains.sphere.sphere import frames_at
from steerable.groups.profiles import profiles
from steerable.groups.spherical import spherical_harmonics


def fields_at(c: Tensor, spin: int, band: int, frames: Tensor) -> Tensor:
    """Fields of one spin at the places of frames, with components in those frames.

    Args:
        c: coefficients ``[B, D]`` float64, in the order of :class:`steerable.nn.SHT`.
        spin: n >= 0.
        band: L.
        frames: rotation matrices ``[N, 3, 3]`` whose third column is the place, the first two span its tangent plane.

    Returns:
        ``[B, 1, N]`` of scalars, ``[B, 2, N]`` of other spins.

    Raises:
        ValueError: for another number of coefficients, or a band that holds none.
    """
    copies = 2 if spin else 1
    if not 0 <= spin < band or c.shape[-1] != copies * (band**2 - spin**2):
        raise ValueError(
            f"fields_at: {list(c.shape)} coefficients of spin {spin}, band {band}; expected a spin below the band and "
            f"[B, {copies * (band**2 - spin**2)}]"
        )
    out = frames[..., 2]
    if spin == 0:
        return math.sqrt(4 * math.pi) * (c @ spherical_harmonics(out, range(band)).mT)[:, None]
    theta, phi = torch.atan2(torch.hypot(out[:, 0], out[:, 1]), out[:, 2]), torch.atan2(out[:, 1], out[:, 0])
    q, u = _along_south(c, spin, band, theta, phi).unbind(1)
    there = frames_at(theta, phi)
    turn = spin * torch.atan2(
        (there[..., 1] * frames[..., 0]).sum(-1), (there[..., 0] * frames[..., 0]).sum(-1)
    )  # F(s h) = rho(h)^-1 F(s)
    cos, sin = turn.cos(), turn.sin()
    return torch.stack([cos * q + sin * u, cos * u - sin * q], 1)


def _along_south(c: Tensor, spin: int, band: int, theta: Tensor, phi: Tensor) -> Tensor:
    """``[B, 2, N]`` in the frames (south, east): sums over degrees for each order, then a Fourier sum."""
    m, n = np.arange(band), np.full(band, spin)
    m = m[np.argsort(np.maximum(m, n), kind="stable")]
    tables = profiles(theta, m, n, spin, band)
    row = torch.from_numpy(np.argsort(m))
    a, b = (t[row] for t in tables)  # [order, degree, N]
    cosine, sine = _orders(c, spin, band)  # [B, copies, order, degree]
    angle = torch.arange(band, dtype=theta.dtype)[:, None] * phi
    cos, sin = angle.cos(), angle.sin()
    found = []
    for function in (a, b):
        x, y = (torch.einsum("bkml,mln->bkmn", part, function) for part in (cosine, sine))
        found.append(((x * cos + y * sin).sum(2), (x * sin - y * cos).sum(2)))
    mixing = torch.from_numpy(spin_mixing(spin)).to(theta)  # [copies, components, A or B]
    return torch.einsum("bkn,kr->brn", found[0][0], mixing[..., 0]) - torch.einsum(
        "bkn,kr->brn", found[1][1], mixing[..., 1]
    )


def _orders(c: Tensor, spin: int, band: int) -> tuple[Tensor, Tensor]:
    """Coefficients of cosines and of sines ``[B, 2, order, degree]``."""
    cosine = c.new_zeros(len(c), 2, band, band - spin)
    sine = torch.zeros_like(cosine)
    start = 0
    for l in range(spin, band):
        part = c[:, start : start + 2 * (2 * l + 1)].unflatten(1, (2, 2 * l + 1))
        cosine[:, :, : l + 1, l - spin] = part[..., l:]
        sine[:, :, 1 : l + 1, l - spin] = part[..., :l].flip(-1)
        start += 2 * (2 * l + 1)
    return cosine, sine
