"""Convolutions with implicit kernels: of images, volumes and points."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from steerable.aggregate.scatter import matrix_conv
from steerable.domains.points import Neighbourhood
from steerable.fields.type import FieldType
from steerable.kernels.envelope import envelope
from steerable.kernels.filters import stencil_points
from steerable.nn.bake import bake
from steerable.nn.conv import CONV, PLAIN
from steerable.nn.exactness import check_stride
from steerable.nn.implicit_kernel import ImplicitKernel
from steerable.nn.module import EquivariantModule
from steerable.nn.point_conv import check_neighbourhood
from steerable.nn.steerable_map import bias_map


class _Implicit(EquivariantModule):
    """A convolution with an implicit kernel, and a bias along invariant vectors."""

    def __init__(self, kernel: ImplicitKernel, in_type: FieldType, out_type: FieldType, bias: bool) -> None:
        super().__init__(in_type, out_type)
        self.kernel = kernel
        vectors = bias_map(out_type)
        self.bias = nn.Parameter(torch.zeros(len(vectors))) if bias and len(vectors) else None
        if self.bias is not None:
            self.register_constant("_bias_map", vectors)

    def expanded_bias(self) -> Tensor | None:
        """Bias ``[C_out]`` along the invariant vectors, or ``None``."""
        return None if self.bias is None else self.bias @ self._bias_map


class _ImplicitConv(_Implicit):
    """On a grid the kernel is evaluated once a forward pass, at the points of the stencil."""

    spatial: ClassVar[int]

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        **options: object,
    ) -> None:
        name = type(self).__name__
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"{name}: kernel_size must be odd so that the kernel has a centre, got {kernel_size}")
        kernel = ImplicitKernel(in_type, out_type, kernel_size / 2, dimension=self.spatial, **options)  # type: ignore[arg-type]
        if kernel.attributes is not None:
            raise ValueError(f"{name}: the pairs of a grid have no attributes, got {kernel.attributes!r}")
        super().__init__(kernel, in_type, out_type, bias)
        self.kernel_size, self.stride, self.padding, self.strict = kernel_size, stride, padding, False
        self.register_constant("_stencil", stencil_points(kernel_size, self.spatial))

    def filter(self) -> Tensor:
        """The filter ``[C_out, C_in, *kernel]``; differentiable."""
        matrices = self.kernel(self._stencil)  # [k^n, C_out, C_in]
        area = len(self._stencil)
        return matrices.permute(1, 2, 0).unflatten(2, (self.kernel_size,) * self.spatial) / math.sqrt(area)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_type.size, *sides]`` to ``[B, out_type.size, *sides']``."""
        self.check_input(x, self.spatial)
        check_stride(self, x.shape[2:], self.kernel_size, self.stride, self.padding)
        return CONV[self.spatial](x, self.filter(), self.expanded_bias(), self.stride, self.padding)

    def bake(self) -> nn.Module:
        """A ``torch.nn.Conv2d`` or ``Conv3d`` with this filter: the network is gone."""
        bias = self.expanded_bias()
        plain = PLAIN[self.spatial](
            self.in_type.size, self.out_type.size, self.kernel_size, self.stride, self.padding, bias=bias is not None,
            device="meta",
        )  # fmt: skip
        plain.weight = nn.Parameter(self.filter().detach().clone())
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone())
        return plain


class ImplicitConv2d(_ImplicitConv):
    """Convolution of images with an implicit kernel; ``[B, C, H, W]``.

    Args:
        in_type: type of the input field.
        out_type: type of the output field.
        kernel_size: odd side of the stencil.
        stride, padding: as in :class:`Conv2d`, with the same size rule.
        bias: learned bias along the invariant vectors of the output fields.
        options: of :class:`ImplicitKernel`: shells, degree, hidden, channels, layers, net.

    Raises:
        ValueError: for an even kernel, attributes, or as :class:`ImplicitKernel`.
    """

    spatial = 2


class ImplicitConv3d(_ImplicitConv):
    """:class:`ImplicitConv2d` of volumes ``[B, C, D, H, W]``, with the same arguments and errors."""

    spatial = 3


class ImplicitPointConv(_Implicit):
    """Convolution of points with an implicit kernel; each pair may have attributes that the kernel sees.

    Args:
        in_type: type of the features ``[M, in_type.size]``.
        out_type: type of the output.
        cutoff: distance at which the kernel ends.
        attributes: type of ``neighbourhood.attributes``, or ``None``.
        bias: learned bias along the invariant vectors of the output fields.
        smooth: whether the kernel goes to zero at the cut-off, with two derivatives.
        neighbours: how many a point has, about: scales the sum.
        options: of :class:`ImplicitKernel`: dimension, shells, degree, hidden, channels, layers, net.

    Raises:
        ValueError: as :class:`ImplicitKernel`.
    """

    takes_neighbourhood = True

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        cutoff: float,
        attributes: FieldType | None = None,
        bias: bool = True,
        smooth: bool = True,
        neighbours: float = 16.0,
        **options: object,
    ) -> None:
        kernel = ImplicitKernel(in_type, out_type, cutoff, attributes, **options)  # type: ignore[arg-type]
        super().__init__(kernel, in_type, out_type, bias)
        self.cutoff, self.smooth, self.neighbours = cutoff, smooth, neighbours

    def forward(self, x: Tensor, g: Neighbourhood) -> Tensor:
        """Map features ``[M, in_type.size]`` of the sources to ``[N, out_type.size]`` of the targets of ``g``.

        Raises:
            ValueError: for a neighbourhood of another dimension, other points or other attributes.
        """
        self.check_input(x, 0)
        check_neighbourhood(self, x, g, self.kernel.dimension)
        return contract(self.kernel, x, g, self.cutoff if self.smooth else None, self.neighbours, self.expanded_bias())

    def bake(self) -> nn.Module:
        """A plain module with the same kernel."""
        return PlainImplicitPointConv(
            bake(self.kernel), self.expanded_bias(), self.cutoff if self.smooth else None, self.neighbours
        )


class PlainImplicitPointConv(nn.Module):
    """A point convolution with any module as its kernel."""

    takes_neighbourhood = True

    def __init__(self, kernel: nn.Module, bias: Tensor | None, cutoff: float | None, neighbours: float) -> None:
        super().__init__()
        self.kernel, self.cutoff, self.neighbours = kernel, cutoff, neighbours
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def forward(self, x: Tensor, g: Neighbourhood) -> Tensor:
        """Map ``[M, C_in]`` to ``[N, C_out]``."""
        return contract(self.kernel, x, g, self.cutoff, self.neighbours, self.bias)


def contract(
    kernel: nn.Module, x: Tensor, g: Neighbourhood, cutoff: float | None, neighbours: float, bias: Tensor | None
) -> Tensor:
    """Sum of ``K(x_j - x_i, z_ij) f_j`` over the neighbours, with weights and a smooth end."""
    matrices = kernel(g.offset, g.attributes)
    factor = g.weight
    if cutoff is not None:
        smooth = envelope(g.distance, cutoff)
        factor = smooth if factor is None else factor * smooth
    if factor is not None:
        matrices = matrices * factor[:, None, None]
    y = matrix_conv(matrices, x, g.target, g.source, g.num_targets) / math.sqrt(neighbours)
    return y if bias is None else y + bias
