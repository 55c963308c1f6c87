"""Quantisation-aware training: it learns, it keeps the symmetry, and it is what the integers compute."""

from __future__ import annotations

import pytest
import torch
from tests.quant.nets import build, images, turn
from tests.quant.test_exact import mismatches
from torch.nn import functional as F

import steerable as st
from steerable.quant import quantize


def textures(count, side=17, seed=0):
    """Noise of four wavelengths in more noise: [count, 1, side, side] and labels; nothing has a direction."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 4
    radius = (torch.fft.fftfreq(side)[:, None] ** 2 + torch.fft.rfftfreq(side) ** 2).sqrt()
    ring = torch.exp(-(((radius - torch.tensor([0.08, 0.18, 0.28, 0.38])[y, None, None]) / 0.05) ** 2) / 2)
    x = torch.fft.irfft2(torch.fft.rfft2(torch.randn(count, side, side, generator=generator)) * ring, s=(side, side))
    x = x / x.std((1, 2), keepdim=True) + 1.5 * torch.randn(x.shape, generator=generator)
    return x[:, None], y


def train(net, x, y, epochs, rate, seed=0):
    """A few epochs of AdamW with a falling rate."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(net.parameters(), rate)
    steps = epochs * (len(x) // 40)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    net.train()
    for _ in range(epochs):
        for b in torch.randperm(len(x), generator=generator).split(40):
            optimiser.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            optimiser.step()
            schedule.step()
    return net.eval()


@torch.no_grad()
def accuracy(net, x, y):
    return float((net(x).argmax(1) == y).float().mean())


def test_training_with_rounding_is_within_a_point_of_numbers():
    torch.manual_seed(0)
    (x, y), (tx, ty) = textures(400), textures(1000, seed=1)
    net = st.create_model("lens_cnn", group="D4", num_classes=4, widths=(2, 4, 4, 4))
    x, tx = (F.pad(v, (0, 15, 0, 15)) for v in (x, tx))
    train(net, x, y, 8, 1e-2)
    float_before, whole = accuracy(net, tx, ty), quantize(net, x)
    with torch.no_grad():
        logits = torch.stack([net(tx).flatten(), whole(tx).flatten()])
    assert torch.corrcoef(logits)[0, 1] > 0.99
    aware = train(quantize(net, x, mode="qat"), x, y, 2, 1e-3)
    integers = aware.convert()
    float_after = accuracy(train(net, x, y, 2, 1e-3), tx, ty)  # the network of numbers trains on as well
    assert float_before > 0.7
    assert accuracy(whole, tx, ty) >= float_before - 0.01
    assert accuracy(integers, tx, ty) >= float_after - 0.01
    assert (accuracy(integers, tx, ty) - accuracy(aware, tx, ty)) ** 2 < 0.01**2
    assert mismatches(integers, tx[:4], "D4")[::2] == (0, 0)


@pytest.mark.parametrize("name", ["mobilenet D8", "lens D4"])
def test_the_rounding_network_is_the_integer_one(name):
    side, channels = (33, 3) if "mobile" in name else (32, 1)
    net, x = build(name), images(12, channels, side)
    aware, whole = quantize(net, x, mode="qat").eval(), quantize(net, x)
    with torch.no_grad():
        ours, numbers = aware(x), net(x)
    assert (ours - whole(x)).norm() < 0.35 * (numbers - whole(x)).norm() + 1e-4
    assert torch.equal(aware.convert().integers(x), whole.integers(x))


def test_gradients_reach_every_weight_and_keep_the_symmetry():
    net, x = build("mobilenet D4"), images(4, 3, 33)
    aware = quantize(net, x, mode="qat").train()
    optimiser = torch.optim.SGD(aware.parameters(), 0.05)
    F.cross_entropy(aware(x), torch.arange(4)).backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in aware.parameters())
    assert sum(bool(p.grad.abs().sum() > 0) for p in aware.parameters()) > 0.9 * len(list(aware.parameters()))
    optimiser.step()
    q = aware.convert()
    assert mismatches(q, x, "D4")[::2] == (0, 0)
    d4 = st.D(4)
    aware.eval()
    with torch.no_grad():  # numbers that round a hair's breadth apart; the integers above do not
        assert all((aware(turn(x, d4, g)) - aware(x)).norm() < 0.05 * aware(x).norm() for g in d4.elements)


def test_ranges_follow_in_training_and_stand_still_in_eval():
    aware = quantize(build("lens D4"), images(4, 1, 32), mode="qat")
    before = aware.ranges.clone()
    aware.eval()(5 * images(4, 1, 32))
    assert torch.equal(aware.ranges, before)
    aware.train()(5 * images(4, 1, 32))
    assert (aware.ranges[0] != before[0]).any()
    held = {k: v.clone() for k, v in aware.state_dict().items()}
    again = quantize(build("lens D4"), images(4, 1, 32), mode="qat")
    again.load_state_dict(held)
    assert torch.equal(again.eval()(images(2, 1, 32)), aware.eval()(images(2, 1, 32)))
