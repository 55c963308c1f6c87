"""Separable group convolution: over the group at every point, and over space for every element."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from steerable.aggregate.stencil import expand_filter
from steerable.domains.points import Neighbourhood
from steerable.fields.type import FieldType
from steerable.groups import Representation, sampling_matrix
from steerable.kernels.filters import Filters, stencil_points
from steerable.nn.group_steerable import (
    at_identity,
    function_expansion,
    group_to_steerable,
    project_kernel,
    signal,
    steerable_to_group,
)
from steerable.nn.linear import Linear
from steerable.nn.module import EquivariantModule
from steerable.nn.point_conv import PointConv, Reduce, check_neighbourhood, pair_values
from steerable.nn.steerable_map import bias_map

First = Literal["group", "space"]


class SeparableGroupConv(EquivariantModule):
    """Group convolution with a product kernel, in two cheap steps.

    ``first="group"``: ``k(z, T) = k1(z) k2(T)``: a convolution over the group at every point (a matrix product of the
    copies of each irrep, :class:`Linear`), then for every element R of the group a convolution over space with the
    turned filter ``k1(R^-1 z)``, one for each channel. ``first="space"``: ``k(z, T) = k1(T^-1 z) k2(T)``, the two steps
    the other way round, the order of EPN. Sums of such kernels are all kernels. Exact: :meth:`full` gives the equal
    :class:`PointConv`.

    Args:
        in_type: fields of one representation, functions on the group: ``spectral_regular(L)`` or ``regular``.
        out_type: likewise.
        cutoff: distance at which the kernel ends.
        first: ``"group"`` or ``"space"``.
        bias: learned bias.
        options: of :class:`PointConv` (``kernel_size``, ``filters``, ``spacing``, ``reduce``, ...).

    Raises:
        ValueError: as :class:`PointConv`, and for fields that are no functions on the group.

    Source: Chen et al., "Equivariant Point Network for 3D Point Cloud Analysis", CVPR 2021; Poulenard, Ovsjanikov and
    Guibas, arXiv 2211.15903.
    """

    takes_neighbourhood = True

    _delta: Tensor

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        cutoff: float,
        first: First = "group",
        bias: bool = True,
        **options: Any,
    ) -> None:
        if first not in ("group", "space"):
            raise ValueError(f"SeparableGroupConv: first is {first!r}; expected 'group' or 'space'")
        super().__init__(in_type, out_type)
        source, target = signal(in_type), signal(out_type)
        m_in, m_out = in_type.size // source.size, out_type.size // target.size
        self.first, self._options = first, {"cutoff": cutoff, "bias": bias, **options}
        like = self._like()  # checks the options, and says what they mean
        self.dimension, self._kernel_size = like.dimension, like.kernel_size
        self.filters, self._neighbours = like.filters, like.neighbours if like.reduce == "sum" else 1.0
        self._functions: tuple[float, float | None, Reduce] = like.spacing, cutoff if like.smooth else None, like.reduce
        between = m_out * source if first == "group" else m_in * target
        before, after = (in_type, between) if first == "group" else (between, out_type)
        self.over_group = Linear(before, after, bias and first == "space")
        self.register_constant("_delta", delta_filters(source, target, like.filters, like.kernel_size))
        self.over_space = nn.Parameter(torch.empty(m_out if first == "group" else m_in, like.filters.count))
        own = bias_map(out_type)
        self.bias = nn.Parameter(torch.zeros(len(own))) if bias and first == "group" and len(own) else None
        self.register_constant("_bias_map", own)
        self.reset_parameters()

    def _like(self) -> PointConv:
        """A layer of one channel with the same functions."""
        source, target = signal(self.in_type), signal(self.out_type)
        return PointConv(1 * source, 1 * target, **{**self._options, "bias": False})

    def reset_parameters(self) -> None:
        """Draw the weights again: the step in space keeps the variance, for points all over the window; bias zero."""
        self.over_group.reset_parameters()
        values = self.filters.functions(stencil_points(self._kernel_size, self.dimension))
        energy = torch.from_numpy((values**2).mean(1)).to(self._delta)
        variance = self._neighbours * (self._delta.square() @ energy).sum((0, 2)).mean()
        with torch.no_grad():
            self.over_space.normal_(0, float(variance) ** -0.5)
            if self.bias is not None:
                self.bias.zero_()

    def forward(self, x: Tensor, g: Neighbourhood) -> Tensor:
        """Map features ``[M, in_type.size]`` of the sources to ``[N, out_type.size]`` of the targets of ``g``.

        Raises:
            ValueError: for a neighbourhood of another dimension or other points.
        """
        self.check_input(x, 0)
        check_neighbourhood(self, x, g, self.dimension)
        if self.first == "space":
            return self.over_group(self._space(x, g))
        y = self._space(self.over_group(x), g)
        return y if self.bias is None else y + self.bias @ self._bias_map

    def _space(self, x: Tensor, g: Neighbourhood) -> Tensor:
        """``[M, m D_in] -> [N, m D_out]``: every channel with its own filter of space."""
        _, d_out, d_in, functions = self._delta.shape
        m = len(self.over_space)
        values = pair_values(g, self.filters, *self._functions)
        moved = values[:, :, None] * x.index_select(0, g.source)[:, None, :]
        sums = x.new_zeros(g.num_targets, functions * m * d_in).index_add(0, g.target, moved.flatten(1))
        filter = torch.einsum("mg,gbaf->mfab", self.over_space, self._delta).reshape(m, functions * d_in, d_out)
        sums = sums.view(-1, functions, m, d_in).permute(2, 0, 1, 3).reshape(m, -1, functions * d_in)
        return torch.bmm(sums, filter).transpose(0, 1).flatten(1)

    def kernel(self) -> Tensor:
        """The kernel ``[m_out, m_in, D_in, F]`` of the whole group convolution; differentiable."""
        over_group = steerable_to_group(self.over_group)[..., 0]  # [m_out, m_in, D]
        if self.first == "group":
            return torch.einsum("of,oia->oiaf", self.over_space, over_group)
        source, target = signal(self.in_type), signal(self.out_type)
        pieces = self.filters.pieces(source.group)
        band = max(p.rep.frequency for p in pieces)
        elements, weights = source.group.haar(source.frequency + target.frequency + band)
        moved = torch.zeros(len(elements), self.filters.count, self.filters.count, dtype=torch.float64)
        for p in pieces:
            moved[:, p.start : p.stop, p.start : p.stop] = p.rep(elements)
        k2 = over_group @ sampling_matrix(target, elements).T.to(over_group)  # [m_out, m_in, q]
        k1 = torch.einsum("qfg,ig->qif", moved.to(over_group), self.over_space)
        phi = (sampling_matrix(source, elements) * weights[:, None]).to(over_group)
        return torch.einsum("oiq,qif,qa->oiaf", k2, k1, phi)

    @torch.no_grad()
    def full(self) -> PointConv:
        """The steerable layer that computes the same, with one weight for everything the group allows."""
        found = PointConv(self.in_type, self.out_type, **self._options).to(self.over_space)
        found.weight.copy_(group_to_steerable(found, self.kernel()))
        bias = self.over_group.bias if self.first == "space" else self.bias
        if found.bias is not None and bias is not None:
            found.bias.copy_(bias)
        return found

    def bake(self) -> nn.Module:
        """The plain module of the full layer."""
        return self.full().bake()


@lru_cache(maxsize=64)
def _delta(source: Representation, target: Representation, filters: Filters, kernel_size: int) -> np.ndarray:
    identity, peak = at_identity(1 * target), at_identity(1 * source)
    expansion = function_expansion(1 * source, 1 * target, filters, kernel_size, identity)
    found = []
    for row in torch.eye(filters.count, dtype=torch.float64):
        kernel = peak[None, None, :, None] * row
        found.append(expand_filter(project_kernel(kernel, identity, expansion), expansion).detach())
    return torch.stack(found).numpy()


def delta_filters(source: Representation, target: Representation, filters: Filters, kernel_size: int) -> Tensor:
    """Filters ``[F, D_out, D_in, F]`` of the kernels ``Y_F(z) delta(T)``: ``out(R) = sum_j Y_F(R^-1 z) f_j(R)``."""
    return torch.from_numpy(_delta(source, target, filters, kernel_size).copy())
