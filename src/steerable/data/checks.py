"""What is refused of samples before anything is learned: readers are the only place where values are looked at."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.data.clouds import Clouds
from steerable.data.errors import InputError
from steerable.data.target import Regions, Target
from steerable.domains.sphere import Sphere
from steerable.fields.type import FieldType
from steerable.groups import SO2

#: how many axes images and volumes have, with those of samples and channels
DOMAINS = {4: "plane", 5: "volume"}


def check_images(x: Tensor, name: str, sphere: Sphere | None = None) -> None:
    """Refuse what is not float32 ``[N, C, H, W]`` or ``[N, C, D, H, W]`` with N > 0 and finite pixels.

    Args:
        x: images, volumes, or fields on a sampling of the sphere ``[N, C, *shape]``.
        name: what they are called in a message.
        sphere: where fields lie; None: they are images or volumes.

    Raises:
        InputError: naming `name` and what was found.
    """
    if sphere is not None:
        check_map(x, sphere, name)
    elif x.ndim not in DOMAINS:
        raise InputError(
            f"{name}: images have shape {list(x.shape)}; expected [N, C, H, W], or [N, C, D, H, W] for volumes. Add "
            "the missing axis."
        )
    if len(x) == 0:
        raise InputError(f"{name}: 0 images; expected at least one. Check the path and the split.")
    if x.dtype != torch.float32:
        raise InputError(f"{name}: images are {x.dtype}; expected torch.float32. Convert them with .float().")
    broken = (~torch.isfinite(x)).flatten(1).any(1)
    if broken.any():
        raise InputError(
            f"{name}: {int(broken.sum())} of {len(x)} images hold NaN or infinite pixels (first: image "
            f"{int(broken.nonzero()[0])}); expected finite values. Drop these images or fill the pixels first."
        )


def check_map(x: Tensor, sphere: Sphere, name: str) -> None:
    """Refuse what is not ``[N, C, *sphere.shape]``.

    Raises:
        InputError: naming the length, or the order of the samples, that is expected.
    """
    try:
        lead = sphere.check_map(x)
    except ValueError as e:
        raise InputError(f"{name}: {e}.") from None
    if len(lead) != 2:
        raise InputError(
            f"{name}: fields have shape {list(x.shape)}; expected [N, C, {', '.join(map(str, sphere.shape))}]. Add the "
            "missing axis."
        )


def check_fields(fields: FieldType | None, text: str, channels: int, sampling: str, name: str) -> None:
    """Refuse a type of fields that has another number of channels, or one where there is no sphere.

    Raises:
        InputError: naming `name` and what was found.
    """
    if text and not sampling:
        raise InputError(
            f"{name}: the type of the fields is '{text}' without a sampling; expected fields on the sphere."
        )
    if fields is not None and fields.size != channels:
        raise InputError(
            f"{name}: fields of type '{text}' have {fields.size} channels, and there are {channels}; expected as many."
        )


def check_answers(
    x: Tensor | Clouds, y: Tensor, meaning: tuple[str, ...] | Target | Regions, name: str, sampling: str
) -> None:
    """Refuse answers that do not belong to the samples.

    Raises:
        InputError: naming `name` and what was found.
    """
    size = tuple(x.shape[2:])
    if isinstance(meaning, Target):
        if meaning.everywhere:
            check_everywhere(y, (len(x), meaning.size, *size), meaning, name, sampling)
        else:
            check_values(y, len(x), meaning, name)
        check_baseline(x, meaning, name)
    elif isinstance(meaning, Regions):
        check_labels(y, (len(x), *size), meaning.names, name, lowest=-1)
    else:
        check_labels(y, (len(x),), meaning, name)


def check_labels(y: Tensor, shape: tuple[int, ...], classes: tuple[str, ...], name: str, lowest: int = 0) -> None:
    """Refuse what is not int64 of a shape, ``[N]`` or one label for each place, with numbers of `classes`.

    Args:
        y: the labels.
        shape: that is expected.
        classes: their names.
        name: what the samples are called in a message.
        lowest: -1 where a place may have no label.

    Raises:
        InputError: naming `name` and what was found.
    """
    if y.shape != shape or y.dtype != torch.int64:
        raise InputError(
            f"{name}: labels are {y.dtype} {list(y.shape)}; expected torch.int64 {list(shape)}, one for each "
            f"{'image' if len(shape) == 1 else 'place in each image'}."
        )
    low, high = int(y.min()), int(y.max())
    if low < lowest or high >= len(classes):
        none = ", and -1 where there is none" if lowest < 0 else ""
        raise InputError(
            f"{name}: labels run from {low} to {high}; expected 0 to {len(classes) - 1} for the {len(classes)} classes "
            f"{list(classes)}{none}. Mend the labels or name every class."
        )
    if high < 0:
        raise InputError(f"{name}: all {y.numel()} places have the label {high}, none; expected some that have one.")


def check_everywhere(y: Tensor, shape: tuple[int, ...], target: Target, name: str, sampling: str) -> None:
    """Refuse what is not float32 ``[N, K, *places]``, or is NaN (no value) at every place; and a type of other fields.

    Raises:
        InputError: naming `name` and what was found.
    """
    if len(shape) < 3 or y.shape != shape or y.dtype != torch.float32:
        raise InputError(
            f"{name}: values of {target} are {y.dtype} {list(y.shape)}; expected torch.float32 {list(shape)}, one for "
            "each entry at each place."
        )
    known = torch.isfinite(y)
    if bool(torch.isinf(y).any()) or not bool(known.any()):
        what = f"{int(torch.isinf(y).sum())} of them infinite" if bool(known.any()) else "none of them a number"
        raise InputError(
            f"{name}: {y.numel()} values of {target}, {what}; expected numbers, and NaN where there is none."
        )
    if target.type and not sampling:
        raise InputError(f"{name}: {target} has the type '{target.type}' without a sampling; expected the sphere.")
    if target.type and field_type(target.type, target.size, name).size != target.size:
        raise InputError(
            f"{name}: {target} has the type '{target.type}', of {field_type(target.type, 0, name).size} entries, and "
            f"{target.size} names of entries; expected as many."
        )


def check_values(y: Tensor, count: int, target: Target, name: str) -> None:
    """Refuse what is not float32 ``[count]``, finite: a column ``[count, 1]`` would broadcast against ``[count]``.

    The values of a vector are ``[count, K]``.

    Raises:
        InputError: naming `name` and what was found.
    """
    shape = (count, len(target.columns)) if target.columns else (count,)
    if y.shape != shape or y.dtype != torch.float32:
        raise InputError(
            f"{name}: values of {target} are {y.dtype} {list(y.shape)}; expected torch.float32 {list(shape)}, one "
            f"{'row ' if target.columns else ''}for each image."
        )
    broken = ~torch.isfinite(y.flatten(1).sum(1) if target.columns else y)
    if broken.any():
        raise InputError(
            f"{name}: {int(broken.sum())} of {count} values of {target} are NaN or infinite (first: image "
            f"{int(broken.nonzero()[0])}); expected finite values. Drop these images."
        )


def check_baseline(x: Tensor | Clouds, target: Target, name: str) -> None:
    """Refuse a baseline that has no feature of a point for each of its numbers, or that of a vector.

    Raises:
        InputError: naming `name` and what was found.
    """
    channels = x.channels if isinstance(x, Clouds) else 0
    if target.baseline and (len(target.baseline) != channels or target.columns):
        raise InputError(
            f"{name}: a baseline of {len(target.baseline)} numbers of {target} for {channels} features of points; "
            "expected one for each, and a single value."
        )


def field_type(text: str, channels: int, name: str) -> FieldType:
    """Return the fields of SO2 that a text such as ``2x0 + 1x2`` means; an empty one means so many scalars.

    Raises:
        InputError: a text that is no type.
    """
    try:
        return SO2().type(text) if text else channels * SO2().trivial
    except (ValueError, KeyError) as e:
        raise InputError(f"{name}: the type of the fields is '{text}'; {str(e).strip(chr(39))}") from None
