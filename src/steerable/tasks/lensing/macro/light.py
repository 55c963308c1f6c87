"""A first guess for the light of the lens galaxy, and the image without it."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["light_guess"]


def light_guess(image: Tensor, x: Tensor, y: Tensor, mask: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """(parameters [B, 7 components], image minus a round galaxy [B, n, n]) for galaxies near the centre of the images.

    The galaxy is the median over angles of the light at each radius about the brightest pixel near the centre: a ring
    of arcs that covers less than half of the angles drops out of it. Its half-light radius starts the first component
    (index 3); a second one begins three times as wide (index 1). Amplitudes are left at one.
    """
    step = float((x[0, 1] - x[0, 0]).abs())
    half = float(x.max()) + 0.5 * step
    near = torch.hypot(x, y) < max(0.12 * half, 3.0 * step)
    guesses, rest = [], []
    for row, counted in zip(image.double(), mask, strict=True):
        inside = torch.where(near & counted, row, torch.full_like(row, -float("inf")))
        peak = int(inside.argmax()) if bool(torch.isfinite(inside).any()) else int(near.flatten().int().argmax())
        cx, cy = x.flatten()[peak].double(), y.flatten()[peak].double()
        ring = (torch.hypot(x - cx, y - cy) / step).round().long()
        profile = torch.zeros(int(ring.max()) + 1, dtype=torch.float64)
        for k in range(profile.shape[0]):
            pixels = row[(ring == k) & counted]
            profile[k] = pixels.median() if pixels.numel() else (profile[k - 1] if k else 0.0)
        # Falling outwards: what rises again is not the galaxy.
        profile = torch.cummin(profile, 0).values.clamp_min(0.0)
        growth = torch.cumsum(profile * torch.arange(1, profile.shape[0] + 1, dtype=torch.float64), 0)
        half_light = int((growth < 0.5 * growth[-1]).sum()) + 1
        rest.append(row - profile[ring])
        values = []
        for k in range(components):
            radius = max(1.0, min(half_light, 0.3 * half / step)) * step * 3.0**k
            values += [float(cx), float(cy), radius, 3.0 if k == 0 else 1.0, 0.0, 0.0, 1.0]
        guesses.append(values)
    return torch.tensor(guesses, dtype=torch.float64), torch.stack(rest)
