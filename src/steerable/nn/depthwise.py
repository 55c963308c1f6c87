"""Depthwise convolutions that leave orientations alone: one small filter a field, moved from channel to channel."""

from __future__ import annotations

from steerable.fields.type import FieldType
from steerable.kernels.bandlimit import Bandlimit
from steerable.kernels.bank import FilterBank, filter_bank
from steerable.kernels.filters import Filters
from steerable.nn.conv import Conv2d
from steerable.nn.module import require_type


class DepthwiseConv2d(Conv2d):
    """Every channel convolved with a filter of its own: ``K(x) = diag_g psi(g^-1 x)`` with one ``psi`` a field.

    On a regular field channel ``g`` uses ``psi`` moved by ``g``; orientations do not mix, which is left to 1x1 maps. It
    costs what an ordinary depthwise convolution of as many channels costs, ``|G| k^2`` multiplications a pixel and
    field, where a field-wise one (``Conv2d(t, t, k, groups=t.num_fields)``) costs ``|G|^2 k^2``. The diagonal kernels
    of a permuted field are the kernels from a scalar to that field, so that is how the engine makes them.

    Args:
        in_type: regular, quotient and trivial fields, ``[B, in_type.size, H, W]``; the output has the same type.
        kernel_size: odd side of the stencil.
        stride, padding, dilation: as in :class:`Conv2d`, with the same size rule.
        bias: one learned number a field.
        padding_mode: ``zeros reflect replicate circular``.
        filters, bandlimit: as in :class:`Conv2d`.

    Raises:
        TypeError: for fields that the group does not permute.
        ValueError: as in :class:`Conv2d`.

    Source: the depthwise step of MobileNetV2 (Sandler et al., arXiv 1801.04381) on regular fields, after Mohamed,
    Cesa, Cohen and Welling, arXiv 2004.09691.
    """

    def __init__(
        self,
        in_type: FieldType,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        filters: Filters | None = None,
        bandlimit: Bandlimit = "default",
    ) -> None:
        for b in require_type(in_type, "DepthwiseConv2d").blocks:
            if not b.rep.is_permutation:
                raise TypeError(
                    f"DepthwiseConv2d: expected regular, quotient or trivial fields, got {b} in {in_type!r}; use "
                    f"Conv2d with groups={in_type.num_fields} to convolve each field with itself"
                )
        if not in_type.size:
            raise ValueError(f"DepthwiseConv2d: the type must have channels, got {in_type!r}")
        super().__init__(
            in_type,
            in_type,
            kernel_size,
            stride,
            padding,
            dilation,
            in_type.size,
            bias,
            padding_mode,
            filters,
            bandlimit,
        )

    @property
    def bank(self) -> FilterBank:
        """The bank of kernels from one scalar to the fields: column ``[C, 1, k, k]`` that stands for a diagonal."""
        return filter_bank(self.in_type.group.trivial * 1, self.in_type, self.filters, self.kernel_size)
