"""Images: how they are turned, which files hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from steerable.data.image_file import EXTENSIONS, count_images, find_reader
from steerable.data.image_folder import list_images
from steerable.groups.group import Group
from steerable.run.config import Augment
from steerable.run.domains.domain import Domain, FileKind
from steerable.run.domains.places import with_places
from steerable.run.domains.turns import augment
from steerable.run.inputs import Source
from steerable.run.rows import Row, Want, read_rows

AUGMENTATIONS = (
    "none", "d4", "turn", "rotate", "turn_fourier", "rotate_fourier", "affine", "affine_colour", "mirror_shift",
)  # fmt: skip


def turn_axes(x: Tensor, axes: int, times: int = 1) -> Tensor:
    """Turn the last two axes by 90 degrees, or the last three by 120 about a diagonal.

    A volume that is no cube is turned by a quarter, or else by a half, about its third axis.

    Args:
        x: ``[..., H, W]`` or ``[..., D, H, W]``.
        axes: 2 or 3.
        times: -1 turns back.
    """
    if axes == 2:
        return torch.rot90(x, times, (-2, -1))
    d, h, w = x.shape[-3:]
    if not d == h == w:
        return torch.rot90(x, times if h == w else 2, (-2, -1))
    if times == 1:
        return torch.rot90(torch.rot90(x, 1, (-2, -1)), 1, (-3, -2))
    return torch.rot90(torch.rot90(x, -1, (-3, -2)), -1, (-2, -1))


def has_mirrors(group: Group) -> bool:
    """Whether a group of the plane or of space has reflections."""
    return bool((torch.linalg.det(group.action(group.generators)) < 0).any())


def shown(group: Group | None) -> Augment:
    """Any angle, and flips where the group has them; exact turns of the grid for D4 and its subgroups with flips."""
    name = "" if group is None else group.name
    if name in ("D(4)", "D4", "D(2)", "D2"):
        return "d4"
    return "rotate" if name.startswith(("D", "O")) else "turn"


def image_rows(sources: Iterable[Source], want: Want, record: Mapping[str, Any], chunk: int) -> Iterator[Row]:
    """Yield images ``[C, H, W]``."""
    return read_rows(sources, want, chunk)


PLANE = Domain(
    name="plane",
    noun="images",
    takes="images",
    networks=("steerable_cnn", "unet"),
    augmentations=AUGMENTATIONS,
    augment=lambda x, y, how, generator, data: with_places(x, y, how, generator, data, augment),
    turned=lambda data: turn_axes(data.x, 2),
    back=lambda out, data: turn_axes(out, 2, -1),
    turn="turned by 90 deg",
    shown=shown,
    files=FileKind(EXTENSIONS, list_images, count_images, find_reader, image_rows),
    statistics="image",
    place_statistics="place",
    areas=lambda data: None,
    shape=lambda data: f"images of {list(data.x.shape[1:])}",
)
