"""The size rule of strided windows: when a stride keeps the lattice symmetric."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import nn


class ExactnessWarning(UserWarning):
    """What is exact by construction is not, with what it was given: a size of images, a sharing of integer scales."""


def is_exact_stride(side: int, kernel_size: int, stride: int, padding: int, dilation: int = 1) -> bool:
    """Whether a strided window visits positions symmetric about the centre of ``side`` pixels.

    The rule is ``(side + 2 padding - dilation (kernel_size - 1) - 1) % stride == 0``: nothing is left over on one
    border only. It holds for convolutions and every kind of pooling, odd and even kernels alike.
    """
    return (side + 2 * padding - dilation * (kernel_size - 1) - 1) % stride == 0


def check_stride(
    layer: nn.Module, size: Sequence[int], kernel_size: int, stride: int, padding: int, dilation: int = 1
) -> None:
    """Warn once per layer, or raise where ``layer.strict`` is true, if a stride breaks the symmetry of the lattice.

    Silent while compiling or exporting, and looks at shapes only.

    Args:
        layer: the layer, for its name and its attribute ``strict`` (absent means false).
        size: spatial shape of the input, for example ``x.shape[-2:]``.
        kernel_size: side of the window.
        stride: step of the window.
        padding: pixels added on every border.
        dilation: distance between neighbours within the window.

    Raises:
        ValueError: in strict mode, naming the size, the rule and the sizes nearby that are exact.
    """
    if stride == 1 or torch.compiler.is_compiling():
        return
    sides = [int(side) for side in size]
    broken = [s for s in sides if not is_exact_stride(s, kernel_size, stride, padding, dilation)]
    if not broken or (getattr(layer, "_told_stride", False) and not getattr(layer, "strict", False)):
        return
    reach = dilation * (kernel_size - 1) + 1
    left = (broken[0] + 2 * padding - reach) % stride
    low = broken[0] - left
    nearby = f"{low} or {low + stride}" if low + 2 * padding >= reach and low > 0 else f"{low + stride}"
    message = (
        f"{type(layer).__name__}: input of size {' x '.join(map(str, sides))} is not exact for stride {stride}, "
        f"kernel {kernel_size}, padding {padding}: (side + 2 padding - {reach}) % stride is {left}, expected 0, "
        f"so quarter turns and reflections sample other pixels. Use sides such as {nearby} instead of "
        f"{broken[0]} (pad or crop the input)"
    )
    if getattr(layer, "strict", False):
        raise ValueError(message)
    layer._told_stride = True  # type: ignore[assignment]
    warnings.warn(message, ExactnessWarning, stacklevel=3)


def strict(model: nn.Module, mode: bool = True) -> nn.Module:
    """Make every layer of a model raise, rather than warn, at a size that is not exact.

    Args:
        model: any module; it is changed in place.
        mode: whether to raise.

    Returns:
        The model.
    """
    for layer in model.modules():
        layer.strict = mode  # type: ignore[assignment]
    return model
