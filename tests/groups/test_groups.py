"""Groups are groups: axioms on elements, generators, planar actions, subgroups, bad tables."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.catalogue import FINITE, GROUPS, PLANAR, QUATERNIONS, elements

from steerable.groups import O2, SO2, C, D, FiniteGroup, parse_group, product

ALL = sorted(GROUPS)


@pytest.mark.parametrize("name", ALL)
def test_axioms(name):
    g = GROUPS[name]
    a, b, c = (elements(g, 20, seed) for seed in range(3))
    assert g.equal(g.compose(g.compose(a, b), c), g.compose(a, g.compose(b, c))).all()
    assert g.equal(g.compose(a, g.inverse(a)), g.identity.to(a)).all()
    assert g.equal(g.compose(g.inverse(a), a), g.identity.to(a)).all()
    assert g.equal(g.compose(g.identity.to(a), a), a).all() and g.equal(g.compose(a, g.identity.to(a)), a).all()
    assert g.equal(g.inverse(g.compose(a, b)), g.compose(g.inverse(b), g.inverse(a))).all()


@pytest.mark.parametrize("name", ALL)
def test_operations_are_batched_over_any_shape(name):
    g = GROUPS[name]
    a = elements(g, 11).reshape(3, 4, *g.element_shape)
    b = elements(g, 3, 1)[:4]
    assert g.compose(a, b).shape == a.shape and g.inverse(a).shape == a.shape
    assert g.equal(g.compose(a, b)[1, 2], g.compose(a[1, 2], b[2]))
    rho = g.irreps(None if g.is_finite else 2)[-1]
    assert rho(a).shape == (3, 4, rho.size, rho.size)
    assert (rho(a)[2, 1] - rho(a[2, 1])).abs().max() < 1e-14


@pytest.mark.parametrize("name", sorted(FINITE))
def test_finite_groups(name):
    g = FINITE[name]
    assert g.order == len(g.elements) == len(g.grid())
    table = g.compose(g.elements[:, None], g.elements[None])
    assert (table.numpy() == g.table).all()
    assert (table.sort(0).values == g.elements[:, None]).all() and (table.sort(1).values == g.elements).all()
    reached = {0}
    while True:
        more = reached | {int(g.compose(torch.tensor(r), s)) for r in reached for s in g.generators}
        if more == reached:
            break
        reached = more
    assert len(reached) == g.order
    with pytest.raises(TypeError, match="integers"):
        g.compose(torch.tensor(0.5), torch.tensor(0))


def test_elements_follow_the_house_convention():
    assert int(C(8).compose(torch.tensor(3), torch.tensor(6))) == 1
    d = D(3)  # r + 3 s is R^r F^s, so R F is element 4 and F R = R^-1 F is element 5
    assert int(d.compose(torch.tensor(1), torch.tensor(3))) == 4
    assert int(d.compose(torch.tensor(3), torch.tensor(1))) == 5
    assert len(d.elements) == 6
    assert C(4).plane(torch.tensor(1)).tolist() == [[0.0, -1.0], [1.0, 0.0]]
    assert d.plane(torch.tensor(3)).tolist() == [[1.0, 0.0], [0.0, -1.0]]
    assert O2().plane(torch.tensor([0.0, 1.0], dtype=torch.float64)).tolist() == [[1.0, 0.0], [0.0, -1.0]]


@pytest.mark.parametrize("name", sorted(PLANAR))
def test_planar_action(name):
    g = GROUPS[name]
    a, b = elements(g, 30, 1), elements(g, 30, 2)
    assert (g.plane(g.compose(a, b)) - g.plane(a) @ g.plane(b)).abs().max() < 1e-14
    assert g.equal(g.from_plane(g.plane(a)), a).all()
    assert (g.plane(a) @ g.plane(a).mT - torch.eye(2)).abs().max() < 1e-14
    odd = O2().plane(torch.tensor([2.0, 1.0], dtype=torch.float64))  # a reflection in an irrational axis
    if name != "O2":
        with pytest.raises(ValueError, match="holds no"):
            g.from_plane(odd)


@pytest.mark.parametrize("name", sorted(set(GROUPS) - set(PLANAR)))
def test_abstract_groups_have_no_plane(name):
    g = GROUPS[name]
    with pytest.raises(TypeError, match="no action on the plane"):
        g.plane(g.identity)


@pytest.mark.parametrize(
    ("small", "big"),
    [
        ("C2", "C8"),
        ("C4", "D4"),
        ("D1", "D3"),
        ("D4", "D8"),
        ("C5", "SO2"),
        ("C5", "O2"),
        ("D3", "O2"),
        ("SO2", "O2"),
        ("C1", "A5"),
        ("C1", "SO2"),
        ("C1", "SO2xC3"),
        ("Q8", "Q8"),
        ("D1", "D1"),
        ("T", "O"),
        ("T", "I"),
        ("C4", "O"),
        ("D4", "Oh"),
        ("D4r", "O"),
        ("S4r", "Td"),
        ("Th", "Ih"),
        ("SO2", "SO3"),
        ("O2r", "SO3"),
        ("O2h", "O3"),
        ("D3h", "O2h"),
        ("I", "SO3"),
        ("Ih", "O3"),
        ("SO3", "O3"),
    ],
)
def test_inclusions(small, big):
    h, g = GROUPS[small], GROUPS[big]
    inclusion = g.subgroup(h)
    a, b = elements(h, 10, 1), elements(h, 10, 2)
    assert g.equal(inclusion.map(h.compose(a, b)), g.compose(inclusion.map(a), inclusion.map(b))).all()
    assert g.contains(h) and pickle.loads(pickle.dumps(inclusion)) == inclusion
    if g.dimension and h.acts_on(g.dimension):
        assert (g.action(inclusion.map(a)) - h.action(a, g.dimension)).abs().max() < 1e-14


@pytest.mark.parametrize(
    ("small", "big"),
    [
        ("C3", "C8"),
        ("D1", "C8"),
        ("SO2", "D4"),
        ("O2", "SO2"),
        ("D2", "SO2"),
        ("C2", "S4"),
        ("D3", "D4"),
        ("Ci", "SO3"),
        ("D4", "O"),
        ("O", "I"),
        ("Td", "O"),
        ("O2", "SO3"),
        ("D4r", "D4"),
        ("O3", "SO3"),
        ("C3", "O"),
    ],
)
def test_what_is_no_subgroup_is_refused(small, big):
    with pytest.raises(ValueError, match=r"not a subgroup|no canonical inclusion"):
        GROUPS[big].subgroup(GROUPS[small])
    assert not GROUPS[big].contains(GROUPS[small])


def test_subgroups_from_elements():
    s4 = GROUPS["S4"]
    orders = sorted({s4.subgroup_from([int(e)]).small.order for e in s4.elements})
    assert orders == [1, 2, 3, 4]
    q8 = GROUPS["Q8"]
    assert q8.subgroup_from([1]).small.order == 4 and q8.subgroup_from([1, 2]).small.order == 8


def test_a_subgroup_of_a_planar_group_acts_on_the_plane():
    d = D(4)
    diagonal = d.subgroup_from([5])  # the reflection in a diagonal, conjugate to no canonical D(1)
    assert diagonal.small.is_planar and not d.contains(FiniteGroup(diagonal.small.table))
    assert torch.equal(diagonal.small.plane(torch.tensor(1)), d.plane(torch.tensor(5)))
    assert d.subgroup(diagonal.small) == diagonal
    assert not GROUPS["S4"].subgroup_from([1]).small.is_planar


def test_a_planar_action_is_one():
    table, turns = C(4).table, C(4).plane(C(4).elements).numpy()
    assert FiniteGroup(table, matrices=-0.0 + turns) == FiniteGroup(table, matrices=np.where(turns == 0, -0.0, turns))
    for matrices, message in (
        (3 * turns, "orthogonal"),
        (turns[:2], "orthogonal"),
        (turns[[0, 2, 1, 3]], "does not multiply"),
        (turns[[0, 2, 0, 2]], "faithful"),
    ):
        with pytest.raises(ValueError, match=message):
            FiniteGroup(table, matrices=matrices)


def test_planar_group_from_matrices_is_the_dihedral_group():
    d = D(4)
    g = FiniteGroup.from_matrices(d.plane(torch.tensor([1, 4])).numpy())
    assert g.order == 8 and g.is_planar and len(g.irrep_ids()) == 5
    assert d.equal(d.from_plane(g.plane(g.elements)).sort().values, d.elements).all()


Q = np.array(QUATERNIONS)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((2, 3), int), "square"),
        (np.zeros((0, 0), int), "square"),
        (np.zeros((2, 2), int), "Latin square"),
        ([[1, 0], [0, 1]], "identity"),
        ([[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]], "associative"),
        (np.where(Q == 7, 6, Q), "Latin square"),
    ],
)
def test_wrong_tables_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        FiniteGroup.from_table(table)


def test_other_bad_input():
    for bad in (0, -1, 2.5):
        with pytest.raises(ValueError, match="positive integer"):
            C(bad)
        with pytest.raises(ValueError, match="positive integer"):
            D(bad)
    with pytest.raises(ValueError, match="permutations"):
        FiniteGroup.from_permutations([[0, 2, 2]])
    with pytest.raises(ValueError, match="orthogonal"):
        FiniteGroup.from_matrices([np.ones((2, 2))])
    with pytest.raises(ValueError, match="finite"):
        c, s = np.cos(1.0), np.sin(1.0)
        FiniteGroup.from_matrices([np.array([[c, -s], [s, c]])])
    with pytest.raises(TypeError, match="infinite"):
        _ = SO2().elements
    for group in (SO2(), O2()):
        with pytest.raises(ValueError, match="max_frequency"):
            group.irreps()
        with pytest.raises(TypeError, match="spectral_regular"):
            _ = group.regular
    with pytest.raises(ValueError, match="no irrep"):
        C(8).irrep(5)


@pytest.mark.parametrize("name", ALL)
def test_equality_hash_and_pickle_are_by_value(name):
    g = GROUPS[name]
    copy = pickle.loads(pickle.dumps(g))
    assert copy == g and hash(copy) == hash(g) and copy.name == g.name
    assert all(g != other for key, other in GROUPS.items() if key != name)


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("Q8", "S4", "A5", "S5")])
def test_names_are_read_back(name):
    assert parse_group(GROUPS[name].name) == GROUPS[name]


def test_nested_products_are_read_back():
    nested = product(C(2), product(C(3), D(2)))
    assert parse_group(nested.name) == nested and nested != product(product(C(2), C(3)), D(2))
    with pytest.raises(ValueError, match="unknown group"):
        parse_group("E8")


@given(st.integers(1, 40), st.integers(0, 2**30))
def test_any_cyclic_and_dihedral_group(n, seed):
    for group in (C(n), D(n)):
        a, b, c = (elements(group, 5, seed + i) for i in range(3))
        assert (group.compose(group.compose(a, b), c) == group.compose(a, group.compose(b, c))).all()
        assert (group.plane(group.compose(a, b)) - group.plane(a) @ group.plane(b)).abs().max() < 1e-13
        rho = group.irreps()[-1]
        assert (rho(group.compose(a, b)) - rho(a) @ rho(b)).abs().max() < 1e-12


def test_a_planted_fault_is_caught():
    class Wrong(D):
        """A dihedral group in which the flip forgets to turn rotations round."""

        def compose(self, a, b):
            (r, s), (q, t) = self._split(a), self._split(b)
            return (r + q) % self.n + self.n * ((s + t) % 2)

    g = Wrong(3)
    a, b = elements(g, 20, 0), elements(g, 20, 1)
    assert (g.plane(g.compose(a, b)) - g.plane(a) @ g.plane(b)).abs().max() > 0.1


def test_left_and_right():
    """The reflection that is left of D(4) in pictures with an up; D(1) is the other one."""
    from steerable.groups import left_right, parse_group

    g = left_right()
    assert parse_group("D1v") == g != D(1)
    assert g.plane(torch.tensor(1)).tolist() == [[-1.0, 0.0], [0.0, 1.0]]
    assert D(4).contains(g) and D(8).contains(g) and not D(3).contains(g)
    assert str(D(4).regular.restrict(g).group) == "D1v"
