"""Divisive normalisation of channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GDN(nn.Module):
    """``y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2)`` at every point; or times the root, the approximate inverse.

    ``beta`` and ``gamma`` are squares of the parameters, so they are not negative.

    Args:
        channels: of ``[B, channels, ...]``: an image, or a map on the sphere.
        inverse: whether to multiply.

    Source: Balle, Laparra and Simoncelli, "Density modeling of images using a generalized normalization
    transformation", ICLR 2016, arXiv 1511.06281.
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta = nn.Parameter(torch.ones(channels))
        self.gamma = nn.Parameter(torch.full((channels, channels), 0.02) + (0.1**0.5 - 0.02) * torch.eye(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, ...]`` to the same shape."""
        root = (self.gamma.square() @ x.square().flatten(2) + self.beta.square()[:, None] + 1e-6).sqrt().view(x.shape)
        return x * root if self.inverse else x / root

    def extra_repr(self) -> str:
        """Channels and direction."""
        return f"{len(self.beta)}{', inverse' if self.inverse else ''}"
