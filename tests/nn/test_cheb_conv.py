"""Chebyshev convolutions and pooling on graphs of Lie groups."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable.domains import LieGroupGraph, Sphere

GRAPHS = {
    "se2": lambda: LieGroupGraph.se2(6, None, 4, eps=0.2),
    "se2 paper": lambda: LieGroupGraph.se2(6, 4, 2, eps=0.2, weights="paper"),
    "so3": lambda: LieGroupGraph.so3(1, 4),
    "s2": lambda: LieGroupGraph.s2(Sphere.icosahedral(1), k=8),
    "gauss": lambda: LieGroupGraph.s2(Sphere.gauss(6)),
}


def layer(graph, *channels, order=4):
    torch.manual_seed(0)
    conv = snn.ChebConv(graph, *channels, order=order).double()
    with torch.no_grad():
        conv.bias.normal_()
    return conv.requires_grad_(False)


def field(graph, *lead):
    return torch.randn(*lead, *graph.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def dense(conv, x, first=1.0):
    """The polynomial by dense matrices; `first`: what T_1 is multiplied by (1: no fault)."""
    graph = conv.graph
    matrix = graph.laplacian().to_dense() - torch.eye(graph.num_vertices, dtype=torch.float64)  # rescaled by 2
    flat, terms = x.flatten(2), [torch.eye(len(matrix), dtype=torch.float64), first * matrix]
    while len(terms) <= conv.order:
        terms.append(2 * matrix @ terms[-1] - terms[-2])
    y = sum(torch.einsum("vw,bcw,cd->bdv", t, flat, w) for t, w in zip(terms, conv.weight, strict=False))
    return (y + conv.bias[:, None]).view(len(x), -1, *graph.shape)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(
    ("channels", "order"), [((2, 3), 4), ((3, 2), 4), ((2, 2), 1), ((3, 1), 1), ((3, 2), 0), ((3, 2), 2)]
)
def test_it_is_the_polynomial_of_the_laplacian(name, channels, order):
    graph = GRAPHS[name]()
    conv = layer(graph, *channels, order=order)
    x = field(graph, 2, channels[0])
    expected = dense(conv, x)
    assert (conv(x) - expected).abs().max() < 1e-10 * expected.abs().max()
    if order:
        assert (conv(x) - dense(conv, x, 2.0)).abs().max() > 1e-3  # T_1 planted wrong


@pytest.mark.parametrize("eps", [0.1, 1.0])
def test_it_commutes_with_turns_and_flips(eps):
    graph = LieGroupGraph.se2(6, None, 4, eps=eps)
    net = torch.nn.Sequential(layer(graph, 2, 3), torch.nn.ReLU(), layer(graph, 3, 2), snn.GraphPool(graph, "max"))
    x, group, coarse = field(graph, 2, 2), st.D(4), graph.coarser()
    y = net.double()(x)
    for g in group.elements:
        assert (net(graph.move(x, group, g)) - coarse.move(y, group, g)).abs().max() < 1e-12
    pixels = torch.rot90(x, 1, (2, 3))  # orientations left behind
    assert ((net(pixels) - torch.rot90(y, 1, (2, 3))).abs().max() > 1e-3) == (eps < 1)


def test_it_commutes_with_the_icosahedron():
    graph = LieGroupGraph.s2(Sphere.icosahedral(2))
    conv, group = layer(graph, 1, 2), st.icosahedral()
    x = field(graph, 1, 1)
    y = conv(x)
    assert (
        max(float((conv(graph.move(x, group, g)) - graph.move(y, group, g)).abs().max()) for g in group.elements)
        < 1e-12
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_constants_stay_constant_unless_published(name):
    graph = GRAPHS[name]()
    step = graph.diffusion()
    sums = torch.zeros(graph.num_vertices, dtype=torch.float64).index_add(0, step.target, step.values)
    assert ((sums - 1).abs().max() < 1e-12) == (graph.recipe == "density")


@pytest.mark.parametrize("name", ["se2", "so3", "s2", "gauss"])
def test_pooling_keeps_constants_means_and_maxima(name):
    graph = GRAPHS[name]()
    coarse = graph.coarser()
    mean, most, back = (
        snn.GraphPool(graph).double(),
        snn.GraphPool(graph, "max").double(),
        snn.GraphUnpool(graph).double(),
    )
    one = torch.ones(1, 1, *graph.shape, dtype=torch.float64)
    assert (mean(one) - 1).abs().max() < 1e-12 and (most(one) - 1).abs().max() == 0
    assert (back(mean(one)) - 1).abs().max() < 1e-12
    x = field(graph, 2, 3)

    def total(f, g):
        return (f.flatten(2) * g.weights().flatten()).sum(-1) / g.weights().sum()

    assert (total(mean(x), coarse) - total(x, graph)).abs().max() < 1e-10
    y = field(coarse, 2, 3)
    assert (total(back(y), graph) - total(y, coarse)).abs().max() < 1e-10
    assert bool((most(x) >= mean(x) - 1e-12).all()) and set(most(x).unique().tolist()) <= set(x.unique().tolist())
    assert (
        total(x.flatten(2).mean(-1)[..., None].expand(2, 3, graph.num_vertices), graph) - total(x, graph)
    ).abs().max() > (1e-6 if name == "gauss" else -1)  # means that do not know areas


@pytest.mark.parametrize(
    "make", [lambda g: snn.ChebConv(g, 2, 3), lambda g: snn.ChebConv(g, 2, 1), snn.GraphPool, snn.GraphUnpool]
)
def test_tooling(make):
    graph = LieGroupGraph.se2(4, None, 2, k=5)
    module = make(graph).double().eval()
    x = field(graph.coarser() if isinstance(module, snn.GraphUnpool) else graph, 2, 2).requires_grad_()
    y = module(x)
    assert torch.autograd.gradcheck(module, (x[:1],)) and torch.autograd.gradgradcheck(
        lambda t: module(t).square(), (x[:1],)
    )
    assert (st.bake(module)(x) - y).abs().max() < 1e-12
    program = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    assert (program(x) - y).abs().max() < 1e-12 and program(torch.cat([x, x])).shape[0] == 4
    assert (torch.compile(module, backend="aot_eager", fullgraph=True)(x) - y).abs().max() < 1e-12
    assert (pickle.loads(pickle.dumps(copy.deepcopy(module)))(x) - y).abs().max() == 0
    assert (torch.func.vmap(module)(x[:, None])[:, 0] - y).abs().max() < 1e-12
    assert module(x[:0]).shape == (0, *y.shape[1:])
    assert not any(k[0] == "_" for k in module.state_dict())
    single = make(graph).float()
    with torch.autocast("cpu", torch.bfloat16):
        y32 = single(z := x.detach().float().requires_grad_())
        y32.square().sum().backward()  # steps of training often run wholly inside
    assert y32.isfinite().all() and z.grad is not None and z.grad.isfinite().all()
    for dtype in (torch.float16, torch.bfloat16):
        half = copy.deepcopy(module).to(dtype)(x.to(dtype))
        assert half.dtype == dtype and float((half.double() - y).detach().norm() / y.detach().norm()) < 0.02


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda g: snn.ChebConv(g, 2, 3, order=-1), "order is -1"),
        (lambda g: snn.ChebConv(g, 0, 3), "in_channels is 0"),
        (lambda g: snn.ChebConv(g, 2, 3)(torch.zeros(1, 3, *g.shape)), r"\[B, 2, 4, 4, 2\]"),
        (lambda g: snn.ChebConv(g, 2, 3)(torch.zeros(1, 2, 4, 4)), "lift"),
        (lambda g: snn.GraphPool(g, "median"), "mean, max"),
        (lambda g: snn.GraphPool(g)(torch.zeros(1, 2, 4, 4)), "GraphPool"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make(LieGroupGraph.se2(4, None, 2, k=5))
    assert "\n" not in str(caught.value)
