"""Five faults that were published with equivariant networks of points: the law on points catches each."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.domains.points import Points

T = st.O3().type("2x0e + 2x1o")


class Layer(nn.Module):
    """A sound layer, then whatever a fault adds."""

    in_type = out_type = T

    def __init__(self, fault=None):
        super().__init__()
        torch.manual_seed(0)
        self.conv = snn.PointConv(T, T, 1.5).double()
        self.fault = fault

    def forward(self, x, g):
        y = self.conv(x, g)
        return y if self.fault is None else self.fault(y, g)


def bias_on_vectors(y, g):
    return y + torch.linspace(0.1, 0.8, 8, dtype=y.dtype)


def layer_norm_over_components(y, g):
    return torch.cat([y[:, :2], nn.functional.layer_norm(y[:, 2:], (6,))], 1)


def mean_over_the_wrong_axis(y, g):
    vectors = y[:, 2:].unflatten(1, (2, 3))
    return torch.cat([y[:, :2], (vectors - vectors.mean(2, keepdim=True)).flatten(1)], 1)


def function_of_components(y, g):
    return torch.cat([y[:, :2], torch.tanh(y[:, 2:])], 1)


def residual_with_bias(y, g):
    return y + nn.functional.linear(y, torch.eye(8, dtype=y.dtype), torch.full((8,), 0.3, dtype=y.dtype))


FAULTS = [
    bias_on_vectors,
    layer_norm_over_components,
    mean_over_the_wrong_axis,
    function_of_components,
    residual_with_bias,
]


def case():
    points = Points(torch.rand(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2)
    return torch.randn(12, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)), points


def test_the_sound_layer_passes():
    laws.assert_equivariant_on_points(Layer(), *case(), lambda p: p.neighbours(1.5))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_planted_faults_found_in_the_wild(fault):
    with pytest.raises(AssertionError, match="not equivariant"):
        laws.assert_equivariant_on_points(Layer(fault), *case(), lambda p: p.neighbours(1.5))


def test_planted_fault_positions_centred_over_coordinates():
    """Positions less the mean of their own three coordinates: no rotation survives."""

    def search(points):
        return points.at(points.positions - points.positions.mean(1, keepdim=True)).neighbours(1.5)

    errors = laws.point_errors(Layer(), *case(), search)
    assert max(errors.values()) > 0.1


@pytest.mark.parametrize("count", [2, 3, 12])
@pytest.mark.parametrize("place", [0, -1])
def test_planted_fault_one_point_is_special(count, place):
    """No point keeps its place in the law of permutations, however few there are."""
    x, points = case()
    few = Points(points.positions[:count])
    errors = laws.point_errors(Layer(lambda y, g: y + 0.01 * y[place]), x[:count], few, lambda p: p.neighbours(4.0))
    assert errors.pop("another order") > 1e-4
    assert max(errors.values()) < 1e-10


def test_weights_follow_their_points():
    x, points = case()
    weighted = Points(points.positions, torch.arange(12) // 5, weights=torch.rand(12, dtype=torch.float64) + 0.1)
    laws.assert_equivariant_on_points(Layer(), x, weighted, lambda p: p.neighbours(1.5))
