"""Anti-aliased downsampling by a sampled Gaussian."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.type import FieldType
from steerable.nn.exactness import check_stride
from steerable.nn.module import EquivariantModule, require_type
from steerable.nn.pool import require_window


def gaussian_taps(kernel_size: int, sigma: float) -> Tensor:
    """Normalised samples ``[kernel_size]`` (float64) of a Gaussian about the centre of the window."""
    x = torch.arange(kernel_size, dtype=torch.float64, device="cpu") - (kernel_size - 1) / 2
    w = torch.exp(-0.5 * (x / sigma) ** 2)
    return w / w.sum()


def exact_kernel(side: int, kernel_size: int, stride: int, padding: int) -> int:
    """The smallest kernel from ``kernel_size`` on that leaves no pixel over on ``side`` pixels."""
    return kernel_size + (side + 2 * padding - kernel_size) % stride


def blur(x: Tensor, taps: list[Tensor], stride: int, padding: int) -> Tensor:
    """Each channel of ``x [B, C, *sides]`` by the product of 1-D filters, one an axis; zeros outside."""
    window = taps[0]
    for t in taps[1:]:
        window = window[..., None] * t
    window = window.to(x.dtype).expand(x.shape[1], 1, *window.shape)
    conv = F.conv2d if len(taps) == 2 else F.conv3d
    return conv(x, window, stride=stride, padding=padding, groups=x.shape[1])


class _BlurPool(EquivariantModule):
    """Blur and stride in any dimension."""

    #: dimension of the space
    spatial: ClassVar[int]

    def __init__(
        self,
        in_type: FieldType,
        stride: int = 2,
        sigma: float = 0.66,
        kernel_size: int | None = None,
        padding: int | None = None,
    ) -> None:
        name = type(self).__name__
        require_type(in_type, name)
        super().__init__(in_type, in_type)
        if not sigma > 0:
            raise ValueError(f"{name}: sigma must be positive, got {sigma!r}")
        base = 2 * round(3 * sigma) + 1 if kernel_size is None else kernel_size
        require_window(name, base, stride, 0)
        self.kernel_size, self.stride, self.sigma = kernel_size, stride, float(sigma)
        self.base = base
        self.padding = (base - 1) // 2 if padding is None else padding
        require_window(name, base, stride, self.padding)
        for k in range(base, base + (stride if kernel_size is None else 1)):
            self.register_constant(f"taps_{k}", gaussian_taps(k, self.sigma))

    def forward(self, x: Tensor) -> Tensor:
        """Blur and stride ``x``."""
        self.check_input(x, spatial=self.spatial)
        if self.kernel_size is not None:
            check_stride(self, x.shape[2:], self.kernel_size, self.stride, self.padding)
            taps = [getattr(self, f"taps_{self.kernel_size}")] * self.spatial
        else:
            fitted = (exact_kernel(side, self.base, self.stride, self.padding) for side in x.shape[2:])
            taps = [getattr(self, f"taps_{k}") for k in fitted]
        return blur(x, taps, self.stride, self.padding)

    def extra_repr(self) -> str:
        """Type and window, for printing."""
        window = self.kernel_size or "fitted"
        return f"{self.in_type!r}, stride={self.stride}, sigma={self.sigma}, kernel_size={window}"

    def bake(self) -> nn.Module:
        """The same filters without a type."""
        taps = {name: t for name, t in self.named_buffers() if name.startswith("taps_")}
        return PlainBlur(taps, self.base, self.stride, self.padding, self.kernel_size is None)


class BlurPool2d(_BlurPool):
    """Gaussian blur, then every ``stride``-th pixel; ``[B, C, H, W]`` to ``[B, C, H', W']``, any type.

    The Gaussian is isotropic, so it commutes with rotations; before a stride it removes what would alias. Zhang, ICML
    2019; sigma 0.66 as in Weiler and Cesa, NeurIPS 2019.

    With ``kernel_size=None`` the window has the smallest sufficient side (5 at the default sigma, padding 2), widened
    by up to ``stride - 1`` taps so that the size rule holds: exact on odd and even sides alike, and for
    stride 2 ``H' = ceil(H / 2)``.

    Args:
        in_type: any type.
        stride: step.
        sigma: width of the Gaussian in pixels.
        kernel_size: side of the window, or ``None`` to fit the input.
        padding: pixels of zero on every border; default half the window.

    Raises:
        ValueError: for a bad argument, wrong channels, or in strict mode for a size that is not exact with a fixed
        kernel.
    """

    spatial = 2


class BlurPool3d(_BlurPool):
    """:class:`BlurPool2d` of volumes ``[B, C, D, H, W]``, with the same arguments, size rule and errors."""

    spatial = 3


class PlainBlur(nn.Module):
    """Depthwise Gaussian with a stride."""

    def __init__(self, taps: dict[str, Tensor], base: int, stride: int, padding: int, fitted: bool) -> None:
        super().__init__()
        self.base, self.stride, self.padding, self.fitted = base, stride, padding, fitted
        for name, value in taps.items():
            self.register_buffer(name, value.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Blur and stride ``x [B, C, *sides]``."""
        sides = [
            exact_kernel(s, self.base, self.stride, self.padding) if self.fitted else self.base for s in x.shape[2:]
        ]
        return blur(x, [getattr(self, f"taps_{k}") for k in sides], self.stride, self.padding)
