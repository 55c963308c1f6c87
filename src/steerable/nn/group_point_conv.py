"""Group convolution of signals f(x, g) on points: R^n x G, in particular SE(3)."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from steerable.aggregate.group_quadrature import group_quadrature
from steerable.aggregate.stencil import expand_filter
from steerable.domains.points import Neighbourhood
from steerable.fields.type import FieldType
from steerable.groups import Group, Inclusion
from steerable.nn.group_steerable import at_identity, group_to_steerable, project_kernel, signal, steerable_to_group
from steerable.nn.point_conv import PointConv


class GroupPointConv(PointConv):
    """Group convolution on points, ``out(x, R) = sum_j integral f(x_j, S) k(R^-1 (x_j - x), R^-1 S) dS``.

    The parameter is the kernel, ``k(z, T) = sum_AF kernel_AF Phi_A(T) Y_F(z)`` with orthonormal functions ``Phi`` of
    the group and the scalar functions ``Y`` of :class:`PointConv`. It is computed as the steerable convolution that it
    is. Where the band of the output is too small for all that the kernel makes, some directions of the parameter have
    no effect, so :class:`PointConv` between the same types has fewer weights and the same functions.

    Args:
        in_type: fields of one representation: ``spectral_regular(L)``, ``regular``, ``spectral_quotient(H, L)``.
        out_type: likewise.
        cutoff: distance at which the kernel ends.
        in_subgroup: H where the input is a signal on R^n x G/H.
        out_subgroup: H where the output is one.
        options: those of :class:`PointConv`.

    Raises:
        ValueError: as :class:`PointConv`, and for fields that are no functions on the group.

    Source: Cohen and Welling, arXiv 1602.07576; Poulenard, Ovsjanikov and Guibas, arXiv 2211.15903.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        cutoff: float,
        in_subgroup: Group | Inclusion | None = None,
        out_subgroup: Group | Inclusion | None = None,
        **options: Any,
    ) -> None:
        super().__init__(in_type, out_type, cutoff, **options)
        self.subgroups = (in_subgroup, out_subgroup)
        at_identity(in_type, in_subgroup)  # raises for fields that are no functions
        self._options = {"cutoff": cutoff, **options}
        self.register_constant("_identity", at_identity(out_type, out_subgroup))
        with torch.no_grad():
            start = steerable_to_group(self, subgroup=out_subgroup)
        del self.weight
        self.kernel = nn.Parameter(start)

    def reset_parameters(self) -> None:
        """Draw the kernel again, as that of a steerable layer; bias zero."""
        if "weight" in self._parameters:  # while the parent is built
            super().reset_parameters()
            return
        with torch.no_grad():
            fresh = PointConv(self.in_type, self.out_type, **self._options)
            self.kernel.copy_(steerable_to_group(fresh, subgroup=self.subgroups[1]))
            if self.bias is not None:
                self.bias.zero_()

    def filter(self) -> Tensor:
        """The steerable filter ``[C_out, C_in, F]`` of the kernel; differentiable."""
        expansion = self.expansion()
        return expand_filter(project_kernel(self.kernel, self._identity, expansion), expansion)

    @torch.no_grad()
    def steerable(self) -> PointConv:
        """The steerable layer that computes the same."""
        found = PointConv(self.in_type, self.out_type, **self._options).to(self.kernel)
        found.weight.copy_(group_to_steerable(found, self.kernel, self.subgroups[1]))
        if found.bias is not None and self.bias is not None:
            found.bias.copy_(self.bias)
        return found

    def quadrature(self, x: Tensor, g: Neighbourhood) -> Tensor:
        """The definition, with sums over samples of the group for both integrals: slow, a reference without bias."""
        reps = signal(self.in_type), signal(self.out_type)
        band = max(p.rep.frequency for p in self.filters.pieces(reps[0].group))
        return group_quadrature(
            x,
            self.kernel,
            lambda offset: self.values(dataclasses.replace(g, offset=offset)),
            g.offset,
            (g.target, g.source, g.num_targets),
            reps,
            self.subgroups,
            band,
        )
