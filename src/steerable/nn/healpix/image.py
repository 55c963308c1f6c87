"""HEALPix maps as twelve small images with a border, and what their layers check."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from steerable.domains.sphere import HealpixSphere, parse_sphere
from steerable.domains.sphere.healpix_neighbours import neighbour
from steerable.fields.type import FieldType
from steerable.groups.cyclic import C
from steerable.nn.module import require_type


def face_images(sphere: HealpixSphere, ring: int, stride: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tables that lay a map out for an ordinary convolution with a window of ``2 ring + 1`` pixels.

    The base pixels stand one below the other, with x to the right and y upwards, each with a border of ``ring`` pixels
    of the adjacent ones. Where three base pixels meet, the border has a corner that no pixel fills.

    Args:
        sphere: the pixels and their order.
        ring: width of the border.
        stride: 1, or 2: windows around the southern child of each coarser pixel.

    Returns:
        ``into [12 h, w]``, the number of the pixel at each place, ``12 nside^2`` (a zero) where there is none; ``out``,
        the place of each pixel of the result among the windows ``[N / stride^2]``; and ``share`` of the same shape, the
        number of taps over that of the pixels under them, float64.
    """
    n, height, width = sphere.nside, sphere.nside + 2 * ring, sphere.nside + 2 * ring - (stride - 1)
    face, row, column = np.meshgrid(np.arange(12), np.arange(height), np.arange(width), indexing="ij")
    x, y = column - ring, n - stride + ring - row
    near_x, near_y = np.clip(x, 0, n - 1), np.clip(y, 0, n - 1)
    into = np.full(face.shape, sphere.num_points)
    for dx in range(-ring, ring + 1):
        for dy in range(-ring, ring + 1):
            here = (x - near_x == dx) & (y - near_y == dy)
            there, exists = neighbour(n, (face[here], near_x[here], near_y[here]), (dx, dy))
            into[here] = np.where(exists, sphere.number(*there).numpy(), sphere.num_points)
    target = sphere if stride == 1 else sphere.coarser()
    face, x, y = target.faces()
    windows = (width - 2 * ring - 1) // stride + 1
    out = torch.from_numpy((face * (height // stride) + target.nside - 1 - y) * windows + x)
    image = torch.from_numpy(into).view(12 * height, width)
    taps = torch.ones(1, 1, 2 * ring + 1, 2 * ring + 1, dtype=torch.float64)
    held = nn.functional.conv2d((image < sphere.num_points).to(taps)[None, None], taps, stride=stride).flatten()[out]
    return image, out, taps.sum() / held


def scalars(value: FieldType | int, layer: str, argument: str) -> FieldType:
    """A number of channels as a type of C(1); types of other groups are refused.

    Raises:
        TypeError: for neither a number nor a type.
        ValueError: for no channel, or a group that turns frames.
    """
    if isinstance(value, int):
        if value < 1:
            raise ValueError(f"{layer}: {argument} is {value}; expected at least one channel")
        return value * C(1).trivial
    found = require_type(value, layer, argument)
    if found.group != C(1):
        raise ValueError(
            f"{layer}: {argument} is of {found.group.name}; expected C(1): neighbours are held by the pixel grid, "
            f"which no turn of frames keeps. For {found.group.name} there is SphereConv"
        )
    return found


def require_healpix(sphere: object, layer: str, nested: bool = False) -> HealpixSphere:
    """The sampling, given or named, if it is HEALPix; in nested order where that is asked for.

    Raises:
        TypeError: for another sampling.
        ValueError: for the order by rings.
    """
    if isinstance(sphere, str):
        sphere = parse_sphere(sphere)
    if not isinstance(sphere, HealpixSphere):
        raise TypeError(f"{layer}: the sampling is {sphere!r}; expected one such as Sphere.healpix(32, nested=True)")
    if nested and not sphere.nested:
        raise ValueError(
            f"{layer}: {sphere!r} counts by rings; expected nested order, in which four children stand side by side. "
            f"Say Sphere.healpix({sphere.nside}, nested=True), and sphere.reorder(x, nested=True) for maps"
        )
    return sphere


def check_pixels(layer: nn.Module, x: Tensor, sphere: HealpixSphere) -> None:
    """Refuse a map of another size. Looks at shapes only, silent while compiling.

    Raises:
        ValueError: naming the right length and, if it is a map, its nside.
    """
    if torch.compiler.is_compiling() or tuple(x.shape[2:]) == sphere.shape:
        return
    side = math.isqrt(x.shape[-1] // 12)
    if x.dim() > 3:
        hint = "; that is an image: resample it first (tasks.panoramas.resample)"
    else:
        hint = f"; that is a map of nside {side}" if side and 12 * side**2 == x.shape[-1] else ""
    raise ValueError(
        f"{type(layer).__name__}: the input is {list(x.shape)}; this layer is on {sphere!r} and expects "
        f"[B, {x.shape[1]}, {sphere.num_points}]{hint}"
    )
