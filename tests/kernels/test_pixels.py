"""Group convolutions on the lattice are the same space as the steerable solution for D(4) and its subgroups."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from steerable.groups import SO2, C, D
from steerable.kernels import GaussianRings, Pixels
from steerable.kernels.filters import stencil_points
from steerable.kernels.harmonic import orbit_bank, sampled_basis


def classical(k, mirror):
    """The filters of p4 or p4m as group convolutional networks write them: turn a stencil, permute its orientations.

    Made with ``rot90`` and ``flip`` alone: no line of the library. ``[n k^2, n, n, k^2]``, element r + 4 s = R^r F^s.
    """
    n = 8 if mirror else 4
    plane = {g: (g % 4, g // 4) for g in range(n)}

    def product(a, b):
        (r, s), (q, t) = plane[a], plane[b]
        return (r + (q if s == 0 else -q)) % 4 + 4 * ((s + t) % 2)

    def move(image, g):
        r, s = plane[g]
        return np.rot90(image[::-1] if s else image, r)

    filters = []
    for pixel, orientation in itertools.product(range(k * k), range(n)):
        image = np.zeros(k * k)
        image[pixel] = 1.0
        kernel = np.zeros((n, n, k * k))
        for g in range(n):  # kappa(x)[g, h] = phi_(g^-1 h)(g^-1 x): row g holds the filter moved by g
            kernel[g, product(g, orientation)] = move(image.reshape(k, k), g).reshape(-1)
        filters.append(kernel)
    return np.stack(filters)


def orthonormal(rows):
    """Orthonormal basis of the row space."""
    _, s, vt = np.linalg.svd(rows.reshape(len(rows), -1), full_matrices=False)
    return vt[s > 1e-8 * s[0]]


def outside(a, b):
    """Largest part of a unit vector of ``a`` that lies outside the span of ``b``."""
    a, b = orthonormal(a), orthonormal(b)
    return np.abs(a - (a @ b.T) @ b).max()


def expand(bank, group):
    """Kernels between regular fields from moved copies of filters."""
    table = group.table
    n = group.order
    kernels = np.zeros((len(bank), n, n, n, bank.shape[-1]))
    for g in range(n):
        for k in range(n):
            kernels[:, k, g, table[g, k]] = bank[:, g]
    return kernels.reshape(len(bank) * n, n, n, -1)


@pytest.mark.parametrize(("group", "k"), [(C(4), 3), (C(4), 5), (D(4), 3), (D(4), 5)], ids=str)
def test_p4_and_p4m_span_the_solution(group, k):
    theirs = classical(k, isinstance(group, D))
    ours = sampled_basis(group.regular, group.regular, Pixels(k), k)
    moved = expand(orbit_bank(group, Pixels(k), k), group)
    for space in (theirs, ours, moved):
        assert len(orthonormal(space)) == k * k * group.order
    assert max(outside(ours, theirs), outside(theirs, ours), outside(moved, theirs), outside(theirs, moved)) < 1e-10


@pytest.mark.parametrize("group", [C(1), C(2), C(4), D(1), D(2), D(4)], ids=str)
@pytest.mark.parametrize("k", [1, 3])
def test_pixels_are_complete_for_subgroups_of_the_square(group, k):
    for rho_in, rho_out in ((group.trivial, group.regular), (group.regular, group.regular), (group.irreps()[-1],) * 2):
        basis = sampled_basis(rho_in, rho_out, Pixels(k), k)
        x = stencil_points(k)
        elements = group.plane(group.elements).numpy()
        # brute force: average the projector on lawful kernels over the group
        dim = rho_in.size * rho_out.size * k * k
        projector = np.zeros((dim, dim))
        for g, m in zip(group.elements, elements, strict=True):
            moved = (np.abs(x[:, None] - (x @ m.T)[None]).max(-1) < 1e-6).astype(float)
            projector += np.kron(np.kron(rho_out(g).numpy(), rho_in(g).numpy()), moved) / group.order
        assert len(basis) == round(np.trace(projector))
        flat = basis.reshape(len(basis), -1)
        assert np.abs(flat @ projector - flat).max(initial=0) < 1e-12


@pytest.mark.parametrize("group", [C(4), C(5), C(8), D(3), D(4), D(8)], ids=str)
@pytest.mark.parametrize("filters", [GaussianRings.for_size(3), GaussianRings.for_size(5)], ids=["k3", "k5"])
def test_moved_copies_span_the_steerable_space(group, filters):
    k = 2 * len(filters.radii) - 1
    ours = sampled_basis(group.regular, group.regular, filters, k)
    moved = expand(orbit_bank(group, filters, k), group)
    assert max(outside(ours, moved), outside(moved, ours)) < 1e-10


def test_rings_lie_within_the_pixels():
    group = D(4)
    rings = sampled_basis(group.regular, group.regular, GaussianRings.for_size(5), 5)
    assert outside(rings, sampled_basis(group.regular, group.regular, Pixels(5), 5)) < 1e-10


@pytest.mark.parametrize("group", [C(8), D(3), C(3), SO2()], ids=str)
def test_groups_off_the_lattice_are_refused(group):
    with pytest.raises(ValueError, match="subgroup of D4"):
        Pixels(3).pieces(group)


def test_planted_faults_are_caught():
    group = D(4)
    ours = sampled_basis(group.regular, group.regular, Pixels(3), 3)
    theirs = classical(3, True)
    assert (
        outside(np.flip(theirs, -1)[..., [0, 1, 2, 5, 4, 3, 6, 7, 8]], ours) > 0.1
    )  # a row of the stencil the wrong way
    assert outside(theirs[:, :, group.inverse_table], ours) > 0.1  # orientations of the input counted backwards
    assert outside(theirs, ours[1:]) > 1e-3  # one filter missing
