"""Batch norm of functions by coefficients: what batch norm does with their samples."""

from __future__ import annotations

import copy

import pytest
import torch
from tests.nn.layer_checks import tooling
from torch.nn import functional as F

import steerable as st
import steerable.nn as snn


def samples(on, band):
    """Synthesis ``[B, 2, N]`` and the quadrature weights of its samples, of sum 1."""
    if on == "group":
        layer = snn.SO3Synthesis(band, 2).double()
        weights = torch.from_numpy(layer.plan.rings.weight)[None, :, None].expand(layer.plan.shape)
    else:
        layer = snn.InverseSHT(st.Sphere.gauss(band), "2x0", band).double()
        weights = layer.sphere.weights().expand(layer.sphere.shape)
    return lambda c: layer(c).flatten(2), (weights / weights.sum()).flatten()


@pytest.mark.parametrize("on", ["group", "sphere"])
def test_it_is_batch_norm_of_the_samples(on):
    torch.manual_seed(0)
    norm = snn.SpectralBatchNorm(2, 3, on).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, 2.0]))
        norm.bias.copy_(torch.tensor([-1.0, 3.0]))
    draw, weights = samples(on, 3)
    c = 3 * torch.randn(5, norm.in_type.size, dtype=torch.float64) + 1
    f = draw(c)
    mean = (f * weights).sum(2).mean(0)
    var = ((f - mean[:, None]).square() * weights).sum(2).mean(0)
    expected = F.batch_norm(f, mean, var, norm.weight, norm.bias)
    assert float((draw(norm(c)) - expected).detach().abs().max()) < 1e-12
    assert torch.allclose(norm.running_mean, mean) and torch.allclose(norm.running_var, var)  # of the first batch
    assert float((draw(norm.eval()(c)) - expected).detach().abs().max()) < 1e-12
    assert float((norm.bake()(c) - norm(c)).detach().abs().max()) < 1e-12
    assert float((snn.BatchNorm(norm.in_type).double()(c) - norm.train()(c)).detach().abs().max()) > 0.1  # not by entry


@pytest.mark.parametrize("on", ["group", "sphere"])
@pytest.mark.parametrize("training", [True, False])
def test_it_commutes_with_turns(on, training):
    norm = snn.SpectralBatchNorm(2, 4, on).double().train(training)
    c = torch.randn(3, norm.in_type.size, dtype=torch.float64)
    g = st.SO3().sample(1, torch.Generator().manual_seed(0))[0]
    turned = norm(norm.in_type.transform(c, g))
    assert float((turned - norm.out_type.transform(norm(c), g)).detach().abs().max()) < 1e-10


def test_tooling():
    norm = snn.SpectralBatchNorm(2, 3)
    tooling(norm.eval(), torch.randn(2, norm.in_type.size, dtype=torch.float64))
    train = snn.SpectralBatchNorm(2, 3)
    shells = torch.randn(2, train.in_type.size, 3)
    one = copy.deepcopy(train)(shells.movedim(2, 1).flatten(0, 1)).unflatten(0, (2, 3)).movedim(1, 2)
    assert torch.allclose(copy.deepcopy(train)(shells), one, atol=1e-6)
    assert train(torch.zeros(0, train.in_type.size)).shape == (0, train.in_type.size)
    assert train(torch.randn(4, train.in_type.size).bfloat16()).dtype == torch.bfloat16
    assert torch.equal(snn.SpectralBatchNorm(2, 3, affine=False, track_running_stats=False).eval()(
        torch.zeros(2, train.in_type.size)), torch.zeros(2, train.in_type.size))  # fmt: skip


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="on is 'plane'"):
        snn.SpectralBatchNorm(2, 3, "plane")
    with pytest.raises(ValueError, match="channels"):
        snn.SpectralBatchNorm(2, 3)(torch.zeros(1, 7))


def test_signals_keep_their_size():
    """Why it is there: without it what reaches the second activation is small, and an activation of it is linear."""
    torch.manual_seed(0)
    sizes = []
    for norm in (False, True):
        net = st.create_model("s2cnn", sphere="gauss(12)", channels=(4, 4), bands=(8, 6, 4), norm=norm)
        seen = []
        last = [m for m in net.modules() if isinstance(m, snn.SpectralAct)][-1]
        last.register_forward_pre_hook(lambda module, x, seen=seen: seen.append(module.synthesis(x[0]).detach().std()))
        net(0.1 * torch.randn(8, 1, 12, 24))
        sizes.append(float(seen[0]))
    assert sizes[0] < 0.2 and 0.5 < sizes[1] < 2
