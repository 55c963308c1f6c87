"""Arrays as maps of a sampling of the sphere: axes, missing pixels, and what a wrong length most likely is."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.domains.sphere import HealpixSphere, Sphere, parse_sphere

#: what HEALPix software writes where nothing was observed
UNSEEN = -1.6375e30


def sampling_of(text: str | Sphere, source: str) -> Sphere:
    """Return the sampling that is given or named.

    Raises:
        InputError: naming what is known.
    """
    try:
        return parse_sphere(text)
    except ValueError as e:
        raise InputError(f"{source}: {e}.") from None


def as_maps(x: np.ndarray, sphere: Sphere, source: str, mask_value: float | None = None) -> Tensor:
    """Turn ``[N, *shape]`` or ``[N, C, *shape]`` into float32 ``[N, C, *shape]``; 8-bit integers come into [0, 1].

    Args:
        x: the maps.
        sphere: where they lie.
        source: what they are called in a message.
        mask_value: what stands at missing pixels, such as :data:`UNSEEN` or NaN. There all channels become 0, and one
            more channel is added, the last, which is 1 where the map is known; then the result has ``C + 1`` channels.

    Raises:
        InputError: another shape, naming what it most likely is; no numbers; missing pixels without `mask_value`.
    """
    k = len(sphere.shape)
    if x.dtype.kind not in "fiub" or x.ndim not in (k + 1, k + 2) or x.shape[-k:] != sphere.shape or not len(x):
        raise InputError(
            f"{source}: maps are {x.dtype} {list(x.shape)}; expected numbers [N, {_shape(sphere)}] or "
            f"[N, C, {_shape(sphere)}] on {sphere!r}{likely(x.shape, sphere)}."
        )
    missing = missing_pixels(x, mask_value)
    with np.errstate(over="ignore"):
        found = torch.from_numpy(np.ascontiguousarray(np.where(missing, 0, x)).astype(np.float32))
    found = found / 255 if x.dtype == np.uint8 else found
    gone = torch.from_numpy(missing)
    if x.ndim == k + 1:
        found, gone = found[:, None], gone[:, None]
    if mask_value is not None:
        gone = gone.any(1, keepdim=True)
        return torch.cat([found.masked_fill(gone, 0), (~gone).float()], 1)
    if gone.any():
        values = x[missing]
        what = "NaN" if np.isnan(values).all() else f"{UNSEEN:g} (UNSEEN of HEALPix)"
        raise InputError(
            f"{source}: {int(gone.sum())} of {gone.numel()} pixels are {what}; expected numbers. Set "
            f"data.options.mask_value to {'.nan' if np.isnan(values).all() else f'{UNSEEN:g}'} in training: such "
            "pixels become 0, and a channel is added that says where the map is known."
        )
    return found


def read_mask_value(given: float | str | None) -> float | None:
    """Return the value of missing pixels; a text such as ``nan`` or ``-1.6375e30`` is read as a number.

    Raises:
        InputError: a text that is none.
    """
    try:
        return None if given is None else float(given)
    except (TypeError, ValueError):
        raise InputError(
            f"data.options.mask_value is {given!r}; expected the number that stands at missing pixels, such as .nan or "
            f"{UNSEEN:g}."
        ) from None


def missing_pixels(x: np.ndarray, mask_value: float | None) -> np.ndarray:
    """Return where pixels are NaN, :data:`UNSEEN` or, where it is given, `mask_value` (to 1e-5 of it)."""
    if x.dtype.kind != "f" and mask_value is None:
        return np.zeros(x.shape, dtype=bool)
    x = x.astype(np.float64)
    found = np.isnan(x) | (np.abs(x - UNSEEN) <= 1e-5 * abs(UNSEEN))
    if mask_value is None or math.isnan(mask_value):
        return found
    return found | (np.abs(x - mask_value) <= 1e-5 * abs(mask_value))


def with_mask(type: str, channels: int, masked: bool) -> str:
    """Return the type of the fields when a channel was added that says where they are known.

    Args:
        type: of the fields of the file; empty: scalars.
        channels: of the file.
        masked: whether there is such a channel.
    """
    return f"{type or f'{channels}x0'} + 1x0" if masked else type


def likely(shape: tuple[int, ...], sphere: Sphere) -> str:
    """Say which sampling an array ``[..., *shape]`` of another length most likely has; empty where nothing is known."""
    found: list[str] = []
    if not shape:
        return ""
    n = shape[-1]
    k = len(sphere.shape)
    if any(shape[i : i + k] == sphere.shape for i in range(1, len(shape) - k)):
        return ". The channels stand last: move them before the samples"
    if len(shape) > 1 and shape[-2:] != sphere.shape:
        rows, columns = shape[-2:]
        if shape[-2:] == sphere.shape[::-1]:
            return ". It lies on its side: latitude comes first, from the north"
        if columns == 2 * rows:
            found.append(f"gauss({rows}), band {rows}, or equiangular(nlat={rows}, kind=fejer) for rows at equal steps")
        elif columns == 2 * rows - 1:
            found.append(f"equiangular({rows}, mw), band {rows}")
        elif columns == 2 * rows - 2:
            found.append(f"equiangular(nlat={rows}, kind=cc), with both poles")
        if found and len(shape) > 3:  # [N, C, rows, columns]
            known = "steerable.data.LatLonGrid finds it from latitudes and longitudes"
            return f". A map of this shape is one of {found[0]}: set data.options.sampling; {known}"
    side = math.isqrt(n // 12)
    if side and n == 12 * side**2 and shape[-1:] != sphere.shape:
        order = "" if isinstance(sphere, HealpixSphere) and not sphere.nested else " by rings"
        nested = f", or healpix({side}, nested) if its pixels are in nested order" if not side & (side - 1) else ""
        found.append(f"healpix({side}){order}{nested}")
    level = round(math.log(max(n - 2, 10) / 10, 4))
    if n == 10 * 4**level + 2 and shape[-1:] != sphere.shape:
        found.append(f"icosahedral({level})")
    return f". A map of this length is one of {'; '.join(found)}: set data.options.sampling" if found else ""


def _shape(sphere: Sphere) -> str:
    return ", ".join(map(str, sphere.shape))
