"""Arrays as maps of a sampling of the sphere: axes, missing pixels, and what a wrong length most likely is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from steerable.data.checks import field_type
from steerable.data.errors import InputError
from steerable.domains.sphere import HealpixSphere, Sphere, parse_sphere
from steerable.groups import Representation

#: what HEALPix software writes where nothing was observed
UNSEEN = -1.6375e30
#: above it numbers stand for something else (1e20 and 9.97e36 in files of climate data), and squares overflow
HUGE = 1e19
#: a channel that says where a map is known: one for all channels, or one for each field
MASKS = ("map", "fields")


def sampling_of(text: str | Sphere, source: str) -> Sphere:
    """Return the sampling that is given or named.

    Raises:
        InputError: naming what is known.
    """
    try:
        return parse_sphere(text)
    except ValueError as e:
        raise InputError(f"{source}: {e}.") from None


def as_maps(
    x: np.ndarray, sphere: Sphere, source: str, mask_value: float | None = None, mask: str = "map", type: str = "",
    nan: bool = False,
) -> Tensor:  # fmt: skip
    """Turn ``[N, *shape]`` or ``[N, C, *shape]`` into float32 ``[N, C, *shape]``; 8-bit integers come into [0, 1].

    Args:
        x: the maps.
        sphere: where they lie.
        source: what they are called in a message.
        mask_value: what stands at missing pixels, such as :data:`UNSEEN` or NaN. There the map becomes 0, and channels
            are added, the last, which are 1 where it is known.
        mask: one of :data:`MASKS`: one channel more, and where one channel is missing all are taken so; or one more for
            each field.
        type: the fields of `x`; empty: scalars.
        nan: missing pixels become NaN instead, and no channel is added.

    Raises:
        InputError: another shape, naming what it most likely is; no numbers; missing pixels without `mask_value`;
            numbers above 1e19, which stand for something else.
    """
    k = len(sphere.shape)
    if x.dtype.kind not in "fiub" or x.ndim not in (k + 1, k + 2) or x.shape[-k:] != sphere.shape or not len(x):
        raise InputError(
            f"{source}: maps are {x.dtype} {list(x.shape)}; expected numbers [N, {_shape(sphere)}] or "
            f"[N, C, {_shape(sphere)}] on {sphere!r}{likely(x.shape, sphere)}."
        )
    missing = missing_pixels(x, mask_value)
    check_huge(x, missing, source, "--data.options.mask_value={}")
    with np.errstate(over="ignore"):
        found = torch.from_numpy(np.ascontiguousarray(np.where(missing, 0, x)).astype(np.float32))
    found = found / 255 if x.dtype == np.uint8 else found
    gone = torch.from_numpy(missing)
    if x.ndim == k + 1:
        found, gone = found[:, None], gone[:, None]
    if nan:
        return found.masked_fill(gone, math.nan)
    if mask_value is not None:
        sizes = mask_groups(mask, type, found.shape[1], source)
        each = [part.any(1, keepdim=True) for part in gone.split(sizes, 1)]
        wide = torch.cat([g.expand_as(part) for g, part in zip(each, gone.split(sizes, 1), strict=True)], 1)
        return torch.cat([found.masked_fill(wide, 0), *((~g).float() for g in each)], 1)
    if gone.any():
        values = x[missing]
        what = "NaN" if np.isnan(values).all() else f"{UNSEEN:g} (UNSEEN of HEALPix)"
        raise InputError(
            f"{source}: {int(gone.sum())} of {gone.numel()} pixels are {what}; expected numbers. Train with "
            "--data.options.mask_value=.nan (UNSEEN is missing with it, too): such pixels become 0, and a channel is "
            "added that says where the map is known."
        )
    return found


def mask_groups(mask: str, type: str, channels: int, source: str) -> list[int]:
    """Return how many channels each of the added channels speaks of, in order.

    Args:
        mask: one of :data:`MASKS`.
        type: of the fields of the file; empty: scalars.
        channels: of the file.
        source: what it is called in a message.

    Raises:
        InputError: another word, or a type of another number of channels.
    """
    if mask not in MASKS:
        raise InputError(f"data.options.mask is '{mask}'; expected one of {', '.join(MASKS)}.")
    if mask == "map":
        return [channels]
    sizes = [rep.size for rep in field_type(type, channels, source).fields]
    if sum(sizes) != channels:
        raise InputError(
            f"{source}: fields of type '{type}' have {sum(sizes)} channels, and there are {channels}; expected as many."
        )
    return sizes


def mask_channels(sizes: Sequence[int]) -> list[int]:
    """Return for each channel of masked maps the one that says where it is known; for such a channel itself.

    Args:
        sizes: what :func:`mask_groups` returned.
    """
    count = sum(sizes)
    of = [count + k for k, size in enumerate(sizes) for _ in range(size)]
    return of + [count + k for k in range(len(sizes))]


def known_by(mask: str, fields: Iterable[Representation]) -> list[int]:
    """As :func:`mask_channels`, from the fields of the whole input, among which the added scalars are the last ones.

    Args:
        mask: one of :data:`MASKS`.
        fields: of the input.
    """
    sizes = [rep.size for rep in fields]
    return mask_channels([sum(sizes[:-1])] if mask == "map" else sizes[: len(sizes) // 2])


def check_huge(x: np.ndarray, missing: np.ndarray, source: str, option: str) -> None:
    """Refuse finite numbers above :data:`HUGE` where nothing is missing.

    Args:
        x: any numbers.
        missing: where they do not count, of the same shape.
        source: what they are called in a message.
        option: that says what stands at missing pixels, with ``{}`` for the number.

    Raises:
        InputError: naming the number, and how many there are.
    """
    if x.dtype.kind != "f":
        return
    huge = np.isfinite(x) & (np.abs(x) > HUGE) & ~missing
    if huge.any():
        values, counts = np.unique(x[huge].astype(np.float64), return_counts=True)
        most = float(values[counts.argmax()])
        raise InputError(
            f"{source}: {int(huge.sum())} of {x.size} values are above {HUGE:g} in size, such as {most:.8g}; expected "
            f"smaller ones. If it stands for a missing value, say {option.format(f'{most:.8g}')}; if values are that "
            "large, take a larger unit."
        )


def read_mask_value(given: float | str | None, name: str = "mask_value") -> float | None:
    """Return the value of missing pixels; a text such as ``nan`` or ``-1.6375e30`` is read as a number.

    Args:
        given: the option.
        name: of the option.

    Raises:
        InputError: a text that is none.
    """
    try:
        return None if given is None else float(str(given).replace(".nan", "nan"))
    except (TypeError, ValueError):
        raise InputError(
            f"data.options.{name} is {given!r}; expected the number that stands at missing pixels, such as .nan or "
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


def with_masks(type: str, channels: int, masks: int) -> str:
    """Return the type of the fields when channels were added that say where they are known.

    Args:
        type: of the fields of the file; empty: scalars.
        channels: of the file.
        masks: how many were added.
    """
    return f"{type or f'{channels}x0'} + {masks}x0" if masks else type


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
