"""Bring images to a size at which a strided network is exactly equivariant, without interpolation."""

from __future__ import annotations

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
        return crop_volume(x, (size, size, size))
    return cut(x, size, size)


def cut(x: Tensor, height: int, width: int) -> Tensor:
    """Pad with zeros or crop ``[..., H, W]`` to ``[..., height, width]`` about the centre; see :func:`centre`.

    Raises:
        InputError: a size below 1.
    """
    if min(height, width) < 1:
        raise InputError(f"resize: size {min(height, width)}; expected at least 1 pixel.")
    h, w = x.shape[-2:]
    top, left = (
        (height - h) // 2 if height >= h else -((h - height) // 2),
        (width - w) // 2 if width >= w else -((w - width) // 2),
    )
    return F.pad(x, (left, width - w - left, top, height - h - top))


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


def crop_volume(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Pad with zeros or crop ``[..., D, H, W]`` about the centre."""
    pad: list[int] = []
    for have, want in zip(x.shape[-3:], size, strict=True):
        low = (want - have) // 2 if want >= have else -((have - want) // 2)
        pad = [low, want - have - low, *pad]
    return F.pad(x, pad)
