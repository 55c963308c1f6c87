"""Models of ideal folds with errors, as a structure predictor makes them, and their scores."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from steerable.tasks.proteins.backbone import backbone, fold
from steerable.tasks.proteins.lddt import lddt

KINDS = ("helix", "hairpin", "helices")


class Decoys(NamedTuple):
    """Models one after another.

    Attributes:
        atoms: N, CA, C of each residue, ``[R, 3, 3]`` float64 in angstroms.
        batch: number of the model, int64 ``[R]``.
        residues: lDDT of each residue ``[R]``.
        mean: lDDT of each model ``[count]``.
        kind: number of the fold of each model in :data:`KINDS`, int64 ``[count]``.
    """

    atoms: Tensor
    batch: Tensor
    residues: Tensor
    mean: Tensor
    kind: Tensor


def decoys(count: int, residues: int = 24, noise: float = 2.0, seed: int = 0) -> Decoys:
    """Make models of helices, hairpins and pairs of helices: some of their torsions are wrong, and all atoms shaken.

    Each model has its own level of error; each is scored against the fold without errors.

    Args:
        count: number of models.
        residues: of each, at least 6.
        noise: the largest standard deviation of the shaking, in angstroms.
        seed: of all draws.

    Raises:
        ValueError: numbers that are too small.
    """
    if count < 1 or residues < 6 or noise < 0:
        raise ValueError(
            f"decoys: {count} models of {residues} residues with noise {noise}; expected at least 1, 6 and 0."
        )
    generator = torch.Generator().manual_seed(seed)
    kind = torch.arange(count) % len(KINDS)
    atoms, scores, means = [], [], []
    for k in kind.tolist():
        phi, psi = fold(KINDS[k], residues)
        level = torch.rand(2, generator=generator, dtype=torch.float64)
        wrong = torch.rand(residues, generator=generator, dtype=torch.float64) < 0.3 * level[0]
        turn = 60 * torch.randn(2, residues, generator=generator, dtype=torch.float64) * wrong
        shaken = noise * level[1] * torch.randn(residues, 1, 3, generator=generator, dtype=torch.float64)
        rattle = 0.1 * torch.randn(residues, 3, 3, generator=generator, dtype=torch.float64)
        found = backbone(phi + turn[0], psi + turn[1]) + shaken + rattle
        score = lddt(found[:, 1], backbone(phi, psi)[:, 1])
        atoms.append(found)
        scores.append(score.residues)
        means.append(score.mean)
    batch = torch.arange(count).repeat_interleave(residues)
    return Decoys(torch.cat(atoms), batch, torch.cat(scores), torch.stack(means), kind)
