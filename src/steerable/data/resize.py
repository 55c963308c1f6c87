"""Bring images to a size at which a strided network is exactly equivariant, without interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data.errors import InputError, did_you_mean

#: what stands in pixels that a file does not have: the background, see :func:`background`, or 0
PADS = ("border", "zero")


def centre(x: Tensor, size: int, border: float = 0) -> Tensor:
    """Pad or crop ``[..., H, W]`` to ``[..., size, size]`` about the centre; volumes to a cube.

    Args:
        x: images, or volumes ``[N, C, D, H, W]``.
        size: of each side.
        border: 1: pad with the :func:`background`; 0: with zeros, as recipes say it that were written before there was
            a choice.

    A quarter turn about the centre commutes with this only if the same number of pixels is added or taken on all four
    sides; where the parities of H and `size` differ, one row below and one column on the right are added or taken
    last, which moves the centre by half a pixel once, before any turn is applied.

    Raises:
        InputError: a size below 1.
    """
    return pad_or_cut(x, [size] * (3 if x.ndim == 5 else 2), PADS[0] if border else PADS[1])


def pad_or_cut(x: Tensor, size: Sequence[int], pad: str = "border") -> Tensor:
    """Pad or cut the last axes of images or volumes to `size` about the centre; see :func:`centre`.

    Args:
        x: ``[..., H, W]`` or ``[..., D, H, W]``; without NaN.
        size: of the last two or three axes.
        pad: ``border``: with the :func:`background` of each channel; ``zero``: with zeros.

    Raises:
        InputError: a size below 1, or another word.
    """
    if min(size) < 1:
        raise InputError(f"resize: size {min(size)}; expected at least 1 pixel.")
    if pad not in PADS:
        raise InputError(f"data.options.pad is '{pad}'; expected one of {', '.join(PADS)}.{did_you_mean(pad, PADS)}")
    have = x.shape[x.dim() - len(size) :]
    found = crop(x, size)
    if pad == "zero" or all(n <= h for n, h in zip(size, have, strict=True)):
        return found
    inside = crop(torch.ones(have, dtype=torch.bool, device=x.device), size)
    return torch.where(inside, found, background(x, len(size)))


def background(x: Tensor, axes: int) -> Tensor:
    """Return the median of the outermost pixels of each channel: what lies around most pictures, bright or dark.

    It does not change with turns and flips of the pixels, and things that touch less than half of the border do not
    move it.

    Args:
        x: ``[..., H, W]`` or ``[..., D, H, W]``.
        axes: 2 or 3.

    Returns:
        ``[..., 1, 1]`` or ``[..., 1, 1, 1]``; of an even number of pixels the lower of the two in the middle.
    """
    parts, inner = [], x
    for axis in range(-axes, 0):
        n = inner.shape[axis]
        parts += [inner.narrow(axis, k, 1).flatten(-axes) for k in ((0, n - 1) if n > 1 else (0,))]
        inner = inner.narrow(axis, 1, max(n - 2, 0)) if n > 1 else inner.narrow(axis, 0, 0)
    return middle(torch.cat(parts, -1))[(..., *[None] * axes)]


def middle(x: Tensor) -> Tensor:
    """Return the median of ``[..., n]`` along the last axis, the lower of two: ``[...]``."""
    if torch.compiler.is_exporting():  # the same number by an operator that every exporter knows
        return x.sort(-1).values[..., (x.shape[-1] - 1) // 2]
    return x.median(-1).values


def resample(x: Tensor, height: int, width: int) -> Tensor:
    """Interpolate ``[N, C, H, W]`` to ``[N, C, height, width]``, bilinearly, with a low pass where it shrinks."""
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=False, antialias=True)


def bin_pixels(x: Tensor, factor: int) -> Tensor:
    """Average blocks of `factor` by `factor` pixels of ``[N, C, H, W]``: exact under quarter turns and flips.

    Raises:
        InputError: a factor below 1, or a side that is no multiple of it.
    """
    h, w = x.shape[-2:]
    if x.ndim == 5:
        raise InputError(
            f"resize: volumes of {list(x.shape[2:])} and bins of {factor}; expected images. Set bins to 1."
        )
    if factor < 1 or h % factor or w % factor:
        raise InputError(f"resize: images of {h} x {w} and bins of {factor}; expected sides that {factor} divides.")
    return x if factor == 1 else F.avg_pool2d(x, factor)


def crop(x: Tensor, size: Sequence[int], value: float = 0) -> Tensor:
    """Pad with a value or cut the last axes to `size` about the centre; to another size and back is where it was."""
    pad: list[int] = []
    for have, want in zip(x.shape[x.dim() - len(size) :], size, strict=True):
        low = (want - have) // 2 if want >= have else -((have - want) // 2)
        pad = [low, want - have - low, *pad]
    return F.pad(x, pad, value=value)


def in_size(answer: Tensor, size: Sequence[int], how: str) -> Tensor:
    """Bring answers at places of a resized sample to the places of the sample itself.

    Args:
        answer: classes ``[*places]``, whole numbers, or values ``[K, *places]``.
        size: of the sample before it was resized.
        how: ``crop``: what had been cut off has no answer, -1 (int16) or NaN; ``scale``: the nearest class, values are
            interpolated linearly.
    """
    whole = not answer.is_floating_point()
    if how == "crop":
        lost = any(n > m for n, m in zip(size, answer.shape[answer.dim() - len(size) :], strict=True))
        return crop(answer.to(torch.int16) if whole and lost else answer, size, -1 if whole else math.nan)
    lead = answer[None, None].double() if whole else answer[None]
    if whole:
        return F.interpolate(lead, tuple(size), mode="nearest-exact")[0, 0].to(answer.dtype)
    mode = "bilinear" if len(size) == 2 else "trilinear"
    return F.interpolate(lead, tuple(size), mode=mode, align_corners=False)[0]
