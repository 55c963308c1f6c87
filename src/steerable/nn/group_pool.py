"""From permutation fields to invariants: a maximum or a mean over the channels of each field."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule, require_type


class GroupPool(EquivariantModule):
    """One invariant channel for each field: the largest (or mean) of its channels.

    Args:
        in_type: regular, quotient and trivial fields.
        reduce: ``"max"`` or ``"mean"``.

    ``out_type`` is ``in_type.num_fields`` trivial. Cohen and Welling, arXiv 1602.07576, section 6.3.

    Raises:
        ValueError: for another reduction, or a block whose channels the group does not permute.
    """

    def __init__(self, in_type: FieldType, reduce: str = "max") -> None:
        require_type(in_type, "GroupPool")
        if reduce not in ("max", "mean"):
            raise ValueError(f"GroupPool: unknown reduction {reduce!r}; expected 'max' or 'mean'")
        for block in in_type.blocks:
            if not block.rep.is_permutation:
                raise ValueError(f"GroupPool: the group mixes the channels of {block} of {in_type!r}, so their maximum "
                                 f"is not invariant; use NormPool")
        super().__init__(in_type, in_type.num_fields * in_type.group.trivial)
        self.reduce = reduce
        self._shapes = tuple((b.start, b.stop, *b.shape) for b in in_type.blocks)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, ...]`` to ``[B, num_fields, ...]``."""
        self.check_input(x)
        return pool_fields(x, self._shapes, self.reduce)

    def bake(self) -> nn.Module:
        """The same reduction without types."""
        return PlainGroupPool(self._shapes, self.reduce)


def pool_fields(x: Tensor, shapes: tuple[tuple[int, int, int, int], ...], reduce: str) -> Tensor:
    """Reduce every block ``(start, stop, m, d)`` of channels to m."""
    parts = []
    for start, stop, m, d in shapes:
        part = x if len(shapes) == 1 else x[:, start:stop]
        if d > 1:
            part = part.unflatten(1, (m, d))
            part = part.amax(2) if reduce == "max" else part.mean(2)
        parts.append(part)
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


class PlainGroupPool(nn.Module):
    """Maximum or mean over runs of channels."""

    def __init__(self, shapes: tuple[tuple[int, int, int, int], ...], reduce: str) -> None:
        super().__init__()
        self.shapes, self.reduce = shapes, reduce

    def forward(self, x: Tensor) -> Tensor:
        """Reduce the channels."""
        return pool_fields(x, self.shapes, self.reduce)
