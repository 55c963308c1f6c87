"""Group convolution and steerable convolution are one layer: the map between their weights.

A signal f(x, g) on R^n x G, band-limited in g, is a field of type ``spectral_regular(L)``; one on R^n x G/H is a field
of type ``spectral_quotient(H, L)``. The group convolution

    out(x, R) = sum_j integral f(x_j, S) k(R^-1 (x_j - x), R^-1 S) dS,    k(z, T) = sum_AF kernel_AF Phi_A(T) Y_F(z)

is the steerable convolution whose filter ``T_BAF`` is the orthogonal projection of ``Phi_B(e) kernel_AF`` on the
steerable filters; the way back is to evaluate at the identity, ``kernel_AF = sum_B Phi_B(e) T_BAF``. For rotations of
space the projection is the sum over Clebsch-Gordan coefficients of Poulenard, Ovsjanikov and Guibas, "Equivalence
Between SE(3) Equivariant Networks via Steerable Kernels and Group Convolution", arXiv 2211.15903; in this form it holds
for every compact group, finite ones too, and for every family of scalar functions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.aggregate.stencil import Expansion
from steerable.fields.type import FieldType
from steerable.groups import Group, Inclusion, Representation, sampling_matrix
from steerable.kernels.bank import filter_bank
from steerable.kernels.filters import Filters
from steerable.nn.steerable_map import SteerableMap


def group_to_steerable(layer: SteerableMap, kernel: Tensor, subgroup: Group | Inclusion | None = None) -> Tensor:
    """Weights of a steerable layer that equals a group convolution; differentiable in the kernel.

    Args:
        layer: a :class:`PointConv`, :class:`Conv2d`, :class:`Conv3d` or :class:`Linear` (a convolution over the group
            alone) between types of one representation each, functions on the group or on its quotients.
        kernel: ``[m_out, m_in, D_in, F]`` in terms of the orthonormal functions of the input's representation and of
            the scalar functions of the layer.
        subgroup: H where the output is a signal on ``G/H``.

    Returns:
        ``[num_weights]``, for ``layer.weight``. Parts of the kernel that leave the band of the output have no effect:
        for them ``steerable_to_group`` gives zero.

    Raises:
        ValueError: for types of several representations, fields that are no functions, or a kernel of another shape.
    """
    expected = kernel_shape(layer)
    if tuple(kernel.shape) != expected:
        raise ValueError(
            f"group_to_steerable: got a kernel of shape {tuple(kernel.shape)}; expected [m_out, m_in, D_in, F] = "
            f"{expected} for {layer.in_type!r} to {layer.out_type!r}"
        )
    return project_kernel(kernel, at_identity(layer.out_type, subgroup).to(kernel), expansion_of(layer, kernel))


def steerable_to_group(
    layer: SteerableMap, weight: Tensor | None = None, subgroup: Group | Inclusion | None = None
) -> Tensor:
    """Kernel ``[m_out, m_in, D_in, F]`` of the group convolution that a steerable layer is; differentiable.

    Args:
        layer: as in :func:`group_to_steerable`.
        weight: weights ``[num_weights]``; by default those of the layer.
        subgroup: H where the output is a signal on ``G/H``.

    Raises:
        ValueError: for types of several representations, or fields that are no functions.
    """
    shape = kernel_shape(layer)
    w = layer.weight if weight is None else weight
    expansion = expansion_of(layer, w)
    if not expansion.banks:
        return w.new_zeros(shape)
    filter = expansion.expand(w).view(shape[0], -1, shape[1], shape[2], shape[3])
    return torch.einsum("b,obiaf->oiaf", at_identity(layer.out_type, subgroup).to(w), filter)


def project_kernel(kernel: Tensor, identity: Tensor, expansion: Expansion) -> Tensor:
    """Weights of the steerable filter nearest to ``Phi_B(e) kernel_AF``.

    Args:
        kernel: ``[m_out, m_in, D_in, F]``.
        identity: ``Phi(e)``, ``[D_out]``.
        expansion: of the layer, in terms of the scalar functions: its basis is orthogonal.
    """
    target = torch.einsum("b,oiaf->obiaf", identity, kernel).reshape(expansion.shape)
    if not expansion.banks:
        return kernel.new_zeros(0)
    dual = [b / b.square().sum(1, keepdim=True) for b in expansion.banks]
    return expansion._replace(banks=dual).adjoint(target)


def expansion_of(layer: SteerableMap, like: Tensor) -> Expansion:
    """Weights to filter ``[C_out, C_in, F]`` in terms of the scalar functions, also for a layer on a grid.

    Raises:
        ValueError: for a grouped layer.
    """
    if layer.groups > 1:
        raise ValueError(
            f"{type(layer).__name__} has groups={layer.groups}; expected a layer with groups=1 as group convolution"
        )
    return function_expansion(layer.in_type, layer.out_type, layer.filters, layer.kernel_size, like)


def function_expansion(
    in_type: FieldType, out_type: FieldType, filters: Filters, kernel_size: int, like: Tensor
) -> Expansion:
    """Weights to filter ``[C_out, C_in, F]`` of any layer between two types, in the dtype of ``like``."""
    bank = filter_bank(in_type, out_type, filters, kernel_size, over="functions")
    index = None if bank.index is None else torch.from_numpy(bank.index).to(like.device)
    inverse = torch.from_numpy(bank.inverse).to(like.device)
    banks = [torch.from_numpy(s.bank.copy()).to(like) for s in bank.segments]
    shape = (out_type.size, in_type.size, filters.count)
    return Expansion(banks, [s.count for s in bank.segments], index, inverse, bank.holes, shape)


def at_identity(type: FieldType, subgroup: Group | Inclusion | None = None) -> Tensor:
    """``Phi(e) [D]``: the row that evaluates a signal at the neutral element. Raises ``ValueError`` if it is none."""
    rep = signal(type)
    return sampling_matrix(rep, rep.group.identity[None], subgroup)[0]


def signal(type: FieldType) -> Representation:
    """The one representation of a type of signals. Raises ``ValueError`` for several."""
    if type.uniform is None:
        raise ValueError(
            f"{type!r} has {len(type.blocks)} representations; expected signals of one kind, such as "
            f"8 * G.spectral_regular(2), for a group convolution"
        )
    return type.uniform


def kernel_shape(layer: SteerableMap) -> tuple[int, int, int, int]:
    """``(m_out, m_in, D_in, F)`` of the group convolution of a layer."""
    d_out, d_in = signal(layer.out_type).size, signal(layer.in_type).size
    return layer.out_type.size // d_out, layer.in_type.size // d_in, d_in, layer.filters.count
