"""Batch normalisation of signals that are given by coefficients."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.nn.norm import BatchNorm
from steerable.nn.sphere.norm import weight_of_batch
from steerable.nn.sphere.spectral_conv import rotation_signals, sphere_signals


class SpectralBatchNorm(BatchNorm):
    """:class:`BatchNorm` of functions on SO(3), or of scalars on the sphere, without going to samples.

    The mean of a function is its coefficient of degree 0, its mean square the sum of all squares: so these are the
    statistics over the batch and the whole domain, and no turn changes them. Correlations pass on little of what they
    are given, and an activation of small numbers is linear: without a norm spherical CNNs hardly learn. Running
    statistics are those of :class:`SphereBatchNorm`: the mean over the batches while there are few.

    Args:
        channels: number of functions; one weight and one bias each.
        band: of the functions.
        on: ``"group"`` or ``"sphere"``.
        options: of :class:`BatchNorm`.

    Raises:
        ValueError: for another domain, or another number of coefficients.
    """

    def __init__(self, channels: int, band: int, on: str = "group", **options: float | bool | None) -> None:
        if on not in ("group", "sphere"):
            raise ValueError(f"SpectralBatchNorm: on is {on!r}; expected 'group' or 'sphere'")
        signals = rotation_signals if on == "group" else sphere_signals
        super().__init__(signals(channels, band), **options)  # type: ignore[arg-type]
        self.functions, self.band, self.on = channels, band, on

    def forward(self, x: Tensor) -> Tensor:
        """``[B, channels * D, ...]`` to the same; further axes, such as shells, count as more of the batch."""
        self.check_input(x)
        if x.numel() == 0 or not (self.training or self.running_var is None):
            return self._fixed(x)
        wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
        size = x.shape[1] // self.functions
        first, rest = wide.reshape(x.shape[0], self.functions, size, -1).split([1, size - 1], 2)
        mean = first.mean((0, 2, 3))
        first = first - mean[:, None, None]
        var = (first.square().sum(2) + rest.square().sum(2)).mean((0, 2))
        if self.training and self.running_mean is not None and self.running_var is not None:
            factor = weight_of_batch(self)
            with torch.no_grad():
                for running, new in ((self.running_mean, mean), (self.running_var, var)):
                    running.lerp_(new.detach().to(running.dtype), factor.to(running))
        scale = torch.rsqrt(var + self.eps)
        scale = (scale if self.weight is None else scale * self.weight)[:, None, None]
        first = first * scale
        first = first if self.bias is None else first + self.bias[:, None, None]
        return torch.cat([first, rest * scale], 2).view(x.shape).to(x.dtype)
