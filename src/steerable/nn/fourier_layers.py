"""To the basis of irreps, where linear maps are cheap, and back."""

from __future__ import annotations

import numpy as np

from steerable.fields.type import FieldType
from steerable.nn.basis_change import BasisChange, Split, part_channels
from steerable.nn.module import require_type


def _plan(type: FieldType) -> tuple[list[np.ndarray], np.ndarray, tuple[int, ...]]:
    """Matrices of each block, order of the channels of ``type.fourier``, and lengths of the blocks."""
    group = type.group
    splits: list[Split] = [(tuple(group.irrep(i) for i in b.rep.irreps), b.rep.basis.T.copy()) for b in type.blocks]
    runs: dict[str, list[np.ndarray]] = {b.rep.irreps[0]: [] for b in type.fourier.blocks}
    for found in part_channels(type, splits):
        for id in dict.fromkeys(p.irreps[0] for p, _ in found):
            runs[id].append(np.stack([c for p, c in found if p.irreps[0] == id], 1).reshape(-1))
    order = [c for channels in runs.values() for c in channels]
    lengths = tuple(b.stop - b.start for b in type.blocks)
    return [q for _, q in splits], np.concatenate([*order, np.zeros(0, np.int64)]), lengths


class ToFourier(BasisChange):
    """Every field into its irreps, equal irreps gathered: ``in_type`` to ``in_type.fourier``; orthogonal.

    Within an irrep the order is block, field of the block, copy in the field. Chains of linear maps stay in this basis,
    where they are block-diagonal by Schur's lemma; :class:`FromFourier` is the way back.

    Args:
        type: type of ``x [B, C, ...]``.

    Raises:
        ValueError: for wrong channels.
    """

    def __init__(self, type: FieldType) -> None:
        require_type(type, "ToFourier", "type")
        super().__init__(type, type.fourier, *_plan(type))


class FromFourier(BasisChange):
    """The inverse of :class:`ToFourier`: ``type.fourier`` to ``type``.

    Args:
        type: type of the result.

    Raises:
        ValueError: for wrong channels.
    """

    def __init__(self, type: FieldType) -> None:
        require_type(type, "FromFourier", "type")
        super().__init__(type.fourier, type, *_plan(type), inverse=True)
