"""Steerable convolutions of images and volumes: one implementation for every dimension."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.aggregate.schur import schur_map, schur_plan
from steerable.aggregate.stencil import pad
from steerable.fields.type import FieldType
from steerable.kernels.bandlimit import Bandlimit
from steerable.kernels.filters import Filters
from steerable.kernels.rings import GaussianRings
from steerable.nn.exactness import check_stride
from steerable.nn.init import initialise
from steerable.nn.module import require_space
from steerable.nn.plain_fourier import fourier_chain, fourier_pays
from steerable.nn.plain_schur import PlainSchur
from steerable.nn.steerable_map import SteerableMap

_MODES = ("zeros", "reflect", "replicate", "circular")
CONV = {2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {2: F.conv_transpose2d, 3: F.conv_transpose3d}
PLAIN: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_PLAIN_TRANSPOSED: dict[int, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}


class _Windowed(SteerableMap):
    """What convolutions and their transposes share: a square or cubic window."""

    #: dimension of the space
    spatial: ClassVar[int]

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: int,
        stride: int,
        padding: int,
        dilation: int,
        groups: int,
        bias: bool,
        filters: Filters | None,
        bandlimit: Bandlimit,
        init: str,
    ) -> None:
        name = type(self).__name__
        if not isinstance(kernel_size, int):
            raise TypeError(
                f"{name}: kernel_size must be one integer, got {kernel_size!r}; windows are square, else "
                f"quarter turns would not be exact"
            )
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"{name}: kernel_size must be odd so that the kernel has a centre pixel, got {kernel_size}; "
                f"use {kernel_size - 1 if kernel_size > 1 else 1} or {kernel_size + 1}"
            )
        for what, value, least in (
            ("stride", stride, 1),
            ("padding", padding, 0),
            ("dilation", dilation, 1),
            ("groups", groups, 1),
        ):
            if not isinstance(value, int) or value < least:
                raise ValueError(
                    f"{name}: {what} must be an integer of at least {least}, got {value!r}; windows are "
                    f"square, else quarter turns would not be exact"
                )
        filters = filters or GaussianRings.for_size(kernel_size, bandlimit, self.spatial)
        require_space(name, in_type, filters, self.spatial)
        super().__init__(in_type, out_type, filters, kernel_size, self.spatial, groups, bias)
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.strict = False
        self._init = init
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights again, bias zero."""
        initialise(self, self._init)

    def extra_repr(self) -> str:
        """Types and window."""
        extra = "".join(
            f", {k}={v}"
            for k, v, default in (
                ("stride", self.stride, 1),
                ("padding", self.padding, 0),
                ("dilation", self.dilation, 1),
                ("groups", self.groups, 1),
            )
            if v != default
        )
        return f"{self.in_type!r} -> {self.out_type!r}, kernel_size={self.kernel_size}{extra}"


class _Conv(_Windowed):
    """A convolution of any dimension."""

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        filters: Filters | None = None,
        bandlimit: Bandlimit = "default",
        init: str = "he",
    ) -> None:
        if padding_mode not in _MODES:
            raise ValueError(
                f"{type(self).__name__}: unknown padding_mode {padding_mode!r}; expected one of {', '.join(_MODES)}"
            )
        super().__init__(
            in_type, out_type, kernel_size, stride, padding, dilation, groups, bias, filters, bandlimit, init
        )
        self.padding_mode = padding_mode
        pointwise = kernel_size == 1 and groups == 1 and padding == 0 and stride == 1
        self._blocks = schur_plan(self.bank) if pointwise else None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_type.size, *sides]`` to ``[B, out_type.size, *sides']``."""
        self.check_input(x, self.spatial)
        check_stride(self, x.shape[2:], self.kernel_size, self.stride, self.padding, self.dilation)
        bias = self.expanded_bias()
        if self._blocks is not None:
            y = schur_map(x, self.split_weights(), self._banks(), self._blocks)
            return y if bias is None else y + bias.view(-1, *[1] * self.spatial)
        if self.padding_mode != "zeros" and self.padding:
            x = pad(x, self.padding, self.padding_mode)
            return CONV[self.spatial](x, self.filter(), bias, self.stride, 0, self.dilation, self.groups)
        return CONV[self.spatial](x, self.filter(), bias, self.stride, self.padding, self.dilation, self.groups)

    def bake(self) -> nn.Module:
        """A ``torch.nn.Conv2d`` or ``Conv3d`` with this filter.

        A 1x1 map keeps its blocks between irreps, and between wide regular fields of the plane takes the way over them
        (:mod:`steerable.nn.plain_fourier`).
        """
        if self._blocks is not None:
            return PlainSchur(self.split_weights(), self._banks(), self._blocks, self.expanded_bias())
        filter, bias = self.filter().detach(), self.expanded_bias()
        plain = PLAIN[self.spatial](
            self.in_type.size,
            self.out_type.size,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            bias is not None,
            self.padding_mode,
            device="meta",
        )
        plain.weight = nn.Parameter(filter.clone())
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone())
        plain.fields = tuple(b.shape for b in self.out_type.blocks)  # type: ignore[assignment]
        pointwise = self.kernel_size == self.stride == self.groups == 1 and not self.padding
        if pointwise and self.spatial == 2 and fourier_pays(self.in_type, self.out_type):
            return fourier_chain(plain, self.in_type.group)
        return plain


