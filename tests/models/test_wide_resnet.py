"""Equivariant wide ResNets at the published depths and widths: counts, groups, heads, sides."""

from __future__ import annotations

import warnings

import pytest
import torch

import steerable as st
from steerable.domains import PixelGrid
from steerable.models.wide_resnet import WideResNet
from steerable.models.wide_resnet_plan import count_weights, make_plan

PRESETS = {
    "wrn28_10_d8d4d1": (28, 10, "D8 D4 D1v", "params", 1),
    "wrn28_10_d8d4d4": (28, 10, "D8 D4 D4", "params", 1),
    "wrn28_10_d1d1d1": (28, 10, "D1v D1v D1v", "params", 1),
    "wrn28_10_c8c4c1": (28, 10, "C8 C4 C1", "params", 1),
    "wrn28_7_d8d4d1": (28, 7, "D8 D4 D1v", "params", 1),
    "wrn28_10_d8d4d1_star": (28, 10, "D8 D4 D1v", "channels", 1),
    "wrn16_8_stl_d8d4d1": (16, 8, "D8 D4 D1v", "params", 2),
    "wrn16_8_stl_d1d1d1": (16, 8, "D1v D1v D1v", "params", 2),
    "wrn16_8_stl_d8d4d1_star": (16, 8, "D8 D4 D1v", "channels", 2),
    "wrn16_8_stl_d1d1d1_star": (16, 8, "D1v D1v D1v", "channels", 2),
    "wrn10_4_lens": (10, 4, "D8 D8 D8", "params", 1),
}


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def kernel_sizes(groups):
    """3x3 for 1, 2 or 4 rotations, 5x5 else."""
    return [3 if g.order // (2 if g.name.startswith("D") else 1) <= 4 else 5 for g in groups]


@pytest.mark.parametrize("name", PRESETS)
def test_published_networks_by_counting(name):
    """Within 3 % of the plain network, or channel by channel equal to it; groups, kernels, strides as published."""
    depth, widen, groups, match, first = PRESETS[name]
    stages = [st.groups.parse_group(g) for g in groups.split()]
    sizes = kernel_sizes(stages)
    plan = make_plan(stages, sizes, widen, (depth - 4) // 6, match, 3, "trivial", first)
    with torch.device("meta"):
        plain = st.create_model(f"wrn{depth}_{widen}_plain")
    weights = sum(p.numel() for p in plain.parameters() if p.dim() == 4)
    if match == "params":
        assert count_weights(plan, sizes, 3) == pytest.approx(weights, rel=0.03)
    else:
        assert count_weights(plan, sizes, 3) < 0.5 * weights
        theirs = [m.out_channels for m in plain.blocks.modules() if isinstance(m, torch.nn.Conv2d)]
        ours = []
        for b in plan:
            ours += [b.mid_type.size, b.out_type.size]
            ours += [b.out_type.size] if b.stride != 1 or b.in_type != b.out_type else []
        wide = [t for t in theirs if t not in ours]
        assert not wide and {b.mid_type.size for b in plan} == {16 * widen, 32 * widen, 64 * widen}
    assert [b.stride for b in plan][:: (depth - 4) // 6] == [first, 2, 2]
    assert [b.mid_type.group for b in plan][:: (depth - 4) // 6] == stages
    assert plan[-1].out_type.is_trivial and plan[-1].out_type.size == 64 * widen
    assert name in st.list_models()


def test_presets_pass_their_arguments():
    model = st.create_model("wrn16_8_stl_d8d4d1_star", num_classes=10)
    assert model.lift.in_type.group == st.D(8) and model.stages[0][0].conv1.stride == 2
    assert isinstance(model.stages[0][0].dropout, st.nn.FieldDropout) and model.stages[0][0].dropout.p == 0.3
    # the first convolution keeps the fields of equal parameters: 16 / sqrt(16) = 4 fields of D8, not 1
    assert model.lift.out_type == 4 * st.D(8).regular
    assert [type(s[0]).__name__ for s in model.stages] == ["ResidualBlock", "Restrict", "Restrict"]
    filters = model.stages[0][0].conv1.filter()
    assert filters[..., 2, 2].abs().max() > 0 and filters.flatten(2)[..., :12].abs().max() == 0  # delta-orthogonal
    lens = st.create_model("wrn10_4_lens", in_channels=1, num_classes=3)
    assert [s.out_type.group for s in lens.stages] == [st.D(8)] * 3
    assert all(b.conv1.kernel_size == 5 for s in lens.stages for b in s)


@torch.no_grad()
def test_restriction_changes_nothing():
    """Features after Restrict are those before, in another order, and stage two sees C4 of what was D8."""
    torch.manual_seed(0)
    model = WideResNet(1, 2, groups=("D8", "D4", "D1"), depth=10, widen=1).double().eval()
    first = model.features(torch.randn(2, 1, 17, 17, dtype=torch.float64))[0]
    restrict = model.stages[1][0]
    after = restrict(first)
    assert torch.equal(after.sort(1).values, first.sort(1).values)
    for h in st.D(4).elements:
        big = st.D(8).subgroup(st.D(4)).map(h)
        before = restrict(PixelGrid.of(first).transform(first, restrict.in_type, big))
        assert (before - PixelGrid.of(after).transform(after, restrict.out_type, h)).abs().max() < 1e-12


@pytest.mark.parametrize(
    "options",
    [
        {"groups": ("D8", "D4", "D1")},
        {"groups": ("C8", "C4", "C1"), "head": "gpool"},
        {"group": "D4", "head": "gpool", "initial_stride": 2},
        {"group": "D4", "down": "blur"},
        {"group": "D4", "fit": "resample"},
        {"group": "D8", "match": "channels", "fit": "resample", "initial_stride": 2},
    ],
    ids=lambda o: "-".join(map(str, o)),
)
@torch.no_grad()
def test_every_stage_is_exact_under_its_group(options):
    torch.manual_seed(0)
    model = WideResNet(1, 2, depth=10, widen=1, **options).double().eval()
    st.nn.strict(model)
    side = 25 if "fit" not in options and "down" not in options else 22
    x = torch.randn(1, 1, side, side, dtype=torch.float64)
    grid, maps, y = PixelGrid.of(x), model.features(x), model(x)
    for i, stage in enumerate(model.stages):
        group = stage.out_type.group
        for g in (g for g in group.elements if grid.is_exact(group, g)):
            expected = PixelGrid.of(maps[i]).transform(maps[i], stage.out_type, g)
            found = model.features(grid.move(x, group, g))[i]
            assert (found - expected).abs().max() < 1e-10 * maps[i].abs().max(), i
    group = model.stages[2].out_type.group
    for g in (g for g in group.elements if grid.is_exact(group, g)):
        assert (model(grid.move(x, group, g)) - y).abs().max() < 1e-10 * y.abs().max()
    assert (st.bake(model)(x) - y).abs().max() < 1e-10 * y.abs().max()


@torch.no_grad()
def test_planted_faults_are_caught():
    """32 pixels and strides; zeros on one side only; a symmetry that a restriction gave up."""
    torch.manual_seed(0)
    x = torch.randn(1, 1, 32, 32, dtype=torch.float64)

    def error(**options):
        model = WideResNet(1, 2, depth=10, widen=1, **options).double().eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", st.nn.ExactnessWarning)
            y = model(x)
            return ((model(torch.rot90(x, 1, (-2, -1))) - y).abs().max() / y.abs().max()).item()

    assert error(group="D4", fit="resample") < 1e-10 and error(group="D4", down="blur") < 1e-10
    assert error(group="D4") > 1e-4
    assert error(group="D4", fit="pad") > 1e-4
    assert error(groups=("D4", "D4", "D1"), fit="resample") > 1e-4
    padded = st.nn.strict(WideResNet(1, 2, group="D4", depth=10, widen=1, fit="pad").double())
    with pytest.raises(ValueError, match="resample"):
        padded(x)
    with pytest.raises(ValueError, match="33"):
        st.nn.strict(WideResNet(1, 2, group="D4", depth=10, widen=1).double())(x)


def test_sides():
    assert [st.nn.exact_side(n, 4) for n in (32, 33, 64, 96, 128)] == [33, 33, 65, 97, 129]
    assert st.nn.exact_side(96, 8) == 97 and st.nn.exact_side(30, 4, 0) == 32
    layer = st.nn.FitSide2d(2 * st.C(4).trivial, 4)
    assert layer(torch.randn(1, 2, 32, 30)).shape == (1, 2, 33, 33)
    x = torch.randn(1, 2, 33, 33)
    assert layer(x) is x
    with pytest.warns(st.nn.ExactnessWarning, match="half a pixel"):
        assert st.nn.FitSide2d(2 * st.C(4).trivial, 4, mode="pad")(x[..., :32, :32]).shape == x.shape
    with pytest.raises(ValueError, match="resample"):
        st.nn.FitSide2d(2 * st.C(4).trivial, 4, mode="crop")
    with pytest.raises(ValueError, match="positive"):
        st.nn.exact_side(0, 4)


def test_errors():
    for options, text in (
        ({"groups": ("D4", "C8", "C1")}, "no subgroup"),
        ({"head": "max"}, "unknown head"),
        ({"down": "pool"}, "unknown down"),
        ({"fit": "crop"}, "resample"),
        ({"groups": ("D4", "D4")}, "3 stages"),
    ):
        with pytest.raises(ValueError, match=text):
            WideResNet(1, 2, depth=10, widen=1, **options)
