"""Batch normalisation on the sphere: every sample counts by its area."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.domains.sphere import Sphere, parse_sphere
from steerable.fields.type import FieldType
from steerable.nn.norm import BatchNorm
from steerable.nn.sphere.conv import check_sphere
from steerable.nn.sphere.pool import sphere_mean


class SphereBatchNorm(BatchNorm):
    """:class:`BatchNorm` with statistics over the area of the sphere, not over samples, which crowd at the poles.

    So the statistics of a turned field are those of the field, up to the error of the quadrature. Parameters and what
    eval does are those of :class:`BatchNorm`. Running statistics are the mean over the batches until there are
    ``1 / momentum`` of them: of a few they would still be what they began with, and deep networks multiply that.

    Args:
        in_type: type of the channels ``[B, C, *sphere.shape]``.
        sphere: where the fields lie, a sampling or its name.
        options: of :class:`BatchNorm`.

    Raises:
        ValueError: for wrong channels, another sampling, or in train if there is a single value to normalise.
    """

    shares: Tensor

    def __init__(self, in_type: FieldType, sphere: Sphere | str, **options: float | bool | None) -> None:
        super().__init__(in_type, **options)  # type: ignore[arg-type]
        self.sphere = sphere = parse_sphere(sphere)
        weights = sphere.weights().expand(sphere.shape)
        self.register_constant("shares", weights / weights.sum())

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x [B, C, *sphere.shape]``."""
        self.check_input(x)
        check_sphere(self, x, self.sphere)
        if x.shape[0] == 0 or not self._runs or not (self.training or self.running_var is None):
            return self._fixed(x)
        self._check_values(x)
        wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
        flat = wide.flatten(2)
        means = self.moments(sphere_mean(flat, self.shares).mean(0)) / self.lengths.to(wide)
        centred = flat - self.channels(means)[:, None]
        var = self.per_field(sphere_mean(centred.square(), self.shares).mean(0)) / self.sizes.to(wide)
        if self.training and self.running_mean is not None and self.running_var is not None:
            factor = weight_of_batch(self)
            with torch.no_grad():
                values = self.sizes * (x.numel() // x.shape[1])
                unbiased = var * (values / (values - self.lost).clamp_min(1))
                for running, new in ((self.running_mean, means), (self.running_var, unbiased)):
                    running.lerp_(new.detach().to(running.dtype), factor.to(running))
        scale = torch.rsqrt(var + self.eps)
        scale = (scale if self.weight is None else scale * self.weight).index_select(0, self.field)
        y = centred * scale[:, None]
        y = y if self.bias is None else y + self.channels(self.bias)[:, None]
        return y.to(x.dtype).view(x.shape)


def weight_of_batch(norm: BatchNorm) -> Tensor:
    """Of this batch in the running statistics, as a tensor, so that no program waits for a number; counts the batch.

    The statistics are the mean over the batches until there are ``1 / momentum`` of them.
    """
    least = norm._factor()
    if norm.num_batches_tracked is None:
        return torch.tensor(least)
    return (1.0 / norm.num_batches_tracked).clamp_min(least)
