"""Bring images to a size at which a strided network is exactly equivariant, without interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data.errors import InputError


def centre(x: Tensor, size: int) -> Tensor:
    """Pad with zeros or crop ``[..., H, W]`` to ``[..., size, size]`` about the centre; volumes to a cube.

    A quarter turn about the centre commutes with this only if the same number of pixels is added or taken on all four
    sides; where the parities of H and `size` differ, one row below and one column on the right are added or taken
    last, which moves the centre by half a pixel once, before any turn is applied.

    Raises:
        InputError: a size below 1.
    """
    if x.ndim == 5 and size >= 1:
        return crop(x, (size, size, size))
    return cut(x, size, size)


def cut(x: Tensor, height: int, width: int) -> Tensor:
    """Pad with zeros or crop ``[..., H, W]`` to ``[..., height, width]`` about the centre; see :func:`centre`.

    Raises:
        InputError: a size below 1.
    """
    if min(height, width) < 1:
        raise InputError(f"resize: size {min(height, width)}; expected at least 1 pixel.")
    return crop(x, (height, width))


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
