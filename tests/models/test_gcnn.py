"""Group convolutional networks: invariance, sizes, twins, published counts."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.domains import PixelGrid
from steerable.models import example_side


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def images(name, channels, side=None, batch=2):
    side = side or example_side(name)
    return torch.randn(batch, channels, side, side, dtype=torch.float64)


def turned(model, x, group):
    """Largest change of the output over the lattice elements of a group."""
    grid, y = PixelGrid.of(x), model(x)
    return max((model(grid.move(x, group, g)) - y).abs().max().item() for g in group.elements)


@pytest.mark.parametrize(
    ("name", "group", "channels"),
    [
        ("p4cnn", st.C(4), 1),
        ("p4mcnn", st.D(4), 2),
        ("allcnn_p4", st.C(4), 1),
        ("resnet44_p4m", st.D(4), 1),
    ],
)
@torch.no_grad()
def test_networks_are_invariant(name, group, channels):
    torch.manual_seed(0)
    model = st.create_model(name, in_channels=channels, num_classes=3).double().eval()
    x = images(name, channels, batch=1)
    assert model(x).shape == (1, 3)
    assert turned(model, x, group) < 1e-10
    assert (st.bake(model)(x) - model(x)).abs().max() < 1e-10
    if group == st.C(4):  # a reflection is no symmetry of p4
        assert turned(model, x, st.D(4)) > 1e-4


@torch.no_grad()
def test_plain_twins_and_wrong_sizes_are_caught():
    torch.manual_seed(0)
    plain = st.create_model("z2cnn").double().eval()
    assert turned(plain, images("z2cnn", 1), st.C(4)) > 1e-5
    even = st.create_model("allcnn_p4m", in_channels=1, num_classes=2).double().eval()
    with pytest.warns(st.nn.ExactnessWarning):
        assert turned(even, images("", 1, 32, 1), st.D(4)) > 1e-6
    with pytest.raises(ValueError, match="33"):
        st.nn.strict(even)(images("", 1, 32, 1))
    odd = st.nn.strict(st.create_model("p4cnn"))
    with pytest.raises(ValueError, match="not exact"):
        odd(torch.randn(1, 1, 29, 29))
    assert odd(torch.randn(1, 1, 64, 64)).shape == (1, 10)


def test_parameters_are_those_published():
    """Planar.md section 2: twins within 5 %; All-CNN-C 1.37 M, 1.37 M, 1.22 M; ResNets 2.64, 2.62, 7.24, 7.17 M."""
    digits = {n: parameters(st.create_model(n)) for n in ("p4cnn", "p4mcnn", "z2cnn")}
    assert all(n == pytest.approx(digits["z2cnn"], rel=0.05) for n in digits.values()), digits
    published = {
        "allcnn_plain": 1.37e6, "allcnn_p4": 1.37e6, "allcnn_p4m": 1.22e6,
        "resnet44_plain": 2.64e6, "resnet44_p4m": 2.62e6, "resnet26_plain": 7.24e6, "resnet26_p4m": 7.17e6,
    }  # fmt: skip
    for name, count in published.items():
        assert parameters(st.create_model(name)) == pytest.approx(count, rel=0.005), name


@pytest.mark.parametrize("name", ["p4cnn", "p4mcnn", "z2cnn", "allcnn_p4m", "resnet44_plain"])
def test_one_output_trains_and_exports(name):
    torch.manual_seed(0)
    model = st.create_model(name, in_channels=1, num_classes=1)
    x = torch.randn(2, 1, example_side(name), example_side(name))
    loss = model(x).square().mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    program = torch.export.export(model.eval(), (x,))
    torch.testing.assert_close(program.module()(x), model(x))


def test_other_groups_and_errors():
    from steerable.models.gcnn import DigitsGCNN
    from steerable.models.gcnn_resnet import GroupResNet

    eight = DigitsGCNN(group="C8", width=3, depth=3).double().eval()
    assert turned(eight, torch.randn(1, 1, 16, 16, dtype=torch.float64), st.C(4)) < 1e-10
    with pytest.raises(ValueError, match="SO2"):
        DigitsGCNN(group="SO2")
    with pytest.raises(ValueError, match="width 0"):
        DigitsGCNN(width=0)
    with pytest.raises(ValueError, match="C8"):
        GroupResNet(group="C8")
    with pytest.raises(ValueError, match="3 stages"):
        GroupResNet(fields=(1, 2))


@pytest.mark.parametrize(
    ("name", "options", "sides"),
    [
        ("p4cnn", {}, (28, 29)),
        ("p4cnn", {"pool_after": (2, 3, 5)}, (59, 62, 64)),
        ("p4mcnn", {"padding": 1, "pool_after": (1, 2)}, (17, 18)),
        ("allcnn_p4", {}, (16, 20)),
        ("hnet", {}, (21, 29)),
        ("hnet_lens", {}, (33,)),
    ],
)
@torch.no_grad()
def test_every_side_is_fitted(name, options, sides):
    torch.manual_seed(0)
    model = st.create_model(name, in_channels=1, num_classes=2, fit="resample", **options).double().eval()
    for side in sides:
        x = images("", 1, side, 1)
        assert turned(st.nn.strict(model), x, st.C(4)) < 1e-10 * max(1.0, model(x).abs().max().item())
    assert st.create_model("z2cnn", fit="resample")(torch.randn(2, 1, 29, 29)).shape == (2, 10)


@pytest.mark.parametrize("name", ["p4cnn", "p4mcnn", "allcnn_p4", "resnet44_p4m", "hnet", "hnet_lens", "wrn10_4_lens"])
def test_example_sides_are_exact(name):
    model = st.create_model(name, in_channels=1).eval()
    assert not st.laws.size_violations(model, torch.randn(1, 1, example_side(name), example_side(name)))


@torch.no_grad()
def test_residual_networks_fit_every_side():
    from steerable.models.gcnn_resnet import GroupResNet

    torch.manual_seed(0)
    model = GroupResNet(1, 2, "D4", 1, (2, 3, 4), fit="resample").double().eval()
    for side in (16, 18, 21):
        assert turned(st.nn.strict(model), images("", 1, side, 1), st.D(4)) < 1e-10
