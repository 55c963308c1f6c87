"""Models: shapes, exactness, twins, names."""

from __future__ import annotations

import warnings

import pytest
import torch

import steerable as st
from steerable.domains import PixelGrid

SMALL = {"fields": (2, 2, 3), "kernels": (5, 3, 3), "pool_after": (1, 2)}


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("group", ["C8", "D3", "D4", "SO2", "O2"])
def test_steerable_cnn_is_invariant_on_the_lattice(group):
    torch.manual_seed(0)
    model = st.create_model("steerable_cnn", group=group, in_channels=2, num_classes=5, **SMALL).double().eval()
    symmetry = st.C(4) if group in ("C8", "SO2") else st.D(1) if group == "D3" else st.D(4)
    for side in (28, 29):
        x = torch.randn(2, 2, side, side, dtype=torch.float64)
        grid = PixelGrid.of(x)
        y = model(x)
        assert y.shape == (2, 5)
        for g in symmetry.elements:
            assert (model(grid.move(x, symmetry, g)) - y).abs().max() < 1e-10
        assert (st.bake(model)(x) - y).abs().max() < 1e-10


def test_plain_twin_fails_where_the_net_holds():
    plain = st.create_model("steerable_cnn_plain", **SMALL).eval()
    x = torch.randn(2, 1, 28, 28)
    assert (plain(x) - plain(torch.rot90(x, 1, (2, 3)))).abs().max() > 1e-3


def test_twins_match_in_parameters_and_channels():
    net = st.create_model("steerable_cnn", group="D4")
    assert parameters(st.create_model("steerable_cnn_plain", group="D4")) == pytest.approx(parameters(net), rel=0.03)
    compute = st.create_model("steerable_cnn_plain", group="D4", match="compute")
    ours = [m.out_channels for m in st.bake(net).modules() if isinstance(m, torch.nn.Conv2d)]
    assert ours == [m.out_channels for m in compute.modules() if isinstance(m, torch.nn.Conv2d)]


@pytest.mark.parametrize("groups", [("D4", "D4", "D1"), ("D8", "D4", "D1"), ("C8", "C8", "C8"), ("D4", "D4", "D4")])
@pytest.mark.parametrize("name", ["wrn10_4", "wrn16_4"])
def test_wide_resnet_has_the_parameters_of_its_twin(name, groups):
    ours = parameters(st.create_model(name, groups=groups))
    assert ours == pytest.approx(parameters(st.create_model(f"{name}_plain")), rel=0.03)


def test_wide_resnet_is_exact_until_each_restriction():
    """Acceptance 6: D4 D4 D1 at 33 x 33; the first two stages carry D4, the logits the reflection that is left."""
    torch.manual_seed(0)
    d4 = st.D(4)
    model = st.create_model("wrn10_4", groups=("D4", "D4", "D1")).double().eval()
    x = torch.randn(2, 3, 33, 33, dtype=torch.float64)
    grid = PixelGrid.of(x)
    maps, logits = model.features(x), model(x)
    kept = d4.subgroup(st.D(1)).map(st.D(1).elements).tolist()
    for g in d4.elements:
        turned = grid.move(x, d4, g)
        for stage, before, after in zip(model.stages[:2], maps, model.features(turned), strict=False):
            expected = PixelGrid.of(before).transform(before, stage.out_type, g)
            assert ((after - expected).abs().max() / before.abs().max()).item() < 1e-10
        difference = (model(turned) - logits).abs().max().item()
        assert (difference < 1e-10) == (int(g) in kept)


def test_wide_resnet_detects_an_inexact_size():
    model = st.create_model("wrn10_4").eval()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model(torch.randn(1, 3, 32, 32))
    assert any("33" in str(w.message) for w in told if w.category is st.nn.ExactnessWarning)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(torch.randn(1, 3, 33, 33))


def test_channels_match_means_equal_compute():
    net = st.create_model("wrn10_4", groups=("C8", "C8", "C8"), match="channels", kernel_size=3)
    plain = st.create_model("wrn10_4_plain")
    ours = [
        m.out_channels for m in st.bake(net).modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3)
    ]
    theirs = [m.out_channels for m in plain.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3)]
    assert ours == theirs


def test_bad_counts_and_groups():
    for key in ("in_channels", "num_classes"):
        with pytest.raises(ValueError, match=f"{key} is 0; expected 1 or more"):
            st.create_model("point_cnn", **{key: 0})
    with pytest.raises(TypeError, match="a group is given as 4; expected its name"):
        st.create_model("volume_cnn", group=4)


def test_names():
    assert "wrn28_10" in st.list_models("wrn*")
    with pytest.raises(ValueError, match="steerable_cnn"):
        st.create_model("steerable_cn")
    with pytest.raises(TypeError, match="num_classes"):
        st.create_model("steerable_cnn", classes=3)
    with pytest.raises(ValueError, match="6 n"):
        st.models.wide_resnet.WideResNet(depth=12)
    with pytest.raises(ValueError, match="SO2"):
        st.create_model("wrn10_4", groups="SO2")
