"""Augmentation for the plain twins: the same turns that an equivariant network needs no copies for."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# shift as a share of the side, largest zoom, spread of the colour: those of arXiv 1503.07077
SHIFT, ZOOM, COLOUR = 4 / 69, 1.3, 0.5


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


def warp(x: Tensor, angle: Tensor, flip: Tensor, zoom: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    """Flip, zoom and turn each image about its centre and shift it, in **one** bilinear resampling, zeros outside.

    Args:
        x: ``[B, C, S, S]``.
        angle: radians ``[B]``, counter-clockwise on the screen.
        flip: bool ``[B]``: flip x2 -> -x2 first.
        zoom: ``[B]``, above 1 enlarges; None: 1.
        shift: pixels ``[B, 2]``, to the right and up, last; None: 0.
    """
    c, s = angle.cos(), angle.sin()
    m = torch.where(flip, -1.0, 1.0).to(c)
    # grid_sample asks where each output pixel comes from, in (column, row) with rows growing down:
    # x -> F R(-a) (x - shift) / zoom, written for x2 = -row
    back = torch.stack([torch.stack([c, -s], -1), torch.stack([m * s, m * c], -1)], -2)
    if zoom is not None:
        back = back / zoom.to(c)[:, None, None]
    start = torch.zeros_like(back[:, :, :1])
    if shift is not None:
        side = torch.tensor([x.shape[-1] / 2, -x.shape[-2] / 2], dtype=c.dtype, device=c.device)
        start = -back @ (shift.to(c) / side)[:, :, None]
    grid = F.affine_grid(torch.cat([back, start], -1).to(x), list(x.shape), align_corners=False)
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


def turn(x: Tensor, angle: Tensor, flip: Tensor) -> Tensor:
    """Turn each image about its centre by any angle, bilinearly, with zeros outside; see :func:`warp`."""
    return warp(x, angle, flip)


def mirror_shift(x: Tensor, flip: Tensor, shift: Tensor) -> Tensor:
    """Exchange left and right where `flip` says so, then shift by whole pixels with zeros outside: no interpolation.

    Args:
        x: ``[B, C, S, S]``.
        flip: bool ``[B]``.
        shift: int64 ``[B, 2]``, pixels to the right and up.
    """
    side, flip, shift = x.shape[-1], flip.to(x.device), shift.to(x.device)
    x = torch.where(flip[:, None, None, None], x.flip(-1), x)
    reach = side  # so that any shift up to the side is one of zeros
    wide = F.pad(x, [reach] * 4)
    place = torch.arange(side, device=x.device) + reach
    columns, rows = place - shift[:, :1], place + shift[:, 1:]
    wide = wide.gather(3, columns[:, None, None, :].expand(-1, x.shape[1], wide.shape[2], -1))
    return wide.gather(2, rows[:, None, :, None].expand(-1, x.shape[1], -1, side))


def principal_colour(x: Tensor) -> Tensor:
    """Return the first principal component of the colours of all pixels ``[B, C, H, W]`` times its variance, ``[C]``.

    Source: A. Krizhevsky, I. Sutskever and G. E. Hinton, NeurIPS 2012, section 4.1.
    """
    pixels = x.transpose(0, 1).flatten(1).double()
    pixels = pixels - pixels.mean(1, keepdim=True)
    values, vectors = torch.linalg.eigh((pixels @ pixels.T / pixels.shape[1]).cpu())
    first = vectors[:, -1]
    return (values[-1] * first * torch.where(first.sum() < 0, -1.0, 1.0)).to(x)


def augment(x: Tensor, how: str, generator: torch.Generator) -> Tensor:
    """Draw one element for each image and apply it.

    Args:
        x: ``[B, C, S, S]``.
        how: "none", "d4", "turn" (any angle), "rotate" (any angle, and flips), these two without smoothing the noise:
            "turn_fourier", "rotate_fourier"; "affine" (any angle, flips, shifted by up to 4 pixels of 69 and zoomed by
            1/1.3 to 1.3, in one resampling) or "affine_colour" (and moved along the first principal component of the
            colours of the batch, by a normal number of 0.5 for each image): the augmentation of S. Dieleman,
            K. W. Willett and J. Dambre, arXiv 1503.07077, section 6.3; "mirror_shift" (left and right exchanged, and
            shifted by whole pixels, up to 1/8 of the side): for pictures that have an up.
        generator: on the CPU, so that a run draws the same on every device.

    Raises:
        ValueError: another name.
    """
    if how == "none":
        return x
    n = len(x)
    if how == "mirror_shift":
        flip = torch.rand(n, generator=generator) < 0.5
        reach = x.shape[-1] // 8
        return mirror_shift(x, flip, torch.randint(-reach, reach + 1, (n, 2), generator=generator))
    if how == "d4":
        return turn_d4(x, torch.randint(8, (n,), generator=generator).to(x.device))
    if how in ("turn", "rotate", "turn_fourier", "rotate_fourier"):
        angle = torch.rand(n, generator=generator, dtype=torch.float64) * 2 * torch.pi
        flip = torch.rand(n, generator=generator) < (0.5 if how.startswith("rotate") else 0.0)
        move = turn_fourier if how.endswith("fourier") else turn
        return move(x, angle.to(x), flip.to(x.device))
    if how in ("affine", "affine_colour"):
        u = torch.rand(n, 4, generator=generator, dtype=torch.float64).to(x)
        flip = torch.rand(n, generator=generator) < 0.5
        reach = SHIFT * x.shape[-1]
        zoom = (ZOOM ** (2 * u[:, 1] - 1)).to(x)
        x = warp(x, 2 * torch.pi * u[:, 0], flip.to(x.device), zoom, reach * (2 * u[:, 2:] - 1))
        if how == "affine":
            return x
        amount = COLOUR * torch.randn(n, generator=generator, dtype=torch.float64).to(x)
        return x + amount[:, None, None, None] * principal_colour(x)[:, None, None]
    raise ValueError(
        f"augment: '{how}'; expected one of none, d4, turn, rotate, turn_fourier, "
        "rotate_fourier, affine, affine_colour or mirror_shift."
    )
