"""Tangent frames by angle."""

from __future__ import annotations

import torch
from torch import Tensor


def frames_at(angles: Tensor) -> Tensor:
    """Rotation matrices ``[..., 3, 3]`` of columns south, east, outward at colatitude and longitude ``[..., 2]``."""
    theta, phi = angles.unbind(-1)
    ct, st, cp, sp = theta.cos(), theta.sin(), phi.cos(), phi.sin()
    rows = (ct * cp, -sp, st * cp, ct * sp, cp, st * sp, -st, torch.zeros_like(sp), ct)
    return torch.stack(rows, -1).unflatten(-1, (3, 3))
