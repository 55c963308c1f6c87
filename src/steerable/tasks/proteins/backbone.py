"""Backbones from their torsions, with the bond lengths and angles of Engh and Huber."""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: length of each bond in angstroms and the angle at its first atom in degrees: N-CA, CA-C, C-N
BONDS = ((1.458, 121.7), (1.525, 111.0), (1.329, 117.2))
#: torsions phi, psi in degrees of residues in some folds
FOLDS = {"helix": (-57.8, -47.0), "strand": (-119.0, 113.0), "polyproline": (-75.0, 145.0)}
#: four residues between two helices or strands that lead back beside them, 10.3 and 6.5 angstroms away
TURNS = {
    "helix": ((-120.0, 130.0), (-120.0, 130.0), (60.0, 45.0), (-120.0, 130.0)),
    "strand": ((-70.0, 140.0), (60.0, 45.0), (-120.0, 130.0), (-90.0, 0.0)),
}


def backbone(phi: Tensor, psi: Tensor, omega: Tensor | None = None) -> Tensor:
    """Return the atoms N, CA, C of each residue of a chain, ``[R, 3, 3]`` float64 in angstroms.

    Args:
        phi, psi: torsions in degrees ``[R]``; the first phi and the last psi turn nothing.
        omega: torsion of the bond from each residue to the next ``[R]``; None: 180.

    Raises:
        ValueError: torsions of unlike number.

    Source: Engh and Huber, Acta Cryst. A47, 1991 (geometry); Parsons et al., J. Comput. Chem. 26, 2005 (placing).
    """
    omega = torch.full_like(phi, 180.0) if omega is None else omega
    if not (phi.ndim == 1 and phi.shape == psi.shape == omega.shape):
        raise ValueError(
            f"backbone: torsions are {list(phi.shape)}, {list(psi.shape)}, {list(omega.shape)}; expected [R] each."
        )
    # the torsion about the bond before each atom: psi places N, omega CA, phi C
    turns = torch.stack([psi.roll(1), omega.roll(1), phi], 1).double().flatten() * (math.pi / 180)
    lengths = [BONDS[2], BONDS[0], BONDS[1]]
    angles = [BONDS[2][1], BONDS[0][1], BONDS[1][1]]
    frame = torch.eye(3, dtype=torch.float64)  # first axis along the bond that led here
    place, atoms = torch.zeros(3, dtype=torch.float64), []
    for k, turn in enumerate(turns):
        if k:
            bend = math.pi - angles[k % 3] * (math.pi / 180)
            frame = frame @ _about_first(turn) @ _about_third(bend)
            place = place + lengths[k % 3][0] * frame[:, 0]
        atoms.append(place)
    return torch.stack(atoms).view(-1, 3, 3) if atoms else torch.zeros(0, 3, 3, dtype=torch.float64)


def fold(name: str, residues: int) -> tuple[Tensor, Tensor]:
    """Return phi and psi ``[R]`` of a helix, strand, polyproline helix, hairpin, or helix-turn-helix.

    Raises:
        ValueError: another name.
    """
    if name in FOLDS:
        found = [FOLDS[name]] * residues
    elif name in ("hairpin", "helices"):
        side = max(0, residues - 4) // 2
        kind = "strand" if name == "hairpin" else "helix"
        found = [FOLDS[kind]] * side + list(TURNS[kind])
        found += [FOLDS[kind]] * (residues - len(found))
    else:
        raise ValueError(f"fold: the name is {name!r}; expected one of {', '.join((*FOLDS, 'hairpin', 'helices'))}.")
    torsions = torch.tensor(found[:residues], dtype=torch.float64).view(-1, 2)
    return torsions[:, 0], torsions[:, 1]


def _about_first(angle: Tensor) -> Tensor:
    c, s, o, z = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
    return torch.stack([o, z, z, z, c, -s, z, s, c]).view(3, 3)


def _about_third(angle: float) -> Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
