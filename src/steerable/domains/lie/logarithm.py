"""Exponential and logarithm of SE(2), and lengths of left-invariant metrics on SE(2) and SO(3)."""

from __future__ import annotations

import torch
from torch import Tensor


def se2_exp(c: Tensor) -> Tensor:
    """Elements ``(x, y, theta)`` of SE(2) from Lie algebra coordinates ``[..., 3]``: the arc of constant speed.

    Args:
        c: velocity along x, along y, and of the turn.
    """
    a, b, turn = c.unbind(-1)
    half = turn / 2
    sinc = torch.sinc(half / torch.pi)
    along, across = half.cos() * sinc, half.sin() * sinc  # sin(t) / t and (1 - cos(t)) / t
    return torch.stack([along * a - across * b, across * a + along * b, turn], -1)


def se2_log(g: Tensor) -> Tensor:
    """Lie algebra coordinates ``[..., 3]`` of elements ``(x, y, theta)`` with ``|theta| < 2 pi``.

    ``c = (k x + h y, -h x + k y, theta)`` with ``h = theta / 2`` and ``k = h cot h``. Both signs of the second
    coordinate are in use; only this one is undone by :func:`se2_exp`.

    Source: Aguettaz, Bekkers and Defferrard, arXiv 2111.12139, whose formula has k y with the other sign.
    """
    x, y, turn = g.unbind(-1)
    half = turn / 2
    still = half == 0
    k = torch.where(still, 1.0, half / torch.where(still, 1.0, half).tan())
    return torch.stack([k * x + half * y, k * y - half * x, turn], -1)


def squared_length(c: Tensor, eps: float, xi: float) -> Tensor:
    """``c1^2 + eps c2^2 + xi c3^2`` of Lie algebra coordinates ``[..., 3]``."""
    a, b, turn = c.square().unbind(-1)
    return a + eps * b + xi * turn
