"""Forces and energies of particles in batches, by kind."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: softening length of gravity, and stiffness of a spring
SOFT, STIFF = 0.2, 0.5


def charged(x: Tensor, pairs: Tensor, clamp: float, each: bool) -> tuple[Tensor, Tensor]:
    """Coulomb's law: the forces ``q_i q_j r / |r|^3``, no longer than `clamp`, and the energies ``q_i q_j / |r|``.

    The energies are those of forces without a clamp: an encounter that it cuts off does not keep them.

    Args:
        x: positions ``[B, n, d]``.
        pairs: products of the charges ``[B, n, n]``, zero on the diagonal.
        clamp: the largest force of a pair; without it a close encounter throws an Euler step out of the world.
        each: clamp every component, as the published generator does, which no rotation commutes with.
    """
    r, distance = _differences(x)
    force = pairs[..., None] * r / distance[..., None] ** 3
    if each:
        force = force.clamp(-clamp, clamp)
    else:
        force = force * (clamp / force.norm(dim=-1, keepdim=True).clamp_min(clamp))
    return force.sum(2), (pairs / distance).sum((1, 2)) / 2


def springs(x: Tensor, pairs: Tensor, clamp: float, each: bool) -> tuple[Tensor, Tensor]:
    """Springs of length zero between some pairs (``pairs`` 1 or 0): ``-k (x_i - x_j)``."""
    r, _ = _differences(x)
    return -STIFF * (pairs[..., None] * r).sum(2), STIFF / 4 * (pairs * r.square().sum(-1)).sum((1, 2))


def gravity(x: Tensor, pairs: Tensor, clamp: float, each: bool) -> tuple[Tensor, Tensor]:
    """Attraction of masses (``pairs`` their products), softened: ``-m_i m_j r / (|r|^2 + s^2)^(3/2)``."""
    r, _ = _differences(x)
    soft = (r.square().sum(-1) + SOFT**2).sqrt()
    return -(pairs[..., None] * r / soft[..., None] ** 3).sum(2), -(pairs / soft).sum((1, 2)) / 2


def _differences(x: Tensor) -> tuple[Tensor, Tensor]:
    """``x_i - x_j`` and its length, 1 where i = j."""
    r = x[:, :, None] - x[:, None]
    own = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
    return r, r.norm(dim=-1).masked_fill(own, 1.0)


Force = Callable[[Tensor, Tensor, float, bool], tuple[Tensor, Tensor]]
#: kinds of :func:`steerable.tasks.particles.simulate`
FORCES: dict[str, Force] = {"charged": charged, "springs": springs, "gravity": gravity}
