"""Fields on the sphere: how they are turned, what an area counts, which files hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steerable.data import Samples
from steerable.data.checks import field_type
from steerable.data.errors import InputError
from steerable.data.rotations import random_rotations
from steerable.data.sphere_file import EXTENSIONS, FITS, list_maps, map_header, mend_of, read_maps
from steerable.data.sphere_map import known_by, read_mask_value
from steerable.domains.sphere import Sphere
from steerable.domains.sphere.turned_fields import Turn as FieldTurn
from steerable.fields.type import FieldType
from steerable.groups import SO3
from steerable.groups.group import Group
from steerable.run.config import Augment
from steerable.run.domains.domain import Domain, FileKind, Turn
from steerable.run.domains.files import check_name, rows_of
from steerable.run.domains.points import GENERIC
from steerable.run.inputs import Source
from steerable.run.rows import Row, Want


def sphere_of(data: Samples) -> Sphere:
    """The sampling of samples.

    Raises:
        InputError: they are no fields on the sphere.
    """
    found = data.sphere
    if found is None:
        raise InputError(f"{data.source}: {data.domain} data; expected fields on the sphere.")
    return found


def input_type(data: Samples) -> FieldType:
    """The fields of the input, of SO2."""
    return field_type(data.type, data.channels, data.source)


def answer_type(data: Samples) -> FieldType:
    """The fields of the answers at every place, of SO2."""
    text = data.target.type if data.target is not None else ""
    return field_type(text, data.outputs, data.source)


def augment(x: Tensor, y: Tensor, how: str, generator: torch.Generator, data: Samples) -> tuple[Tensor, Tensor]:
    """Turn each sample, its frames and what belongs to its places.

    Args:
        x: ``[B, C, *shape]``.
        y: answers of the samples, or of their places.
        how: ``upright`` (about the poles) or ``turn`` (any rotation), both by interpolation; ``turn_fourier``: the
            input in the harmonic domain, up to the band of the sampling, so that nothing is smoothed.
        generator: on the CPU.
        data: whose samples they are.
    """
    sphere, fields = sphere_of(data), input_type(data)
    matrices = random_rotations(len(x), 3, generator, upright=how == "upright")
    moved, answers = [], []
    for k, matrix in enumerate(matrices):
        turn = FieldTurn(sphere, matrix) if how != "turn_fourier" or data.dense else None
        if turn is None or how == "turn_fourier":
            moved.append(sphere.transform(x[k : k + 1], fields, SO3().from_action(matrix))[0])
        else:
            moved.append(turn(x[k].cpu(), fields))
        if turn is not None and data.dense:
            one = y[k].cpu()
            answers.append(turn.labels(one) if data.regions else turn(one, answer_type(data)))
    return torch.stack(moved).to(x), torch.stack(answers).to(y) if answers else y


def generic(times: int = 1) -> Tensor:
    """A rotation without an axis that a sampling knows, or its inverse, as a unit quaternion ``[4]``."""
    q = torch.tensor(GENERIC, dtype=torch.float64)
    q = q / q.norm()
    return q if times == 1 else q * torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)


def turned(data: Samples) -> Tensor:
    """Fields turned by one generic rotation, in the harmonic domain up to the band of the sampling."""
    x = data.x
    if not isinstance(x, Tensor):
        raise TypeError(f"{data.source}: {type(x).__name__}; expected a tensor.")
    return torch.cat([sphere_of(data).transform(part, input_type(data), generic()) for part in x.split(64)])


def back(out: Tensor, data: Samples) -> Tensor:
    """Answers at every place to the turned input, turned back in the harmonic domain."""
    return torch.cat([sphere_of(data).transform(part, answer_type(data), generic(-1)) for part in out.split(64)])


def areas(data: Samples) -> Tensor:
    """What each sample of a sampling stands for, ``[*shape]``, mean 1."""
    sphere = sphere_of(data)
    weights = sphere.flat_weights().reshape(sphere.shape)
    return weights / weights.mean()


def shown(group: Group | None) -> Augment:
    """Rotations of the sphere; about the poles only for filters that are held by north."""
    return "upright" if group is not None and group.order == 1 else "turn"


def map_reading(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return how maps of a run are read: what is missing, and which channels say so, as arguments of ``read_maps``."""
    options = record["config"]["data"]["options"]
    value = read_mask_value(options.get("mask_value"))
    return {"mask_value": value, "mask": options.get("mask", "map"), "type": options.get("type", "")}


def run_masks(record: Mapping[str, Any]) -> list[int]:
    """Return for each channel of a run the one that says where its maps are known; nothing where none does."""
    how = map_reading(record)
    if how["mask_value"] is None:
        return []
    return known_by(how["mask"], field_type(record["type"], int(record["in_channels"]), "run").fields)


def map_rows(sources: Iterable[Source], want: Want, record: Mapping[str, Any], chunk: int) -> Iterator[Row]:
    """Yield fields ``[C, *shape]`` on the sampling of training, with its channels of masks where it had such."""
    how, masks = map_reading(record), len(set(run_masks(record)))

    def read(path: Path) -> list[tuple[Tensor, Mapping[str, str] | None]]:
        header, names = map_header(path, want.hdu) if path.name.lower().endswith(FITS) else (None, None)
        if names is not None and len(names) != want.channels - masks:
            raise InputError(
                f"'{path}' has {len(names)} columns of maps, {names}; expected {want.channels - masks}, as the network "
                f"in '{want.run}' saw. Save those it needs: numpy.save('map.npy', steerable.data.read_maps(file, "
                f"'{record['sampling']}', columns=[...], nan=True)[0])."
            )
        return [(field, header) for field in read_maps(path, record["sampling"], hdu=want.hdu, **how)]

    def make(found: tuple[Tensor, Mapping[str, str] | None], name: str) -> Row:
        field, header = found
        if len(field) != want.channels:
            raise InputError(
                f"'{name}' has {len(field) - masks} channels; expected {want.channels - masks}, as the network in "
                f"'{want.run}' saw. Give it maps of the kind that it was trained on."
            )
        bad = int((~torch.isfinite(field)).sum())
        if bad:
            raise InputError(
                f"'{name}' has {bad} of {field.numel()} samples that are NaN or infinite; expected finite values, and "
                "a channel that says where there is none."
            )
        return Row(name, field, known=(field[-masks:] == 1).any(0) if masks else None, header=header)

    return rows_of(sources, read, make)


SPHERE = Domain(
    name="sphere",
    noun="maps",
    takes="sphere",
    networks=("sphere_cnn", "sphere_unet"),
    augmentations=("none", "upright", "turn", "turn_fourier"),
    augment=augment,
    turn=lambda group, data: Turn("turned", turned, back),
    shown=shown,
    files=FileKind(EXTENSIONS, list_maps, lambda path: 1, check_name(EXTENSIONS, mend_of), map_rows),
    statistics="sphere",
    place_statistics="sphere_place",
    areas=areas,
    shape=lambda data: f"fields of {data.channels} channels on {data.sampling}",
)
