"""Max pooling for fields that turn: the longest vector of each window."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.type import FieldType
from steerable.nn.exactness import check_stride
from steerable.nn.module import EquivariantModule, field_of_channel, require_type
from steerable.nn.pool import require_window


def norm_max_pool(
    x: Tensor, shapes: tuple[tuple[int, int], ...], field: Tensor, kernel_size: int, stride: int, padding: int
) -> Tensor:
    """From each window of ``x [B, C, H, W]``, each field at the pixel where its norm is largest.

    Args:
        x: features.
        shapes: ``(multiplicity, dimension)`` of each block.
        field: ``[C]`` the field to which a channel belongs.
        kernel_size: side of the window.
        stride: step.
        padding: pixels around, never chosen.
    """
    parts = x.split([m * d for m, d in shapes], 1)
    squares = [
        p.square() if d == 1 else p.unflatten(1, (m, d)).square().sum(2)
        for p, (m, d) in zip(parts, shapes, strict=True)
    ]
    norms = squares[0] if len(squares) == 1 else torch.cat(squares, 1)
    _, place = F.max_pool2d(norms.detach(), kernel_size, stride, padding, return_indices=True)
    places = place.index_select(1, field)
    return x.flatten(2).gather(2, places.flatten(2)).reshape(places.shape)


class NormMaxPool2d(EquivariantModule):
    """From each window the field vector with the largest norm; ``[B, C, H, W]`` to ``[B, C, H', W']``, any type.

    Norms do not change under the group, so the choice turns with the image (Weiler and Cesa, NeurIPS 2019, appendix on
    pooling). Where two pixels of a window tie exactly, the first in reading order is taken. Exact for quarter turns if
    ``(side + 2 padding - kernel_size) % stride == 0``.

    Args:
        in_type: any type.
        kernel_size: side of the window.
        stride: step; default ``kernel_size``.
        padding: pixels around, never chosen.

    Raises:
        ValueError: for wrong channels, or in strict mode for a size that is not exact.
    """

    def __init__(self, in_type: FieldType, kernel_size: int, stride: int | None = None, padding: int = 0) -> None:
        require_type(in_type, "NormMaxPool2d")
        super().__init__(in_type, in_type)
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride
        require_window("NormMaxPool2d", kernel_size, self.stride, padding)
        if not in_type.size:
            raise ValueError(f"NormMaxPool2d: the type must have channels, got {in_type!r}")
        self.shapes = tuple(b.shape for b in in_type.blocks)
        self.register_constant("field", field_of_channel(in_type))

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``x``."""
        self.check_input(x, spatial=2)
        check_stride(self, x.shape[-2:], self.kernel_size, self.stride, self.padding)
        return norm_max_pool(x, self.shapes, self.field, self.kernel_size, self.stride, self.padding)

    def extra_repr(self) -> str:
        """Type and window, for printing."""
        return f"{self.in_type!r}, kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"

    def bake(self) -> nn.Module:
        """The same operations without a type."""
        return PlainNormMaxPool(self.shapes, self.field, self.kernel_size, self.stride, self.padding)


class PlainNormMaxPool(nn.Module):
    """The longest vector of each window."""

    def __init__(
        self, shapes: tuple[tuple[int, int], ...], field: Tensor, kernel_size: int, stride: int, padding: int
    ) -> None:
        super().__init__()
        self.shapes, self.window = shapes, (kernel_size, stride, padding)
        self.register_buffer("field", field.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``x [B, C, H, W]``."""
        return norm_max_pool(x, self.shapes, self.field, *self.window)  # type: ignore[arg-type]
