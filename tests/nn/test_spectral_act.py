"""Activations on SO(3) and on the sphere by coefficients, needlet blocks, spherical CNNs."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.laws import sphere_errors

G = st.SO3()


def error(layer: st.nn.SpectralAct | st.nn.NeedletBlock) -> float:
    """Relative error under a generic rotation, for input of unit variance at the samples."""
    layer = layer.double().eval()
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, layer.in_type.size, dtype=torch.float64, generator=generator)
    x = x / (layer.in_type.size / 2) ** 0.5 * 2
    g = G.sample(1, generator)[0]
    with torch.no_grad():
        y = layer(x)
        return float((layer(layer.in_type.transform(x, g)) - layer.out_type.transform(y, g)).norm() / y.norm())


@pytest.mark.parametrize("on", ["group", "sphere"])
def test_error_falls_with_oversampling(on):
    gelu = [error(st.nn.SpectralAct(2, 5, "gelu", s, on=on)) for s in (1, 2, 3)]
    assert gelu[0] > 0.05 > 0.02 > gelu[1] > gelu[2]
    assert gelu[2] < 5e-3
    assert error(st.nn.SpectralAct(2, 5, torch.square, 1.5, on=on)) < 1e-12  # a polynomial of degree 2 is exact
    assert error(st.nn.SpectralAct(2, 5, torch.square, 1, on=on)) > 1e-2  # and aliases without room


def test_a_lower_band_is_the_same_cut():
    torch.manual_seed(0)
    full, low = st.nn.SpectralAct(2, 5), st.nn.SpectralAct(2, 5, band_out=3)
    x = torch.randn(2, full.in_type.size)
    assert torch.allclose(full(x).unflatten(1, (2, -1))[:, :, :35], low(x).unflatten(1, (2, -1)), atol=1e-6)


def test_thresholds_are_learned():
    act = st.nn.SpectralAct(2, 4, "shrink")
    x = torch.randn(2, act.in_type.size)
    act(x).square().sum().backward()
    assert act.threshold is not None and act.threshold.grad is not None
    assert bool((act.threshold.grad < 0).all())  # a larger threshold leaves less


def test_needlet_blocks():
    torch.manual_seed(0)
    block = st.nn.NeedletBlock(2, 3, 8)
    assert error(block) < 3e-2  # acceptance test 4 of the method
    assert block.thresholds().shape == (2, 3)


@pytest.mark.parametrize("name", ["s2cnn", "s2cnn_dense"])
def test_spherical_cnns(name):
    torch.manual_seed(0)
    options = {"channels": (4, 4), "bands": (8, 6, 4)}
    net = st.create_model(name, num_classes=3, sphere="gauss(12)", **options)
    x = torch.randn(2, 1, 12, 24)
    assert net(x).shape == ((2, 3) if name == "s2cnn" else (2, 3, 12, 24))
    net(x).square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())
    with pytest.raises(ValueError, match="2 layers with bands"):
        st.create_model(name, channels=(4, 4), bands=(8, 4))


@pytest.mark.parametrize("name", ["s2cnn", "s2cnn_dense"])
def test_rotation_error_falls_with_oversampling(name):
    """Of batch norms that have seen fields: before, signals are small and every activation linear."""
    errors = []
    for oversample in (1, 2, 4):
        torch.manual_seed(0)
        net = st.create_model(
            name, num_classes=3, sphere="gauss(12)", channels=(4, 4), bands=(8, 6, 4), oversample=oversample
        )
        net(torch.randn(2, 1, 12, 24))
        errors.append(float(sphere_errors(net.double(), band=8, in_type=st.SO2().type("1x0")).max()))
    assert errors[0] > 1e-2 and errors[1] < 5e-3 and errors[2] < 3e-4


@pytest.mark.parametrize("function", ["gelu", "shrink"])
def test_small_grids_are_one_matrix(function):
    torch.manual_seed(0)
    chosen, rings, matrix = (
        st.nn.SpectralAct(3, 5, function, 2.0, on="sphere", one_matrix=how).double() for how in (None, False, True)
    )
    assert chosen.analysis.sphere == matrix.analysis.sphere != rings.analysis.sphere == st.Sphere.gauss(10)
    assert st.nn.SpectralAct(3, 13, on="sphere").analysis.sphere == st.Sphere.gauss(26)  # larger ones are not
    x = torch.randn(2, 75, dtype=torch.float64)
    assert (matrix(x) - rings(x)).abs().max() < 1e-12
    assert list(matrix.state_dict()) == list(rings.state_dict())


def test_bad_input():
    with pytest.raises(ValueError, match="expected it on the sphere only"):
        st.nn.SpectralAct(1, 4, one_matrix=True)
    with pytest.raises(ValueError, match="expected oversample from 1 on"):
        st.nn.SpectralAct(1, 4, oversample=0.5)
    with pytest.raises(ValueError, match="expected 'group' or 'sphere'"):
        st.nn.SpectralAct(1, 4, on="plane")
    with pytest.raises(ValueError, match="bogus"):
        st.nn.SpectralAct(1, 4, "bogus")
