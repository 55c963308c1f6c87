"""Group convolutions on plain tensors with an axis for the orientations, as G-CNNs write them."""

from __future__ import annotations

from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.groups import Group
from steerable.groups.cyclic import C
from steerable.groups.dihedral import D
from steerable.kernels.pixels import Pixels
from steerable.nn.conv import Conv2d


class _GroupConv2d(nn.Module):
    """A :class:`Conv2d` between regular fields with the full pixel basis, behind an axis of orientations."""

    group: Group

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        lift: bool = False,
    ) -> None:
        super().__init__()
        self.lift, self.order = lift, int(self.group.order or 1)
        in_type = in_channels * (self.group.trivial if lift else self.group.regular)
        out_type = out_channels * self.group.regular
        self.conv = Conv2d(in_type, out_type, kernel_size, stride, padding, bias=bias, filters=Pixels(kernel_size))

    @property
    def in_type(self) -> FieldType:
        """Type of the input once it is flattened: for use between layers of ``st.nn``."""
        return self.conv.in_type

    @property
    def out_type(self) -> FieldType:
        """Type of the output once it is flattened."""
        return self.conv.out_type

    @property
    def psi(self) -> Tensor:
        """The filters as the paper writes them: ``[C_out, C_in, |H|, k, k]`` (``[C_out, C_in, k, k]`` for ``lift``).

        Orientation 0 of the output of :meth:`Conv2d.filter`; the others are its moved copies. Differentiable.
        """
        w = self.conv.filter().unflatten(0, (-1, self.order))[:, 0]
        return w if self.lift else w.unflatten(1, (-1, self.order))

    def set_psi(self, psi: Tensor) -> None:
        """Take over filters in the form of :attr:`psi`, for example those of another implementation.

        Raises:
            ValueError: for another shape.
        """
        wanted = tuple(self.psi.shape)
        if tuple(psi.shape) != wanted:
            raise ValueError(f"{type(self).__name__}.set_psi: got shape {tuple(psi.shape)}; expected {wanted}")
        self.conv.weight.data.copy_(psi.detach().reshape(-1))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, |H|, H, W]``, or ``[B, C, H, W]`` for ``lift``, to ``[B, C_out, |H|, H', W']``.

        Raises:
            ValueError: for another shape; in strict mode for a size that the stride makes inexact.
        """
        if not self.lift and (x.dim() != 5 or x.shape[2] != self.order):
            raise ValueError(
                f"{type(self).__name__}: input has shape {tuple(x.shape)}; expected [B, C, {self.order}, H, W]. "
                f"Images without orientations take lift=True"
            )
        return from_fields(self.conv(x if self.lift else to_fields(x)), self.order)


class P4Conv(_GroupConv2d):
    """Group convolution of p4: translations and quarter turns.

    ``[f * psi](g) = sum_h sum_k f_k(h) psi_k(g^-1 h)``: for every quarter turn the filters are turned and their
    orientations permuted, then one ``conv2d`` does the rest. Axis 2 is the orientation: index r is a turn by r times
    90 degrees, counter-clockwise. It spans the same filters as :class:`Conv2d` between regular fields of C(4) with
    ``Pixels(kernel_size)``, which it is.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: odd side of the filters.
        stride, padding: as in :class:`Conv2d`, with the same size rule.
        bias: one bias a field, shared by the orientations.
        lift: the input is an image ``[B, C, H, W]``.

    Raises:
        ValueError: for an even kernel or a tensor of the wrong shape.

    Source: Cohen and Welling, "Group Equivariant Convolutional Networks", ICML 2016, arXiv 1602.07576, eq. 10 and 11.
    """

    group: Group = C(4)


class P4MConv(_GroupConv2d):
    """Group convolution of p4m: translations, quarter turns and reflections.

    As :class:`P4Conv`, with eight orientations: index r + 4 s is the reflection x2 -> -x2 (top to bottom) where s = 1,
    followed by a turn by r times 90 degrees.
    """

    group: Group = D(4)


def to_fields(x: Tensor) -> Tensor:
    """``[B, C, |H|, H, W]`` to the channels ``[B, C |H|, H, W]`` of ``C`` regular fields: a view."""
    return x.flatten(1, 2)


def from_fields(x: Tensor, order: int) -> Tensor:
    """Channels ``[B, C |H|, H, W]`` of regular fields to ``[B, C, |H|, H, W]``: a view."""
    return x.unflatten(1, (-1, order))
