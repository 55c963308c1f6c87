"""Restriction and the Fourier basis: orthogonal maps that intertwine, with parts that have names."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

import steerable as st
from steerable.nn.fourier_layers import FromFourier, ToFourier
from steerable.nn.restrict import Disentangle, Restrict

spec = importlib.util.spec_from_file_location("layer_checks", Path(__file__).with_name("layer_checks.py"))
checks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checks)
C4, C5, D3, D4, TYPES = checks.C4, checks.C5, checks.D3, checks.D4, checks.TYPES
channel_error, draw, tooling = checks.channel_error, checks.draw, checks.tooling
C8, D8, SO2, O2 = st.C(8), st.D(8), st.SO2(), st.O2()

CASES = [
    (2 * D8.regular + 3 * D8.trivial, C8, "4 regular + 3 trivial"),
    (2 * D8.regular, D4, "4 regular"),
    (2 * D4.quotient(st.C(2)) + D4.regular, st.D(2), "4 quotient(C2) + 2 regular"),
    (2 * D4.quotient(st.D(1)) + D4.regular, st.D(1), "4 trivial + 6 regular"),
    (D3.regular + 2 * D3.irrep("1"), st.D(1), "3 regular + 2x0e + 2x0o"),
    (D3.regular + 2 * D3.irrep("1"), st.C(3), "2 regular + 2x1"),
    (2 * C8.irrep("3") + C8.regular, C4, "2x1 + 2 regular"),
    (2 * SO2.irrep("3") + SO2.spectral_regular(2), C4, None),
    (2 * SO2.irrep("3") + SO2.spectral_regular(2), C5, None),
    (D3.regular + D3.irrep("1"), st.C(1), "8 trivial"),
    (2 * D3.irrep("1").tensor(D3.irrep("1")) + D3.regular, st.D(1), None),
]


def intertwining_error(layer, x, group_map, small) -> float:
    """Largest ``|f(h x) - h f(x)|`` over the subgroup."""
    y = layer(x)
    return max(
        float((layer(layer.in_type.transform(x, group_map(h))) - layer.out_type.transform(y, h)).abs().max())
        for h in small.elements
    )


@pytest.mark.parametrize(("type", "small", "text"), CASES, ids=lambda v: str(v)[:30])
def test_intertwines_and_disentangles(type, small, text) -> None:
    layer = Restrict(type, small).double()
    x = draw(type, 4)
    assert layer.out_type.group == small and (text is None or str(layer.out_type) == text)
    assert intertwining_error(layer, x, layer.inclusion.map, small) < 1e-10
    torch.testing.assert_close(layer(x).norm(dim=1), x.norm(dim=1))  # orthogonal: nothing is lost
    if type.is_permutation:
        assert layer.out_type.is_permutation and torch.equal(layer(x).sort(1)[0], x.sort(1)[0])


def test_law_catches_a_wrong_order_of_channels() -> None:
    layer = Restrict(2 * D4.regular + D4.quotient(st.D(1)), st.D(2)).double()
    x = draw(layer.in_type, 4)
    assert intertwining_error(layer, x, layer.inclusion.map, st.D(2)) < 1e-10
    layer.order = torch.arange(layer.in_type.size)  # as if nothing had to be reordered
    layer.reorders = True
    assert intertwining_error(layer, x, layer.inclusion.map, st.D(2)) > 1e-2


def test_continuous_subgroup() -> None:
    type = 2 * O2.spectral_regular(2) + O2.trivial
    layer = Restrict(type, SO2).double()
    x = draw(type, 3)
    h = torch.tensor(0.7, dtype=torch.float64)
    error = layer(type.transform(x, layer.inclusion.map(h))) - layer.out_type.transform(layer(x), h)
    assert error.abs().max() < 1e-10 and layer.out_type.group == SO2
    assert all(b.rep.is_irrep for b in layer.out_type.blocks)


def test_a_continuous_group_can_permute() -> None:
    """The flip swaps the halves of a field induced from SO2; only the rotations leave them alone."""
    swapped = 2 * O2.induced(SO2, SO2.trivial) + O2.trivial
    layer = Disentangle(swapped).double()
    assert str(layer.out_type) == "2x0e + 2x0o + 1 trivial"
    assert channel_error(layer, swapped, layer.out_type, draw(swapped, 4)) < 1e-10
    assert str(Restrict(swapped, SO2).out_type) == "5 trivial"


def test_convolution_after_restriction_to_a_diagonal_reflection() -> None:
    diagonal = D4.subgroup_from([5])
    first = Restrict(D4.regular + D4.irrep("1"), diagonal)
    layer = st.nn.Sequential(first, st.nn.Conv2d(first.out_type, 3 * diagonal.small.regular, 3)).double()
    st.laws.assert_equivariant(layer, torch.randn(2, 10, 7, 7, dtype=torch.float64))


def test_restriction_commutes_with_relu_on_permutation_fields() -> None:
    layer = Restrict(2 * D4.regular + D4.quotient(st.C(2)), C4).double()
    x = draw(layer.in_type, 4)
    torch.testing.assert_close(layer(x.relu()), layer(x).relu(), rtol=0, atol=0)


def test_disentangle_takes_sums_apart() -> None:
    type = 2 * D3.regular.direct_sum(D3.trivial) + 2 * D3.irrep("1").tensor(D3.irrep("1"))
    layer = Disentangle(type).double()
    assert str(layer.out_type) == "2 regular + 4 trivial + 2x0o + 2x1"
    assert channel_error(layer, type, layer.out_type, draw(type, 4)) < 1e-10
    same = Disentangle(3 * C5.regular)
    assert same.out_type == same.in_type and not same.reorders


@pytest.mark.parametrize("name", TYPES)
def test_fourier_pair(name: str) -> None:
    type = TYPES[name]
    there, back = ToFourier(type).double(), FromFourier(type).double()
    x = draw(type, 4, 3)
    assert there.out_type == type.fourier == back.in_type and back.out_type == type
    assert channel_error(there, type, type.fourier, x) < 1e-10
    assert channel_error(back, type.fourier, type, there(x)) < 1e-10
    torch.testing.assert_close(back(there(x)), x, rtol=0, atol=1e-12)
    torch.testing.assert_close(there(x).norm(dim=1), x.norm(dim=1))


def test_fourier_law_catches_a_missing_gather() -> None:
    type = 2 * D3.regular + D3.irrep("1")
    there = ToFourier(type).double()
    there.reorders = False
    assert channel_error(there, type, type.fourier, draw(type, 4, 3)) > 1e-2


@pytest.mark.parametrize(
    "make",
    [
        lambda: Restrict(2 * D4.regular + D4.quotient(st.D(1)), st.D(1)),
        lambda: Restrict(TYPES["D3 tensor"], st.D(1)),
        lambda: ToFourier(TYPES["C5"]),
        lambda: FromFourier(TYPES["C5"]),
    ],
    ids=["permutation", "matrices", "to", "from"],
)
def test_tooling(make) -> None:
    layer = make()
    tooling(layer, draw(layer.in_type, 2, 2, batch=2))


def test_errors() -> None:
    with pytest.raises(ValueError, match="D1 is not a subgroup of C4"):
        Restrict(C4.regular * 1, st.D(1))
    with pytest.raises(TypeError, match="must be a group"):
        Restrict(C4.regular * 1, 2)
    with pytest.raises(ValueError, match="expects 4"):
        Restrict(C4.regular * 1, st.C(2))(torch.zeros(1, 3))
