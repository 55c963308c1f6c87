"""Induced representations up to a band: fields on quotients as functions on the group."""

from __future__ import annotations

import pytest
import torch
from tests.catalogue import GROUPS, alternating5, symmetric

from steerable.groups import (
    O2,
    O3,
    SO2,
    SO3,
    C,
    D,
    factor,
    hom_basis,
    mackey_lift,
    mackey_matrix,
    product,
    sampling_matrix,
    spectral_induced,
)
from steerable.groups.subgroup import as_inclusion

TORUS = product(SO2(), SO2())
S4, A5, Q8, I = symmetric(4), alternating5(), GROUPS["Q8"], GROUPS["I"]


def cyclic(group, order):
    """A cyclic subgroup of an abstract group."""
    for g in group.elements.tolist():
        found = group.subgroup_from([g])
        if found.small.order == order:
            return found
    raise LookupError(order)


CASES = {
    "SO3/SO2": (SO3(), SO2(), 4),
    "SO3/C5": (SO3(), C(5), 3),
    "SO3/T": (SO3(), GROUPS["T"], 3),
    "SO3/1": (SO3(), C(1), 2),
    "O3/O2": (O3(), O2(), 2),
    "O2/SO2": (O2(), SO2(), 3),
    "SO2/C3": (SO2(), C(3), 6),
    "torus/diagonal": (TORUS, factor(TORUS, "diagonal"), 3),
    "torus/second": (TORUS, factor(TORUS, "second"), 2),
    "SO2h/SO2": (GROUPS["SO2h"], SO2(), 2),
    "C9/C3": (C(9), C(3), None),
    "D6/C2": (D(6), C(2), None),
    "Q8/C4": (Q8, cyclic(Q8, 4), None),
    "Q8/1": (Q8, C(1), None),
    "S4/S3": (S4, S4.subgroup_from([1, 2]), None),
    "I/C5": (I, cyclic(I, 5), None),
    "A5/C5": (A5, cyclic(A5, 5), None),
}


def fields(name):
    """Group, inclusion, band and the irreps of the subgroup."""
    group, small, band = CASES[name]
    inclusion = as_inclusion(group, small)
    return group, inclusion, band, inclusion.small.irreps(None if inclusion.small.is_finite else 2)


def largest(error):
    return float(error.abs().max())


@pytest.mark.parametrize("name", CASES)
def test_mackey_functions(name):
    group, inclusion, band, reps = fields(name)
    elements, weights = group.haar(2 * (band or 0))
    u, h = (
        group.sample(3, torch.Generator().manual_seed(1)),
        inclusion.small.sample(3, torch.Generator().manual_seed(0)),
    )
    for rho in reps:
        rep = spectral_induced(group, inclusion, rho, band)
        values = mackey_matrix(rep, elements, inclusion, rho)
        gram = torch.einsum("n,nri,nrj->ij", weights, values, values)
        assert largest(gram - torch.eye(rep.size)) < 1e-12  # orthonormal
        moved = mackey_matrix(rep, group.compose(u, inclusion.map(h)), inclusion, rho)
        here = mackey_matrix(rep, u, inclusion, rho)
        assert largest(moved - rho(inclusion.small.inverse(h)) @ here) < 1e-12  # F(g h) = rho(h)^-1 F(g)
        shifted = mackey_matrix(rep, group.compose(group.inverse(u), u.flip(0)), inclusion, rho)
        assert largest(shifted - here.flip(0) @ rep(u)) < 1e-12  # [u F](g) = F(u^-1 g)
        assert largest(moved - rho(h) @ here) > 1e-3 or rho.is_trivial or rho.size == 1  # planted: no inverse


@pytest.mark.parametrize("name", CASES)
def test_lift_is_an_isometry_and_its_transpose_averages(name):
    group, inclusion, band, reps = fields(name)
    top = band if band is not None else max(group.irrep_info(i).frequency for i in group.irrep_ids())
    regular = group.spectral_regular(top)
    u = group.sample(3, torch.Generator().manual_seed(1))
    h, weights = inclusion.small.haar(2 * top * inclusion.stretch)
    for rho in reps:
        rep, lift = spectral_induced(group, inclusion, rho, band), mackey_lift(group, inclusion, rho, band)
        assert largest(lift.T @ lift - torch.eye(rep.size)) < 1e-12
        functions = sampling_matrix(regular, u)
        lifted = torch.einsum("nd,rdc->nrc", functions, lift.view(rho.size, -1, rep.size))
        assert largest(lifted - mackey_matrix(rep, u, inclusion, rho)) < 1e-12
        # any functions: integral rho(h) F(g h) dh is what the transpose gives
        f = torch.randn(rho.size * regular.size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        turned = group.compose(u[:, None], inclusion.map(h)[None])
        values = torch.stack([sampling_matrix(regular, t) @ f.view(rho.size, -1).T for t in turned])  # [n, q, r]
        average = torch.einsum("q,qij,nqj->ni", weights, rho(h), values)
        assert largest(average - mackey_matrix(rep, u, inclusion, rho) @ (lift.T @ f)) < 1e-11


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n][0].is_finite])
def test_finite_groups_agree_with_the_exact_induced_representation(name):
    group, inclusion, _, reps = fields(name)
    for rho in reps:
        rep, exact = spectral_induced(group, inclusion, rho), group.induced(inclusion, rho)
        assert sorted(rep.irreps) == sorted(exact.irreps)
        assert len(hom_basis(rep, exact)) == len(hom_basis(exact, exact))


def test_known_spaces():
    group, sphere = SO3(), SO3().subgroup(SO2())
    assert spectral_induced(group, sphere, SO2().trivial, 4).irreps == group.spectral_quotient(SO2(), 4).irreps
    assert spectral_induced(group, C(1), C(1).trivial, 3) == group.spectral_regular(3)
    for spin in (1, 2, 3):  # two copies, electric and magnetic, from l = spin on
        found = spectral_induced(group, sphere, SO2().irrep(spin), 4).irreps
        assert [found.count(str(l)) for l in range(5)] == [0] * spin + [2] * (5 - spin)


@pytest.mark.parametrize("name", CASES)
def test_names_read_back(name):
    group, inclusion, band, reps = fields(name)
    if band is None or group.name == "Q8":
        return
    for rho in reps:
        rep = spectral_induced(group, inclusion, rho, band)
        assert group.representation(rep.name) == rep


def test_bad_input():
    with pytest.raises(ValueError, match="need a representation of SO2"):
        spectral_induced(SO3(), SO2(), C(4).irrep(1), 2)
    with pytest.raises(ValueError, match="need a larger band"):
        spectral_induced(SO3(), SO2(), SO2().irrep(3), 2)
    with pytest.raises(ValueError, match="more than 1 times"):
        mackey_matrix(SO3().irrep(1).direct_sum(SO3().irrep(1)), SO3().sample(2), SO2(), SO2().trivial)
    with pytest.raises(ValueError, match="no product"):
        factor(SO3(), "first")
    with pytest.raises(ValueError, match="equal factors"):
        factor(product(SO2(), C(3)), "diagonal")
