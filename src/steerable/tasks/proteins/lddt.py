"""How well a model keeps the distances of a structure: no superposition, one score a residue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Lddt(NamedTuple):
    """Scores between 0 and 1.

    Attributes:
        residues: ``[R]``; 0 where nothing could be compared.
        compared: bool ``[R]``, whether the structure has partners of this residue.
        mean: over the residues that could be compared; 0 if there is none.
    """

    residues: Tensor
    compared: Tensor
    mean: Tensor


def lddt(
    model: Tensor,
    structure: Tensor,
    radius: float = 15.0,
    tolerances: Sequence[float] = (0.5, 1.0, 2.0, 4.0),
    chain: Tensor | None = None,
) -> Lddt:
    """Return the local distance difference test of each residue: the share of its distances that the model keeps.

    A distance counts if the structure has it below the radius; it is kept to the share of the tolerances within which
    the model has it. Residues missing in the structure (NaN) do not count; those missing in the model keep nothing.

    Args:
        model, structure: one atom of each residue (CA), ``[R, 3]`` in the unit of the radius.
        radius: of inclusion.
        tolerances: allowed differences.
        chain: number of the molecule of each residue, int64 ``[R]``, between which nothing is compared; None: one.

    Raises:
        ValueError: structures of unlike size, or no tolerances.

    Source: Mariani, Biasini, Barbato and Schwede, Bioinformatics 29(21), 2013.
    """
    if model.shape != structure.shape or model.shape[1:] != (3,) or not len(tolerances):
        raise ValueError(
            f"lddt: model is {list(model.shape)}, structure {list(structure.shape)}, tolerances {tuple(tolerances)}; "
            "expected [R, 3] twice and at least one tolerance."
        )
    true, have = ((p.double()[:, None] - p.double()[None]).norm(dim=-1) for p in (structure, model))
    counts = true < radius  # not where the structure is NaN
    counts = counts & ~torch.eye(len(true), dtype=torch.bool, device=true.device)
    if chain is not None:
        counts &= chain[:, None] == chain[None]
    missed = (have - true).abs()
    kept = sum((missed < t).double() for t in tolerances) / len(tolerances)
    number = counts.sum(1)
    scores = (kept * counts).sum(1) / number.clamp_min(1)  # type: ignore[operator]
    compared = number > 0
    return Lddt(scores, compared, scores[compared].sum() / compared.sum().clamp_min(1))
