"""Harmonic networks: invariance, the published layout, twins, options for images of lenses."""

from __future__ import annotations

import itertools

import pytest
import torch

import steerable as st
from steerable.laws import error_against_angle


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("name", "side", "outputs"), [("hnet", 28, 10), ("hnet_lens", 64, 1), ("hnet_lens", 64, 3)])
@torch.no_grad()
def test_quarter_turns_are_exact(name, side, outputs):
    torch.manual_seed(0)
    model = st.create_model(name, num_classes=outputs).double().eval()
    x = torch.randn(2, 1, side, side, dtype=torch.float64)
    y = model(x)
    assert y.shape == (2, outputs)
    for quarter in (1, 2, 3):
        assert (model(torch.rot90(x, quarter, (-2, -1))) - y).abs().max() < 1e-10 * y.abs().max()
    baked = st.bake(model)
    assert not any(isinstance(m, st.nn.EquivariantModule) for m in baked.modules())
    assert (baked(x) - y).abs().max() < 1e-10
    # a reflection is no symmetry, and an odd side is none for the pooling
    assert (model(x.flip(-1)) - y).abs().max() > 1e-3
    with pytest.raises(ValueError, match="not exact"):
        st.nn.strict(model)(x[..., :-1, :-1])


def test_45_degrees():
    """Seven convolutions without pooling: 0.03 measured; the pooled scores as well."""
    torch.manual_seed(0)
    maps = st.create_model("hnet", pool_after=()).features
    assert error_against_angle(maps, torch.randn(2, 1, 49, 49), [45.0]).errors[0] < 0.05
    scores = st.create_model("hnet")
    assert error_against_angle(scores, torch.randn(2, 1, 64, 64), [45.0]).errors[0] < 0.05


def test_parameters_follow_the_formula():
    """Two numbers for each ring of each difference of orders, each pair of fields; a bias or two for each magnitude."""
    widths = (8, 8, 16, 16, 32, 32, 10)
    rings = {0: 3, 1: 2, -1: 2}
    pairs = sum(a * b for a, b in itertools.pairwise(widths))
    count = 2 * (rings[0] + rings[1]) * 8  # the image has one order
    count += 2 * sum(rings.values()) * pairs
    count += sum(2 * w for w in (8, 16, 32)) + sum(2 * 2 * w for w in (8, 16, 32)) + 10
    assert parameters(st.create_model("hnet")) == count == 32682  # about the 33 thousand published
    free = parameters(st.create_model("hnet", share=False)) - count
    assert free == 2 * rings[0] * pairs  # the two filters of difference 0 are free of each other


@pytest.mark.parametrize("name", ["hnet", "hnet_lens"])
def test_plain_twin(name):
    ours, plain = (st.create_model(n, num_classes=4) for n in (name, f"{name}_plain"))
    assert parameters(plain) == pytest.approx(parameters(ours), rel=0.05)
    x = torch.randn(2, 1, 64, 64)
    assert plain.eval()(x).shape == ours(x).shape
    assert (plain(x) - plain(torch.rot90(x, 1, (-2, -1)))).abs().max() > 1e-6


def test_it_trains_exports_and_takes_options():
    torch.manual_seed(0)
    model = st.create_model("hnet", in_channels=2, num_classes=2, fields=(3, 4), orders=(0, 1, 2), pool_after=(1,))
    x = torch.randn(3, 2, 12, 12)
    torch.nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 0])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    torch.testing.assert_close(torch.export.export(model.eval(), (x,)).module()(x), model(x))
    with pytest.raises(ValueError, match="head='sum'"):
        st.create_model("hnet", head="sum")
    with pytest.raises(ValueError, match="reflection"):
        st.create_model("hnet", group="D4")
    with pytest.raises(ValueError, match="number for each"):
        st.create_model("hnet", fields=())