class _ConvTranspose(_Windowed):
    """A transposed convolution of any dimension."""

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        filters: Filters | None = None,
        bandlimit: Bandlimit = "default",
        init: str = "he",
    ) -> None:
        super().__init__(
            in_type, out_type, kernel_size, stride, padding, dilation, groups, bias, filters, bandlimit, init
        )

    def transposed_filter(self) -> Tensor:
        """``[C_in, C_out / groups, *kernel]``, mirrored at its centre: position k reaches offset -k."""
        w = self.filter().unflatten(0, (self.groups, -1)).transpose(1, 2).flatten(0, 1)
        return w.flip((-2, -1) if self.spatial == 2 else (-3, -2, -1))  # the compiler of torch 2.13 misreads *range

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_type.size, *sides]`` to ``[B, out_type.size, *sides']``."""
        self.check_input(x, self.spatial)
        return _TRANSPOSED[self.spatial](
            x, self.transposed_filter(), self.expanded_bias(), self.stride, self.padding, 0, self.groups, self.dilation
        )

    def bake(self) -> nn.Module:
        """A ``torch.nn.ConvTranspose2d`` or ``ConvTranspose3d`` with this filter."""
        bias = self.expanded_bias()
        plain = _PLAIN_TRANSPOSED[self.spatial](
            self.in_type.size,
            self.out_type.size,
            self.kernel_size,
            self.stride,
            self.padding,
            0,
            self.groups,
            bias is not None,
            self.dilation,
            device="meta",
        )
        plain.weight = nn.Parameter(self.transposed_filter().detach().clone(memory_format=torch.contiguous_format))
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone())
        return plain


class Conv2d(_Conv):
    """Convolution with a steerable kernel, ``kappa(g x) = rho_out(g) kappa(x) rho_in(g)^-1``.

    Args:
        in_type: type of the input field, ``[B, in_type.size, H, W]``.
        out_type: type of the output field.
        kernel_size: odd side of the stencil.
        stride, padding, dilation, groups: as in ``torch.nn.Conv2d``, one integer each. A stride is exact only if
            ``(side + 2 padding - dilation (kernel_size - 1) - 1) % stride == 0``; other sizes warn once (raise in
            strict mode). ``groups`` needs types that repeat: depthwise is ``groups=type.num_fields``.
        bias: learned bias along the invariant vectors of the output fields.
        padding_mode: ``zeros reflect replicate circular``.
        filters: scalar functions; the default is ``GaussianRings.for_size(kernel_size, bandlimit)``. ``Pixels(k)``
            gives group convolutions with the full pixel basis (subgroups of D4).
        bandlimit: policy of the default filters.
        init: ``"he"`` or ``"delta"`` (delta-orthogonal).

    Raises:
        ValueError: for an even kernel, a group that does not act on the plane, types that do not meet.

    Source: Weiler and Cesa, "General E(2)-Equivariant Steerable CNNs", NeurIPS 2019, arXiv 1911.08251, eq. 2; kernels
    by Cesa, Lang and Weiler, ICLR 2022. The 1x1 map between irreps is applied block by block (Schur).
    """

    spatial = 2


class Conv3d(_Conv):
    """Convolution of volumes ``[B, C, D, H, W]`` with a steerable kernel: :class:`Conv2d`, one dimension up.

    Args:
        in_type: type of the input field; its group acts on space: SO3, O3, the point groups, and C(n), D(n), SO2, O2
            about the third axis.
        out_type: type of the output field.
        kernel_size: odd side of the stencil.
        stride, padding, dilation, groups: as in :class:`Conv2d`, with the same size rule.
        bias: learned bias along the invariant vectors of the output fields.
        padding_mode: ``zeros reflect replicate circular``.
        filters: scalar functions; the default is ``GaussianRings.for_size(kernel_size, bandlimit, dimension=3)``.
            ``Pixels(k, 3)`` gives group convolutions with all voxels free (subgroups of the full octahedral group).
        bandlimit: policy of the default filters.
        init: ``"he"`` or ``"delta"``.

    Raises:
        ValueError: for an even kernel, a group that does not act on space, types that do not meet.

    Source: Weiler, Geiger, Welling, Boomsma and Cohen, "3D Steerable CNNs", NeurIPS 2018, arXiv 1807.02547; kernels
    for any compact group by Cesa, Lang and Weiler, ICLR 2022.
    """

    spatial = 3


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution with a steerable kernel: strides make the output larger.

    Args:
        in_type: type of the input field.
        out_type: type of the output field.
        kernel_size: odd side of the stencil.
        stride, padding, dilation, groups: as in ``torch.nn.ConvTranspose2d``; the output has side
            ``(side - 1) stride - 2 padding + dilation (kernel_size - 1) + 1`` and is exact for every size.
        bias: learned bias along invariant vectors.
        filters, bandlimit, init: as in :class:`Conv2d`.

    Raises:
        ValueError: for an even kernel, a group that does not act on the plane, types that do not meet.
    """

    spatial = 2


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution of volumes with a steerable kernel: strides make the output larger.

    Arguments, sizes and errors as in :class:`ConvTranspose2d`, types and filters as in :class:`Conv3d`.
    """

    spatial = 3
