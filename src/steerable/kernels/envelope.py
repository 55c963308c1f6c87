"""A smooth end of every neighbourhood: what makes energies differentiable when a neighbour comes or goes."""

from __future__ import annotations

import torch
from torch import Tensor


def envelope(distance: Tensor, cutoff: float) -> Tensor:
    """``1 - 10 u^3 + 15 u^4 - 6 u^5`` with ``u = distance / cutoff``, 0 beyond: two derivatives vanish at the cut-off.

    Args:
        distance: ``[...]``, not negative.
        cutoff: where it ends.

    Returns:
        ``[...]``, 1 at distance 0.
    """
    u = (distance / cutoff).clamp(max=1.0)
    return torch.addcmul(torch.ones_like(u), u**3, -10 + u * (15 - 6 * u))
