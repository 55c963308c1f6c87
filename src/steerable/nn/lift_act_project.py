"""Pointwise functions of fields on homogeneous spaces: lift to the group, act on samples, project."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from steerable.domains.homogeneous import Homogeneous, HomType
from steerable.groups import Representation, sampling_matrix
from steerable.nn.baked import Baked
from steerable.nn.fourier_act import sampled_function
from steerable.nn.functional.fourier_act import Function
from steerable.nn.functional.pointwise_functions import pointwise_function
from steerable.nn.module import EquivariantModule


class LiftActProject(EquivariantModule):
    """A function of one variable on fields on G/H: each field is a function on G, sampled, changed, and analysed again.

    A field whose type is a space of functions on H, such as ``spectral_regular(n)`` of H or one irrep, has the value
    ``u(g) = [F(g)](e)`` at every element of G. The function acts on samples of u; the projection gives the field of the
    same type nearest to the result. Scalars are sampled at the points of the space, fields of spin also along the
    fibre.

    Exact for finite groups, and for polynomials of degree p at ``oversample >= (p + 1) / 2``; else the error falls with
    the oversampling. Measured on the sphere, white scalar functions of band 6 and unit
    variance, the relative equivariance error, largest over four turns:

        oversample   1        1.5      2        3        4
        relu         2.5e-01  4.9e-02  2.4e-02  8.3e-03  3.9e-03
        gelu         2.7e-01  2.6e-02  6.0e-03  3.5e-04  2.0e-05
        silu         2.3e-01  1.3e-02  2.2e-03  7.3e-05  3.5e-06
        softplus     8.0e-02  2.4e-03  3.7e-04  7.0e-06  2.6e-07

    Args:
        in_fields: fields whose types are functions on H: each irrep at most d/c times in one field.
        function: a name (relu, elu, leaky_relu, silu, gelu, softplus, sigmoid, tanh) or any callable on tensors.
        oversample: how far beyond the band the grid is exact, in units of ``band + 1``; ReLU needs more than smooth
            functions, and 1 aliases.

    Raises:
        ValueError: for a field that is no function on H, an unknown function, or ``oversample < 1``.

    Source: Xu, Lei, Dobriban and Daniilidis, "Unified Fourier-based Kernel and Nonlinearity Design for Equivariant
    Networks on Homogeneous Spaces", ICML 2022, arXiv 2206.08362.
    """

    def __init__(self, in_fields: HomType, function: str | Function = "gelu", oversample: float = 2.0) -> None:
        if not oversample >= 1:
            raise ValueError(f"LiftActProject: oversample is {oversample}; expected at least 1, better 2")
        super().__init__(in_fields.type, in_fields.type)
        if isinstance(function, str):
            pointwise_function(function)
        self.in_fields, self.function, self.oversample = in_fields, function, oversample
        self.shapes = tuple(b.shape for b in self.in_type.blocks)
        self.samples: list[int] = []
        for k, block in enumerate(in_fields.fibre.blocks):
            sample, project = _pair(in_fields.space, block.rep, oversample)
            self.samples.append(len(sample))
            self.register_constant(f"sample_{k}", sample)
            self.register_constant(f"project_{k}", project)

    def forward(self, x: Tensor) -> Tensor:
        """The activation of the coefficients ``x [B, C_G, ...]``."""
        self.check_input(x)
        return sampled_function(x, self.shapes, self.function, **self._tensors())

    def _tensors(self) -> dict[str, Tensor]:
        names = [f"{n}_{k}" for k in range(len(self.samples)) for n in ("sample", "project")]
        return {name: getattr(self, name) for name in names}

    def extra_repr(self) -> str:
        """Fields, function and samples."""
        return f"{self.in_fields!r}, function={self.function!r}, oversample={self.oversample}, samples={self.samples}"

    def bake(self) -> nn.Module:
        """The same function without types."""
        return Baked(sampled_function, self.shapes, self.function, **self._tensors())


def _pair(space: Homogeneous, rep: Representation, oversample: float) -> tuple[Tensor, Tensor]:
    """Samples ``[n, D]`` of one field on the group, and the projection ``[D, n]``."""
    value = sampling_matrix(rep, space.subgroup.identity[None])[0]  # at the identity of H; raises if no function
    reach = [2 * (math.ceil(oversample * (f + 1) - 1e-9) - 1) for f in (space.band or 0, rep.frequency)]
    elements, weights = space.samples(*reach)
    sample = torch.einsum("r,nrd->nd", value, space.evaluate(rep, elements))
    return sample, sample.T * weights
