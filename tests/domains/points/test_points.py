"""Clouds and neighbourhoods as things: bad input, moves by a group, compile, export, trees, devices."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import steerable as st
from steerable.domains import Domain, Neighbourhood
from steerable.groups import C, D, FiniteGroup

NAN = float("nan")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"positions": torch.zeros(4)}, r"expected real numbers \[N, 2\] or \[N, 3\]"),
        ({"positions": torch.zeros(2, 4, 3)}, "Join several clouds"),
        ({"positions": torch.zeros(4, 4)}, r"\[4, 4\]"),
        ({"positions": torch.zeros(4, 3, dtype=torch.int64)}, "int64"),
        ({"positions": torch.tensor([[0.0, 0, 0], [0, NAN, 0]])}, "1 of 2 positions are NaN .* point 1"),
        ({"positions": torch.tensor([[0.0, 0, float("inf")]])}, "infinite"),
        ({"positions": torch.zeros(3, 3), "batch": torch.tensor([0, 1])}, r"expected torch.int64 \[3\]"),
        ({"positions": torch.zeros(3, 3), "batch": torch.tensor([0, 1, 1]).int()}, "int32"),
        ({"positions": torch.zeros(3, 3), "batch": torch.tensor([1, 0, 1])}, "Sort points and features"),
        ({"positions": torch.zeros(3, 3), "batch": torch.tensor([-1, 0, 1])}, "from -1 to 1"),
        ({"positions": torch.zeros(3, 3), "batch": torch.tensor([0, 1, 2]), "num_graphs": 2}, "from 0 to 1"),
        ({"positions": torch.zeros(3, 3), "cell": torch.eye(2)}, r"expected \[3, 3\]"),
        ({"positions": torch.zeros(3, 3), "cell": torch.ones(3, 3)}, "linearly dependent"),
        ({"positions": torch.zeros(3, 3), "cell": torch.eye(3) * NAN}, "expected finite"),
        ({"positions": torch.zeros(3, 3), "weights": torch.ones(2)}, "one a point"),
        ({"positions": torch.zeros(2, 3), "weights": torch.tensor([1.0, NAN])}, "1 of 2 weights are NaN"),
        ({"positions": torch.zeros(0, 3), "num_graphs": -1}, "num_graphs is -1"),
    ],
)
def test_bad_clouds(arguments, word):
    with pytest.raises(ValueError, match=word):
        st.Points(**arguments)


@pytest.mark.parametrize("name", ["positions", "batch", "cell", "weights"])
def test_what_is_no_tensor_is_refused(name):
    with pytest.raises(TypeError, match=f"{name} is of the type list; expected a tensor"):
        st.Points(**{"positions": torch.zeros(3, 3), name: [0.0, 0.0, 0.0]})
    with pytest.raises(TypeError, match="queries are of the type Tensor; expected Points"):
        st.Points(torch.zeros(3, 3)).cross(torch.zeros(3, 3), 1.0)


def test_weights_take_the_dtype_of_the_positions():
    g = st.Points(torch.zeros(2, 3), weights=torch.ones(2, dtype=torch.float64)).neighbours(1.0)
    assert g.weight.dtype == torch.float32


@pytest.mark.parametrize("cutoff", [0, -1.0, NAN, "5"])
def test_bad_cutoffs(cutoff):
    with pytest.raises(ValueError, match=r"cut-off is .*expected a positive"):
        st.Points(torch.zeros(2, 3)).neighbours(cutoff)


def test_bad_searches():
    points = st.Points(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="expected one of auto, brute, bins"):
        points.neighbours(1.0, method="tree")
    for k in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="expected a whole number"):
            points.knn(k)
    with pytest.raises(ValueError, match="repeat the cell"):
        st.Points(torch.zeros(2, 3), cell=0.1 * torch.eye(3)).neighbours(1.5)


@pytest.mark.parametrize("cell", [None, torch.eye(3) * 3])
def test_no_point_and_one_point(cell):
    for n, graphs in ((0, 1), (0, 3), (1, 1)):
        points = st.Points(torch.zeros(n, 3), cell=cell, num_graphs=graphs)
        for g in (points.neighbours(1.0), points.neighbours(1.0, method="bins"), points.cross(points, 1.0)):
            assert g.offset.shape == (g.num_edges, 3) and g.num_targets == n and g.distance.shape == (g.num_edges,)
        assert points.neighbours(1.0).num_edges == 0
    assert st.Points(torch.zeros(0, 2)).knn(3).num_edges == 0
    assert st.Points(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)).num_graphs == 0


def test_it_is_a_domain():
    points = st.Points(torch.randn(5, 3), torch.tensor([0, 0, 1, 1, 1]), weights=torch.arange(5.0))
    assert isinstance(points, Domain)
    assert points.shape == (5,) and points.points().dtype == torch.float64 and len(points) == 5
    assert points.counts().tolist() == [2, 3]
    assert torch.equal(points.weights(), torch.arange(5.0))
    assert torch.equal(st.Points(torch.zeros(2, 2)).weights(), torch.ones(2, dtype=torch.float64))
    assert points.sample(1, 4).shape == (5, 4)
    g = points.neighbours(10.0)
    assert torch.equal(g.weight, torch.arange(5.0)[g.source])
    assert "5 in R^3, 2 graphs" in repr(points)


@pytest.mark.parametrize("n", [2, 3])
def test_a_group_moves_points_offsets_and_features(n):
    group = D(5)
    cell = torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(n)
    x = torch.randn(12, n, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    points = st.Points(x, cell=cell)
    g = points.neighbours(1.5)
    type = 1 * group.irrep("1") + 2 * group.trivial
    f = points.sample(1, type.size)
    for e in group.elements:
        moved = points.moved(group, e).neighbours(1.5)
        assert torch.equal(moved.target, g.target) and torch.equal(moved.source, g.source)
        assert (moved.offset - g.offset @ group.action(e, n).T).abs().max() < 1e-12
        assert points.is_exact(group, e)
        assert torch.equal(points.transform(f, type, e), type.transform(f, e))
        assert points.move(f, group, e) is f
    wrong = points.moved(group, torch.tensor(1)).neighbours(1.5).offset - g.offset @ group.action(torch.tensor(1), n)
    assert wrong.abs().max() > 0.1  # the planted fault
    assert not points.is_exact(FiniteGroup.from_permutations([(1, 2, 0)]), torch.tensor(1))


class Sum(nn.Module):
    """A layer of the simplest kind."""

    def forward(self, x, g):
        message = x[g.source] * g.distance[:, None]
        return x.new_zeros(g.num_targets, x.shape[1]).index_add(0, g.target, message)


def graph(n):
    return st.Points(torch.randn(n, 3, generator=torch.Generator().manual_seed(n))).neighbours(1.5)


def test_compiles_once_for_all_sizes():
    layer = Sum()
    torch._dynamo.reset()
    count = []

    def backend(program, inputs):
        count.append(1)
        return program.forward

    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    for n in (5, 8, 13, 21, 34):
        x = torch.randn(n, 4)
        assert torch.equal(compiled(x, graph(n)), layer(x, graph(n)))
    assert len(count) <= 2  # one for the first size, one for any


def test_exports():
    x, g = torch.randn(9, 4), graph(9)
    program = torch.export.export(Sum(), (x, g)).module()
    torch.testing.assert_close(program(x, g), Sum()(x, g))


def test_exports_for_any_number_of_points():
    dynamic = torch.export.Dim.DYNAMIC
    shapes = ({0: dynamic}, [{0: dynamic}, {0: dynamic}, {0: dynamic}, dynamic, dynamic])
    program = torch.export.export(Sum(), (torch.randn(9, 4), graph(9)), dynamic_shapes=shapes).module()
    for n in (9, 14):
        x = torch.randn(n, 4)
        torch.testing.assert_close(program(x, graph(n)), Sum()(x, graph(n)))


def test_it_is_a_tree_that_moves():
    g = graph(6)
    double = g.to(torch.float64)
    assert double.offset.dtype == torch.float64 and double.target.dtype == torch.int64 and double.num_targets == 6
    assert g.to("meta").target.device.type == "meta" and g.to(device="meta", dtype=torch.float64).source.is_meta
    mapped = pytree.tree_map_only(torch.Tensor, lambda t: t + 1, g)
    assert isinstance(mapped, Neighbourhood) and torch.equal(mapped.target, g.target + 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        g.target = g.source
    points = st.Points(torch.zeros(2, 3), cell=torch.eye(3), weights=torch.ones(2)).to(torch.float64)
    assert points.positions.dtype == points.cell.dtype == points.weights().dtype == torch.float64


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"source": torch.zeros(2, dtype=torch.int64)}, r"expected \[E\] twice"),
        ({"offset": torch.zeros(2, 3)}, r"expected \[E, n\]"),
        ({"offset": torch.zeros(3)}, r"expected \[E, n\]"),
        ({"weight": torch.zeros(3, 1)}, "weight is"),
        ({"attributes": torch.zeros(2, 5)}, "attributes are"),
    ],
)
def test_bad_neighbourhoods(change, word):
    three = torch.zeros(3, dtype=torch.int64)
    good = {"target": three, "source": three, "offset": torch.zeros(3, 3), "num_targets": 1, "num_sources": 1}
    assert Neighbourhood(**good).dimension == 3
    with pytest.raises(ValueError, match=word):
        Neighbourhood(**{**good, **change})


def test_the_points_of_a_pixel_grid_have_the_pixels_of_a_stencil():
    from steerable.domains import PixelGrid

    p = PixelGrid(5, 6).points().flatten(0, 1)
    g = st.Points(p).neighbours(2**0.5 + 1e-9, loop=True)
    inner = [i for i in range(30) if 0 < i // 6 < 4 and 0 < i % 6 < 5]
    assert torch.bincount(g.target)[inner].tolist() == [9] * len(inner)
    assert C(4).is_planar
