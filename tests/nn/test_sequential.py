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


def test_layers_on_the_sphere_meet_on_the_same_samples():
    scalar = st.SO2().type("1x0")

    def on(sphere, targets=None):
        return st.nn.SphereConv(scalar, scalar, sphere, 1.2, targets)

    act = st.nn.NormAct(scalar)
    for left, right in (
        ("healpix(2)", "healpix(2, nested)"),
        (st.Sphere.gauss(8), st.Sphere.equiangular(nlat=8, kind="fejer")),
    ):
        with pytest.raises(ValueError, match=r"entry 0 \(SphereConv\) gives fields on .*entry 2 \(SphereConv\) is on"):
            st.nn.Sequential(on(left), act, on(right))
        with pytest.raises(ValueError, match="gives fields on"):
            st.nn.Sequential(st.nn.Sequential(on(left), act), st.nn.Sequential(act, on(right)))
        st.nn.Sequential(on(left, st.Sphere.gauss(4)), act, on("gauss(4)"))
    st.nn.Sequential(on(st.Sphere.healpix(2)), on(st.Sphere.healpix(2, weighting="ring")))  # the same points
    there = st.nn.SHT("gauss(4)", scalar, 4), st.nn.InverseSHT("gauss(6)", scalar, 4)
    st.nn.Sequential(*there, on("gauss(6)"))  # coefficients have no samples
    with pytest.raises(ValueError, match=r"entry 1 \(InverseSHT\) gives fields on GaussSphere\(6 x 12\)"):
        st.nn.Sequential(*there, on("gauss(4)"))
    st.nn.Sequential(on("gauss(4)"), st.nn.Plain(torch.nn.Identity(), scalar, scalar), on("gauss(6)"))


def test_branches_and_shortcuts_say_where_they_start_and_end():
    scalar = st.SO2().type("1x0")
    fine, coarse = st.Sphere.gauss(8), st.Sphere.gauss(4)

    def on(sphere, targets=None):
        return st.nn.SphereConv(scalar, scalar, sphere, 1.2, targets)

    down = (
        st.nn.Branches(on(fine, coarse)),
        st.nn.Residual(on(fine, coarse), on(fine, coarse)),
        st.nn.Residual(st.nn.Sequential(st.nn.NormAct(scalar), on(fine, coarse)), on(fine, coarse)),
    )
    for layer in down:  # strides inside, and so does the chain
        chain = st.nn.Sequential(on(fine), layer, st.nn.NormAct(scalar), on(coarse))
        assert chain(torch.randn(1, 1, *fine.shape)).shape == (1, 1, *coarse.shape)
        for layers in ((on(coarse), layer), (layer, on(fine))):
            with pytest.raises(ValueError, match="gives fields on"):
                st.nn.Sequential(*layers)
    plain = st.nn.Plain(torch.nn.Identity(), scalar, scalar)  # may resample: nobody knows
    for layer in (st.nn.Sequential(plain), st.nn.Branches(plain), st.nn.Residual(plain)):
        st.nn.Sequential(on(fine), layer, on(coarse))
    with pytest.raises(ValueError, match="gives fields on"):
        st.nn.Sequential(on(fine), st.nn.Residual(st.nn.NormAct(scalar)), on(coarse))
