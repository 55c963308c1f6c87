"""From a field on the sphere to one feature vector a sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.domains.sphere import Sphere, parse_sphere
from steerable.fields.type import FieldType
from steerable.nn.baked import Baked
from steerable.nn.module import EquivariantModule
from steerable.nn.sphere.conv import check_sphere


class SphereAvgPool(EquivariantModule):
    """The mean over the sphere by area: ``[B, C, *sphere.shape]`` to ``[B, C]``.

    Args:
        in_type: scalars: a field of spin has no mean.
        sphere: where they lie, a sampling or its name.

    Raises:
        ValueError: for fields of spin.
    """

    def __init__(self, in_type: FieldType, sphere: Sphere | str) -> None:
        if not in_type.is_trivial:
            raise ValueError(f"SphereAvgPool: expected scalars, got {in_type!r}; put nn.NormPool before it")
        super().__init__(in_type, in_type)
        self.sphere = parse_sphere(sphere)
        weights = self.sphere.flat_weights()
        self.register_constant("shares", weights / weights.sum())

    def forward(self, x: Tensor) -> Tensor:
        """The means. Raises ``ValueError`` for another sampling."""
        self.check_input(x)
        check_sphere(self, x, self.sphere)
        return sphere_mean(x, shares=self.shares)

    def bake(self) -> nn.Module:
        """The same function without types."""
        return Baked(sphere_mean, shares=self.shares)


def sphere_mean(x: Tensor, shares: Tensor) -> Tensor:
    """``[B, C, ...]`` times the share ``[N]`` of each sample, summed in float32 at least.

    Summed in pairs: a product with a vector adds one after the other, and is off by 2e-4 at nside 128 in float32.
    """
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    return (wide.flatten(2) * shares.flatten().to(wide)).sum(2).to(x.dtype)
