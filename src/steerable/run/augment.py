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


def augment(x: Tensor, how: str, generator: torch.Generator) -> Tensor:
    """Draw one element for each image and apply it.

    Args:
        x: ``[B, C, S, S]``.
        how: "none", "d4", "turn" (any angle) or "rotate" (any angle, and flips).
        generator: on the CPU, so that a run draws the same on every device.

    Raises:
        ValueError: another name.
    """
    if how == "none":
        return x
    n = len(x)
    if how == "d4":
        return turn_d4(x, torch.randint(8, (n,), generator=generator).to(x.device))
    if how in ("turn", "rotate"):
        angle = torch.rand(n, generator=generator, dtype=torch.float64) * 2 * torch.pi
        flip = torch.rand(n, generator=generator) < (0.5 if how == "rotate" else 0.0)
        return turn(x, angle.to(x), flip.to(x.device))
    raise ValueError(f"augment: '{how}'; expected none, d4, turn or rotate.")
