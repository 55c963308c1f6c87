"""Augmentation for the plain twins: the same turns that an equivariant network needs no copies for."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def turn_d4(x: Tensor, element: Tensor) -> Tensor:
    """Move each image by one element of D(4): exact, no interpolation.

    Args:
        x: ``[B, C, S, S]``.
        element: int64 ``[B]``, 0 to 7: `k % 4` quarter turns counter-clockwise after a flip x2 -> -x2 if `k >= 4`.
    """
    out = torch.empty_like(x)
    for k in element.unique().tolist():
        pick = element == k
        part = x[pick].flip(-2) if k >= 4 else x[pick]
        out[pick] = torch.rot90(part, k % 4, (-2, -1))
    return out


def turn(x: Tensor, angle: Tensor, flip: Tensor) -> Tensor:
    """Turn each image about its centre by any angle, bilinearly, with zeros outside.

    Args:
        x: ``[B, C, S, S]``.
        angle: radians ``[B]``, counter-clockwise on the screen.
        flip: bool ``[B]``: flip x2 -> -x2 first.
    """
    c, s = angle.cos(), angle.sin()
    m = torch.where(flip, -1.0, 1.0).to(c)
    # grid_sample asks where each output pixel comes from, in (column, row) with rows growing down:
    # x -> F R(-a) x, written for x2 = -row
    zero = torch.zeros_like(c)
    theta = torch.stack([torch.stack([c, -s, zero], -1), torch.stack([m * s, m * c, zero], -1)], -2)
    grid = F.affine_grid(theta.to(x), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def turn_fourier(x: Tensor, angle: Tensor, flip: Tensor) -> Tensor:
    """Turn each image about its centre by any angle with three shears, each a shift of rows by its Fourier series.

    Bilinear turning averages neighbours and so smooths noise, which a network can tell from the noise of untouched
    images; a shift by phases leaves white noise white. Rows are continued periodically: for images whose border is
    empty or holds noise alone. Quarter turns are exact, only the remainder, at most 45 degrees, is sheared.

    Args:
        x: ``[B, C, S, S]``.
        angle: radians ``[B]``, counter-clockwise on the screen.
        flip: bool ``[B]``: flip x2 -> -x2 first.

    Source: Larkin, Oldfield, Klemm, "Fast Fourier method for the accurate rotation of sampled images", Optics
    Communications 139 (1997) 99.
    """
    quarters = torch.round(angle / (torch.pi / 2))
    rest = (angle - quarters * (torch.pi / 2)).to(x)
    x = turn_d4(x, quarters.long() % 4 + 4 * flip.long())
    # rows grow down, so a counter-clockwise turn shears the other way round
    across, along = torch.tan(rest / 2), -torch.sin(rest)
    x = _shear(x, across)
    x = _shear(x.transpose(-1, -2), along).transpose(-1, -2)
    return _shear(x, across)


def _shear(x: Tensor, amount: Tensor) -> Tensor:
    """Shift the row at distance y from the centre by ``amount * y`` pixels, ``[B, C, S, S]`` and ``[B]``."""
    side = x.shape[-1]
    rows = torch.arange(side, dtype=x.dtype, device=x.device) - (side - 1) / 2
    waves = 2 * torch.pi * torch.fft.rfftfreq(side, dtype=x.dtype, device=x.device)
    phase = -(amount[:, None] * rows)[:, None, :, None] * waves
    return torch.fft.irfft(torch.fft.rfft(x) * torch.polar(torch.ones_like(phase), phase), n=side)


def augment(x: Tensor, how: str, generator: torch.Generator) -> Tensor:
    """Draw one element for each image and apply it.

    Args:
        x: ``[B, C, S, S]``.
        how: "none", "d4", "turn" (any angle), "rotate" (any angle, and flips), or these two without smoothing the
            noise: "turn_fourier", "rotate_fourier".
        generator: on the CPU, so that a run draws the same on every device.

    Raises:
        ValueError: another name.
    """
    if how == "none":
        return x
    n = len(x)
    if how == "d4":
        return turn_d4(x, torch.randint(8, (n,), generator=generator).to(x.device))
    if how in ("turn", "rotate", "turn_fourier", "rotate_fourier"):
        angle = torch.rand(n, generator=generator, dtype=torch.float64) * 2 * torch.pi
        flip = torch.rand(n, generator=generator) < (0.5 if how.startswith("rotate") else 0.0)
        move = turn_fourier if how.endswith("fourier") else turn
        return move(x, angle.to(x), flip.to(x.device))
    raise ValueError(f"augment: '{how}'; expected none, d4, turn, rotate, turn_fourier or rotate_fourier.")
