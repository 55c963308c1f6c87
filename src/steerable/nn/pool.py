"""Max and average pooling of pixels and voxels: one implementation for both."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.type import FieldType
from steerable.nn.exactness import check_stride
from steerable.nn.module import EquivariantModule, require_type


def require_permutation(in_type: FieldType, layer: str, mend: str) -> None:
    """Raise ``TypeError`` if a maximum over positions, channel by channel, would break the symmetry of a type."""
    for b in require_type(in_type, layer).blocks:
        if not b.rep.is_permutation:
            raise TypeError(
                f"{layer}: a maximum of each channel is equivariant only on regular, quotient and trivial "
                f"fields, got {b} in {in_type!r}; use {mend}"
            )


def require_window(layer: str, kernel_size: int, stride: int, padding: int) -> None:
    """Raise ``ValueError`` unless a pooling window has positive sides and at most half of it is padding."""
    given = (("kernel_size", kernel_size, 1), ("stride", stride, 1), ("padding", padding, 0))
    for name, value, least in given:
        if not isinstance(value, int) or value < least:
            raise ValueError(
                f"{layer}: {name} must be an integer of at least {least}, got {value!r}; windows are "
                f"square, since rotations swap the axes"
            )
    if padding > kernel_size // 2:
        raise ValueError(
            f"{layer}: padding must be at most half the kernel, got padding {padding} with kernel_size {kernel_size}"
        )


_MAX = {2: F.max_pool2d, 3: F.max_pool3d}
_AVG = {2: F.avg_pool2d, 3: F.avg_pool3d}
_PLAIN_MAX: dict[int, type[nn.MaxPool2d] | type[nn.MaxPool3d]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
_PLAIN_AVG: dict[int, type[nn.AvgPool2d] | type[nn.AvgPool3d]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}


class _Pool(EquivariantModule):
    """A square or cubic window that moves by ``stride`` over ``x [B, C, *sides]``; the size rule is checked."""

    #: dimension of the space
    spatial: ClassVar[int]

    def __init__(self, in_type: FieldType, kernel_size: int, stride: int | None, padding: int) -> None:
        require_type(in_type, type(self).__name__)
        super().__init__(in_type, in_type)
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride
        require_window(type(self).__name__, kernel_size, self.stride, padding)

    def _check(self, x: Tensor) -> None:
        self.check_input(x, spatial=self.spatial)
        check_stride(self, x.shape[2:], self.kernel_size, self.stride, self.padding)

    def extra_repr(self) -> str:
        """Type and window, for printing."""
        return f"{self.in_type!r}, kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _MaxPool(_Pool):
    """Largest value of each window, channel by channel."""

    def __init__(self, in_type: FieldType, kernel_size: int, stride: int | None = None, padding: int = 0) -> None:
        name = type(self).__name__
        require_permutation(in_type, name, f"NormMaxPool2d, BlurPool{self.spatial}d or AvgPool{self.spatial}d")
        super().__init__(in_type, kernel_size, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``x``."""
        self._check(x)
        return _MAX[self.spatial](x, self.kernel_size, self.stride, self.padding)

    def bake(self) -> nn.Module:
        """``torch.nn.MaxPool2d`` or ``MaxPool3d``."""
        return _PLAIN_MAX[self.spatial](self.kernel_size, self.stride, self.padding)


class _AvgPool(_Pool):
    """Mean of each window."""

    def __init__(
        self,
        in_type: FieldType,
        kernel_size: int,
        stride: int | None = None,
        padding: int = 0,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(in_type, kernel_size, stride, padding)
        self.count_include_pad = count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``x``."""
        self._check(x)
        return _AVG[self.spatial](x, self.kernel_size, self.stride, self.padding, False, self.count_include_pad)

    def bake(self) -> nn.Module:
        """``torch.nn.AvgPool2d`` or ``AvgPool3d``."""
        return _PLAIN_AVG[self.spatial](self.kernel_size, self.stride, self.padding, False, self.count_include_pad)


class MaxPool2d(_MaxPool):
    """Largest value in each window, channel by channel; ``[B, C, H, W]`` to ``[B, C, H', W']``.

    Exact for quarter turns and reflections if ``(side + 2 padding - kernel_size) % stride == 0``: even sides for the
    usual window of 2, odd sides for a window of 3 with stride 2 and padding 1.

    Args:
        in_type: regular, quotient and trivial fields.
        kernel_size: side of the window.
        stride: step; default ``kernel_size``.
        padding: pixels of minus infinity on every border.

    Raises:
        TypeError: for other fields (use ``NormMaxPool2d``).
        ValueError: for wrong channels, or in strict mode for a size that is not exact.
    """

    spatial = 2


class MaxPool3d(_MaxPool):
    """:class:`MaxPool2d` of volumes ``[B, C, D, H, W]``, with the same arguments, size rule and errors."""

    spatial = 3


class AvgPool2d(_AvgPool):
    """Mean of each window; ``[B, C, H, W]`` to ``[B, C, H', W']``. Linear, so it takes any type.

    Args:
        in_type: any type.
        kernel_size: side of the window.
        stride: step; default ``kernel_size``.
        padding: pixels of zero on every border.
        count_include_pad: whether these zeros count in the mean.

    Raises:
        ValueError: for wrong channels, or in strict mode for a size that is not exact (see :class:`MaxPool2d`).
    """

    spatial = 2


class AvgPool3d(_AvgPool):
    """:class:`AvgPool2d` of volumes ``[B, C, D, H, W]``, with the same arguments, size rule and errors."""

    spatial = 3
