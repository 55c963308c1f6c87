"""Steerable kernels: complete by the analytic tables, and lawful at continuous points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.catalogue import GROUPS, elements, representations
from tests.kernels.oracle import analytic, null_space

from steerable.groups import O2, SO2, C, D
from steerable.kernels import GaussianRings, HarmonicKernel
from steerable.kernels.harmonic import sampled_basis

#: the groups of the acceptance test of E(2)-steerable networks
PLANE = [*(f"C{n}" for n in (*range(1, 9), 12, 16)), *(f"D{n}" for n in (*range(1, 9), 16)), "SO2", "O2"]
BAND = 6
RING = GaussianRings((1.5,), (0.7,), (BAND,))
SPREAD = GaussianRings.for_size(7)


def points(seed=0):
    """Random continuous points and the origin."""
    return np.concatenate([np.zeros((1, 2)), np.random.default_rng(seed).uniform(-3.5, 3.5, (9, 2))])


def residual(kernel, rho_in, rho_out, group, x, count=6):
    """Largest entry of ``K(g x) - rho_out(g) K(x) rho_in(g)^-1``, relative to the largest entry of the kernel."""
    worst, here = 0.0, torch.from_numpy(kernel(x))
    for g in [*elements(group, count), *group.generators]:
        there = torch.from_numpy(kernel(x @ group.plane(g).numpy().T))
        right = torch.einsum("ij,kjln,lm->kimn", rho_out(g), here, rho_in(g).mT)
        worst = max(worst, float((there - right).abs().max()))
    return worst / float(here.abs().max())


@pytest.mark.parametrize("name", PLANE)
def test_all_pairs_of_irreps(name):
    group = GROUPS[name]
    ids = group.irrep_ids(3)
    for n in ids:
        for m in ids:
            rho_in, rho_out = group.irrep(n), group.irrep(m)
            ring = HarmonicKernel(rho_in, rho_out, RING)
            assert ring.dim == analytic(group, n, m, BAND), (n, m)
            if ring.dim:
                flat = ring.sample(3 * np.random.default_rng(1).standard_normal((60, 2))).reshape(ring.dim, -1)
                assert np.linalg.matrix_rank(flat, tol=1e-8) == ring.dim, (n, m)
            kernel = HarmonicKernel(rho_in, rho_out, SPREAD)
            if kernel.dim:
                assert residual(kernel.sample, rho_in, rho_out, group, points()) < 1e-10, (n, m)


@pytest.mark.parametrize(
    ("name", "n", "m"),
    [
        ("C1", "0", "0"),
        ("C2", "1", "0"),
        ("C3", "1", "1"),
        ("C4", "1", "2"),
        ("C5", "2", "1"),
        ("C6", "3", "2"),
        ("D1", "0e", "0o"),
        ("D2", "1e", "1o"),
        ("D3", "1", "1"),
        ("D3", "0o", "1"),
        ("D4", "2o", "2e"),
        ("D6", "3e", "2"),
        ("SO2", "1", "2"),
        ("SO2", "3", "1"),
        ("O2", "1", "3"),
        ("O2", "0o", "2"),
    ],
)
def test_against_the_null_space(name, n, m):
    group = GROUPS[name]
    assert (
        null_space(group, n, m, BAND)
        == analytic(group, n, m, BAND)
        == HarmonicKernel(group.irrep(n), group.irrep(m), RING).dim
    )


@pytest.mark.parametrize(
    ("group", "n", "m", "dim"),
    [
        (SO2(), "0", "0", 1),
        (SO2(), "0", "1", 2),
        (SO2(), "1", "0", 2),
        (SO2(), "1", "1", 4),
        (SO2(), "1", "2", 4),
        (SO2(), "2", "1", 4),
        (SO2(), "2", "2", 4),
        (SO2(), "1", "3", 4),
        (O2(), "0e", "0e", 1),
        (O2(), "0o", "0o", 1),
        (O2(), "0e", "0o", 0),
        (O2(), "0o", "0e", 0),
        (O2(), "0e", "1", 1),
        (O2(), "2", "0o", 1),
        (O2(), "1", "2", 2),
        (C(4), "0", "0", 3),
        (C(4), "0", "1", 6),
        (C(4), "1", "1", 14),
        (D(4), "0e", "0e", 2),
        (D(4), "0e", "0o", 1),
        (D(4), "0e", "1", 3),
        (D(4), "1", "1", 7),
    ],
    ids=str,
)
def test_published_dimensions(group, n, m, dim):
    assert HarmonicKernel(group.irrep(n), group.irrep(m), RING).dim == dim
    assert null_space(group, n, m, BAND) == dim


@pytest.mark.parametrize("name", ["C1", "C2", "C4", "C5", "C8", "D1", "D3", "D4", "D6", "SO2", "O2"])
def test_every_kind_of_representation(name):
    group = GROUPS[name]
    reps = [r for r in representations(name) if not r.is_irrep and r.size <= 16]
    x = points()
    for rho_in in reps:
        for rho_out in (reps[0], reps[-1]):
            kernel = HarmonicKernel(rho_in, rho_out, GaussianRings.for_size(5))
            basis = kernel.sample(x)
            assert basis.shape == (kernel.dim, rho_out.size, rho_in.size, len(x))
            expected = sum(
                HarmonicKernel(group.irrep(i), group.irrep(j), kernel.filters).dim
                for i in rho_in.irreps
                for j in rho_out.irreps
            )
            assert kernel.dim == expected
            assert residual(kernel.sample, rho_in, rho_out, group, x, 4) < 1e-10, (rho_in, rho_out)


@pytest.mark.parametrize("name", ["C4", "C5", "C8", "D3", "D4", "D8"])
def test_regular_fields_see_every_filter(name):
    group = GROUPS[name]
    assert HarmonicKernel(group.regular, group.regular, RING).dim == group.order * (2 * BAND + 1)
    assert HarmonicKernel(group.trivial, group.regular, RING).dim == 2 * BAND + 1


def test_h_nets_are_the_rotation_half_of_so2():
    """Harmonic networks (Worrall et al., arXiv 1612.04642) keep the solutions of frequency m - n."""
    so2 = SO2()
    basis = torch.from_numpy(HarmonicKernel(so2.irrep(1), so2.irrep(2), RING).sample(points()[1:]))
    i = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    odd = torch.einsum("ij,kjlm->kilm", i, basis) - torch.einsum("kilm,lj->kijm", basis, i)
    assert len(basis) - int(torch.linalg.matrix_rank(odd.flatten(1), atol=1e-9)) == 2


@pytest.mark.parametrize("name", ["C5", "D3", "SO2", "O2"])
def test_only_constant_harmonics_reach_the_origin(name):
    group = GROUPS[name]
    for rho in group.irreps(2):
        at_zero = HarmonicKernel(group.trivial, rho, SPREAD).sample(np.zeros((1, 2)))
        assert rho.is_trivial or np.abs(at_zero).max(initial=0) == 0


def test_sampled_bases_have_unit_norm_and_survive_pickling_of_their_filters():
    import pickle

    rho = C(8).regular
    basis = sampled_basis(rho, rho, GaussianRings.for_size(5), 5)
    assert np.abs((basis**2).sum((1, 2, 3)) - 1).max() < 1e-12
    assert pickle.loads(pickle.dumps(GaussianRings.for_size(5))) == GaussianRings.for_size(5)


def test_groups_must_agree():
    with pytest.raises(ValueError, match="one group"):
        HarmonicKernel(C(4).regular, C(8).regular, RING)
    with pytest.raises(TypeError, match="no action on the plane"):
        HarmonicKernel(GROUPS["Q8"].regular, GROUPS["Q8"].regular, RING)


def planted(rho_in, rho_out):
    """Kernels that break the law, each in one way."""
    right = HarmonicKernel(rho_in, rho_out, SPREAD)
    yield "mirrored", lambda x: right.sample(x * np.array([1.0, -1.0]))
    yield "conjugated", lambda x: right.sample(x) * np.array([1.0, -1.0])[None, None, :, None]
    yield "wrong sign", lambda x: right.sample(x) * np.array([1.0, -1.0])[None, :, None, None]
    yield "off centre", lambda x: right.sample(x + 0.5)


@pytest.mark.parametrize("name", ["SO2", "C5", "D3"])
def test_planted_faults_are_caught(name):
    group = GROUPS[name]
    rho = group.irrep(1)
    for fault, kernel in planted(rho, rho):
        assert residual(kernel, rho, rho, group, points()) > 0.05, fault
    wrong = analytic(group, "1", "1", BAND) + 1
    assert HarmonicKernel(rho, rho, RING).dim != wrong
