"""A baked network, whose weights were rounded to the precision of the model, is quantised to exact integers too."""

from __future__ import annotations

import warnings

import pytest
import torch
from tests.quant.nets import NETS, build, images
from tests.quant.test_exact import mismatches
from torch import nn

import steerable as st
from steerable.nn import ExactnessWarning
from steerable.quant import quantize
from steerable.quant.linear_unit import LinearUnit
from steerable.quant.weights import group_index, shared_scales


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NETS)
def test_integers_of_a_baked_network_turn_with_the_image(name, dtype):
    _, group, _, side, channels = NETS[name]
    q = quantize(st.bake(build(name).to(dtype)), images(16, channels, side))
    wrong, compared, moved = mismatches(q, images(3, channels, side, seed=7), group)
    assert (wrong, moved) == (0, 0)
    assert compared > 1000


def on_halves(unit: LinearUnit) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Filter and bias with every weight but the largest half-way between two integers, and the last bits of float32
    at random, as another library of matrix products, or another processor, would leave them.
    """
    weight, bias = ORDINARY(unit)
    if not hasattr(unit, "fields"):
        return weight, bias
    steps = shared_scales(weight, group_index(unit.fields, "field"), 127).view(-1, *[1] * (weight.dim() - 1))
    whole = weight / steps
    moved = torch.where(whole.abs() < 125, (whole.abs().floor() + 0.5) * whole.sign(), whole) * steps
    generator = torch.Generator().manual_seed(len(weight))
    bits = torch.randint(-1, 2, weight.shape, generator=generator)
    return moved * (1 + 2.0**-23 * bits), bias


ORDINARY = LinearUnit.weights


@pytest.mark.parametrize("name", ["mobilenet D8", "lens D4"])
def test_last_bits_of_baked_weights_do_not_part_what_symmetry_makes_equal(name, monkeypatch):
    _, group, _, side, channels = NETS[name]
    net, x = st.bake(build(name)), images(2, channels, side, seed=7)
    monkeypatch.setattr(LinearUnit, "weights", on_halves)
    q = quantize(net, images(16, channels, side))
    assert mismatches(q, x, group)[::2] == (0, 0)
    # the planted fault: float64 weights of a copy taken for weights that were computed in float64
    monkeypatch.setattr(LinearUnit, "precision", torch.float64)
    wrong, compared, moved = mismatches(quantize(net, images(16, channels, side)), x, group)
    assert wrong > 0.001 * compared
    assert moved > 0


def test_half_precision_is_refused():
    net = st.bake(build("lens D4")).bfloat16()
    with pytest.raises(ValueError, match=r"baked in torch.bfloat16, .* Quantise the equivariant model, then export"):
        quantize(net, images(4, 1, 32))
    quantize(build("lens D4").bfloat16(), images(4, 1, 32))  # its filters are expanded in float64
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1800, 2)).bfloat16()
    quantize(plain, images(4, 1, 32))  # no symmetry to lose


@pytest.mark.parametrize("bake", [False, True])
def test_scales_of_channels_are_warned_of_once(bake):
    net = st.bake(build("lens D4")) if bake else build("lens D4")
    with pytest.warns(ExactnessWarning, match=r"share='channel' .* luck .* Say share='field'") as found:
        quantize(net, images(4, 1, 32), share="channel")
    assert len(found) == 1
    assert found[0].filename == __file__
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1800, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantize(plain, images(4, 1, 32), share="channel")
        quantize(net, images(4, 1, 32), share="tensor")


def test_training_a_baked_network_with_rounding_is_warned_of():
    with pytest.warns(ExactnessWarning, match=r"which is baked; .* Train the equivariant model"):
        quantize(st.bake(build("lens D4")), images(4, 1, 32), mode="qat")
