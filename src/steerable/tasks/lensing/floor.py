"""The linear floor: what five numbers of a residual already tell.

The energy of a residual is legitimate signal, so the bar for a network is not chance but a logistic regression on
statistics without any spatial pattern. A score is worth only what it has above this floor.
"""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.tasks import floor

__all__ = ["LinearFloor", "residual_statistics"]


def residual_statistics(residual: Tensor) -> Tensor:
    """[B, n, n] -> [B, 5]: log chi2 per pixel, maximum, minimum, mean, log fourth moment. Blind to position."""
    flat = residual.flatten(1).double()
    return torch.stack(
        (
            flat.square().mean(1).log(),
            flat.amax(1),
            flat.amin(1),
            flat.mean(1),
            flat.pow(4).mean(1).log(),
        ),
        dim=1,
    )


class LinearFloor(floor.LinearFloor):
    """Multinomial logistic regression on `residual_statistics`, standardised, fitted by L-BFGS to convergence.

    Args:
        penalty: weight of the squared norm of the coefficients; keeps separable data finite.
    """

    def __init__(self, penalty: float = 1e-3) -> None:
        super().__init__(residual_statistics, penalty)
