"""Orthogonal changes of basis field by field, and reordering of channels: the engine of Restrict and ToFourier."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.groups.representation import Representation
from steerable.nn.module import EquivariantModule

#: how one representation falls apart: its parts in order, and ``P [d, d]`` with ``P x`` their components side by side
Split = tuple[tuple[Representation, ...], np.ndarray]


def change_basis(x: Tensor, lengths: tuple[int, ...], matrices: list[Tensor | None]) -> Tensor:
    """Apply ``matrices[k] [d, d]`` to every field of block ``k`` of ``x [B, C, ...]``; ``None`` leaves it alone."""
    if all(m is None for m in matrices):
        return x
    parts = []
    for part, matrix in zip(x.split(list(lengths), 1), matrices, strict=True):
        if matrix is not None:
            fields = part.unflatten(1, (-1, matrix.shape[0]))
            part = torch.einsum("ij,bmj...->bmi...", matrix, fields).flatten(1, 2)
        parts.append(part)
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


class BasisChange(EquivariantModule):
    """``x -> reorder(matrix of each field (x))``, or with ``inverse`` the way back; an orthogonal map of the channels.

    Args:
        in_type: type taken.
        out_type: type given.
        matrices: for each block of the split side ``[d, d]``, an identity being skipped.
        order: ``[C]``; channel ``i`` of the result is channel ``order[i]`` of the transformed fields.
        lengths: channels of each block that the matrices act on.
        inverse: undo instead: reorder back, then the transposed matrices.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        matrices: list[np.ndarray],
        order: np.ndarray,
        lengths: tuple[int, ...],
        inverse: bool = False,
    ) -> None:
        super().__init__(in_type, out_type)
        self.lengths, self.inverse = lengths, inverse
        still = bool((order == np.arange(len(order))).all())
        # a permutation within fields costs one gather when it joins the reordering, a product otherwise
        plain = all(np.isin(m, (0.0, 1.0)).all() for m in matrices)
        if plain and matrices:
            starts = np.cumsum([0, *lengths[:-1]])
            inner = [
                s + (np.arange(n // len(m))[:, None] * len(m) + m.argmax(1)).reshape(-1)
                for s, n, m in zip(starts, lengths, matrices, strict=True)
            ]
            order = np.concatenate(inner)[order]
            still = bool((order == np.arange(len(order))).all())
        index = np.argsort(order) if inverse else order
        self._names: list[str | None] = []
        for k, m in enumerate(matrices):
            skip = plain or (m.shape[0] == m.shape[1] and bool(np.abs(m - np.eye(len(m))).max(initial=0) < 1e-12))
            self._names.append(None if skip else f"matrix_{k}")
            if not skip:
                self.register_constant(f"matrix_{k}", m.T if inverse else m)
        self.register_constant("order", torch.from_numpy(np.asarray(index, dtype=np.int64).copy()))
        self.reorders = not still

    def _matrices(self) -> list[Tensor | None]:
        return [None if name is None else getattr(self, name) for name in self._names]

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x [B, C, ...]``."""
        self.check_input(x)
        return apply_change(x, self.lengths, self._matrices(), self.order if self.reorders else None, self.inverse)

    def bake(self) -> nn.Module:
        """Fixed matrices by block and one gather of channels."""
        return PlainChange(self.lengths, self._matrices(), self.order if self.reorders else None, self.inverse)


def apply_change(
    x: Tensor, lengths: tuple[int, ...], matrices: list[Tensor | None], order: Tensor | None, inverse: bool
) -> Tensor:
    """Matrices then order, or with ``inverse`` order then matrices."""
    if inverse and order is not None:
        x = x.index_select(1, order)
    x = change_basis(x, lengths, matrices)
    return x.index_select(1, order) if order is not None and not inverse else x


class PlainChange(nn.Module):
    """A block-diagonal map of the channels and a gather."""

    def __init__(
        self, lengths: tuple[int, ...], matrices: list[Tensor | None], order: Tensor | None, inverse: bool
    ) -> None:
        super().__init__()
        self.lengths, self.inverse = lengths, inverse
        self.blocks = len(matrices)
        for k, m in enumerate(matrices):
            self.register_buffer(f"matrix_{k}", None if m is None else m.detach().clone())
        self.register_buffer("order", None if order is None else order.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x [B, C, ...]``."""
        matrices = [getattr(self, f"matrix_{k}") for k in range(self.blocks)]
        return apply_change(x, self.lengths, matrices, self.order, self.inverse)  # type: ignore[arg-type]


def part_channels(in_type: FieldType, splits: list[Split]) -> list[list[tuple[Representation, np.ndarray]]]:
    """For each block and each part of its split, the channels ``[m, d_part]`` of the transformed fields."""
    found = []
    for b, (parts, _) in zip(in_type.blocks, splits, strict=True):
        starts = np.cumsum([0, *[p.size for p in parts[:-1]]])
        fields = b.start + np.arange(b.multiplicity)[:, None] * b.rep.size
        found.append([(p, fields + s + np.arange(p.size)) for p, s in zip(parts, starts, strict=True)])
    return found
