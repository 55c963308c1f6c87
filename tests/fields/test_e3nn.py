"""Features to e3nn's basis and back."""

from __future__ import annotations

import pytest
import torch

from steerable.fields import e3nn_basis, from_e3nn, to_e3nn
from steerable.groups import O3, SO3, C, convert_rotation


def test_degree_one_is_the_vector_there():
    x = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours = x[:, [1, 2, 0]]  # the basis of degree 1 is (x2, x3, x1)
    assert (to_e3nn(ours, O3().type("1x1o")) - x).abs().max() < 1e-15
    for degree in range(9):
        q = e3nn_basis(degree)
        assert (q @ q.T - torch.eye(len(q))).abs().max() < 1e-14


@pytest.mark.parametrize("dim", [1, -1, 2])
def test_round_trip_and_equivariance(dim):
    t = O3().type("3x0e + 2x1o + 1x2e + 2x1e + 1x3o")
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, t.size, t.size, dtype=torch.float64, generator=generator)
    assert (from_e3nn(to_e3nn(x, t, dim), t, dim) - x).abs().max() < 1e-14
    g = O3().sample(1, generator)[0]
    v = torch.randn(5, t.size, dtype=torch.float64, generator=generator)
    moved = to_e3nn(v @ t.matrix(g).T, t)
    vector = to_e3nn(v, t)[:, 3:6] @ O3().action(g).T  # a vector moves as points do
    assert (moved[:, 3:6] - vector).abs().max() < 1e-13


def test_bad_input_and_a_planted_fault():
    with pytest.raises(ValueError, match="irreps of O3"):
        to_e3nn(torch.zeros(1, 4), 1 * C(4).regular)
    with pytest.raises(ValueError, match="has 4 channels, got 5"):
        to_e3nn(torch.zeros(1, 5), SO3().type("1x0 + 1x1"))
    q = convert_rotation(torch.tensor([0.3, 1.1, -0.7], dtype=torch.float64), "euler", "quaternion")
    d, turn = SO3().irrep(1)(q), SO3().action(q)
    basis = e3nn_basis(1)
    assert (basis @ d @ basis.T - turn).abs().max() < 1e-15
    assert (basis.T @ d @ basis - turn).abs().max() > 0.1  # the wrong way round
