"""Volumes: how they are turned, which files hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.resize import pad_or_cut
from steerable.data.rotations import random_rotations
from steerable.data.volume_file import (
    EXTENSIONS,
    check_voxel,
    list_volumes,
    read_with_voxel,
    scale_volume,
)
from steerable.groups.group import Group
from steerable.run.config import Augment
from steerable.run.domains.domain import Domain, FileKind
from steerable.run.domains.files import check_name, rows_of
from steerable.run.domains.places import with_places
from steerable.run.domains.plane import has_mirrors
from steerable.run.domains.turns import turn, turn_fourier
from steerable.run.domains.voxel_turns import voxel_turn
from steerable.run.inputs import Source
from steerable.run.rows import WHOLE, Row, Want

AUGMENTATIONS = ("none", "cube", "cube_flips", "upright", "turn", "rotate", "turn_fourier", "rotate_fourier")


def turn_volumes(x: Tensor, how: str, generator: torch.Generator) -> Tensor:
    """Turn each cube about its centre.

    Args:
        x: ``[B, C, S, S, S]``.
        how: ``cube`` (one of the 24 rotations of the voxels) and ``cube_flips`` (48) are exact; ``upright`` (about
            x3), ``turn`` (any rotation) and ``rotate`` (and reflections) are one trilinear resampling with zeros
            outside; ``turn_fourier`` and ``rotate_fourier`` are three rotations in a row, each of three shears by
            phases, which leave the noise as it is (the border must be empty or noise).
        generator: on the CPU.
    """
    n = len(x)
    if how.startswith("cube"):
        return turn_cubes(x, torch.randint(48 if how == "cube_flips" else 24, (n,), generator=generator))
    if how == "upright":
        angle = 2 * torch.pi * torch.rand(n, generator=generator, dtype=torch.float64)
        return _in_slices(turn, x, angle, torch.zeros(n, dtype=torch.bool))
    flips = torch.rand(n, generator=generator) < (0.5 if how.startswith("rotate") else 0.0)
    if how.endswith("fourier"):
        u = torch.rand(n, 3, generator=generator, dtype=torch.float64)
        about3, about1 = 2 * torch.pi * u[:, :2].T, (1 - 2 * u[:, 2]).acos()
        x = _in_slices(turn_fourier, x, about3[0], flips)
        x = _in_slices(turn_fourier, x.transpose(-3, -1), about1, torch.zeros_like(flips)).transpose(-3, -1)
        return _in_slices(turn_fourier, x, about3[1], torch.zeros_like(flips))
    matrix = random_rotations(n, 3, generator)
    matrix[flips] *= -1
    # grid_sample asks where each voxel comes from, in (x1, -x2, x3): f(g^-1 p)
    sense = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    back = (matrix.mT * sense) * sense[:, None]
    grid = F.affine_grid(F.pad(back, (0, 1)).to(x), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _in_slices(move: object, x: Tensor, angle: Tensor, flip: Tensor) -> Tensor:
    """Turn all slices ``[..., H, W]`` of a volume alike: they are channels of an image."""
    found = move(x.flatten(1, 2), angle.to(x), flip.to(x.device))  # type: ignore[operator]
    return found.unflatten(1, x.shape[1:3])


def turn_cubes(x: Tensor, element: Tensor) -> Tensor:
    """Move each cube by one of the 48 symmetries of the voxels: exact, no interpolation.

    Args:
        x: ``[B, C, S, S, S]``.
        element: int64 ``[B]``: `k % 4` quarter turns about x3, then the side `k // 4 % 6` to the front; from 24 on
            after the reflection of all three axes.
    """
    out = torch.empty_like(x)
    for k in element.unique().tolist():
        pick = element == k
        part = torch.rot90(x[pick].flip(-3, -2, -1) if k >= 24 else x[pick], k % 4, (-2, -1))
        side = k // 4 % 6
        out[pick] = torch.rot90(part, side, (-3, -1)) if side < 4 else torch.rot90(part, 2 * side - 9, (-3, -2))
    return out


def shown(group: Group | None) -> Augment:
    """Turns of the voxels for the groups of the cube, Fourier turns for others; a group of the plane turns about x3.

    Trilinear turns smooth the noise: a plain network would learn from other volumes than it is tested on.
    """
    if group is None or group.dimension != 3:
        return "upright"
    if group.name in ("O", "Oh"):
        return "cube_flips" if has_mirrors(group) else "cube"
    return "rotate_fourier" if has_mirrors(group) else "turn_fourier"


def volume_rows(sources: Iterable[Source], want: Want, record: Mapping[str, Any], chunk: int) -> Iterator[Row]:
    """Yield volumes ``[C, D, H, W]``, read as those of training were: order of axes, size of a voxel."""
    how = record.get("reading") or {}

    def read(path: Path) -> Tensor:
        x, voxel = read_with_voxel(path, how.get("axes", "dhw"))
        if voxel is not None and "voxel" in how:
            check_voxel(voxel, float(how["voxel"]), str(path), f"the network in '{want.run}' saw")
        return x

    def make(volume: Tensor, name: str) -> Row:
        return Row(name, usable_volume(volume, name, want), size=want.other(volume.shape[1:]))

    return rows_of(sources, read, make)


def usable_volume(x: Tensor, name: str, want: Want) -> Tensor:
    """Return a volume ``[C, D, H, W]`` in the size that is wanted.

    Raises:
        InputError: other channels, another size without leave to resize, NaN.
    """
    if len(x) != want.channels:
        raise InputError(
            f"'{name}' has {len(x)} channels; expected {want.channels}, as the network in '{want.run}' saw. Give it "
            "volumes of the kind that it was trained on."
        )
    size = tuple(want.size)
    if tuple(x.shape[1:]) != size and want.resize is None:
        have, need = (" x ".join(map(str, s)) for s in (x.shape[1:], size))
        raise InputError(
            f"'{name}' has {have} voxels; expected {need}, as the network in '{want.run}' saw. Say --resize crop (cut "
            "or pad) or --resize scale (interpolate)."
        )
    bad = int((~torch.isfinite(x)).sum())
    if bad:
        raise InputError(f"'{name}' has {bad} of {x.numel()} voxels that are NaN or infinite; expected finite values.")
    if tuple(x.shape[1:]) == size or want.resize == WHOLE:
        return x
    return pad_or_cut(x, size, want.pad) if want.resize == "crop" else scale_volume(x[None], size)[0]


VOLUME = Domain(
    name="volume",
    noun="volumes",
    takes="volumes",
    networks=("volume_cnn", "volume_unet"),
    augmentations=AUGMENTATIONS,
    augment=lambda x, y, how, generator, data: with_places(x, y, how, generator, data, turn_volumes),
    turn=voxel_turn,
    shown=shown,
    files=FileKind(EXTENSIONS, list_volumes, lambda path: 1, check_name(EXTENSIONS), volume_rows),
    statistics="image",
    place_statistics="place",
    areas=lambda data: None,
    shape=lambda data: f"volumes of {' x '.join(map(str, data.size))} voxels",
)
