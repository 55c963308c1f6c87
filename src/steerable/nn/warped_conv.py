"""Convolution of images in canonical coordinates, with the padding that each axis asks for."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.domains.warp import Warp


def split_sheets(x: Tensor, warp: Warp) -> Tensor:
    """``[B, C, rows, columns]`` to ``[B sheets, C, ...]``: every sheet an image of its own."""
    if warp.sheets == 1:
        return x
    axis = 2 + warp.stacked
    return x.unflatten(axis, (warp.sheets, -1)).movedim(axis, 1).flatten(0, 1)


def join_sheets(x: Tensor, warp: Warp) -> Tensor:
    """The inverse of :func:`split_sheets`."""
    if warp.sheets == 1:
        return x
    axis = 2 + warp.stacked
    return x.unflatten(0, (-1, warp.sheets)).movedim(1, axis).flatten(axis, axis + 1)


def pad_axes(x: Tensor, width: int, periodic: tuple[bool, bool], mode: str) -> Tensor:
    """Pad rows and columns of ``x [B, C, H, W]``: cyclic where periodic, else by ``mode``."""
    if width == 0:
        return x
    other = "constant" if mode == "zeros" else mode
    x = F.pad(x, (width, width, 0, 0), "circular" if periodic[1] else other)
    return F.pad(x, (0, 0, width, width), "circular" if periodic[0] else other)


class WarpedConv2d(nn.Module):
    """A convolution on images that :class:`WarpImage` made: the correlation over the group, after the theorem below.

    ``H(a) = int I(t_a(x)) F(x) dx`` equals a correlation of ``I(t_u(x0))`` with ``F(t_u(x0)) |dt_u(x0)/du|``, so the
    learned filter absorbs the Jacobian. Periodic axes are padded cyclically, and each sheet on its own.
    J. Henriques and A. Vedaldi, arXiv 1609.04382, section 3.

    Args:
        warp: the coordinates.
        in_channels, out_channels, kernel_size, stride, bias: as in ``torch.nn.Conv2d``; odd kernels.
        padding_mode: at the ends of axes that are not periodic: ``zeros`` or ``replicate`` (no edge appears where the
            image is constant).

    Raises:
        ValueError: for an even kernel or another padding mode; in forward, for a stride that does not divide a periodic
            axis.
    """

    def __init__(
        self,
        warp: Warp,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0 or kernel_size < 1:
            raise ValueError(f"WarpedConv2d: got kernel_size={kernel_size}; expected an odd number, which has a centre")
        if padding_mode not in ("zeros", "replicate"):
            raise ValueError(f"WarpedConv2d: got padding_mode={padding_mode!r}; expected 'zeros' or 'replicate'")
        self.warp, self.padding_mode = warp, padding_mode
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, rows, columns]`` to ``[B, out_channels, rows', columns']``."""
        self._check(x)
        x = split_sheets(x, self.warp)
        x = pad_axes(x, self.conv.kernel_size[0] // 2, self.warp.periodic, self.padding_mode)
        return join_sheets(self.conv(x), self.warp)

    def _check(self, x: Tensor) -> None:
        if torch.compiler.is_compiling():
            return
        if x.dim() != 4 or x.shape[1] != self.conv.in_channels:
            raise ValueError(
                f"WarpedConv2d: got a tensor of shape {tuple(x.shape)}; expected [B, {self.conv.in_channels}, rows, "
                "columns]"
            )
        rows, columns = self.warp.sheet_size(x.shape[-2:])
        stride = self.conv.stride[0]
        for name, n, periodic in zip("uv", (rows, columns), self.warp.periodic, strict=True):
            if periodic and n % stride:
                raise ValueError(
                    f"WarpedConv2d: the periodic axis {name} has {n} samples; expected a multiple of the stride "
                    f"{stride}, or a shift would cross the seam at another phase"
                )

    def extra_repr(self) -> str:
        """Coordinates, for printing."""
        return f"{self.warp.name}, periodic={self.warp.periodic}, padding_mode={self.padding_mode!r}"
