"""The linear floor: what five numbers of a residual already tell.

The energy of a residual is legitimate signal, so the bar for a network is not chance but a logistic regression on
statistics without any spatial pattern. A score is worth only what it has above this floor.
"""

from __future__ import annotations

import torch
from torch import Tensor

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


class LinearFloor:
    """Multinomial logistic regression on `residual_statistics`, standardised, fitted by L-BFGS to convergence.

    Args:
        penalty: weight of the squared norm of the coefficients; keeps separable data finite.
    """

    def __init__(self, penalty: float = 1e-3) -> None:
        self.penalty = penalty
        self.mean: Tensor | None = None
        self.std: Tensor | None = None
        self.weight: Tensor | None = None
        self.bias: Tensor | None = None

    def fit(self, residual: Tensor, label: Tensor) -> LinearFloor:
        """Fit to residuals [N, n, n] and labels [N]; returns itself."""
        features = residual_statistics(residual)
        self.mean, self.std = features.mean(0), features.std(0).clamp_min(1e-12)
        features = (features - self.mean) / self.std
        classes = int(label.max()) + 1
        weight = torch.zeros(features.shape[1], classes, dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=300, tolerance_grad=1e-7, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(features @ weight + bias, label)
            loss = loss + self.penalty * weight.square().sum()
            loss.backward()
            return loss

        optimiser.step(closure)
        self.weight, self.bias = weight.detach(), bias.detach()
        return self

    def __call__(self, residual: Tensor) -> Tensor:
        """Logits [B, classes], float64.

        Raises:
            RuntimeError: before `fit`.
        """
        if self.mean is None or self.std is None or self.weight is None or self.bias is None:
            raise RuntimeError(f"LinearFloor: called on {tuple(residual.shape)} before fit(residual, label)")
        return (residual_statistics(residual) - self.mean) / self.std @ self.weight + self.bias
