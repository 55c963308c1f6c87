"""P4Conv and P4MConv against group convolutions written by hand: rotate the planes, permute the orientations."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional as F

import steerable as st
from steerable.domains import PixelGrid
from steerable.kernels import Pixels
from steerable.kernels.harmonic import sampled_basis

LAYERS = {4: st.nn.P4Conv, 8: st.nn.P4MConv}
BOTH = pytest.mark.parametrize("n", [4, 8], ids=["p4", "p4m"])


def product(a, b):
    """Index of ``R^r F^s R^q F^t``, by hand: a reflection turns the other way."""
    (r, s), (q, t) = (a % 4, a // 4), (b % 4, b // 4)
    return (r + (q if s == 0 else -q)) % 4 + 4 * ((s + t) % 2)


def inverse(a):
    """Index of the inverse, by hand."""
    return (-a) % 4 if a < 4 else a


def move(image, g):
    """Planes ``[..., H, W]`` under g: top to bottom, then quarter turns counter-clockwise."""
    return torch.rot90(image.flip(-2) if g >= 4 else image, g % 4, (-2, -1))


def act(x, g, backwards=False):
    """``[L_g f](h, x) = f(g^-1 h, g^-1 x)`` on ``[B, C, n, H, W]``."""
    n = x.shape[2]
    order = [product(g if backwards else inverse(g), h) for h in range(n)]
    return move(x[:, :, order], g)


def by_hand(x, psi, bias, n, lift, **options):
    """``[f * psi](g) = sum_h sum_k f_k(h) psi_k(g^-1 h)``, one orientation of the output after the other."""
    out = []
    for g in range(n):
        moved = move(psi, g) if lift else act(psi, g)
        out.append(F.conv2d(x if lift else x.flatten(1, 2), moved if lift else moved.flatten(1, 2), bias, **options))
    return torch.stack(out, 2)


@BOTH
@pytest.mark.parametrize("lift", [True, False], ids=["lift", "group"])
@pytest.mark.parametrize("window", [{}, {"stride": 2, "padding": 1}], ids=["plain", "strided"])
def test_it_is_the_convolution_of_the_paper(n, lift, window):
    torch.manual_seed(0)
    layer = LAYERS[n](2, 3, 3, lift=lift, **window).double()
    torch.nn.init.normal_(layer.conv.bias)
    x = torch.randn(2, 2, 9, 9, dtype=torch.float64) if lift else torch.randn(2, 2, n, 9, 9, dtype=torch.float64)
    expected = by_hand(x, layer.psi, layer.conv.bias, n, lift, **window)
    assert layer(x).shape == expected.shape
    assert (layer(x) - expected).abs().max() < 1e-12
    # the filters of another implementation go in and come out
    other = torch.randn_like(layer.psi)
    layer.set_psi(other)
    assert torch.equal(layer.psi, other)
    assert (layer(x) - by_hand(x, other, layer.conv.bias, n, lift, **window)).abs().max() < 1e-12


def test_a_wrong_direction_of_the_permutation_is_caught():
    torch.manual_seed(0)
    layer = st.nn.P4MConv(1, 1, 3).double()
    x = torch.randn(1, 1, 8, 7, 7, dtype=torch.float64)
    wrong = torch.stack([F.conv2d(x.flatten(1, 2), act(layer.psi, g, True).flatten(1, 2)) for g in range(8)], 2)
    assert (layer.conv.bias == 0).all() and (layer(x) - wrong).abs().max() > 0.1


@BOTH
@pytest.mark.parametrize("k", [1, 3])
def test_the_filters_are_those_of_the_solver(n, k):
    """Rank k^2 |H| for regular fields, and the same span as the solved basis."""
    layer = LAYERS[n](1, 1, k, bias=False).double()
    filters = []
    for unit in torch.eye(layer.conv.weight.numel(), dtype=torch.float64):
        layer.conv.weight.data.copy_(unit)
        filters.append(layer.conv.filter().detach().flatten())
    ours = torch.stack(filters)
    group = layer.group
    solved = torch.from_numpy(sampled_basis(group.regular, group.regular, Pixels(k), k)).flatten(1)
    assert torch.linalg.matrix_rank(ours) == torch.linalg.matrix_rank(solved) == len(ours) == k * k * n
    for a, b in ((ours, solved), (solved, ours)):
        q = torch.linalg.qr(b.T)[0]
        assert (a.T - q @ (q.T @ a.T)).abs().max() < 1e-10
    # a fault that must be seen: one filter out of another group
    missing = torch.linalg.qr(solved[1:].T)[0]
    assert (ours.T - missing @ (missing.T @ ours.T)).abs().max() > 1e-3


@BOTH
def test_orientations_obey_the_axioms_of_the_group(n):
    """The permutations that the layer makes of the orientations compose as the group does."""
    group = LAYERS[n].group
    table = [[int(group.compose(torch.tensor(a), torch.tensor(b))) for b in range(n)] for a in range(n)]
    assert table == [[product(a, b) for b in range(n)] for a in range(n)]
    assert [int(group.inverse(torch.tensor(a))) for a in range(n)] == [inverse(a) for a in range(n)]
    marks = torch.arange(n, dtype=torch.float64).view(1, 1, n, 1, 1)
    for a, b in itertools.product(range(n), repeat=2):
        assert torch.equal(act(act(marks, b), a), act(marks, product(a, b)))
    assert n == 4 or not all(  # counted backwards only an abelian group still composes
        torch.equal(act(act(marks, b, True), a, True), act(marks, product(a, b), True))
        for a, b in itertools.product(range(n), repeat=2)
    )
    for a, b, c in itertools.product(range(n), repeat=3):
        assert product(product(a, b), c) == product(a, product(b, c))
    # and the field type moves the flattened orientations in the same way
    x = torch.randn(2, 3, n, 5, 5, dtype=torch.float64)
    for g in range(n):
        moved = PixelGrid.of(x).transform(x.flatten(1, 2), 3 * group.regular, torch.tensor(g))
        assert torch.equal(moved, act(x, g).flatten(1, 2))


def network(n):
    """Lift, two group convolutions, one of them strided."""
    conv = LAYERS[n]
    return torch.nn.Sequential(
        conv(1, 3, 3, padding=1, lift=True), torch.nn.ReLU(), conv(3, 4, 3, 2, 1), torch.nn.ReLU(), conv(4, 2, 3)
    ).double()


@BOTH
def test_networks_are_exact_at_admissible_sizes(n):
    torch.manual_seed(0)
    net = network(n)
    x = torch.randn(2, 1, 13, 13, dtype=torch.float64)
    y = net(x)
    for g in range(n):
        assert (net(move(x, g)) - act(y, g)).abs().max() < 1e-12
    if n == 8:
        assert (net(move(x, 3)) - act(y, 3, True)).abs().max() > 1e-3  # planted: orientations the other way


@BOTH
def test_inadmissible_sizes_raise_in_strict_mode(n):
    torch.manual_seed(0)
    net = network(n)
    x = torch.randn(1, 1, 12, 12, dtype=torch.float64)
    with pytest.warns(st.nn.ExactnessWarning, match="12 x 12"):
        y = net(x)
    assert (net(move(x, 1)) - act(y, 1)).abs().max() > 1e-2
    with pytest.raises(ValueError, match=r"12 x 12 is not exact.*11 or 13"):
        st.nn.strict(net)(x)


@BOTH
def test_layouts_bake_and_errors(n):
    torch.manual_seed(0)
    lift, conv = LAYERS[n](2, 3, 3, padding=1, lift=True), LAYERS[n](3, 2, 3)
    x = torch.randn(2, 2, 7, 7)
    y = lift(x)
    assert y._base is not None and y.shape == (2, 3, n, 7, 7)
    typed = st.nn.Sequential(lift.conv, st.nn.BatchNorm(lift.out_type), st.nn.ReLU(lift.out_type), conv.conv)
    assert typed(x).shape[1] == conv.out_type.size and conv.in_type == lift.out_type
    baked = st.bake(torch.nn.Sequential(lift, conv))
    assert not any(isinstance(m, st.nn.EquivariantModule) for m in baked.modules())
    torch.testing.assert_close(baked(x), conv(lift(x)))
    program = torch.export.export(torch.nn.Sequential(lift, conv), (x,))
    torch.testing.assert_close(program.module()(x), conv(lift(x)))
    with pytest.raises(ValueError, match="lift=True"):
        conv(x)
    with pytest.raises(ValueError, match="odd"):
        LAYERS[n](1, 1, 4)
    with pytest.raises(ValueError, match="set_psi"):
        conv.set_psi(torch.zeros(1))
    assert lift.psi.shape == (3, 2, 3, 3) and conv.psi.shape == (2, 3, n, 3, 3)
    assert lift.conv.weight.numel() == 3 * 2 * 9 and conv.conv.weight.numel() == 2 * 3 * n * 9
