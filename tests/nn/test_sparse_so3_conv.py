"""Invariants of pairs, and the convolution of low rank that sees nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.domains import Neighbourhood

T = torch.float64
G = torch.Generator().manual_seed(0)


class Centred(torch.nn.Module):
    """The convolution with the invariants of centred clouds, as a layer of points."""

    def __init__(self, conv, handed, fault=None):
        super().__init__()
        self.conv, self.handed, self.fault = conv, handed, fault

    def forward(self, x, points):
        place = points.positions
        if self.fault != "not centred":
            for k in range(points.num_graphs):
                own = points.batch == k
                place = torch.where(own[:, None], place - place[own].mean(0), place)
        g = snn.pair_invariants(points.knn(6), place, place, self.handed)
        if self.fault == "a coordinate":
            g = replace(g, attributes=torch.cat([place[g.source, :1], g.attributes[:, 1:]], 1))
        return self.conv(x, g)


@pytest.mark.parametrize("name", ["O3", "SO3"])
def test_invariance_of_the_group_and_of_no_more(name):
    torch.manual_seed(0)
    conv, group = snn.SparseSO3Conv(3, 4, 5, 8, name).double(), st.O3() if name == "O3" else st.SO3()
    points = st.Points(torch.randn(24, 3, dtype=T, generator=G), torch.arange(24) // 12)
    x = torch.randn(24, 3, dtype=T)
    layer, one = Centred(conv, name == "SO3"), group.trivial
    laws.assert_equivariant_on_points(layer, x, points, lambda p: p, 3 * one, 4 * one, atol=1e-10)
    mirror = st.O3()
    errors = laws.point_errors(layer, x, points, lambda p: p, 3 * mirror.trivial, 4 * mirror.trivial)
    assert (max(errors.values()) > 1e-4) == (name == "SO3")
    for fault in ("not centred", "a coordinate"):
        with pytest.raises(AssertionError):
            layer = Centred(conv, name == "SO3", fault)
            laws.assert_equivariant_on_points(layer, x, points, lambda p: p, 3 * one, 4 * one, atol=1e-4)


def test_the_invariants_are_those_of_the_paper():
    i, j = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.5, -1.0]])
    places = torch.cat([i[None], j]).double()
    g = Neighbourhood(torch.tensor([0, 0]), torch.tensor([1, 2]), places[1:] - places[0], 3, 3)
    z = snn.pair_invariants(g, places, places, handed=True).attributes[0]
    xi, xj, m = places[0], places[1], places[1:].mean(0)

    def angle(a, b):
        return float((a @ b) / (a.norm() * b.norm()))

    want = [math.acos(angle(xi, xj)) / math.pi, xj.norm(), (m - xj).norm(), (xj - xi).norm(), (xi - m).norm()]
    want += [angle(xj - m, xi - m), angle(m - xj, xi - xj), angle(m - xi, xj - xi)]
    assert torch.allclose(z[:8], torch.tensor(want, dtype=T), atol=1e-12)
    assert abs(z[8]) > 0.01


def test_it_is_a_convolution_with_matrices_that_never_exist():
    torch.manual_seed(0)
    conv = snn.SparseSO3Conv(3, 4, 5).double()
    points = st.Points(torch.randn(12, 3, dtype=T))
    g = snn.pair_invariants(points.knn(4), points.positions, points.positions)
    x = torch.randn(12, 3, dtype=T)
    matrices = torch.einsum("er,oir->eoi", conv.kernel(g.attributes), conv.weight)
    each = torch.einsum("eoi,ei->eo", matrices, x[g.source])
    assert torch.allclose(conv(x, g), torch.zeros(12, 4, dtype=T).index_add(0, g.target, each) / 4 + conv.bias)


@pytest.mark.parametrize("places", ["one", "none", "same", "line", "origin"])
def test_degenerate_clouds_have_finite_gradients(places):
    x = {"one": torch.randn(1, 3), "none": torch.zeros(0, 3), "same": torch.ones(5, 3)}.get(places)
    x = torch.arange(5.0)[:, None] * torch.tensor([1.0, 2, 3]) if places == "line" else x
    x = torch.cat([torch.zeros(2, 3), torch.eye(3)]) if places == "origin" else x
    x = x.clone().requires_grad_()
    g = snn.pair_invariants(st.Points(x).knn(3, loop=True), x, x, handed=True)
    assert torch.isfinite(g.attributes).all()
    conv = snn.SparseSO3Conv(2, 2, 3, group="SO3")
    conv(torch.randn(len(x), 2), g).square().sum().backward()
    assert torch.isfinite(x.grad).all() and all(torch.isfinite(p.grad).all() for p in conv.parameters())


def test_gradients():
    conv = snn.SparseSO3Conv(2, 2, 3, 4, "SO3").double()
    start = st.Points(torch.randn(8, 3, dtype=T, generator=G))
    g = start.knn(3)

    def value(x, p):
        here = replace(g, offset=p[g.source] - p[g.target])
        return conv(x, snn.pair_invariants(here, p, p, handed=True))

    x = torch.randn(8, 2, dtype=T).requires_grad_()
    assert torch.autograd.gradcheck(value, (x, start.positions.clone().requires_grad_()), atol=1e-6)


def test_the_plane_and_bad_input():
    x = torch.randn(6, 2)
    assert snn.pair_invariants(st.Points(x).knn(2), x, x).attributes.shape == (12, 8)
    conv, g = snn.SparseSO3Conv(2, 2), st.Points(torch.randn(6, 3)).knn(2)
    with pytest.raises(ValueError, match=r"attributes are None; expected \[12, 8\]"):
        conv(torch.randn(6, 2), g)
    with pytest.raises(ValueError, match=r"sources are \[5, 3\]; expected \[6, 3\]"):
        snn.pair_invariants(g, torch.randn(6, 3), torch.randn(5, 3))
    with pytest.raises(ValueError, match="the group is C"):
        snn.SparseSO3Conv(2, 2, group="C4")
    with pytest.raises(ValueError, match="rank is 0"):
        snn.SparseSO3Conv(2, 2, rank=0)
