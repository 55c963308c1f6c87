"""Images: how they are turned, which files hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from steerable.data import Samples
from steerable.data.image_file import EXTENSIONS, count_images, find_reader
from steerable.data.image_folder import list_images
from steerable.groups.group import Group
from steerable.run.config import Augment
from steerable.run.domains.domain import Domain, FileKind, Turn
from steerable.run.domains.places import with_places
from steerable.run.domains.turns import augment
from steerable.run.inputs import Source
from steerable.run.rows import Row, Want, read_rows

AUGMENTATIONS = (
    "none", "d4", "turn", "rotate", "turn_fourier", "rotate_fourier", "affine", "affine_colour", "mirror_shift",
)  # fmt: skip


def quarter(group: Group | None, data: Samples) -> Turn:
    """A quarter turn of the pixels, whatever the group."""
    return Turn(
        "turned by 90 deg", lambda d: torch.rot90(d.x, 1, (-2, -1)), lambda out, d: torch.rot90(out, -1, (-2, -1))
    )


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
    turn=quarter,
    shown=shown,
    files=FileKind(EXTENSIONS, list_images, count_images, find_reader, image_rows),
    statistics="image",
    place_statistics="place",
    areas=lambda data: None,
    shape=lambda data: f"images of {list(data.x.shape[1:])}",
)
