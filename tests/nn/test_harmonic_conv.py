"""Harmonic convolutions on plain complex tensors: phases, magnitudes, norms, layouts."""

from __future__ import annotations

import math

import pytest
import torch

import steerable as st
from steerable.kernels import ComplexLinear, GaussianRings
from steerable.laws.check import smooth_disc

ORDERS = (0, 1, 2, -1)


def as_complex(x):
    """``[B, C, orders, 2, H, W]`` to complex ``[B, C, orders, H, W]``."""
    return torch.complex(x[:, :, :, 0], x[:, :, :, 1])


def network(norm=st.nn.MagnitudeNorm, filters=None):
    """Real image to orders ``ORDERS`` through a C-ReLU and a norm of magnitudes."""
    torch.manual_seed(0)
    lift = st.nn.HarmonicConv2d(1, 4, 5, None, (0, 1), padding=2)
    last = st.nn.HarmonicConv2d(4, 3, 5, (0, 1), ORDERS, padding=2)
    t = lift.out_type
    middle = [st.nn.NormAct(t, pairs=True), norm(t, pairs=True) if norm is st.nn.MagnitudeNorm else norm]
    if filters is not None:
        middle.insert(0, st.nn.Conv2d(t, t, 5, padding=2, filters=filters))

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lift, self.last, self.middle = lift, last, torch.nn.Sequential(*middle)

        def forward(self, x):
            y = self.lift(x)
            return self.last(self.middle(y.flatten(1, 3)).view_as(y))

    return Net().double()


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_responses_turn_by_their_phase(training):
    """Turn the image by t and order m is multiplied by ``e^(i m t)``: this fixes the sign of the exponent."""
    net = network().train(training)
    x = torch.randn(3, 1, 13, 13, dtype=torch.float64)
    y = as_complex(net(x))
    for quarter in range(4):
        turned = as_complex(net(torch.rot90(x, quarter, (-2, -1))))
        expected = torch.rot90(y, quarter, (-2, -1))
        for k, m in enumerate(ORDERS):
            assert (turned[:, :, k] - 1j ** (m * quarter) * expected[:, :, k]).abs().max() < 1e-12, (quarter, m)
        assert (turned.abs() - expected.abs()).abs().max() < 1e-12  # magnitudes are invariant
    one = ORDERS.index(1)
    turned = as_complex(net(torch.rot90(x, 1, (-2, -1))))[:, :, one]
    assert (turned - 1j**-1 * torch.rot90(y, 1, (-2, -1))[:, :, one]).abs().max() > 1e-2  # planted: the other sign


class VectorNorm(torch.nn.Module):
    """Planted: a batch norm that subtracts the mean of the vectors."""

    def forward(self, x):
        return (x - x.mean((0, 2, 3), keepdim=True) - 0.1) / x.std((0, 2, 3), keepdim=True)


def test_planted_faults_are_caught():
    x = torch.randn(3, 1, 13, 13, dtype=torch.float64)

    def error(net):
        y, turned = as_complex(net(x)), as_complex(net(torch.rot90(x, 1, (-2, -1))))
        return (turned.abs() - torch.rot90(y, 1, (-2, -1)).abs()).abs().max() / y.abs().max()

    assert error(network()) < 1e-12
    assert error(network(VectorNorm())) > 1e-2


def test_the_other_half_is_caught():
    """Filters of frequency m + n are lawful under rotations, but they conjugate: phases given to the input are lost."""
    torch.manual_seed(0)
    t = st.nn.harmonic_type(3, (1,), st.SO2())
    rings = GaussianRings.for_size(5)
    x = torch.randn(2, t.size, 9, 9, dtype=torch.float64)
    times_i = torch.stack([-x.unflatten(1, (3, 2))[:, :, 1], x.unflatten(1, (3, 2))[:, :, 0]], 2).flatten(1, 2)

    def error(filters):
        conv = st.nn.Conv2d(t, t, 5, bias=False, filters=filters).double()
        y, z = (as_complex(conv(v).unflatten(1, (3, 1, 2))) for v in (x, times_i))
        return (z - 1j * y).abs().max() / y.abs().max()

    assert error(ComplexLinear(rings)) < 1e-12
    assert error(rings) > 0.1


