"""Steerable kernels of space: as many as a null space by brute force holds, and lawful at continuous points."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from tests.catalogue import GROUPS, elements

from steerable.groups import cylinder
from steerable.kernels import GaussianRings, HarmonicKernel

TOP = 3
SHELL = GaussianRings((1.5,), (0.7,), (TOP,), 3)
SPREAD = GaussianRings.for_size(5, dimension=3)
SPATIAL = {k: g for k, g in GROUPS.items() if g.dimension == 3}
SPATIAL["cylinder"] = cylinder()
#: groups of the plane, which turn space about its third axis
AXIAL = {k: GROUPS[k] for k in ("C1", "C2", "C4", "C5", "D1", "D3", "D4", "SO2", "O2")}
ALL = {**SPATIAL, **AXIAL}


def monomials(x):
    """All monomials of degrees 2 and 3, ``[N, 16]``: on the sphere a basis of the harmonics up to degree 3."""
    exponents = [e for e in itertools.product(range(4), repeat=3) if sum(e) in (2, 3)]
    return torch.stack([torch.prod(x ** torch.tensor(e, dtype=x.dtype), -1) for e in exponents], -1)


def null_space(group, rho_in, rho_out):
    """Dimension of all ``K`` of those functions with ``K(g x) = rho_out(g) K(x) rho_in(g)^T`` for the generators."""
    generator = torch.Generator().manual_seed(0)
    x = torch.nn.functional.normalize(torch.randn(40, 3, dtype=torch.float64, generator=generator), dim=1)
    one = torch.eye(rho_in.size * rho_out.size, dtype=torch.float64)
    normal = 0
    for g in group.generators:
        act = torch.kron(rho_out(g).contiguous(), rho_in(g).contiguous())
        there = torch.einsum("af,ij->aifj", monomials(x @ group.action(g, 3).T), one)
        rows = (there - torch.einsum("af,ij->aifj", monomials(x), act)).flatten(0, 1).flatten(1, 2)
        normal = normal + rows.T @ rows
    return int((torch.linalg.eigvalsh(normal) < 1e-9).sum())


def pairs(group):
    """Pairs of irreps up to frequency 2 of which no more than twelve are looked at, the largest among them."""
    reps = group.irreps(None if group.is_finite else 2)
    found = [(a, b) for a in reps for b in reps]
    return found if len(found) <= 12 else [*found[:: len(found) // 10], found[-1]]


@pytest.mark.parametrize("name", ALL)
def test_as_many_as_the_null_space(name):
    group = ALL[name]
    for a, b in pairs(group):
        kernel = HarmonicKernel(a, b, SHELL)
        assert kernel.dim == null_space(group, a, b), (a, b)
        if kernel.dim:
            flat = kernel.sample(2 * np.random.default_rng(1).standard_normal((60, 3))).reshape(kernel.dim, -1)
            assert np.linalg.matrix_rank(flat, tol=1e-8) == kernel.dim, (a, b)


def residual(kernel, a, b, group, x):
    """Largest entry of ``K(g x) - rho_out(g) K(x) rho_in(g)^-1`` against the largest of the kernel."""
    here, worst = torch.from_numpy(kernel(x)), 0.0
    for g in [*elements(group, 5), *group.generators]:
        there = torch.from_numpy(kernel(x @ group.action(g, 3).numpy().T))
        worst = max(worst, float((there - torch.einsum("ij,kjln,lm->kimn", b(g), here, a(g).mT)).abs().max()))
    return worst / float(here.abs().max())


@pytest.mark.parametrize("name", ALL)
def test_lawful_at_continuous_points(name):
    group = ALL[name]
    x = np.concatenate([np.zeros((1, 3)), np.random.default_rng(0).uniform(-2.5, 2.5, (9, 3))])
    for a, b in pairs(group):
        kernel = HarmonicKernel(a, b, SPREAD)
        if kernel.dim:
            assert residual(kernel.sample, a, b, group, x) < 1e-10, (a, b)


def test_planted_fault_an_axis_is_exchanged():
    group = GROUPS["SO3"]
    a, b = group.irrep(1), group.irrep(2)
    kernel = HarmonicKernel(a, b, SPREAD)
    wrong = lambda x: kernel.sample(x[:, [1, 0, 2]])  # noqa: E731
    assert residual(wrong, a, b, group, np.random.default_rng(0).uniform(-2, 2, (9, 3))) > 0.1


@pytest.mark.parametrize("name", ["O", "Oh", "T", "C4"])
def test_moved_copies_equal_the_solved_basis(name):
    """Regular fields: the bank of moved filters spans what the solver finds, in terms of points and of functions."""
    from steerable.kernels.harmonic import orbit_bank

    group = ALL[name]
    small = GaussianRings((0.0, 1.0), (0.3, 0.4), (0, 1), 3)
    points = orbit_bank(group, small, 3)
    functions = orbit_bank(group, small, 3, over="functions")
    from steerable.kernels.filters import stencil_points

    values = small.functions(stencil_points(3, 3))
    assert np.abs(functions @ values - points).max() < 1e-12
