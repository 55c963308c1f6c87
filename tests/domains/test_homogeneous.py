"""Homogeneous spaces: sections, Fourier sparsity, double cosets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from tests.catalogue import GROUPS, alternating5, symmetric

from steerable.domains import Homogeneous
from steerable.groups import O2, O3, SO2, SO3, C, D, factor, hom_basis, product, sampling_matrix

TORUS = product(SO2(), SO2())


def cyclic(group, order):
    """A cyclic subgroup of a finite group."""
    return next(s for g in group.elements.tolist() if (s := group.subgroup_from([g])).small.order == order)


SPACES = {
    "SO3/SO2": Homogeneous(SO3(), SO2(), 3),
    "SO3/C4": Homogeneous(SO3(), C(4), 3),
    "torus/diagonal": Homogeneous(TORUS, factor(TORUS, "diagonal"), 3),
    "I/C5": Homogeneous(GROUPS["I"], cyclic(GROUPS["I"], 5)),
    "O3/O2": Homogeneous(O3(), O2(), 2),
    "Q8/C4": Homogeneous(GROUPS["Q8"], cyclic(GROUPS["Q8"], 4)),
}


def reps(space):
    """Irreps of the subgroup."""
    return space.subgroup.irreps(None if space.subgroup.is_finite else space.band)


def coefficient(space, values, elements, weights, id):
    """``integral F(g) (x) psi(g) Q dg``, ``[d_rho, d, d]``, in the basis that is adapted to H."""
    psi = space.group.irrep_matrix(id, elements) @ space.adapted(id)
    return torch.einsum("n,nr,nij->rij", weights, values, psi)


@pytest.mark.parametrize("name", SPACES)
def test_fourier_coefficients_vanish_where_predicted(name):
    space = SPACES[name]
    elements, weights = space.group.haar(2 * (space.band or 0))
    generator = torch.Generator().manual_seed(0)
    zeros = 0
    for rho in reps(space):
        field = space.evaluate(rho, elements)
        values = field @ torch.randn(field.shape[-1], dtype=torch.float64, generator=generator)
        for id in space.irreps:
            pattern = space.pattern(rho, id)
            found = coefficient(space, values, elements, weights, id).abs().amax(1)
            assert float(found[~pattern].max() if (~pattern).any() else 0) < 1e-12
            assert bool((found[pattern] > 1e-6).all())  # and nothing else: a random field fills the rest
            zeros += int((~pattern).sum())
    assert zeros > 0
    # planted: a function on the group that is no Mackey function fills the predicted zeros
    id = space.irreps[-1]
    rho = reps(space)[0]
    values = torch.randn(len(elements), rho.size, dtype=torch.float64, generator=generator)
    found = coefficient(space, values, elements, weights, id).abs().amax(1)
    pattern = space.pattern(rho, id)
    assert bool(pattern.all()) or float(found[~pattern].max()) > 1e-3


def test_spin_has_no_degrees_below_it():
    space = SPACES["SO3/SO2"]
    for spin in (1, 2, 3):
        rho = SO2().irrep(spin)
        for l in range(4):
            columns = space.pattern(rho, str(l)).any(0)
            assert int(columns.sum()) == (2 if l >= spin else 0)  # the columns m = -spin and m = spin
    assert SO3().irrep(2).restrict(SO2()).irreps.count("1") == space.branching("2")["1"] == 1


@pytest.mark.parametrize("name", ["SO3/SO2", "O3/O2", "I/C5", "Q8/C4"])
def test_sections_and_fibres(name):
    space = SPACES[name]
    g = space.group.sample(20, torch.Generator().manual_seed(0))
    x, h = space.coset(g), space.fibre(g)
    again = space.group.compose(space.section(x), space.inclusion.map(h))
    assert bool(space.group.equal(again, g).all())
    there = space.coset(space.section(x))
    assert bool((there == x).all()) if space.group.is_finite else float((there - x).abs().max()) < 1e-12
    other = space.group.compose(g, space.inclusion.map(space.subgroup.sample(20, torch.Generator().manual_seed(1))))
    assert float((space.coset(other) - x).abs().max()) < 1e-12


@pytest.mark.parametrize("name", SPACES)
def test_grids_integrate(name):
    space = SPACES[name]
    band = space.band or 0
    for rho in reps(space):
        for elements, weights in (space.grid(2 * band), space.samples(2 * band, 2 * rho.frequency)):
            field = space.evaluate(rho, elements)
            gram = torch.einsum("n,nri,nrj->ij", weights, field, field)
            assert float((gram - torch.eye(len(gram))).abs().max()) < 1e-12
    if space.is_sphere:
        assert len(space.grid(2 * band)[0]) == (2 * band + 1) * (band + 1)


# ---- double cosets -------------------------------------------------------------------------------------------------


def subgroups(group):
    """All subgroups that two elements generate."""
    found = {}
    for a, b in itertools.combinations_with_replacement(group.elements.tolist(), 2):
        inclusion = group.subgroup_from([a, b])
        found.setdefault(inclusion.images.tobytes(), inclusion)
    return list(found.values())


def double_cosets(group, first, second):
    """Number of the double coset ``H g K`` of every element."""
    table, h, k = group.table, first.images, second.images
    least = table[table[h][:, :, None], k[None, None]].min((0, 2))
    return np.unique(least, return_inverse=True)[1]


def convolutions(group, first, second):
    """Matrices ``[n, |G/K|, |G/H|]``: ``out(u K) = sum_v chi(v^-1 u) f(v H)`` for each double coset's indicator."""
    label = double_cosets(group, first, second)
    left, right = Homogeneous(group, first), Homogeneous(group, second)
    v, u = left._cosets[1], right._cosets[1]
    found = label[group.table[group.inverse_table[v][None, :], u[:, None]]]
    return (found[None] == np.arange(label.max() + 1)[:, None, None]).astype(float)


