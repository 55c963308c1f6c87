"""Representations: homomorphisms, types, and every construction of new ones from old."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from tests.catalogue import FINITE, GROUPS, elements, irreps, representations, top

from steerable.groups import O2, SO2, C, D, Inclusion, Representation, hom_basis, product

ALL = sorted(GROUPS)


def homomorphism_error(group, rho, seed=0):
    """Largest entry of ``rho(a b) - rho(a) rho(b)`` over random pairs."""
    a, b = elements(group, 16, seed), elements(group, 16, seed + 1)
    return float((rho(group.compose(a, b)) - rho(a) @ rho(b)).abs().max())


def irrep_sum(rho, g):
    """Direct sum of the irreps of a representation, turned by its change of basis: built without the library's call."""
    q = torch.from_numpy(rho.basis)
    blocks = torch.zeros(*g.shape[: g.dim() - len(rho.group.element_shape)], rho.size, rho.size, dtype=torch.float64)
    start = 0
    for id in rho.irreps:
        psi = rho.group.irrep_matrix(id, g)
        stop = start + psi.shape[-1]
        blocks[..., start:stop, start:stop] = psi
        start = stop
    return q @ blocks @ q.T


@pytest.mark.parametrize("name", ALL)
def test_homomorphism_and_orthogonality(name):
    group = GROUPS[name]
    g = elements(group, 16)
    for rho in representations(name):
        m = rho(g)
        assert m.dtype == torch.float64 and m.shape == (17, rho.size, rho.size)
        assert homomorphism_error(group, rho) < 1e-12, rho
        assert (m @ m.mT - torch.eye(rho.size, dtype=torch.float64)).abs().max() < 1e-12, rho
        assert (m[0] - torch.eye(rho.size)).abs().max() < 1e-12, rho
        assert (m - irrep_sum(rho, g)).abs().max() < 1e-12, rho


@pytest.mark.parametrize("name", ALL)
def test_irreps_are_irreducible_distinct_and_of_their_type(name):
    group = GROUPS[name]
    reps = irreps(group)
    g, weights = group.haar(top(group, *reps))
    characters = torch.stack([r.character(g) for r in reps])
    types = torch.tensor([float(group.irrep_info(r.irreps[0]).type) for r in reps], dtype=torch.float64)
    assert ((weights * characters) @ characters.T - torch.diag(types)).abs().max() < 1e-12
    indicator = torch.stack([(weights * r.character(group.compose(g, g))).sum() for r in reps])
    expected = torch.tensor([{1: 1.0, 2: 0.0, 4: -2.0}[int(t)] for t in types], dtype=torch.float64)
    assert (indicator - expected).abs().max() < 1e-12  # the Frobenius-Schur indicator of the real irrep
    assert reps[0].is_trivial and not any(r.is_trivial for r in reps[1:])


