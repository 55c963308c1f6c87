"""MobileNetV2: exact, baked both ways, as wide as its twin, and cheaper."""

from __future__ import annotations

import warnings

import pytest
import torch

import steerable as st
from steerable import laws
from steerable.domains import PixelGrid
from steerable.models import count_macs
from steerable.models.baked_residual import FourierResidual, PlainResidual
from steerable.models.inverted_residual import InvertedResidual
from steerable.models.mobilenet_table import STANDARD, count_fields, make_plan
from steerable.nn.plain_fourier import coefficient_basis, saved


def build(side=17, **arguments):
    torch.manual_seed(0)
    net = st.create_model("mobilenet_v2_small", in_channels=2, num_classes=5, **arguments).double()
    net(torch.randn(4, 2, side, side, dtype=torch.float64))
    return net.eval(), torch.randn(2, 2, side, side, dtype=torch.float64)


@pytest.mark.parametrize("depthwise", ["orientation", "field"])
@pytest.mark.parametrize("group", ["C4", "C8", "D4", "D8", "C6", "D3"])
def test_invariant_on_the_lattice_and_baked(group, depthwise):
    net, x = build(group=group, depthwise=depthwise)
    symmetry = {"C": st.C(4), "D": st.D(4)}[group[0]] if group[1] in "48" else {"C": st.C(2), "D": st.D(1)}[group[0]]
    grid, y = PixelGrid.of(x), net(x)
    for g in symmetry.elements:
        assert (net(grid.move(x, symmetry, g)) - y).abs().max() < 1e-10
    assert not torch.equal(y[0], y[1])
    baked = st.bake(net)
    with torch.no_grad():
        assert (baked(x) - y).abs().max() < 1e-10
        assert (baked(x[:1]) - y[:1]).abs().max() < 1e-10


def test_planted_fault_a_depthwise_layer_that_mixes_up_its_orientations():
    net, x = build(group="D4")
    with torch.no_grad():
        baked = st.bake(net)
        for layer in baked.modules():
            if isinstance(layer, torch.nn.Conv2d) and layer.groups > 1:
                layer.weight.copy_(layer.weight.unflatten(0, (-1, 8)).flip(1).flatten(0, 1))
        assert (baked(x) - baked(x.rot90(1, (2, 3)))).abs().max() > 1e-6


