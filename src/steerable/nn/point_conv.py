"""Steerable convolutions of point clouds: the kernel of the grids, between points that lie anywhere."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from steerable.aggregate.paths import runs_eagerly
from steerable.aggregate.scatter import point_conv
from steerable.aggregate.so2 import FramePlan, frame_conv, frame_plan
from steerable.domains.points import Neighbourhood
from steerable.fields.type import FieldType
from steerable.groups.eager import autocasts
from steerable.kernels.bandlimit import Bandlimit
from steerable.kernels.bank import FilterBank, filter_bank
from steerable.kernels.envelope import envelope
from steerable.kernels.filters import Filters
from steerable.kernels.rings import GaussianRings
from steerable.nn.init import initialise
from steerable.nn.module import require_space, require_type
from steerable.nn.steerable_map import SteerableMap

Reduce = Literal["sum", "mean"]
#: thin products, changes of frame and copies against one wide product, measured
FRAME_OVERHEAD = 2.5
#: pairs nearer than this, in units of the spacing, have no frame
NEAR = 1e-2
Backend = Literal["auto", "functions", "frame"]


class PointConv(SteerableMap):
    """Convolution of features on points, ``out_i = sum_j kappa(x_j - x_i) f_j``, with a steerable kernel.

    The kernel is the one of :class:`Conv2d` and :class:`Conv3d`: equal filters and weights give equal numbers where the
    points are those of a grid (``spacing=1, smooth=False``). Only the contraction differs. So basis elements that
    vanish on the stencil of ``kernel_size`` are left out here too (some of degree 4 and more at size 3).

    Points that come together have no direction: with the default filters the response to a pair and its gradient tend
    to those of a pair at distance 0, which is that of the central shell alone.

    Args:
        in_type: type of the features ``[M, in_type.size]``.
        out_type: type of the output.
        cutoff: distance at which the kernel ends, in the units of the positions.
        kernel_size: odd side of the grid kernel it corresponds to: ``(k + 1) / 2`` shells.
        dimension: of the space, 2 or 3; by default the one the group is given on.
        spacing: distance of the shells; by default ``cutoff / (k // 2 + 1)``, so that the last one has room to end.
        bias: learned bias along the invariant vectors of the output fields.
        filters: scalar functions, in units of ``spacing``; the default is ``GaussianRings.for_points(kernel_size)``.
        bandlimit: policy of the default filters, or one degree for each shell.
        reduce: ``sum`` over the neighbours, or their ``mean`` (with weights: the weighted mean).
        smooth: whether the kernel is multiplied by :func:`steerable.kernels.envelope`, so that a sum is smooth when a
            point crosses the cut-off. A mean is not: it divides by the number of neighbours, which jumps there.
        neighbours: how many a point has; scales the initial weights of a sum.
        init: ``"he"`` or ``"delta"``.
        backend: ``"functions"`` multiplies by the scalar functions of every offset; ``"frame"`` turns every pair so
            that its offset lies on the third axis, where few products are left (irreps of SO3 and O3); ``"auto"``
            takes what needs fewer products. Both compute the same; compilers and half precision always see the first.

    Raises:
        ValueError: for an even kernel, a group that does not act on the space, types that do not meet, a cut-off,
            spacing or number of neighbours that is not positive.

    Source: Thomas et al., "Tensor field networks", arXiv 1802.08219, with the kernels of Cesa, Lang and Weiler, ICLR
    2022, for any compact group.
    """

    takes_neighbourhood = True

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        cutoff: float,
        kernel_size: int = 7,
        dimension: int | None = None,
        spacing: float | None = None,
        bias: bool = True,
        filters: Filters | None = None,
        bandlimit: Bandlimit = "default",
        reduce: Reduce = "sum",
        smooth: bool = True,
        neighbours: float = 16.0,
        init: str = "he",
        backend: Backend = "auto",
    ) -> None:
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"PointConv: kernel_size is {kernel_size}; expected an odd number, as on a grid")
        if not (cutoff > 0 and math.isfinite(cutoff)):
            raise ValueError(
                f"PointConv: cutoff is {cutoff}; expected a positive distance in the units of the positions"
            )
        if reduce not in ("sum", "mean"):
            raise ValueError(f"PointConv: reduce is {reduce!r}; expected 'sum' or 'mean'")
        self.dimension = require_type(in_type, "PointConv").group.dimension if dimension is None else dimension
        if self.dimension not in (2, 3):
            raise ValueError(
                f"PointConv: {in_type.group.name} is given on no space, and dimension is {dimension}; expected "
                f"dimension=2 or 3, and a group that acts there"
            )
        filters = filters or GaussianRings.for_points(kernel_size, bandlimit, self.dimension)
        require_space("PointConv", in_type, filters, self.dimension)
        for what, length in (("spacing", spacing), ("neighbours", neighbours)):
            if length is not None and not (length > 0 and math.isfinite(length)):
                raise ValueError(f"PointConv: {what} is {length}; expected a positive number")
        self.cutoff, self.spacing = cutoff, spacing or cutoff / (kernel_size // 2 + 1)
        super().__init__(in_type, out_type, filters, kernel_size, self.dimension, 1, bias)
        self._shape = (out_type.size, in_type.size, filters.count)
        self.reduce, self.smooth, self.neighbours, self._init = reduce, smooth, neighbours, init
        if backend not in ("auto", "functions", "frame"):
            raise ValueError(f"PointConv: backend is {backend!r}; expected 'auto', 'functions' or 'frame'")
        rings = self.dimension == 3 and isinstance(filters, GaussianRings) and filters.radial
        self._plan = frame_plan(self.bank, filters.tops) if rings and backend != "functions" else None
        if backend == "frame" and self._plan is None:
            raise ValueError(
                f"PointConv: backend 'frame' is for irreps of SO3 and O3 in space and shells of harmonics, got "
                f"{in_type!r} -> {out_type!r}; use 'auto'"
            )
        self.backend = backend
        self.reset_parameters()

    @property
    def bank(self) -> FilterBank:
        """How weights become the filter ``[C_out, C_in, F]``, in terms of the scalar functions."""
        return filter_bank(self.in_type, self.out_type, self.filters, self.kernel_size, over="functions")

    def reset_parameters(self) -> None:
        """Draw the weights again, bias zero."""
        initialise(self, self._init)
        cells = self.kernel_size**self.dimension  # the closed form counts on a point in every cell of the window
        with torch.no_grad():
            self.weight *= math.sqrt(cells / self.neighbours) if self.reduce == "sum" else math.sqrt(cells)

    def forward(self, x: Tensor, g: Neighbourhood) -> Tensor:
        """Map features ``[M, in_type.size]`` of the sources to ``[N, out_type.size]`` of the targets of ``g``.

        Raises:
            TypeError: for points or positions in place of a neighbourhood.
            ValueError: for a neighbourhood of another dimension, dtype or other points.
        """
        self.check_input(x, 0)
        check_neighbourhood(self, x, g, self.dimension)
        y = self._contract(x, g)
        bias = self.expanded_bias()
        return y if bias is None else y + bias

    def values(self, g: Neighbourhood) -> Tensor:
        """The scalar functions ``[E, F]`` of every pair, with its weight; differentiable in the positions."""
        return pair_values(g, self.filters, self.spacing, self.cutoff if self.smooth else None, self.reduce)

    def _contract(self, x: Tensor, g: Neighbourhood) -> Tensor:
        filter = self.filter()
        plan = self._plan
        if plan is None or not self._takes_frames(plan, x, g):
            return point_conv(self.values(g), x, filter, g.target, g.source, g.num_targets)
        factor = pair_factor(g, self.cutoff if self.smooth else None, self.reduce)
        radial = self.filters.shells(g.offset / self.spacing)  # type: ignore[attr-defined]
        radial = radial if factor is None else radial * factor[:, None]
        near = g.offset.square().sum(1) < (NEAR * self.spacing) ** 2
        if not bool(near.any()):
            return frame_conv(g.offset, radial, x, filter, g.target, g.source, g.num_targets, plan)
        # points that coincide have no direction, and its derivative is rounding over the distance: without frames
        axis = torch.eye(3, dtype=g.offset.dtype, device=g.offset.device)[2]
        offset, radial = torch.where(near[:, None], axis, g.offset), radial * ~near[:, None]
        values = self.filters.values(g.offset[near] / self.spacing)
        values = values if factor is None else values * factor[near][:, None]
        y = frame_conv(offset, radial, x, filter, g.target, g.source, g.num_targets, plan)
        return y + point_conv(values, x, filter, g.target[near], g.source[near], g.num_targets)

    def _takes_frames(self, plan: FramePlan, x: Tensor, g: Neighbourhood) -> bool:
        if torch.compiler.is_compiling() or not runs_eagerly(x, g.offset) or not g.num_edges:
            return False
        if x.element_size() < 4 or g.offset.element_size() < 4:  # rotations of pairs need complex numbers
            return False
        return self.backend == "frame" or frame_pays(plan, self._shape, g.num_edges, g.num_targets)

    def extra_repr(self) -> str:
        """Types and reach."""
        return f"{self.in_type!r} -> {self.out_type!r}, cutoff={self.cutoff}, kernel_size={self.kernel_size}"

    def bake(self) -> nn.Module:
        """A plain module with the filter in terms of the scalar functions."""
        bias = self.expanded_bias()
        return PlainPointConv(
            self.filter().detach().clone(),
            None if bias is None else bias.detach().clone(),
            (self.filters, self.spacing, self.cutoff if self.smooth else None, self.reduce),
        )


class PlainPointConv(nn.Module):
    """A point convolution with a fixed filter ``[C_out, C_in, F]``."""

    takes_neighbourhood = True

    def __init__(
        self, filter: Tensor, bias: Tensor | None, functions: tuple[Filters, float, float | None, Reduce]
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(filter)
        self.bias = None if bias is None else nn.Parameter(bias)
        self.functions = functions

    def forward(self, x: Tensor, g: Neighbourhood) -> Tensor:
        """Map ``[M, C_in]`` to ``[N, C_out]``."""
        y = point_conv(pair_values(g, *self.functions), x, self.weight, g.target, g.source, g.num_targets)
        return y if self.bias is None else y + self.bias


def pair_values(g: Neighbourhood, filters: Filters, spacing: float, cutoff: float | None, reduce: Reduce) -> Tensor:
    """Scalar functions ``[E, F]`` at the offsets of all pairs, times weight, envelope and one over the count."""
    values = filters.values(g.offset / spacing)
    factor = pair_factor(g, cutoff, reduce)
    return values if factor is None else values * factor[:, None]


def pair_factor(g: Neighbourhood, cutoff: float | None, reduce: Reduce) -> Tensor | None:
    """Weight of each pair ``[E]``: its own, the envelope, and one over the count for a mean; ``None`` for one."""
    factor = g.weight
    if cutoff is not None:
        smooth = envelope(g.distance, cutoff)
        factor = smooth if factor is None else factor * smooth
    if reduce == "mean":
        ones = torch.ones_like(g.offset[:, 0]) if g.weight is None else g.weight
        total = ones.new_zeros(g.num_targets).index_add(0, g.target, ones)
        share = 1 / total.clamp_min(torch.finfo(total.dtype).tiny).index_select(0, g.target)
        factor = share if factor is None else factor * share
    return factor


def frame_pays(plan: FramePlan, shape: tuple[int, ...], pairs: int, points: int) -> bool:
    """Whether frames of the pairs need fewer products than scalar functions, with their overhead measured in."""
    c_out, c_in, functions = shape
    plain = pairs * functions * c_in + points * functions * c_in * c_out
    return pairs * plan.products * FRAME_OVERHEAD < plain


def check_neighbourhood(layer: nn.Module, x: Tensor, g: Neighbourhood, dimension: int) -> None:
    """Refuse a neighbourhood of other points or of another space. Looks at shapes and types, silent while compiling.

    Raises:
        TypeError: no neighbourhood.
        ValueError: naming both.
    """
    if torch.compiler.is_compiling():
        return
    name = type(layer).__name__
    if not isinstance(g, Neighbourhood):
        raise TypeError(
            f"{name}: got {type(g).__name__} beside the features; expected a Neighbourhood. Say "
            "st.Points(positions, batch).neighbours(cutoff)"
        )
    if g.offset.shape[-1] != dimension:
        raise ValueError(
            f"{name}: the neighbourhood has offsets in R^{g.offset.shape[-1]}; this layer is on R^{dimension}. Give "
            f"positions [N, {dimension}], or dimension={g.offset.shape[-1]} to the layer"
        )
    if x.shape[0] != g.num_sources:
        raise ValueError(
            f"{name}: features of {x.shape[0]} points, and a neighbourhood of {g.num_sources}; expected one row a point"
        )
    if x.dtype != g.offset.dtype and x.is_floating_point() and not autocasts(x):
        raise ValueError(
            f"{name}: features are {x.dtype}, positions {g.offset.dtype}; expected the same. Say "
            f"positions.to({x.dtype}), or neighbourhood.to({x.dtype})"
        )