@pytest.mark.parametrize("name", sorted(FINITE))
def test_squares_of_dimensions_fill_the_group(name):
    group = FINITE[name]
    infos = [group.irrep_info(i) for i in group.irrep_ids()]
    assert sum(i.dim**2 / i.type for i in infos) == group.order
    counts = {i: group.regular.irreps.count(i) for i in group.irrep_ids()}
    assert all(counts[i.id] == i.dim // i.type for i in infos)


def test_known_types():
    q8 = [(i.dim, i.type) for i in map(GROUPS["Q8"].irrep_info, GROUPS["Q8"].irrep_ids())]
    assert q8 == [(1, 1)] * 4 + [(4, 4)]
    assert [r.size for r in GROUPS["S4"].irreps()] == [1, 1, 2, 3, 3]
    assert [r.size for r in GROUPS["A5"].irreps()] == [1, 3, 3, 4, 5]
    assert [r.size for r in GROUPS["S5"].irreps()] == [1, 1, 4, 4, 5, 5, 6]
    assert [(i.dim, i.type) for i in map(GROUPS["T"].irrep_info, GROUPS["T"].irrep_ids())] == [(1, 1), (2, 2), (3, 1)]
    # two complex types split in two, so C3 x C3 has four planes beside the trivial irrep
    assert [r.size for r in GROUPS["C3xC3"].irreps()] == [1, 2, 2, 2, 2]


@pytest.mark.parametrize(("other", "last"), [(C(3), (4, 2)), (GROUPS["Q8"], (4, 1))], ids=str)
def test_products_with_a_quaternionic_type(other, last):
    group = product(GROUPS["Q8"], other)
    infos = [group.irrep_info(i) for i in group.irrep_ids()]
    assert (infos[-1].dim, infos[-1].type) == last  # quaternionic x complex is complex, quaternionic squared is real
    assert sum(i.dim**2 / i.type for i in infos) == group.order
    assert max(homomorphism_error(group, rho) for rho in group.irreps()) < 1e-12


@pytest.mark.parametrize("name", ALL)
def test_commutants(name):
    group = GROUPS[name]
    g = elements(group, 8)
    for rho in irreps(group):
        e = torch.from_numpy(group.irrep_info(rho.irreps[0]).endomorphisms)
        c, d = e.shape[:2]
        assert torch.equal(e[0], torch.eye(d, dtype=torch.float64))
        gram = torch.einsum("aij,bij->ab", e, e)
        assert (gram - d * torch.eye(c)).abs().max() < 1e-12
        assert (e.mT @ e - torch.eye(d)).abs().max() < 1e-12
        assert (rho(g)[:, None] @ e - e @ rho(g)[:, None]).abs().max() < 1e-12
        if c > 1:
            assert (e[1] @ e[1] + torch.eye(d)).abs().max() < 1e-12
        if c == 4:
            assert (e[1] @ e[2] - e[3]).abs().max() < 1e-12 and (e[1] @ e[2] + e[2] @ e[1]).abs().max() < 1e-12


@pytest.mark.parametrize("name", sorted(FINITE))
def test_the_regular_representation_permutes(name):
    group = FINITE[name]
    g = elements(group, 10)
    m = group.regular(g)
    expected = torch.zeros_like(m)
    h = group.elements
    for i, a in enumerate(g):
        expected[i, group.compose(a, h), h] = 1.0
    assert torch.equal(m, expected)  # to the last bit
    assert group.regular.is_permutation and group.regular.kind == "regular"


@pytest.mark.parametrize("name", sorted(FINITE))
def test_regular_is_induced_from_the_trivial_subgroup(name):
    group = FINITE[name]
    one = C(1)
    g = elements(group, 10)
    assert (group.induced(one, one.trivial)(g) - group.regular(g)).abs().max() < 1e-12
    assert torch.equal(group.quotient(one)(g), group.regular(g))
    assert group.quotient(group).size == 1 and group.quotient(group).is_trivial


PAIRS = [
    ("C2", "C8"),
    ("C4", "D4"),
    ("D1", "D3"),
    ("D1", "D4"),
    ("C3", "D3"),
    ("C5", "D5"),
    ("D4", "D8"),
    ("SO2", "O2"),
    ("T", "O"),
    ("C4", "O"),
    ("T", "I"),
    ("I", "Ih"),
    ("D4", "Oh"),
    ("D4h", "Oh"),
]


@pytest.mark.parametrize(("small", "big"), PAIRS)
def test_frobenius_reciprocity(small, big):
    h, g = GROUPS[small], GROUPS[big]
    for psi in irreps(h)[:4]:
        induced = g.induced(h, psi)
        for rho in irreps(g):
            assert len(hom_basis(induced, rho)) == len(hom_basis(psi, rho.restrict(h))), (psi, rho)


def test_frobenius_reciprocity_for_abstract_groups():
    s4 = GROUPS["S4"]
    for generators in ([1], [2], [1, 2], [5]):
        inclusion = s4.subgroup_from(generators)
        for psi in inclusion.small.irreps():
            induced = s4.induced(inclusion, psi)
            assert induced.size == psi.size * s4.order // inclusion.small.order
            for rho in s4.irreps():
                assert len(hom_basis(induced, rho)) == len(hom_basis(psi, rho.restrict(inclusion)))


@pytest.mark.parametrize(("small", "big"), PAIRS)
def test_induced_block_of_the_subgroup_is_the_representation(small, big):
    h, g = GROUPS[small], GROUPS[big]
    inclusion = g.subgroup(h)
    for psi in irreps(h)[:4]:
        induced = g.induced(h, psi)
        e = elements(h, 8)
        block = induced(inclusion.map(e))
        assert (block[:, : psi.size, : psi.size] - psi(e)).abs().max() < 1e-12
        assert block[:, psi.size :, : psi.size].abs().max() < 1e-12  # h maps the coset H to itself


def test_o2_from_so2():
    so2, o2 = SO2(), O2()
    assert o2.induced(so2, so2.trivial).irreps == ("0e", "0o")
    assert o2.induced(so2, so2.irrep(2)).irreps == ("2", "2")
    with pytest.raises(TypeError, match="infinite index"):
        o2.induced(D(4), D(4).trivial)


SPACE_PAIRS = [("SO3", "O3"), ("O2h", "O3"), ("O2", "O3"), ("Ih", "O3"), ("Oh", "O3"), ("D3d", "O3"), ("S4r", "O3")]
SPACE_PAIRS += [
    ("SO2", "SO3"),
    ("O2r", "SO3"),
    ("I", "SO3"),
    ("O", "SO3"),
    ("D4r", "SO3"),
    ("C5", "SO3"),
    ("SO2", "O2h"),
]


@pytest.mark.parametrize(
    ("small", "big"), [*PAIRS, ("C1", "S4"), ("D3", "O2"), ("C6", "SO2"), ("C4", "O2"), *SPACE_PAIRS]
)
def test_restriction(small, big):
    h, g = GROUPS[small], GROUPS[big]
    inclusion = g.subgroup(h)
    e = elements(h, 10)
    for rho in representations(big):
        restricted = rho.restrict(h)
        assert restricted.group == h
        assert (restricted(e) - rho(inclusion.map(e))).abs().max() < 1e-12
        if rho.is_permutation:
            assert restricted.is_permutation
    if g.is_finite and h.is_finite:
        copies = g.order // h.order
        assert sorted(g.regular.restrict(h).irreps) == sorted(h.regular.irreps * copies)


@pytest.mark.parametrize(
    "name", ["C5", "C8", "D3", "D4", "SO2", "O2", "C3xC3", "Q8", "S4", "T", "SO2xC3", "SO3", "O3", "I", "O2h"]
)
def test_tensor_and_sum_are_kronecker_and_blocks(name):
    group = GROUPS[name]
    g = elements(group, 6)
    reps = representations(name)
    for a in reps[:5]:
        for b in (reps[1 % len(reps)], reps[-2]):
            if a.size * b.size > 100:
                continue
            product = a.tensor(b)(g)
            kron = torch.einsum("gij,gkl->gikjl", a(g), b(g)).flatten(1, 2).flatten(2, 3)
            assert (product - kron).abs().max() < 1e-12
            total = a.direct_sum(b)(g)
            assert torch.equal(total[:, : a.size, a.size :], torch.zeros(len(g), a.size, b.size, dtype=torch.float64))
            assert (total[:, : a.size, : a.size] - a(g)).abs().max() < 1e-12
            assert (total[:, a.size :, a.size :] - b(g)).abs().max() < 1e-12


@pytest.mark.parametrize("name", ALL)
def test_invariants(name):
    group = GROUPS[name]
    g = elements(group, 8)
    for rho in representations(name):
        v = rho.invariants
        q, weights = group.haar(top(group, rho))
        assert len(v) == round(float((weights * rho.character(q)).sum()))
        if len(v):
            assert (torch.einsum("gij,nj->gni", rho(g), v) - v).abs().max() < 1e-12
            assert (v.abs().amax(1) - 1).abs().max() < 1e-12
            assert torch.linalg.matrix_rank(v) == len(v)


@pytest.mark.parametrize("name", ALL)
def test_permutation_is_recognised(name):
    group = GROUPS[name]
    g = elements(group, 12)
    for rho in representations(name):
        m = rho(g)
        is_permutation = bool((m - m.round()).abs().max() < 1e-9 and m.min() > -1e-9)
        assert rho.is_permutation == is_permutation, rho


@pytest.mark.parametrize("name", ["C1", "C2", "C5", "C8", "D3", "D4", "SO2", "O2", "SO2xC3", "SO3", "O3", "O2r", "Ih"])
def test_spectral_regular(name):
    group = GROUPS[name]
    for band in (0, 1, 2, 3):
        rho = group.spectral_regular(band)
        infos = [group.irrep_info(i) for i in group.irrep_ids(band)]
        assert rho.size == sum(i.dim**2 // i.type for i in infos)
        assert homomorphism_error(group, rho) < 1e-12
    if group.is_finite:
        assert group.spectral_regular(group.order).size == group.order


def test_spectral_quotient_counts_the_fixed_vectors():
    o2 = O2()
    assert o2.spectral_quotient(D(1), 3).irreps == ("0e", "1", "2", "3")  # functions on the circle
    assert o2.spectral_quotient(SO2(), 3).irreps == ("0e", "0o")
    assert o2.spectral_quotient(C(2), 3).irreps == ("0e", "0o", "2", "2")
    assert SO2().spectral_quotient(C(3), 7).irreps == ("0", "3", "6")
    d4 = D(4)
    assert sorted(d4.spectral_quotient(D(1), 4).irreps) == sorted(d4.quotient(D(1)).irreps)


@pytest.mark.parametrize("name", ALL)
def test_equality_hash_and_pickle_are_by_value(name):
    reps = representations(name)
    for rho in reps:
        copy = pickle.loads(pickle.dumps(rho))
        assert copy == rho and hash(copy) == hash(rho) and copy.kind == rho.kind and copy.name == rho.name
        rebuilt = Representation(rho.group, rho.irreps, rho.change_of_basis)
        assert rebuilt == rho and hash(rebuilt) == hash(rho)
    small = irreps(GROUPS[name])
    assert len(set(small)) == len(small)


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("Q8", "S4", "A5", "S5")])
def test_names_are_read_back(name):
    group = GROUPS[name]
    for rho in representations(name):
        assert group.representation(rho.name) == rho, rho.name


