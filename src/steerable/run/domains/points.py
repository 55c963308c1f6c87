"""Point sets: how they are turned, which files hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from steerable.data import Clouds, Samples
from steerable.data.errors import InputError
from steerable.data.point_file import FORMATS, PointReading, read_points
from steerable.data.point_folder import list_points
from steerable.data.rotations import quaternion_matrix, random_rotations
from steerable.groups.group import Group
from steerable.run.config import Augment
from steerable.run.domains.domain import Domain, FileKind, Turn
from steerable.run.domains.files import check_name, rows_of
from steerable.run.domains.plane import has_mirrors
from steerable.run.inputs import Source
from steerable.run.rows import Row, Want

# no axis and no angle that a lattice or a polyhedron knows
GENERIC = (0.7, 0.3, -0.5, 0.4)


def turn_clouds(x: Clouds, how: str, generator: torch.Generator) -> Clouds:
    """Turn each point set about the mean of its points: exact, by matrices.

    Args:
        x: the point sets.
        how: ``upright`` (about the third axis), ``turn`` (any rotation) or ``rotate`` (and reflections).
        generator: on the CPU.
    """
    matrix = random_rotations(len(x), x.dimension, generator, how == "rotate", how == "upright").to(x.positions)
    batch = x.batch
    count = x.counts().to(x.positions)[:, None]
    middle = x.positions.new_zeros(len(x), x.dimension).index_add(0, batch, x.positions) / count
    away = x.positions - middle[batch]
    return x.at(middle[batch] + (matrix[batch] @ away[:, :, None])[:, :, 0])


def turned(data: Samples) -> Clouds:
    """Point sets turned by one generic rotation."""
    x = data.x
    if not isinstance(x, Clouds):
        raise TypeError(f"{data.source}: {type(x).__name__}; expected Clouds.")
    matrix = quaternion_matrix(torch.tensor(GENERIC, dtype=torch.float64))
    matrix = matrix if x.dimension == 3 else torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    return x.at((x.positions.double() @ matrix.to(x.device).T).to(x.positions))


def back(out: Tensor, data: Samples) -> Tensor:
    """Answers at every point: there are none.

    Raises:
        InputError: always.
    """
    raise InputError(f"{data.source}: answers {list(out.shape)} at every point; expected one for each point set.")


def shown(group: Group | None) -> Augment:
    """Rotations of space for a group of space, with reflections where it has them; else turns about the third axis."""
    if group is None or group.dimension != 3:
        return "upright"
    return "rotate" if has_mirrors(group) else "turn"


def point_rows(sources: Iterable[Source], want: Want, record: Mapping[str, Any], chunk: int) -> Iterator[Row]:
    """Yield point sets, read as those of training were."""
    reading = PointReading.from_json(record["input_settings"])

    def make(sample: Any, name: str) -> Row:
        cloud = Clouds.of([reading(sample, name)], f"'{name}'")
        if cloud.channels != want.channels:
            raise InputError(
                f"'{name}' has {cloud.channels} features a point; expected {want.channels}, as the network in "
                f"'{want.run}' saw."
            )
        return Row(name, cloud)

    return rows_of(sources, read_points, make)


POINTS = Domain(
    name="points",
    noun="point sets",
    takes="points",
    networks=("point_cnn", "sprin"),
    augmentations=("none", "upright", "turn", "rotate"),
    augment=lambda x, y, how, generator, data: (turn_clouds(x, how, generator), y),
    turn=lambda group, data: Turn("turned", turned, back),
    shown=shown,
    files=FileKind(tuple(FORMATS), list_points, lambda path: 1, check_name(FORMATS), point_rows),
    statistics="cloud",
    place_statistics="",
    areas=lambda data: None,
    shape=lambda data: f"point sets of {data.channels} features",
)