def test_45_degrees():
    """At most 0.05 on images smooth over 2 pixels; order 2, which 5x5 pixels hold less well, 0.10."""
    torch.manual_seed(0)
    net = network().eval()
    x = smooth_disc(torch.randn(4, 1, 65, 65, dtype=torch.float64))
    grid = st.domains.PixelGrid.of(x)
    turn = st.SO2().plane(torch.tensor(math.pi / 4, dtype=torch.float64))
    y = net(x)
    turned = as_complex(net(grid.resample(x, turn)))
    expected = as_complex(grid.resample(y.flatten(1, 3), turn).view_as(y))
    disc = grid.disc(2.0)
    for k, m in enumerate(ORDERS):
        difference = (turned[:, :, k] - torch.exp(torch.tensor(0.25j * math.pi * m)) * expected[:, :, k])[..., disc]
        assert difference.norm() / expected[:, :, k][..., disc].norm() < (0.10 if m == 2 else 0.05), m
        wrong = (turned[:, :, k] - torch.exp(torch.tensor(-0.25j * math.pi * m)) * expected[:, :, k])[..., disc]
        assert m == 0 or wrong.norm() / expected[:, :, k][..., disc].norm() > 0.5


@pytest.mark.parametrize("share", [False, True])
def test_parameter_count(share):
    """A complex weight for each ring, each pair of orders, or each difference if they share; ring 0 for m = 0 only."""
    layer = st.nn.HarmonicConv2d(3, 5, 5, (0, 1), (0, 1), share=share)
    rings = {0: 3, 1: 2, -1: 2}
    differences = [0, 1, -1] if share else [0, 0, 1, -1]
    assert layer.conv.weight.numel() == 3 * 5 * sum(2 * rings[d] for d in differences)
    image = st.nn.HarmonicConv2d(3, 5, 5, None, (0, 1), share=share)
    assert image.conv.weight.numel() == 3 * 5 * (2 * 3 + 2 * 2)


def test_crelu_takes_biases_of_either_sign_and_keeps_phases():
    t = st.nn.harmonic_type(2, (0, 1), st.SO2())
    act = st.nn.NormAct(t, pairs=True).double()
    assert act.bias.numel() == 4  # one for each channel and order
    act.bias.data.copy_(torch.tensor([-0.5, 0.5, 0.0, -10.0]))
    x = torch.randn(2, t.size, 4, 4, dtype=torch.float64)
    z, y = (as_complex(v.unflatten(1, (2, 2, 2))) for v in (x, act(x)))
    expected = (z.abs() + act.bias.view(2, 2, 1, 1)).relu() * z / z.abs()
    torch.testing.assert_close(y, expected, atol=1e-4, rtol=1e-3)
    x = torch.zeros(1, t.size, 2, 2, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(act(x).sum(), x)
    assert gradient.isfinite().all()  # the guard at |z| = 0


def test_magnitude_norm_normalises_magnitudes_only():
    torch.manual_seed(0)
    t = st.nn.harmonic_type(3, (0, 1), st.SO2())
    norm = st.nn.MagnitudeNorm(t, relu=False, pairs=True).double()
    x = 3 + 2 * torch.randn(8, t.size, 6, 6, dtype=torch.float64)
    z, y = (as_complex(v.unflatten(1, (3, 2, 2))) for v in (x, norm(x)))
    signed = (y * z.conj() / z.abs()).real  # the new lengths along the old directions
    assert (y - signed * z / z.abs()).abs().max() < 1e-12
    assert signed.mean((0, 3, 4)).abs().max() < 1e-3 and (signed.std((0, 3, 4)) - 1).abs().max() < 1e-2
    assert (st.nn.MagnitudeNorm(t, pairs=True).double()(x).unflatten(1, (3, 2, 2)).norm(dim=3) >= 0).all()
    norm.eval()
    torch.testing.assert_close(st.bake(norm)(x), norm(x))


def test_layouts_and_errors():
    layer = st.nn.HarmonicConv2d(2, 3, 3, (0, 1), (0, 1, 2), padding=1)
    x = torch.randn(2, 2, 2, 2, 7, 7)
    y = layer(x)
    assert y.shape == (2, 3, 3, 2, 7, 7) and y._base is not None
    torch.testing.assert_close(layer.conv(x.flatten(1, 3)), y.flatten(1, 3))
    torch.testing.assert_close(st.bake(layer)(x), y)
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), y)
    with pytest.raises(ValueError, match="orders_in=None"):
        layer(torch.randn(2, 2, 7, 7))
    with pytest.raises(ValueError, match="at least one"):
        st.nn.HarmonicConv2d(1, 1, 3, None, ())
    with pytest.raises(ValueError, match="reflection"):
        st.nn.HarmonicConv2d(1, 1, 3, None, (0, 1), group="D4")
