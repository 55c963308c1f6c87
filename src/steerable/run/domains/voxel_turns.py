"""The turn by which networks of volumes are tried: their group holds it, and it moves voxels onto voxels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from steerable.data import Samples
from steerable.groups.group import Group
from steerable.run.domains.domain import Turn

#: what is tried in this order, and its matrix on (x1, x2, x3)
TURNS: tuple[tuple[str, tuple[tuple[int, int, int], ...]], ...] = (
    ("turned by 120 deg about a diagonal", ((0, -1, 0), (0, 0, -1), (1, 0, 0))),
    ("turned by 90 deg about x3", ((0, -1, 0), (1, 0, 0), (0, 0, 1))),
    ("turned by 180 deg about x3", ((-1, 0, 0), (0, -1, 0), (0, 0, 1))),
    ("turned by 90 deg about x1", ((1, 0, 0), (0, 0, -1), (0, 1, 0))),
    ("turned by 90 deg about x2", ((0, 0, 1), (0, 1, 0), (-1, 0, 0))),
    ("turned by 180 deg about x1", ((1, 0, 0), (0, -1, 0), (0, 0, -1))),
    ("turned by 180 deg about x2", ((-1, 0, 0), (0, 1, 0), (0, 0, -1))),
    ("mirrored in x1", ((-1, 0, 0), (0, 1, 0), (0, 0, 1))),
    ("mirrored in x2", ((1, 0, 0), (0, -1, 0), (0, 0, 1))),
    ("mirrored in x3", ((1, 0, 0), (0, 1, 0), (0, 0, -1))),
    ("mirrored in all axes", ((-1, 0, 0), (0, -1, 0), (0, 0, -1))),
)
#: of places ``(D, H, W)`` about the middle to (x1, x2, x3)
_PLACES = torch.tensor([[0, 0, 1], [0, -1, 0], [1, 0, 0]], dtype=torch.float64)


def move_voxels(x: Tensor, matrix: Tensor) -> Tensor:
    """Move a volume by a matrix that maps voxels onto voxels: exact, no interpolation.

    Args:
        x: ``[..., D, H, W]``.
        matrix: ``[3, 3]`` on (x1, x2, x3), one entry of 1 or -1 in each row and column.
    """
    axes, signs = _axes(matrix)
    lead = list(range(x.dim() - 3))
    moved = x.permute(*lead, *(len(lead) + a for a in axes))
    return moved.flip([k - 3 for k in range(3) if signs[k] < 0])


def fits(size: Sequence[int], matrix: Tensor) -> bool:
    """Whether :func:`move_voxels` leaves the size ``(D, H, W)`` of a volume as it is."""
    return all(size[k] == size[a] for k, a in enumerate(_axes(matrix)[0]))


def voxel_turn(group: Group | None, data: Samples) -> Turn:
    """Return a turn that the group holds, the first of :data:`TURNS` that leaves the size of the volumes as it is.

    Of a network without a group (or with the identity only) it is the first that fits; of a group that holds none, such
    as C3, a turn about x3, whose words say so.

    Args:
        group: of the network, or of the one whose plain twin it is.
        data: the volumes.
    """
    known = [(words, torch.tensor(m, dtype=torch.float64)) for words, m in TURNS]
    known = [(words, m) for words, m in known if fits(data.size, m)]
    if group is None or group.order == 1:
        return _turn(*known[0])
    for words, m in known:
        if holds(group, m):
            return _turn(words, m)
    words, m = next((words, m) for words, m in known if words.endswith("x3"))
    return _turn(f"{words}, which {group.name} does not hold", m)


def holds(group: Group, matrix: Tensor) -> bool:
    """Whether an element of the group moves the points of space by a matrix ``[3, 3]``."""
    if not group.acts_on(3):
        return False
    try:
        group.from_action(matrix)
    except ValueError:
        return False
    return True


def _turn(words: str, matrix: Tensor) -> Turn:
    return Turn(words, lambda data: move_voxels(_tensor(data), matrix), lambda out, data: move_voxels(out, matrix.mT))


def _tensor(data: Samples) -> Tensor:
    if not isinstance(data.x, Tensor):
        raise TypeError(f"{data.source}: {type(data.x).__name__}; expected a tensor.")
    return data.x


def _axes(matrix: Tensor) -> tuple[list[int], list[int]]:
    """For each axis ``D, H, W`` of the result: which axis of the volume lies along it, and in which sense."""
    own = _PLACES.mT @ matrix @ _PLACES
    axes = own.abs().argmax(1)
    return axes.tolist(), [int(own[k, a]) for k, a in enumerate(axes.tolist())]
