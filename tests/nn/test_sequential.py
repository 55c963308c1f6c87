"""Chains, branches and residual sums: types meet at construction, in the right order, or not at all."""

from __future__ import annotations

import copy

import pytest
import torch

import steerable as st

C8, D3 = st.C(8), st.D(3)
GREY, DEEP = 1 * C8.trivial, 4 * C8.regular


def test_a_chain_knows_its_ends():
    chain = st.nn.Sequential(st.nn.Conv2d(GREY, DEEP, 3), st.nn.ReLU(DEEP), st.nn.GroupPool(DEEP))
    assert chain.in_type == GREY
    assert chain.out_type == 4 * C8.trivial
    assert isinstance(chain[:2], st.nn.Sequential)
    assert chain[1:].in_type == DEEP
    assert copy.deepcopy(chain).out_type == chain.out_type


def test_mismatch_names_both_layers_and_both_types():
    with pytest.raises(TypeError) as caught:
        st.nn.Sequential(st.nn.Conv2d(GREY, DEEP, 3), st.nn.ReLU(2 * C8.regular))
    for word in ("entry 0", "Conv2d", "4 regular", "entry 1", "ReLU", "2 regular"):
        assert word in str(caught.value)


def test_a_plain_module_needs_invariants_before_it():
    with pytest.raises(TypeError, match="GroupPool"):
        st.nn.Sequential(st.nn.Conv2d(GREY, DEEP, 3), torch.nn.Flatten())
    st.nn.Sequential(st.nn.GroupPool(DEEP), st.nn.GlobalAvgPool2d(), torch.nn.Linear(4, 2), torch.nn.ReLU())
    with pytest.raises(TypeError, match="Plain"):
        st.nn.Sequential(torch.nn.ReLU(), st.nn.ReLU(DEEP))
    vouched = st.nn.Sequential(st.nn.Plain(torch.nn.Hardswish(), DEEP, DEEP), st.nn.ReLU(DEEP))
    assert vouched.out_type == DEEP


def test_nested_chains_check_too():
    inner = st.nn.Sequential(st.nn.Conv2d(GREY, DEEP, 3), st.nn.ReLU(DEEP))
    with pytest.raises(TypeError, match="2 regular"):
        st.nn.Sequential(inner, st.nn.ReLU(2 * C8.regular))


def test_residual_and_branches():
    t = 2 * D3.regular + 2 * D3.irrep("1")
    body = st.nn.Sequential(st.nn.Conv2d(t, t, 3, padding=1), st.nn.NormAct(t))
    x = torch.randn(2, t.size, 5, 5)
    residual = st.nn.Residual(body)
    assert torch.equal(residual(x), body(x) + x)
    assert torch.allclose(st.bake(residual)(x), residual.eval()(x), atol=1e-5)
    with pytest.raises(TypeError, match="shortcut"):
        st.nn.Residual(st.nn.Conv2d(t, 2 * t, 3, padding=1))
    branches = st.nn.Branches(body, st.nn.Conv2d(t, 3 * D3.trivial, 1))
    assert branches.out_type == t + 3 * D3.trivial
    assert branches(x).shape[1] == branches.out_type.size
    assert torch.allclose(st.bake(branches)(x), branches.eval()(x), atol=1e-5)
    with pytest.raises(TypeError, match="one type"):
        st.nn.Branches(body, st.nn.Conv2d(2 * t, t, 1))
    with pytest.raises(TypeError, match="at least one"):
        st.nn.Branches()


def test_a_neighbourhood_reaches_the_layers_that_take_one():
    class Takes(torch.nn.Module):
        takes_neighbourhood = True

        def forward(self, x, g):
            return x + g

    chain = st.nn.Sequential(torch.nn.Identity(), Takes(), st.nn.Sequential(Takes()))
    assert chain(torch.zeros(1), torch.ones(1)).item() == 2