def elsewhere():
    """Representations through subgroups that do not lie where their names alone would put them."""
    d, c, s4, q8 = D(4), C(4), GROUPS["S4"], GROUPS["Q8"]
    back = np.array([0, 3, 2, 1])  # the rotations, the other way round
    yield d.quotient(Inclusion(D(1), d, np.array([0, 5]))), d.quotient(D(1))
    yield d.quotient(d.subgroup_from([5])), d.quotient(D(1))
    yield d.induced(Inclusion(C(4), d, back), C(4).irrep(1)), d.induced(C(4), C(4).irrep(1))
    yield c.irrep(1).restrict(Inclusion(c, c, back)), c.irrep(1)
    yield d.irrep(1).restrict(Inclusion(C(4), d, back)), d.irrep(1).restrict(C(4))
    yield d.spectral_quotient(d.subgroup_from([5]), 1), d.spectral_quotient(C(1), 1)
    conjugate = D(6).subgroup_from([7, 9]).small  # a D(3) whose reflections are those between the canonical ones
    yield D(6).irrep("1").restrict(conjugate), conjugate.irrep(2)
    for group, element in ((s4, 1), (q8, 1)):
        pair = group.subgroup_from([element])
        yield group.quotient(pair), group.trivial
        yield group.induced(pair, pair.small.irreps()[-1]), group.trivial


