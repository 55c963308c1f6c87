"""The residual network on Lie groups, and its twin."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.domains import LieGroupGraph, Sphere
from steerable.models.cheb_lie_net import ChebLieNet

SMALL = {"image_side": 8, "orientations": 4, "widths": (3, 4), "order": 2}


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_logits_do_not_change_with_turns_and_flips(pool):
    torch.manual_seed(0)
    net = st.create_model("cheb_lie_net", in_channels=2, num_classes=3, pool=pool, **SMALL).double()
    x = torch.randn(4, 2, 8, 8, dtype=torch.float64)
    net(x)
    net.eval()
    y = net(x)
    for turns in range(4):
        for turned in (torch.rot90(x, turns, (2, 3)), torch.rot90(x, turns, (2, 3)).flip(3)):
            assert (net(turned) - y).abs().max() < 1e-12
    assert (net(x.roll(1, 3)) - y).abs().max() > 1e-6
    odd = ChebLieNet(2, 3, image_side=8, orientations=3, widths=(3, 4), order=2).double().eval()  # do not turn
    assert (odd(torch.rot90(x, 1, (2, 3))) - odd(x)).abs().max() > 1e-6


def test_twin_has_as_many_parameters():
    for classes in (1, 10):
        net, twin = (st.create_model(f"cheb_lie_net{n}", in_channels=3, num_classes=classes) for n in ("", "_plain"))
        assert parameters(twin) == pytest.approx(parameters(net), rel=0.03)
    twin = st.create_model("cheb_lie_net_plain", in_channels=2, num_classes=3, **SMALL).eval()
    x = torch.randn(2, 2, 8, 8)
    assert (twin(torch.rot90(x, 1, (2, 3))) - twin(x)).abs().max() > 1e-4


@pytest.mark.parametrize("graph", [LieGroupGraph.so3(2, 4), LieGroupGraph.s2(Sphere.icosahedral(2))], ids=["so3", "s2"])
def test_on_the_sphere(graph):
    net = ChebLieNet(1, 3, widths=(2, 3), order=2, graph=graph).double().eval()
    x = torch.randn(2, 1, 162, dtype=torch.float64)
    y = net(x)
    assert y.shape == (2, 3)
    group, g = st.SO3(), torch.eye(4, dtype=torch.float64)[3]
    turned = LieGroupGraph.s2(Sphere.icosahedral(2)).move(x, group, g)
    assert (net(turned) - y).abs().max() < 1e-12


def test_it_bakes_exports_and_compiles():
    net = st.create_model("cheb_lie_net", in_channels=1, num_classes=2, **SMALL).double().eval()
    x = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    y = net(x)
    assert (st.bake(net)(x) - y).abs().max() < 1e-12
    assert (torch.export.export(net, (x,)).module()(x) - y).abs().max() < 1e-12
    assert (torch.compile(net, backend="aot_eager", fullgraph=True)(x) - y).abs().max() < 1e-12


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="multiple of 4"):
        st.create_model("cheb_lie_net", image_side=30)
    with pytest.raises(ValueError, match="8, 8"):
        st.create_model("cheb_lie_net", in_channels=2, num_classes=3, **SMALL)(torch.zeros(1, 2, 9, 9))
