"""Convolutions: exact on the lattice, small off it, equal to their plain twins when baked."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.domains import PixelGrid
from steerable.kernels import Pixels

GROUPS = [st.C(1), st.C(4), st.C(5), st.C(8), st.D(1), st.D(3), st.D(4), st.D(8), st.SO2(), st.O2()]


def types(group):
    irreps = group.irreps() if group.is_finite else group.irreps(2)
    mixed = sum((2 * rep for rep in irreps), 0 * group.trivial)
    if not group.is_finite:
        return [mixed + 1 * group.trivial, 2 * group.spectral_regular(2)]
    found = [mixed, 2 * group.regular + 3 * group.trivial, mixed + 2 * group.regular]
    if group.contains(st.C(2)):
        found.append(2 * group.quotient(st.C(2)) + 1 * group.regular)
    return found


def lattice(group):
    if group.is_finite:
        return group.elements
    d4 = st.D(4)
    return group.from_plane(d4.plane(d4.elements[: 8 if group == st.O2() else 4]))


def lattice_error(layer, side=9):
    group = layer.in_type.group
    x = torch.randn(2, layer.in_type.size, side, side, dtype=torch.float64)
    y = layer(x)
    before, after = PixelGrid.of(x), PixelGrid.of(y)
    errors = [
        (layer(before.transform(x, layer.in_type, g)) - after.transform(y, layer.out_type, g)).abs().max()
        / y.abs().max()
        for g in lattice(group)
        if before.is_exact(group, g)
    ]
    return max(e.item() for e in errors)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_exact_on_the_lattice(group):
    torch.manual_seed(0)
    for source in types(group):
        for target in types(group):
            for window in (
                {"kernel_size": 3, "padding": 1},
                {"kernel_size": 5, "padding": 2, "stride": 2},
                {"kernel_size": 1},
                {"kernel_size": 3, "padding": 2, "dilation": 2},
            ):
                assert lattice_error(st.nn.Conv2d(source, target, **window).double()) < 1e-12
            assert lattice_error(st.nn.ConvTranspose2d(source, target, 3, stride=2, padding=1).double()) < 1e-12


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes_are_exact(mode):
    t = 2 * st.D(4).regular + 1 * st.D(4).irrep("1")
    assert lattice_error(st.nn.Conv2d(t, t, 3, padding=1, padding_mode=mode).double()) < 1e-12


def test_planted_fault_in_the_filter_is_caught():
    layer = st.nn.Conv2d(2 * st.C(4).regular, 2 * st.C(4).regular, 3, padding=1).double()
    layer._index = layer._index.roll(1)
    assert lattice_error(layer) > 1e-2


def test_planted_fault_of_a_free_bias_is_caught():
    t = 2 * st.C(4).regular
    layer = st.nn.Conv2d(t, t, 3, padding=1).double()
    layer.expanded_bias = lambda: torch.randn(t.size, dtype=torch.float64)
    assert lattice_error(layer) > 1e-2


@pytest.mark.parametrize("group", [st.C(8), st.D(3), st.SO2()], ids=str)
def test_grouped_and_depthwise(group):
    field = group.regular if group.is_finite else group.irrep("1")
    t = 4 * field
    for groups in (1, 2, 4):
        layer = st.nn.Conv2d(t, t, 3, padding=1, groups=groups).double()
        assert lattice_error(layer) < 1e-12
        assert tuple(layer.filter().shape) == (t.size, t.size // groups, 3, 3)
    pair = 2 * (field + 2 * group.trivial)
    assert lattice_error(st.nn.Conv2d(pair, pair, 3, padding=1, groups=2).double()) < 1e-12
    assert lattice_error(st.nn.ConvTranspose2d(pair, pair, 3, padding=1, groups=2).double()) < 1e-12
    with pytest.raises(ValueError, match="does not repeat"):
        st.nn.Conv2d(2 * field + 2 * group.trivial, pair, 3, groups=2)


def test_the_three_ways_to_a_filter_agree():
    """Moved copies of small filters span the kernels that the general solver finds."""
    import numpy as np

    from steerable.kernels.harmonic import sampled_basis
    from steerable.kernels.rings import GaussianRings

    for group in (st.C(3), st.C(8), st.D(3), st.D(4)):
        for source, target in (
            (group.regular, group.regular),
            (group.trivial, group.regular),
            (group.regular, group.trivial),
        ):
            layer = st.nn.Conv2d(1 * source, 1 * target, 5).double()
            ours = torch.stack([_one_hot_filter(layer, i) for i in range(layer.weight.numel())]).flatten(1).numpy()
            solved = sampled_basis(source, target, GaussianRings.for_size(5), 5)
            solved = solved.reshape(len(solved), -1)
            assert np.linalg.matrix_rank(ours) == np.linalg.matrix_rank(solved) == len(ours)
            q, _ = np.linalg.qr(solved.T)
            assert np.abs(ours.T - q @ (q.T @ ours.T)).max() < 1e-10


def _one_hot_filter(layer, i):
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[i] = 1
    return layer.filter().detach()


def test_pixel_filters_make_a_group_convolution():
    """p4m: every filter of D4 on the full pixel basis (Cohen and Welling, 2016): k^2 |H| weights a pair of fields."""
    d4 = st.D(4)
    layer = st.nn.Conv2d(2 * d4.regular, 3 * d4.regular, 3, padding=1, filters=Pixels(3)).double()
    assert layer.weight.numel() == 2 * 3 * 9 * 8
    assert lattice_error(layer) < 1e-12
    with pytest.raises(ValueError, match="D4"):
        st.nn.Conv2d(1 * st.C(8).regular, 1 * st.C(8).regular, 3, filters=Pixels(3))


def test_schur_path_equals_the_dense_filter():
    for group in (
        st.C(8),
        st.D(8),
        st.SO2(),
        st.FiniteGroup.from_permutations([[1, 2, 3, 0, 5, 6, 7, 4], [4, 7, 6, 5, 2, 1, 0, 3]]),
    ):
        irreps = group.irreps() if group.is_finite else group.irreps(3)
        t = sum((3 * rep for rep in irreps), 0 * group.trivial)
        out = sum((2 * rep for rep in irreps[::-1]), 0 * group.trivial)
        linear = st.nn.Linear(t, out).double()
        assert linear._blocks is not None
        for shape in ((2, t.size), (2, t.size, 4, 5)):
            x = torch.randn(shape, dtype=torch.float64)
            assert (linear(x) - linear.bake()(x)).abs().max() < 1e-12


def test_missing_irreps_give_zeros_not_errors():
    c8 = st.C(8)
    layer = st.nn.Linear(2 * c8.irrep(0) + 2 * c8.irrep(1), 2 * c8.irrep(1) + 3 * c8.irrep(2)).double()
    y = layer(torch.randn(2, 6, dtype=torch.float64))
    assert y[:, 4:].abs().max() == 0 and y[:, :4].abs().min() > 0
    nothing = st.nn.Linear(2 * c8.irrep(1), 2 * c8.irrep(2), bias=False)
    assert nothing(torch.randn(3, 4)).abs().max() == 0


@pytest.mark.parametrize("bandlimit,least,most", [("default", 0.0, 0.10), ("strict", 0.0, 0.10), (3.0, 0.10, 1.0)])
def test_turns_by_45_degrees(bandlimit, least, most):
    """Acceptance 1: a three-layer C8 net at sigma 2 pixels, mean of four draws; the aliased cut-off must be worse."""
    c8 = st.C(8)
    t = 8 * c8.regular
    eighth, quarter, errors = torch.tensor(1), torch.tensor(2), []
    for seed in range(4):
        torch.manual_seed(seed)
        layers = [st.nn.Conv2d(a, t, 5, padding=2, bandlimit=bandlimit).double() for a in (1 * c8.trivial, t, t)]
        x = smooth_image(65, 2.0, seed)
        grid = PixelGrid.of(x)
        inner = grid.disc(12)
        turned = relu_net(layers, grid.resample(x, c8.plane(eighth)))
        plain = relu_net(layers, x)
        expected = t.transform(grid.resample(plain, c8.plane(eighth)), eighth)
        errors.append((((turned - expected) * inner).norm() / (expected * inner).norm()).item())
        exact = relu_net(layers, grid.move(x, c8, quarter)) - grid.transform(plain, t, quarter)
        assert exact.abs().max() < 1e-12
    assert least <= sum(errors) / 4 <= most


def relu_net(layers, x):
    for layer in layers:
        x = torch.relu(layer(x))
    return x


def smooth_image(side, sigma, seed=0):
    x = torch.randn(1, 1, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    r = torch.arange(-12, 13, dtype=torch.float64)
    g = torch.exp(-(r**2) / (2 * sigma**2))
    g = g / g.sum()
    x = torch.nn.functional.conv2d(x, g[None, None, None], padding=(0, 12))
    x = torch.nn.functional.conv2d(x, g[None, None, :, None], padding=(12, 0))
    return x / x.std() * PixelGrid(side, side).disc(2)


@pytest.mark.parametrize("group", [st.C(8), st.D(4), st.SO2()], ids=str)
def test_initialisation_keeps_the_variance(group):
    torch.manual_seed(0)
    t = 16 * group.regular if group.is_finite else 16 * group.spectral_regular(3)
    mixed = t + 8 * group.trivial
    for kind in (t, mixed):
        layer = st.nn.Conv2d(kind, kind, 5, bias=False)
        y = layer(torch.randn(2, kind.size, 16, 16))
        assert abs(y.var().item() - 2.0) < 0.3
    layer = st.nn.Conv2d(t, t, 5, init="delta", bias=False).double()
    w = layer.filter()
    assert w.abs().sum().item() == pytest.approx(w[:, :, 2, 2].abs().sum().item(), rel=1e-6)
    centre = w[:, :, 2, 2]
    assert (centre @ centre.T - torch.eye(t.size, dtype=torch.float64)).abs().max() < 1e-6


def test_double_is_accurate_and_state_dict_holds_parameters_only():
    layer = st.nn.Conv2d(2 * st.C(8).regular, 2 * st.C(8).regular, 3, padding=1)
    assert lattice_error(layer.to(torch.bfloat16).double()) < 1e-12
    assert set(layer.state_dict()) == {"weight", "bias"}


def test_built_under_meta_and_inference_mode():
    c4 = st.C(4)
    with torch.device("meta"):
        ghost = st.nn.Conv2d(3 * c4.regular, 5 * c4.regular, 3)
    assert ghost.weight.is_meta
    with torch.inference_mode():
        st.nn.Conv2d(5 * c4.regular, 3 * c4.regular, 3)
    layer = st.nn.Conv2d(5 * c4.regular, 3 * c4.regular, 3)
    layer(torch.randn(1, 20, 5, 5)).sum().backward()


@pytest.mark.parametrize(
    "make,words",
    [
        (lambda: st.nn.Conv2d(1 * st.C(8).trivial, 2 * st.C(8).regular, 4), ["odd", "4", "3 or 5"]),
        (lambda: st.nn.Conv2d(1 * st.C(8).trivial, 2 * st.C(4).regular, 3), ["C8", "C4", "Restrict"]),
        (lambda: st.nn.Conv2d(3, 2 * st.C(4).regular, 3), ["FieldType", "3"]),
        (
            lambda: st.nn.Conv2d(1 * st.C(8).trivial, 2 * st.C(8).regular, 3, padding_mode="mirror"),
            ["mirror", "reflect"],
        ),
        (lambda: st.nn.Conv2d(1 * st.C(8).trivial, 2 * st.C(8).regular, 3, stride=(2, 1)), ["stride", "(2, 1)"]),
        (
            lambda: st.nn.Conv2d(16 * st.C(8).regular, 2 * st.C(8).regular, 3)(torch.randn(1, 3, 8, 8)),
            ["3 channels", "128", "C8: 16 regular", "lifting"],
        ),
        (lambda: st.nn.Conv2d(1 * st.C(8).trivial, 2 * st.C(8).regular, 3, bandlimit="soft"), ["soft", "default"]),
    ],
)
def test_errors_teach(make, words):
    with pytest.raises((ValueError, TypeError)) as caught:
        make()
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("group", [st.C(4), st.D(3), st.SO2()], ids=str)
def test_a_filter_is_found_again_from_its_weights(group):
    field = group.regular if group.is_finite else group.spectral_regular(2)
    source, target = 2 * field + 3 * group.trivial, 3 * field
    layer, other = (st.nn.Conv2d(source, target, 5, bias=False).double() for _ in range(2))
    wanted = layer.filter().detach()
    assert st.nn.project_filter_(other, wanted) < 1e-10
    assert (other.filter() - wanted).abs().max() < 1e-10
    assert st.nn.project_filter_(other, torch.randn_like(wanted)) > 0.1  # no steerable filter: the distance says so
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        st.nn.project_filter_(other, torch.randn(3, 3))
