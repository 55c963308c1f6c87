"""Backbones of ideal geometry, their models with errors, and the scores of those."""

from __future__ import annotations

import math

import pytest
import torch

import steerable as st
from steerable.tasks.proteins import backbone, decoys, lddt
from steerable.tasks.proteins.backbone import FOLDS, fold

G = torch.Generator().manual_seed(0)


def torsion(a, b, c, d):
    axis = torch.nn.functional.normalize(c - b, dim=-1)
    v, w = a - b, d - c
    v, w = v - (v * axis).sum(-1, keepdim=True) * axis, w - (w * axis).sum(-1, keepdim=True) * axis
    return torch.atan2((torch.linalg.cross(axis, v) * w).sum(-1), (v * w).sum(-1)) * (180 / math.pi)


def test_backbones_have_their_torsions_lengths_and_angles():
    phi, psi = (360 * torch.rand(10, dtype=torch.float64, generator=G) - 180 for _ in range(2))
    n, ca, c = backbone(phi, psi).unbind(1)
    assert torch.allclose(torsion(c[:-1], n[1:], ca[1:], c[1:]), phi[1:], atol=1e-9)
    assert torch.allclose(torsion(n[:-1], ca[:-1], c[:-1], n[1:]), psi[:-1], atol=1e-9)
    assert torch.allclose(torsion(ca[:-1], c[:-1], n[1:], ca[1:]).abs(), torch.full((9,), 180.0).double(), atol=1e-5)
    for a, b, length in ((n, ca, 1.458), (ca, c, 1.525), (c[:-1], n[1:], 1.329)):
        assert torch.allclose((a - b).norm(dim=1), torch.tensor(length).double())
    assert torch.allclose((ca[1:] - ca[:-1]).norm(dim=1), torch.tensor(3.81).double(), atol=0.02)
    assert backbone(phi[:0], psi[:0]).shape == (0, 3, 3)


def test_a_helix_rises_by_an_angstrom_and_a_half_and_is_right_handed():
    ca = backbone(*fold("helix", 40))[:, 1]
    assert abs(float((ca[36] - ca[0]).norm()) / 36 - 1.5) < 0.06
    step = ca[1:] - ca[:-1]
    assert torch.linalg.det(torch.stack([step[0], step[1], step[2]])) > 0
    assert float((backbone(*fold("strand", 11))[10, 1] - backbone(*fold("strand", 11))[0, 1]).norm()) > 30


@pytest.mark.parametrize("name", [*FOLDS, "hairpin", "helices"])
def test_folds(name):
    phi, psi = fold(name, 13)
    assert phi.shape == psi.shape == (13,)
    if name in ("hairpin", "helices"):  # the chain comes back beside itself, and does not run through itself
        ca = backbone(*fold(name, 26))[:, 1]
        there, back = ca[:11], ca[-11:]
        cosine = torch.nn.functional.cosine_similarity(
            there[-4:].sum(0) - there[:4].sum(0), back[-4:].sum(0) - back[:4].sum(0), dim=0
        )
        apart = torch.arange(26)
        assert cosine < -0.9 and (there[:4].mean(0) - back[-4:].mean(0)).norm() < 11
        assert torch.cdist(ca, ca)[(apart[:, None] - apart).abs() > 2].min() > 4.5
    with pytest.raises(ValueError, match="'barrel'"):
        fold("barrel", 9)


def slow(model, truth, radius=15.0):
    scores = []
    for i in range(len(truth)):
        near = [j for j in range(len(truth)) if j != i and (truth[i] - truth[j]).norm() < radius]
        kept = [
            sum(abs((model[i] - model[j]).norm() - (truth[i] - truth[j]).norm()) < t for t in (0.5, 1, 2, 4)) / 4
            for j in near
        ]
        scores.append(float(sum(kept)) / len(near))
    return torch.tensor(scores, dtype=torch.float64)


def test_lddt_is_its_definition():
    truth = backbone(*fold("helices", 20))[:, 1]
    model = truth + torch.randn(20, 3, dtype=torch.float64, generator=G)
    found = lddt(model, truth)
    assert torch.allclose(found.residues, slow(model, truth)) and torch.allclose(found.mean, found.residues.mean())
    assert torch.equal(lddt(truth, truth).residues, torch.ones(20, dtype=torch.float64))
    turn = st.SO3().action(st.SO3().sample(1, G)[0])
    assert torch.allclose(lddt(model @ turn.T + 5, truth).residues, found.residues)
    # what the test finds: another scale of the model, one residue out of place
    assert lddt(1.2 * truth, truth).mean < 0.9
    model = truth.clone()
    model[7] += 20
    worse = lddt(model, truth)
    assert worse.residues[7] == 0 and worse.residues.argmin() == 7 and 0.7 < worse.mean < 1


def test_lddt_with_missing_residues():
    truth = backbone(*fold("helix", 8))[:, 1]
    model = truth.clone()
    model[2], truth[5] = torch.nan, torch.nan
    found = lddt(model, truth)
    assert found.compared.tolist() == [True] * 5 + [False] + [True] * 2
    assert found.residues[2] == 0 and found.residues[5] == 0 and torch.isfinite(found.residues).all()
    assert torch.allclose(found.residues[0], torch.tensor(5 / 6).double())
    alone = lddt(torch.zeros(1, 3), torch.zeros(1, 3))
    assert alone.mean == 0 and not alone.compared.any()
    assert lddt(model, truth, chain=torch.arange(8)).compared.sum() == 0
    with pytest.raises(ValueError, match=r"model is \[8, 3\], structure \[7, 3\]"):
        lddt(model, truth[:7])


def test_decoys():
    d = decoys(6, 12, seed=3)
    assert d.atoms.shape == (72, 3, 3) and d.batch.tolist() == [k for k in range(6) for _ in range(12)]
    assert torch.equal(d.atoms, decoys(6, 12, seed=3).atoms) and not torch.equal(d.atoms, decoys(6, 12, seed=4).atoms)
    assert torch.allclose(d.mean, d.residues.view(6, 12).mean(1)) and ((d.mean > 0.2) & (d.mean <= 1)).all()
    calm = decoys(30, 12, noise=0.0)
    assert calm.mean.max() > 0.95
    with pytest.raises(ValueError, match="0 models"):
        decoys(0)