S4 = symmetric(4)
ALL = subgroups(S4)


def test_all_pairs_of_subgroups_of_s4():
    """A random linear map, averaged over the group, is a convolution with the predicted Fourier sparsity: 900 pairs."""
    assert len(ALL) == 30
    generator = torch.Generator().manual_seed(0)
    spaces = [Homogeneous(S4, s) for s in ALL]
    moves = [S4.quotient(s)(S4.elements) for s in ALL]
    for (first, a, left), (second, b, right) in itertools.product(list(zip(ALL, spaces, moves, strict=True)), repeat=2):
        cosets = len(set(double_cosets(S4, first, second)))
        inner, outer = a.representation("trivial"), b.representation("trivial")
        count = sum(inner.irreps.count(i) * outer.irreps.count(i) for i in a.irreps)  # all irreps are of real type
        assert count == cosets == len(hom_basis(inner, outer))
        random = torch.randn(right.shape[-1], left.shape[-1], dtype=torch.float64, generator=generator)
        mean = (right @ random @ left.mT).mean(0)
        chi = torch.from_numpy(convolutions(S4, first, second))
        weights = (chi * mean).sum((1, 2)) / chi.sum((1, 2))
        assert float((torch.einsum("k,kij->ij", weights, chi) - mean).abs().max()) < 1e-12
        # in the Fourier basis only blocks of equal irreps are left, multiples of one
        x = a.evaluate(first.small.trivial, torch.from_numpy(a._cosets[1]))[:, 0] / len(left[0]) ** 0.5
        y = b.evaluate(second.small.trivial, torch.from_numpy(b._cosets[1]))[:, 0] / len(right[0]) ** 0.5
        spectrum = y.T @ mean @ x
        blocks = hom_basis(inner, outer).flatten(1)
        assert float((blocks.T @ (blocks @ spectrum.flatten()) - spectrum.flatten()).abs().max()) < 1e-12


def null_space(group, first, second):
    """The solutions of ``T rho_H(g) = rho_K(g) T`` on generators: small eigenvectors, no theory."""
    left, right = (group.quotient(s)(group.generators).numpy() for s in (first, second))
    n, m = right.shape[-1], left.shape[-1]
    normal = np.zeros((n * m, n * m))
    for a, b in zip(left, right, strict=True):
        rows = np.kron(np.eye(n), a.T) - np.kron(b, np.eye(m))
        normal += rows.T @ rows
    values, vectors = np.linalg.eigh(normal)
    kept = values < 1e-8
    assert values[~kept].min(initial=1) > 1e-3  # a clear gap
    return vectors[:, kept]


def largest_sine(solved, basis):
    """Sine of the largest principal angle between two orthonormal bases."""
    return np.linalg.norm(basis - solved @ (solved.T @ basis), ord=2)


def classes():
    """One subgroup of S4 from each conjugacy class."""
    found = {}
    for s in ALL:
        least = min(
            tuple(sorted(S4.table[S4.table[g, s.images], S4.inverse_table[g]].tolist())) for g in range(len(S4.table))
        )
        found.setdefault(least, s)
    return list(found.values())


