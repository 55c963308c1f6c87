"""A globe that is looked at from all sides: fields by their harmonics, so that nothing is interpolated."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.data import InputError
from steerable.data.rotations import check_poses
from steerable.domains.spectral.rotation import rotate_coefficients
from steerable.domains.sphere import RingSphere, Sphere
from steerable.groups import SO2, SO3
from steerable.nn import SHT, InverseSHT

#: steps of Jacobi's iteration for sources whose weights are not exact
_STEPS = 4


class Globe:
    """Fields given on a fine sampling, as a coarser sampling sees them when the globe is turned.

    The fields are analysed once, cut to the degrees ``l < band`` that the coarser sampling holds, and damped by a
    Gaussian, ``exp(-l (l + 1) sigma^2 / 2)``: the same at every place and in every direction, for fields of any spin.
    A turned view is the synthesis of rotated coefficients: ``[g f](p) = rho(h) f(g^-1 p)`` to rounding, with vectors
    and other spins turned with the frames.

    Args:
        source: where the fields are given.
        x: ``[C, *source.shape]``.
        type: of SO2, such as ``"2x0 + 1x1"``; empty: scalars.
        sphere: where they are wanted.
        smoothing: sigma of the Gaussian in spacings of ``sphere``; 0: the cut alone.

    Raises:
        InputError: a negative smoothing.
        ValueError: fields of another length or type.
    """

    def __init__(self, source: Sphere, x: Tensor, type: str, sphere: Sphere, smoothing: float) -> None:
        if not smoothing >= 0:
            raise InputError(f"data.options.smoothing is {smoothing}; expected 0 or more, in spacings of the sampling.")
        self.band = min(sphere.usual_band, source.usual_band)
        fields = SO2().type(type) if type else len(x) * SO2().trivial
        steps = 0 if source.band >= self.band or not isinstance(source, RingSphere) else _STEPS
        into = SHT(source, fields, self.band, steps).double()
        self._out = InverseSHT(sphere, fields, self.band).double()
        degree = torch.cat([torch.full((2 * int(i) + 1,), int(i)) for r in into.out_type.fields for i in r.irreps])
        damping = (-degree * (degree + 1) * (smoothing * sphere.spacing) ** 2 / 2).exp()
        with torch.no_grad():
            self.coefficients = into(x.double()[None]) * damping

    def views(self, rotations: Tensor) -> Tensor:
        """Return the globe turned by elements of SO3 ``[N, 4]``: float32 ``[N, C, *sphere.shape]``."""
        c = self.coefficients.expand(len(rotations), -1)
        with torch.no_grad():
            return self._out(rotate_coefficients(c, self._out.in_type, rotations)).float()


def draw_rotations(count: int, pose: str, generator: torch.Generator) -> Tensor:
    """Draw elements of SO3 ``[count, 4]``: any, about the axis of the globe (upright), or the identity (none).

    Raises:
        InputError: another pose, or fewer than one.
    """
    check_poses(pose=pose)
    if count < 1:
        raise InputError(f"data.options: {count} views of the globe were asked for; expected at least 1.")
    if pose == "any":
        return SO3().sample(count, generator)
    half = math.pi * torch.rand(count, generator=generator, dtype=torch.float64) * (pose == "upright")
    zero = torch.zeros_like(half)
    return torch.stack([half.cos(), zero, zero, half.sin()], -1)


def places(sphere: Sphere, rotations: Tensor) -> Tensor:
    """Return which places of the globe the samples see, ``g^-1 p``, float64 ``[N, *sphere.shape, 3]``."""
    matrix = SO3().action(rotations, 3)
    return torch.einsum("nij,...i->n...j", matrix, sphere.points()).view(len(rotations), *sphere.shape, 3)
