"""Intertwiners and Clebsch-Gordan tensors: complete, equivariant, orthonormal."""

from __future__ import annotations

import pytest
import torch
from tests.catalogue import GROUPS, SMALL, elements, irreps, representations, top

from steerable.groups import C, clebsch_gordan, hom_basis


def intertwining_error(basis, source, target, g):
    """Largest entry of ``A source(g) - target(g) A``."""
    return float((basis[:, None] @ source(g) - target(g) @ basis[:, None]).abs().max()) if len(basis) else 0.0


def null_space_dimension(source, target, g):
    """Brute force: dimension of the solutions of ``A source(g) = target(g) A`` for all listed elements."""
    n, m = target.size, source.size
    rows = [
        torch.kron(torch.eye(n, dtype=torch.float64), source(x).T.contiguous())
        - torch.kron(target(x).contiguous(), torch.eye(m, dtype=torch.float64))
        for x in g
    ]
    return n * m - int(torch.linalg.matrix_rank(torch.cat(rows), atol=1e-8))


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_hom_basis(name):
    group = GROUPS[name]
    g = elements(group, 6)
    reps = representations(name)
    for source in reps:
        for target in (reps[0], reps[-1], reps[-2], reps[len(reps) // 2]):
            if source.size * target.size > 3000:
                continue
            basis = hom_basis(source, target)
            q, weights = group.haar(top(group, source, target))
            expected = float((weights * source.character(q) * target.character(q)).sum())
            assert basis.shape == (round(expected), target.size, source.size) and abs(expected - len(basis)) < 1e-9
            assert intertwining_error(basis, source, target, g) < 1e-12
            flat = basis.flatten(1)
            assert (flat @ flat.T - torch.eye(len(flat))).abs().max() < 1e-12 if len(flat) else True


SPACE_GROUPS = ["SO3", "O3", "T", "O", "Oh", "I", "Ih", "SO2h", "O2h", "O2r", "D3d", "S4r"]


@pytest.mark.parametrize("name", ["C5", "C8", "D3", "D4", "SO2", "O2", "Q8", "S4", "C3xC3", *SPACE_GROUPS])
def test_hom_basis_against_the_null_space(name):
    group = GROUPS[name]
    for source in representations(name):
        for target in irreps(group):
            if source.size * target.size <= 64:
                assert len(hom_basis(source, target)) == null_space_dimension(source, target, group.generators)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_clebsch_gordan(name):
    group = GROUPS[name]
    g = elements(group, 6)
    reps = irreps(group)
    every = group.irreps() if group.is_finite else group.irreps(2 * max(r.frequency for r in reps))
    for a in reps[-4:]:
        for b in reps[:3]:
            stacked = []
            for target in every:
                cg = clebsch_gordan(a, b, target)
                assert cg.shape[1:] == (target.size, a.size, b.size)
                if not len(cg):
                    continue
                left = torch.einsum("gtu,suab->gstab", target(g), cg)
                right = torch.einsum("stcd,gca,gdb->gstab", cg, a(g), b(g))
                assert (left - right).abs().max() < 1e-12
                stacked.append(cg.flatten(2).flatten(0, 1))
            q = torch.cat(stacked)
            assert q.shape == (a.size * b.size,) * 2  # complete
            assert (q @ q.T - torch.eye(len(q))).abs().max() < 1e-12


def test_all_bilinear_maps_are_found():
    group = GROUPS["Q8"]
    a = group.irreps()[-1]
    for target in group.irreps():
        cg, e = clebsch_gordan(a, a, target), group.irrep_info(target.irreps[0]).endomorphisms
        assert len(cg) * len(e) == len(hom_basis(a.tensor(a), target))


def test_bad_input():
    c4, c8 = C(4), C(8)
    with pytest.raises(ValueError, match="share a group"):
        hom_basis(c4.regular, c8.regular)
    with pytest.raises(ValueError, match="three irreps"):
        clebsch_gordan(c4.irrep(1), c4.regular, c4.irrep(1))
    with pytest.raises(ValueError, match="three irreps"):
        clebsch_gordan(c4.irrep(1), c8.irrep(1), c4.irrep(1))


def test_planted_faults_are_caught():
    group = GROUPS["C5"]
    one = group.irrep(1)
    g = elements(group, 6)
    flip = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    assert intertwining_error(hom_basis(one, one) @ flip, one, one, g) > 0.1
    cg = clebsch_gordan(one, one, group.irrep(2))
    wrong = cg.transpose(1, 2)
    left = torch.einsum("gtu,suab->gstab", group.irrep(2)(g), wrong)
    right = torch.einsum("stcd,gca,gdb->gstab", wrong, one(g), one(g))
    assert (left - right).abs().max() > 0.1
