"""Columns of a field, each in the frame of the one who reads it."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.fields.type import FieldType
from steerable.groups.cyclic import C
from steerable.groups.dihedral import D
from steerable.groups.group import Group
from steerable.nn.constants import ConstantModule
from steerable.nn.module import require_type

SIXTHS = C(6)


def require_sixths(layer: str, type: FieldType) -> FieldType:
    """Refuse types whose group does not hold turns by 60 degrees.

    Raises:
        TypeError: for no type.
        ValueError: naming the groups that do.
    """
    if require_type(type, layer).group not in (C(1), C(6), D(6)):
        raise ValueError(
            f"{layer}: the type is of {type.group.name}, but transport on the icosahedron turns frames by sixths; "
            f"expected C6, D6 (with reflections) or C1 (kernels held by the frames, no transport)"
        )
    return type


def sixth(group: Group, turn: int) -> Tensor:
    """The element of a group that turns the plane by a number of sixths; of C(1) the identity."""
    return group.identity if group.order == 1 else group.from_plane(SIXTHS.plane(torch.tensor(turn % 6)))


def turn_matrices(type: FieldType) -> Tensor:
    """``[7, C, C]``: how 0 to 5 sixths act, and the projection to what they leave alone."""
    found = torch.stack([type.matrix(sixth(type.group, k)) for k in range(6)])
    return torch.cat([found, found.mean(0, keepdim=True)])


class MovedGather(ConstantModule):
    """``x[:, :, source]`` with a turn of the channels at each column: ``[B, C, V]`` to ``[B, C, *table]``.

    Only the pairs of a column and a turn that differ from the column itself are computed, each once; between the
    default frames these are few.

    Args:
        type: of C(6), D(6) or C(1).
        source: columns ``[*table]``; -1 gives zero.
        turn: sixths 0 to 5 ``[*table]``, or ``hexagon.MEAN`` for the invariant part.
        count: number V of columns.
    """

    def __init__(self, type: FieldType, source: Tensor, turn: Tensor, count: int) -> None:
        super().__init__()
        self.table = tuple(source.shape)
        source, turn = source.flatten(), turn.flatten()
        matrices = turn_matrices(type)
        same = torch.tensor([bool(torch.equal(m, matrices[0])) for m in matrices])
        turn = torch.where(same[turn] | (source < 0), 0, turn)
        columns, place = (turn * count + source)[turn > 0].unique(return_inverse=True)
        index = source.clone()
        index[turn > 0] = count + place
        missing = source < 0
        index[missing] = count + len(columns)
        self._missing = bool(missing.any())
        self._turns = (columns // count).unique().tolist()
        for t in self._turns:
            self.register_buffer(f"_column{t}", columns[columns // count == t] % count, persistent=False)
            order = matrices[t].argmax(1)
            if torch.equal(matrices[t], torch.eye(type.size, dtype=torch.float64)[order]):
                self.register_buffer(f"_order{t}", order, persistent=False)
            else:
                self.register_constant(f"_matrix{t}", matrices[t])
        self._plain = not self._turns and not self._missing
        self.register_buffer("_index", index, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Gather columns of ``x [B, C, V]``."""
        parts = [x]
        for t in self._turns:
            columns = x.index_select(2, getattr(self, f"_column{t}"))
            order = self._buffers.get(f"_order{t}")
            if order is None:
                parts.append(getattr(self, f"_matrix{t}").to(x.dtype) @ columns)
            else:
                parts.append(columns.index_select(1, order))
        if self._missing:
            parts.append(x.new_zeros(x.shape[0], x.shape[1], 1))
        whole = x if self._plain else torch.cat(parts, 2)
        # gather is about three times faster here than index_select
        found = whole.gather(2, self._index.expand(x.shape[0], x.shape[1], -1))
        return found.view(x.shape[0], x.shape[1], *self.table)

    def extra_repr(self) -> str:
        """Shape of the table."""
        return f"table={self.table}"
