"""Fourier activations: pointwise functions for fields that are given by their coefficients."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.groups.fourier import sampling_matrix
from steerable.groups.representation import Representation
from steerable.groups.so2 import SO2
from steerable.nn.baked import Baked
from steerable.nn.functional import fourier_act
from steerable.nn.functional.fourier_act import Function
from steerable.nn.functional.layout import join_blocks, merge_dims, split_blocks, split_dim
from steerable.nn.functional.pointwise_functions import pointwise_function
from steerable.nn.module import EquivariantModule, require_type


def sampled_function(
    x: Tensor, shapes: tuple[tuple[int, int], ...], function: str | Function, **matrices: Tensor
) -> Tensor:
    """`fourier_act` block by block, and the plain function where a block has no matrices.

    Args:
        x: ``[B, C, ...]``.
        shapes: ``(multiplicity, dimension)`` of each block.
        function: a name, or a callable on tensors.
        matrices: ``sample_k [N, d]`` and ``project_k [d, N]`` of block k.
    """
    value = pointwise_function(function).value if isinstance(function, str) else function
    found = []
    for k, (block, shape) in enumerate(zip(split_blocks(x, [m * d for m, d in shapes]), shapes, strict=True)):
        sample, project = matrices.get(f"sample_{k}"), matrices.get(f"project_{k}")
        if sample is None or project is None:
            found.append(value(block))
        else:
            found.append(merge_dims(fourier_act(split_dim(block, 1, shape), sample, project, function), 1))
    return join_blocks(found)


def default_samples(rep: Representation) -> int | None:
    """``4 L + 4`` rotations for the band L: a multiple of four, so that quarter turns stay exact.

    None for finite groups, which are sampled at all their elements; O(2) takes as many again after the reflection.
    """
    group = rep.group
    if group.is_finite:
        return None
    rotations = 4 * rep.frequency + 4
    return rotations if isinstance(group, SO2) else 2 * rotations


class FourierAct(EquivariantModule):
    """A function of the values of each field on the group, taken at N sampled elements; shape and type are kept.

    Every field must be a function on the group up to a band: ``spectral_regular(L)``, or a sum of different irreps such
    as ``0 + 1 + 2``. Its coefficients are sampled, the function acts on the samples, and the band is taken back by the
    pseudo-inverse. Regular, quotient and trivial fields are their own samples.

    Exact for the symmetries of the sampled elements: all of a finite group, quarter turns (and reflections) for N a
    multiple of four. For other angles the error falls with N; measured with ReLU, the largest over angles, relative,
    white fields of SO(2):

        L = 3:   N = 7: 0.44    N = 16: 0.043   N = 32: 0.010   N = 64: 0.002
        (ELU)    N = 7: 0.37    N = 16: 0.023   N = 32: 0.003   N = 64: 0.0004

    In eager mode only the input is kept for the backward pass.

    Args:
        in_type: fields that are functions on the group, and permuted fields.
        function: relu, elu, leaky_relu, silu, gelu, softplus, sigmoid, tanh, or any callable on tensors.
        samples: N, the number of elements for continuous groups; default `default_samples`: 4 L + 4 rotations, and as
            many reflections for O(2). Finite groups are sampled at all their elements.

    Raises:
        ValueError: for a field that is no function on the group, too few samples, or an unknown function.

    Source: Cesa, Lang and Weiler, "A Program to Build E(N)-Equivariant Steerable CNNs", ICLR 2022, section 4.
    """

    def __init__(self, in_type: FieldType, function: str | Function = "relu", samples: int | None = None) -> None:
        if not require_type(in_type, "FourierAct").size:
            raise ValueError(f"FourierAct: the type must have channels, got {in_type!r}")
        super().__init__(in_type, in_type)
        if isinstance(function, str):
            pointwise_function(function)
        self.function, self.samples = function, samples
        self.shapes = tuple(b.shape for b in in_type.blocks)
        self._matrices: list[str] = []
        for k, b in enumerate(in_type.blocks):
            if b.rep.is_permutation:
                continue
            sample, project = self._pair(b.rep, samples)
            self.register_constant(f"sample_{k}", sample)
            self.register_constant(f"project_{k}", project)
            self._matrices += [f"sample_{k}", f"project_{k}"]

    @staticmethod
    def _pair(rep: Representation, samples: int | None) -> tuple[Tensor, Tensor]:
        count = samples if samples is not None else default_samples(rep)
        sample = sampling_matrix(rep, rep.group.grid(count))
        if len(sample) < rep.size or torch.linalg.matrix_rank(sample) < rep.size:
            raise ValueError(
                f"FourierAct: {len(sample)} samples cannot hold the {rep.size} coefficients of {rep!r}; use samples="
                f"{default_samples(rep)}"
            )
        return sample, torch.linalg.solve(sample.T @ sample, sample.T)

    def forward(self, x: Tensor) -> Tensor:
        """The activation of `x`."""
        self.check_input(x)
        return sampled_function(x, self.shapes, self.function, **self._tensors())

    def _tensors(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self._matrices}

    def extra_repr(self) -> str:
        """Type, function and samples, for printing."""
        counts = sorted({len(getattr(self, name)) for name in self._matrices if name.startswith("sample")})
        return f"{self.in_type!r}, function={self.function!r}, samples={counts}"

    def bake(self) -> nn.Module:
        """The same function without a type."""
        return Baked(sampled_function, self.shapes, self.function, **self._tensors())
