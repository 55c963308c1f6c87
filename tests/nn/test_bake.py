"""Baking: the same numbers from ordinary modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import steerable as st

C8, D3, SO2 = st.C(8), st.D(3), st.SO2()


class Own(nn.Module):
    """A user's module: layers as attributes, in a list, in a dict, one of them used twice."""

    def __init__(self, group):
        super().__init__()
        t = 3 * group.regular + 2 * group.trivial
        self.lift = st.nn.Conv2d(2 * group.trivial, t, 3, padding=1)
        self.blocks = nn.ModuleList(
            [
                st.nn.Sequential(st.nn.Conv2d(t, t, 3, padding=1, bias=False), st.nn.BatchNorm(t), st.nn.ReLU(t))
                for _ in range(2)
            ]
        )
        self.heads = nn.ModuleDict({"a": st.nn.GroupPool(t), "b": st.nn.Linear(t, 3 * group.trivial)})
        self.twice = st.nn.Conv2d(t, t, 1)
        self.scale = nn.Parameter(torch.randn(1))

    def forward(self, x):
        x = self.lift(x)
        for block in self.blocks:
            x = self.twice(block(x)) * self.scale
        return self.heads["a"](x).mean((2, 3)), self.heads["b"](self.twice(x))


@pytest.mark.parametrize("group", [C8, D3], ids=str)
def test_a_users_own_module(group):
    torch.manual_seed(0)
    model = Own(group).double()
    model(torch.randn(4, 2, 7, 7, dtype=torch.float64))  # running statistics move
    x = torch.randn(2, 2, 7, 7, dtype=torch.float64)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    baked = st.bake(model)
    for ours, theirs in zip(model.eval()(x), baked(x), strict=True):
        assert (ours - theirs).abs().max() < 1e-10
    assert not any(isinstance(m, st.nn.EquivariantModule) for m in baked.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert baked.scale is not model.scale


def test_batch_norm_folds_into_the_map_before_it_and_into_no_other():
    t = 2 * C8.regular
    chain = st.nn.Sequential(
        st.nn.Conv2d(t, t, 3, padding=1, bias=False), st.nn.BatchNorm(t), st.nn.ReLU(t), st.nn.BatchNorm(t)
    ).double()
    chain(torch.randn(4, t.size, 5, 5, dtype=torch.float64))
    baked = st.bake(chain)
    assert [type(m).__name__ for m in baked][:2] == ["Conv2d", "ReLU"]
    assert len(baked) == 3
    x = torch.randn(2, t.size, 5, 5, dtype=torch.float64)
    assert (baked(x) - chain.eval()(x)).abs().max() < 1e-10


def test_planted_fault_a_norm_in_train_mode_is_not_what_bake_folds():
    t = 2 * C8.regular
    chain = st.nn.Sequential(st.nn.Conv2d(t, t, 3, padding=1), st.nn.BatchNorm(t))
    x = torch.randn(4, t.size, 5, 5)
    assert (st.bake(chain)(x) - chain.train()(x)).abs().max() > 1e-2


def test_so2_net_bakes():
    t, v = 4 * SO2.spectral_regular(2), SO2.type("3x0 + 2x1 + 2x3")
    gated = st.nn.Gate.gated_type(v) if hasattr(st.nn.Gate, "gated_type") else None
    layers = [
        st.nn.Conv2d(2 * SO2.trivial, t, 5, padding=2),
        st.nn.FourierAct(t),
        st.nn.BatchNorm(t),
        st.nn.Conv2d(t, v, 5, padding=2),
        st.nn.NormAct(v),
    ]
    if gated is not None:
        layers += [st.nn.Conv2d(v, gated, 3, padding=1), st.nn.Gate(v)]
    layers.append(st.nn.NormPool(layers[-1].out_type))
    chain = st.nn.Sequential(*layers).double()
    x = torch.randn(2, 2, 9, 9, dtype=torch.float64)
    assert (st.bake(chain)(x) - chain.eval()(x)).abs().max() < 1e-10


@pytest.mark.parametrize("group", [C8, D3, SO2], ids=str)
def test_a_pointwise_map_between_irreps_keeps_its_blocks(group):
    irreps = group.irreps() if group.is_finite else group.irreps(3)
    t = sum((3 * rep for rep in irreps), 0 * group.trivial)
    out = sum((2 * rep for rep in irreps[::-1]), 0 * group.trivial)
    layer = st.nn.Conv2d(t, out, 1).double()
    torch.nn.init.normal_(layer.bias)
    baked = st.bake(layer)
    x = torch.randn(2, t.size, 4, 5, dtype=torch.float64)
    assert sum(p.numel() for p in baked.parameters()) < layer.filter().numel()
    assert (baked(x) - layer(x)).abs().max() < 1e-12
    assert (baked(x) - torch.nn.functional.conv2d(x, layer.filter(), layer.expanded_bias())).abs().max() < 1e-12


def test_a_layer_without_bake_says_so():
    class Bare(st.nn.EquivariantModule):
        def forward(self, x):
            return x

    with pytest.raises(NotImplementedError, match="Bare"):
        st.bake(nn.Sequential(Bare(2 * C8.regular, 2 * C8.regular)))


def test_plain_networks_pass_through():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    model(torch.randn(4, 1, 5, 5))
    x = torch.randn(2, 1, 5, 5)
    assert torch.allclose(st.bake(model)(x), model.eval()(x), atol=1e-6)
