"""Convolutions of harmonic networks on plain tensors with axes for the rotation order and the complex number."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from steerable.fields.complex import complex_stream
from steerable.fields.type import FieldType
from steerable.groups import Group, parse_group
from steerable.kernels.bandlimit import Bandlimit
from steerable.kernels.complex_linear import ComplexLinear
from steerable.kernels.rings import GaussianRings
from steerable.nn.conv import Conv2d


def harmonic_type(channels: int, orders: Sequence[int], group: Group) -> FieldType:
    """Fields of complex numbers: each holds one of every order, ``[B, channels, orders, 2, H, W]`` flattened.

    Args:
        channels: number of fields.
        orders: rotation orders, for example ``(0, 1)``.
        group: SO2 or C(n).

    Raises:
        ValueError: without orders, or for a group with reflections.
    """
    if not len(orders):
        raise ValueError(f"harmonic_type: got orders {tuple(orders)!r}; expected at least one, for example (0, 1)")
    first, *others = (complex_stream(group, m) for m in orders)
    return channels * (first.direct_sum(*others) if others else first)


class HarmonicConv2d(nn.Module):
    """Complex convolution with circular harmonics, ``W(r, phi) = R(r) e^(i (m phi + beta))``.

    A filter of order m takes order n to order n + m; only equal orders are added, so where the image turns by t, order
    m of the output is multiplied by ``e^(i m t)``. The radial profile is a sum of Gaussian rings with a complex weight
    each; the centre belongs to m = 0 alone. It is :class:`Conv2d` with the filling
    :class:`steerable.kernels.ComplexLinear`.

    Args:
        in_channels: fields of the input, ``[B, in_channels, orders, 2, H, W]``, with (real, imaginary) on axis 3.
        out_channels: fields of the output.
        kernel_size: odd side of the filters.
        orders_in: orders of the input; ``None`` for a real image ``[B, in_channels, H, W]``.
        orders_out: orders of the output.
        stride, padding: as in :class:`Conv2d`, with the same size rule.
        share: one filter for all pairs of orders of the same difference, as in the published code.
        bandlimit: policy of the rings.
        group: SO2, or C(n), whose filters also hold the frequencies m + n t.

    Raises:
        ValueError: for an even kernel, a group with reflections, or a tensor of the wrong shape.

    Source: Worrall et al., "Harmonic Networks: Deep Translation and Rotation Equivariance", CVPR 2017, arXiv
    1612.04642.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        orders_in: Sequence[int] | None = (0, 1),
        orders_out: Sequence[int] = (0, 1),
        stride: int = 1,
        padding: int = 0,
        share: bool = True,
        bandlimit: Bandlimit = "default",
        group: str | Group = "SO2",
    ) -> None:
        super().__init__()
        group = group if isinstance(group, Group) else parse_group(group)
        self.orders_in = None if orders_in is None else tuple(orders_in)
        self.orders_out = tuple(orders_out)
        image = in_channels * group.trivial
        in_type = image if self.orders_in is None else harmonic_type(in_channels, self.orders_in, group)
        filters = ComplexLinear(GaussianRings.for_size(kernel_size, bandlimit), share)
        out_type = harmonic_type(out_channels, self.orders_out, group)
        self.conv = Conv2d(in_type, out_type, kernel_size, stride, padding, bias=False, filters=filters)

    @property
    def in_type(self) -> FieldType:
        """Type of the input once it is flattened: for use between layers of ``st.nn``."""
        return self.conv.in_type

    @property
    def out_type(self) -> FieldType:
        """Type of the output once it is flattened."""
        return self.conv.out_type

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, orders_in, 2, H, W]`` (a real ``[B, C, H, W]``) to ``[B, C_out, orders_out, 2, H', W']``.

        Raises:
            ValueError: for another shape.
        """
        if self.orders_in is not None and (x.dim() != 6 or x.shape[2:4] != (len(self.orders_in), 2)):
            raise ValueError(
                f"HarmonicConv2d: input has shape {tuple(x.shape)}; expected [B, C, {len(self.orders_in)}, 2, H, W] "
                f"for orders {self.orders_in}. A real image takes orders_in=None"
            )
        y = self.conv(x if self.orders_in is None else x.flatten(1, 3))
        return y.unflatten(1, (-1, len(self.orders_out), 2))