@pytest.mark.parametrize(("rho", "usual"), list(elsewhere()), ids=str)
def test_names_tell_where_a_subgroup_lies(rho, usual):
    assert rho != usual and rho.name != usual.name
    assert rho.group.representation(rho.name) == rho
    assert rho.group.type(str(2 * rho + rho.group.trivial)) == 2 * rho + rho.group.trivial


def test_names_are_never_read_as_something_else():
    turned = Representation(C(8), ("1",), np.array([[0.0, 1.0], [1.0, 0.0]]))
    swapped = Representation(C(8), ("1", "0"), np.eye(3)[[1, 0, 2]])
    crossed = O2().irrep("1").restrict(Inclusion(D(1), O2(), np.array([[0.0, 0.0], [1.0, 1.0]])))
    for rho in (turned, swapped, crossed):
        with pytest.raises(ValueError, match=r"unknown representation|cannot read"):
            rho.group.type(str(2 * rho))
    assert C(8).regular.direct_sum() == C(8).regular
    for name in ("quotient(D1@0.1)", "quotient(D1@0.9)", "quotient(D1@x)", "induced(C4@0.2.1.3, 1)"):
        with pytest.raises(ValueError, match="cannot read the subgroup"):
            D(4).representation(name)


@pytest.mark.parametrize("group", [SO2(), O2(), C(4), D(4), GROUPS["Q8"]], ids=str)
@pytest.mark.parametrize("id", ["01", "\u00b2", " 1", "+1"])
def test_an_irrep_has_one_name(group, id):
    """A second spelling would make a representation that equals none and couples to none."""
    with pytest.raises(ValueError, match="has no irrep"):
        group.irrep(id)


def test_bad_input():
    with pytest.raises(ValueError, match="orthogonal"):
        Representation(C(4), ("1",), np.ones((2, 2)))
    with pytest.raises(ValueError, match="share a group"):
        C(4).regular.direct_sum(C(8).regular)
    with pytest.raises(ValueError, match="share a group"):
        C(4).irrep(1).tensor(C(8).irrep(1))
    with pytest.raises(ValueError, match="expected a representation of C2"):
        C(4).induced(C(2), C(4).irrep(1))
    with pytest.raises(TypeError, match="tensor"):
        C(4).regular * 2.5
    with pytest.raises(ValueError, match="unknown representation"):
        C(4).representation("vector")
    with pytest.raises(ValueError, match="missing"):
        C(4).representation("induced(C2)")


@pytest.mark.parametrize("name", ["D3", "S4", "Q8"])
def test_a_planted_transpose_is_caught(name):
    group = GROUPS[name]
    rho = irreps(group)[-1]
    assert homomorphism_error(group, lambda g: rho(g).mT) > 0.1


def test_a_planted_sign_is_caught():
    group = D(3)

    def wrong(g):
        m = group.irrep(1)(g)
        return torch.where((g >= 3)[..., None, None], m * torch.tensor([[-1.0, 1.0], [1.0, 1.0]]), m)

    assert homomorphism_error(group, wrong) > 0.1