def pairs():
    """Pairs of subgroups: S4/S3, A5/C5, D6/C2, and all classes of S4."""
    a5, d6 = alternating5(), D(6)
    c5, two = cyclic(a5, 5), d6.subgroup_from([3])
    s3 = next(s for s in ALL if s.small.order == 6)
    return [
        (S4, s3, s3),
        (a5, c5, c5),
        (d6, two, two),
        *((S4, x, y) for x, y in itertools.product(classes(), repeat=2)),
    ]


def test_null_space_is_the_convolution_with_double_cosets():
    assert len(classes()) == 11
    for group, first, second in pairs():
        solved, chi = null_space(group, first, second), convolutions(group, first, second)
        basis = chi.reshape(len(chi), -1).T
        basis = basis / np.linalg.norm(basis, axis=0)  # indicators of disjoint sets
        assert solved.shape == basis.shape
        assert largest_sine(solved, basis) < 1e-10
        if 1 < len(chi) < len(basis):  # planted: weights shared along something else than double cosets
            assert largest_sine(solved, np.roll(basis, 1, axis=0)) > 1e-3


def test_values_and_bad_input():
    sphere = SPACES["SO3/SO2"]
    assert sphere == Homogeneous(SO3(), SO2(), 3) and hash(sphere) == hash(Homogeneous(SO3(), SO2(), 3))
    assert sphere != Homogeneous(SO3(), SO2(), 4) and repr(sphere) == "SO3/SO2 (band 3)"
    fields = sphere.fields("2x0 + 1x1")
    assert fields + sphere.fields("1x2") == sphere.fields("2x0 + 1x1 + 1x2")
    assert fields.type.size == 2 * 16 + 30
    values = fields.evaluate(SO3().sample(3))
    assert values.shape == (3, 4, 62)
    with pytest.raises(ValueError, match="needs a band limit"):
        Homogeneous(SO3(), SO2())
    with pytest.raises(ValueError, match="have a type of SO2"):
        sphere.fields(C(4).type("1 regular"))
    with pytest.raises(ValueError, match="cannot add"):
        _ = fields + Homogeneous(SO3(), SO2(), 4).fields("1x0")
    for call in (SPACES["SO3/C4"].section, SPACES["SO3/C4"].coset):
        with pytest.raises(TypeError, match="no coordinates"):
            call(SO3().sample(2))


def test_scalars_on_the_sphere_are_harmonics():
    sphere = SPACES["SO3/SO2"]
    points = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    from steerable.groups import spherical_harmonics

    values = sphere.evaluate(SO2().trivial, sphere.section(points))[:, 0]
    harmonics = spherical_harmonics(points, range(4)) * (4 * torch.pi) ** 0.5
    assert float((values - harmonics).abs().max()) < 1e-12
    assert (
        float((values - sampling_matrix(SO3().spectral_quotient(SO2(), 3), sphere.section(points), SO2())).abs().max())
        == 0
    )


def test_copies_say_where_coefficients_lie():
    """Each copy holds the degrees from its spin on, and the copies fill the vector."""
    fields = Homogeneous(SO3(), SO2(), 3).fields("2x0 + 1x2")
    assert [sorted(c) for c in fields.copies] == [["0", "1", "2", "3"]] * 2 + [["2", "3"]] * 2
    assert fields.copies[1]["1"] == slice(17, 20) and fields.copies[3]["2"] == slice(37, 42)
    places = [i for copy in fields.copies for s in copy.values() for i in range(s.start, s.stop)]
    assert sorted(places) == list(range(fields.type.size))
    assert fields.channels["2"].tolist() == [list(range(s, s + 5)) for s in (4, 20, 32, 37)]
    for copy in fields.copies:  # each degree of each copy moves by its irrep alone
        for l, s in copy.items():
            g = SO3().sample(1)
            assert (fields.type.matrix(g)[0, s, s] - SO3().irrep(l)(g)[0]).abs().max() < 1e-12


def test_where_channels_lie_is_no_matter_of_a_device():
    """Asked for first while a network is laid out on another device, they are kept for all that ask later."""
    fields = Homogeneous(SO3(), SO2(), band=2).fields("1x0")
    with torch.device("meta"):
        _ = fields.channels
    assert fields.channels["1"].tolist() == [[1, 2, 3]]
