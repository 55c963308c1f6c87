"""The Fourier transform on a group: Plancherel, inversion, covariance of samples."""

from __future__ import annotations

import pytest
import torch
from tests.catalogue import FINITE, GROUPS, elements

from steerable.groups import (
    O2,
    SO2,
    C,
    D,
    fourier_pair,
    fourier_transform,
    inverse_fourier_transform,
    sampling_matrix,
)


@pytest.mark.parametrize("name", sorted(FINITE))
def test_finite_groups_have_a_unitary_transform(name):
    group = FINITE[name]
    band = max(group.irrep_info(i).frequency for i in group.irrep_ids())
    rho = group.spectral_regular(band)
    f = torch.randn(3, group.order, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    c = fourier_transform(f, rho)
    assert (inverse_fourier_transform(c, rho) - f).abs().max() < 1e-12
    assert ((c**2).sum(-1) - (f**2).mean(-1)).abs().max() < 1e-12  # Plancherel
    g = elements(group, 5)[-1]
    moved = f[:, group.compose(group.inverse(g), group.elements)]
    assert (fourier_transform(moved, rho) - c @ rho(g).T).abs().max() < 1e-12


@pytest.mark.parametrize("name", sorted(FINITE))
def test_sampling_the_regular_representation_is_the_identity(name):
    group = FINITE[name]
    a = sampling_matrix(group.regular, group.elements)
    assert (a - group.order**0.5 * torch.eye(group.order, dtype=torch.float64)).abs().max() < 1e-12


CASES = [(SO2(), 3, 16), (O2(), 2, 24), (C(8), 4, 8), (C(8), 2, 8), (D(3), 1, 6), (C(9), 2, 9)]


@pytest.mark.parametrize(("group", "band", "samples"), CASES, ids=lambda v: str(v))
def test_pairs_invert_and_samples_move_covariantly(group, band, samples):
    rho = group.spectral_regular(band)
    a, inverse = fourier_pair(rho, samples)
    assert a.shape == (samples, rho.size) and inverse.shape == (rho.size, samples)
    assert (inverse @ a - torch.eye(rho.size)).abs().max() < 1e-12
    grid = group.grid(samples)
    for h in elements(group, 6):
        moved = group.compose(group.inverse(h), grid)
        assert (a @ rho(h) - sampling_matrix(rho, moved)).abs().max() < 1e-12


@pytest.mark.parametrize("name", ["SO2", "O2", "SO2xC3", "Q8", "C3xC3", "SO3", "O3", "I", "O2h", "SO2h"])
def test_coefficient_functions_are_orthonormal(name):
    group = GROUPS[name]
    rho = group.spectral_regular(3)
    g, weights = group.haar(6)
    a = sampling_matrix(rho, g)
    assert (a.T @ (weights[:, None] * a) - torch.eye(rho.size)).abs().max() < 1e-12


def test_critical_sampling_and_bad_input():
    rho = SO2().spectral_regular(3)
    a, inverse = fourier_pair(rho, 7)
    assert (inverse @ a - torch.eye(7)).abs().max() < 1e-10
    with pytest.raises(ValueError, match="at least 7"):
        fourier_pair(rho, 6)
    with pytest.raises(ValueError, match="more than"):
        sampling_matrix(C(4).regular.direct_sum(C(4).trivial), C(4).elements)


def test_a_planted_fault_is_caught():
    group = SO2()
    rho = group.spectral_regular(3)
    a, _ = fourier_pair(rho, 16)
    h = torch.tensor(0.7, dtype=torch.float64)
    moved = group.compose(h, group.grid(16))  # h instead of its inverse
    assert (a @ rho(h) - sampling_matrix(rho, moved)).abs().max() > 0.1
