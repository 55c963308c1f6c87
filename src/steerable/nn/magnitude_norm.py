"""Batch norm of lengths: the magnitudes of vectors are normalised and cut, their directions stay."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.fields.complex import streams
from steerable.fields.type import FieldType
from steerable.groups.representation import Representation
from steerable.nn.baked import Baked
from steerable.nn.functional.layout import Layout, blocks, join_blocks, merge_dims, norms, runs
from steerable.nn.module import EquivariantModule, require_type
from steerable.nn.norm import BatchNorm

EPS = 1e-4


def lengths(x: Tensor, layout: Layout, eps: float) -> Tensor:
    """``sqrt(|v|^2 + eps)`` of every vector: ``[B, C, *S] -> [B, vectors, *S]``."""
    found = []
    for block in blocks(layout):
        fields = block.fields(x)
        squares = [run.split(fields).square().sum(3) for run in runs(block.dims)]
        found.append(merge_dims(squares[0] if len(squares) == 1 else torch.cat(squares, 2), 1))
    return torch.sqrt(join_blocks(found) + eps)


def stretch(x: Tensor, factors: Tensor, layout: Layout) -> Tensor:
    """Every vector of ``x [B, C, *S]`` times its factor in ``[B, vectors, *S]``."""
    found = []
    for block in blocks(layout):
        fields = block.fields(x)
        f = factors[:, block.first : block.last].view(x.shape[0], block.multiplicity, len(block.dims), *x.shape[2:])
        pieces = [
            merge_dims(run.split(fields) * f[:, :, run.first : run.last].unsqueeze(3), 2) for run in runs(block.dims)
        ]
        found.append(merge_dims(pieces[0] if len(pieces) == 1 else torch.cat(pieces, 2), 1))
    return join_blocks(found)


def fixed_magnitude_norm(x: Tensor, layout: Layout, eps: float, relu: bool, scale: Tensor, shift: Tensor) -> Tensor:
    """What eval does: lengths n become ``scale n + shift``, cut at zero; ``scale`` and ``shift`` are ``[vectors]``."""
    shape = (1, -1, *(1,) * (x.dim() - 2))
    n = lengths(x, layout, eps)
    wanted = n * scale.view(shape) + shift.view(shape)
    return stretch(x, (wanted.relu() if relu else wanted) / n, layout)


class MagnitudeNorm(EquivariantModule):
    """``v -> relu(BN(|v|)) v / |v|`` for every vector v of every field; ``[B, C, ...]`` to the same shape and type.

    The lengths are invariant scalars, so an ordinary batch norm with mean, variance, scale and shift is legal on them,
    where a mean of the vectors themselves would not be. Each irrep of a field has its own length; a field that is
    given in another basis (regular, induced) has one as a whole.

    Args:
        in_type: any type.
        relu: cut the normalised lengths at zero, as published; without it a negative length turns the vector around.
        pairs: neighbouring channels are complex numbers, one length each (order 0 of a harmonic network has a complex
            value too); see :func:`steerable.fields.complex_stream`.
        eps: added to the squared length and to the variance.
        momentum: of the running statistics.

    Raises:
        ValueError: with ``pairs`` for a field that does not consist of complex numbers; for wrong channels.

    Source: Worrall et al., "Harmonic Networks", CVPR 2017, section 4: "we only normalise the magnitudes".
    """

    def __init__(
        self,
        in_type: FieldType,
        relu: bool = True,
        pairs: bool = False,
        eps: float = EPS,
        momentum: float | None = 0.1,
    ) -> None:
        if not require_type(in_type, "MagnitudeNorm").size:
            raise ValueError(f"MagnitudeNorm: the type must have channels, got {in_type!r}")
        super().__init__(in_type, in_type)
        self.relu, self.pairs, self.eps = relu, pairs, eps
        self.layout: Layout = tuple((b.multiplicity, vector_sizes(b.rep, pairs)) for b in in_type.blocks)
        self.norm = BatchNorm(norms(self.layout) * in_type.group.trivial, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the lengths of `x`."""
        self.check_input(x)
        n = lengths(x, self.layout, self.eps)
        wanted = self.norm(n)
        return stretch(x, (wanted.relu() if self.relu else wanted) / n, self.layout)

    def extra_repr(self) -> str:
        """Type and options, for printing."""
        return f"{self.in_type!r}, relu={self.relu}, pairs={self.pairs}"

    def bake(self) -> nn.Module:
        """The same function of fixed statistics, without a type."""
        with torch.no_grad():
            mean, var, weight, bias = self.norm.affine_per_channel()
            scale = weight * torch.rsqrt(var + self.norm.eps)
        return Baked(fixed_magnitude_norm, self.layout, self.eps, self.relu, scale=scale, shift=bias - mean * scale)


def vector_sizes(rep: Representation, pairs: bool) -> tuple[int, ...]:
    """Dimensions of the vectors of a field whose lengths are invariant: irreps, complex numbers, or the whole."""
    if pairs:
        return tuple(s.stop - s.start for s in streams(rep))
    if rep.change_of_basis is None:
        return tuple(rep.group.irrep_info(i).dim for i in rep.irreps)
    return (rep.size,)