@pytest.mark.parametrize("group", [st.C(4), st.C(8), st.D(4), st.D(8), st.C(5), st.D(3)], ids=str)
@pytest.mark.parametrize("stride", [1, 2])
def test_the_block_over_irreps_is_the_block(group, stride, monkeypatch):
    torch.manual_seed(0)
    outer, inner = 9 * group.regular, 21 * group.regular
    block = InvertedResidual(outer, inner, outer, stride=stride).double()
    x = torch.randn(3, outer.size, 9, 9, dtype=torch.float64)
    block.train()(x)
    block.eval()
    y = block(x)
    monkeypatch.setattr("steerable.models.inverted_residual.pays", lambda _: True)
    baked = st.bake(block)
    core = baked[1]
    assert isinstance(core, FourierResidual)
    assert (baked(x) - y).abs().max() < 1e-10  # with gradients: operators only
    with torch.no_grad():
        for batch in (x[:1], x):
            assert (baked(batch) - y[: len(batch)]).abs().max() < 1e-10
        monkeypatch.setattr("steerable.models.baked_residual.CHUNK", 8 * inner.size * 81 // 5)
        for batch in (x[:1], x):  # in parts of a few fields, the last of them smaller
            assert (baked(batch) - y[: len(batch)]).abs().max() < 1e-10
        assert (core.ordinary()(x) - y).abs().max() < 1e-10
    assert sum(p.numel() for p in core.parameters()) < sum(p.numel() for p in core.ordinary().parameters())


@pytest.mark.parametrize("stride", [1, 2])
def test_an_ordinary_block_in_parts_is_the_block(stride, monkeypatch):
    torch.manual_seed(0)
    group = st.C(8)
    block = InvertedResidual(2 * group.regular, 9 * group.regular, 2 * group.regular, stride=stride).double()
    x = torch.randn(3, 16, 9, 9, dtype=torch.float64)
    block.train()(x)
    block.eval()
    baked = st.bake(block)
    assert type(baked) is PlainResidual
    assert baked.splits
    with torch.no_grad():
        whole = baked(x[:1])
        monkeypatch.setattr("steerable.models.baked_residual.CHUNK", 8 * 81 * 20)  # 16 of 72 channels at a time
        assert (baked(x[:1]) - whole).abs().max() < 1e-12
        assert (block(x) - baked(x)).abs().max() < 1e-12


@pytest.mark.parametrize("group", [st.C(1), st.C(4), st.C(5), st.C(8), st.D(1), st.D(3), st.D(4), st.D(8)], ids=str)
def test_coefficients_split_every_equivariant_map_into_blocks(group):
    basis, runs = coefficient_basis(group)
    assert (basis.T @ basis - torch.eye(group.order)).abs().max() < 1e-12
    assert (basis[:, 0] - basis[0, 0]).abs().max() < 1e-12  # the trivial coefficient stands first
    matrices = torch.stack([basis.T @ group.regular(g) @ basis for g in group.elements])
    commuting = torch.einsum("gab,bc,gdc->ad", matrices, torch.randn(group.order, group.order).double(), matrices)
    blocks = torch.block_diag(*(torch.ones(s, s) for s, count in runs for _ in range(count))).double()
    assert (commuting * (1 - blocks)).abs().max() < 1e-10
    assert saved(group) == pytest.approx(1 - sum(s * s * n for s, n in runs) / group.order**2)


def test_wide_lone_maps_take_the_way_over_irreps_by_themselves():
    wide, narrow = 40 * st.C(8).regular, 4 * st.C(8).regular
    assert type(st.bake(st.nn.Conv2d(narrow, narrow, 1))) is torch.nn.Conv2d
    chain = st.nn.Sequential(
        st.nn.Conv2d(wide, wide, 1), st.nn.BatchNorm(wide), st.nn.Conv2d(wide, wide, 1, bias=False)
    ).double()
    x = torch.randn(2, wide.size, 3, 3, dtype=torch.float64)
    chain(x)
    baked = st.bake(chain)
    assert [type(m).__name__ for m in baked] == [
        "ToCoefficients", "CoefficientMap", "CoefficientMap", "FromCoefficients"
    ]  # fmt: skip
    assert (baked(x) - chain.eval()(x)).abs().max() < 1e-10


@pytest.mark.parametrize("group", ["C8", "D8", "C4", "D4"])
def test_channels_are_those_of_the_twin(group):
    order = int(group[1]) * (2 if group[0] == "D" else 1)
    net, plain = (st.create_model(n, group=group) for n in ("mobilenet_v2", "mobilenet_v2_plain"))
    ours = [m.out_type.size for m in net.modules() if isinstance(m, st.nn.Conv2d)]
    assert ours == [m.out_channels for m in plain.modules() if isinstance(m, torch.nn.Conv2d)]
    if 24 % order == 0:  # those of the published table
        published = [32]
        for row in STANDARD.rows:
            published += [row.channels] * row.repeats
        blocks = [m for m in net.features if isinstance(m, InvertedResidual)]
        assert [m.in_type.size for m in blocks] == published[:-1]
    assert sum(p.numel() for p in net.parameters()) < 1.1 / order * sum(p.numel() for p in plain.parameters())


def test_the_plain_twin_has_the_parameters_of_the_published_network():
    plain = st.create_model("mobilenet_v2_plain", num_classes=1000)
    assert sum(p.numel() for p in plain.parameters()) == 3_504_872


def test_macs():
    t = 3 * st.C(8).regular
    x = torch.randn(1, 24, 9, 9)
    ours = count_macs(st.nn.DepthwiseConv2d(t, 3, padding=1), x)
    assert ours == count_macs(torch.nn.Conv2d(24, 24, 3, padding=1, groups=24), x) == 24 * 9 * 81
    assert count_macs(st.nn.Conv2d(t, t, 3, padding=1, groups=3), x) == 8 * ours
    x = torch.randn(1, 3, 97, 97)
    for group in ("C8", "D8"):
        ratio = count_macs(st.create_model("mobilenet_v2", group=group), x)
        ratio /= count_macs(st.create_model("mobilenet_v2_plain", group=group), x)
        assert ratio < 0.6


def test_sides():
    net = st.create_model("mobilenet_v2", width=0.25).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net(torch.randn(1, 3, 97, 97))
    with pytest.warns(st.nn.ExactnessWarning):
        net(torch.randn(1, 3, 96, 96))


def test_table_and_bad_arguments():
    assert [count_fields(c, 1.0, 16) for c in (16, 24, 32, 320)] == [1, 2, 2, 20]
    assert count_fields(24, 0.1, 8) == 1
    stem, plan, last = make_plan(STANDARD, 0.5, 8)
    assert (stem, plan[1].hidden, last) == (2, 6 * plan[1].inputs, 160)
    for arguments, words in (
        ({"group": "SO2"}, "SO2"),
        ({"depthwise": "pixel"}, "pixel"),
        ({"table": "large"}, "large"),
        ({"width": 0.0}, "0.0"),
    ):
        with pytest.raises(ValueError, match=words):
            st.create_model("mobilenet_v2_small" if "table" not in arguments else "mobilenet_v2", **arguments)
    with pytest.raises(ValueError, match="SO2"):
        st.create_model("mobilenet_v2_plain", group="SO2")
    t = st.C(8).type("2x1 + 1x0")
    with pytest.raises(TypeError, match="regular"):
        st.nn.DepthwiseConv2d(t, 3)


def test_regression_and_tooling():
    net = st.create_model("mobilenet_v2_small", group="C8", num_classes=1, width=4.0).eval()
    x = torch.randn(2, 3, 17, 17)
    assert net(x).shape == (2, 1)
    baked = st.bake(net)
    assert any(isinstance(m, FourierResidual) for m in baked.modules())
    laws.assert_export_equals_eager(net, x)
    laws.assert_export_equals_eager(baked, x, dynamic_batch=True)
    laws.assert_compiled_equals(baked, x)


def test_onnx_of_the_fast_form():
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    net = st.create_model("mobilenet_v2_small", group="D8", width=2.0).eval()
    laws.assert_onnx_equals(st.bake(net), torch.randn(1, 3, 17, 17))
