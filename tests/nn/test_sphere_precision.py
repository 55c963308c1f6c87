"""Layers on the sphere whose modules are turned to another dtype as a whole."""

from __future__ import annotations

import copy

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable.domains import Sphere
from steerable.groups import SO2

KINDS = SO2().type("2x0 + 1x1"), SO2().type("1x0 + 1x2")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("sphere", [Sphere.gauss(6), Sphere.healpix(2), Sphere.icosahedral(1)], ids=repr)
def test_convolutions_in_half_precision(sphere, dtype):
    torch.manual_seed(0)
    conv = snn.SphereConv(*KINDS, sphere, 1.2).double()
    x = torch.randn(2, KINDS[0].size, *sphere.shape, dtype=torch.float64)
    y = conv(x).detach()
    for module in (conv, conv.bake()):
        half = copy.deepcopy(module).to(dtype)(x.to(dtype)).detach()
        assert half.dtype == dtype and float((half.double() - y).norm() / y.norm()) < 0.03


@pytest.mark.parametrize(
    "sphere",
    [
        Sphere.gauss(6),
        Sphere.equiangular(6, "mw"),
        Sphere.healpix(3),
    ],
    ids=repr,
)
def test_the_inverse_of_a_transform_in_double_is_in_double(sphere):
    """``analysis.double().inverse()`` is ``analysis.inverse().double()``."""
    kinds, band = "1x0 + 1x1", 5
    first = snn.SHT(sphere, kinds, band).double().inverse()
    second = snn.SHT(sphere, kinds, band).inverse().double()
    c = torch.randn(2, second.in_type.size, dtype=torch.float64)
    assert (first(c) - second(c)).abs().max() < 1e-12


def _layers_on_gauss_rings():
    torch.manual_seed(0)
    sphere, scalars = Sphere.gauss(4), SO2().type("2x0")
    fields, signals = torch.randn(2, 3, 4, 8), torch.randn(2, 2 * (1 + 9 + 25))
    return [
        (snn.SphereConv(*KINDS, sphere, 1.5), torch.randn(2, 4, 4, 8)),
        (snn.SHT(sphere, "1x0 + 1x2", 4), fields),
        (snn.InverseSHT(sphere, "1x0", 3), torch.randn(2, 9)),
        (snn.SO3Analysis(3), torch.randn(2, 1, 6, 3, 6)),
        (snn.SO3Synthesis(3, 2), signals),
        (snn.S2Conv(1, 2, 3, 3), torch.randn(2, 9)),
        (snn.SO3Conv(2, 2, 3, 3), signals),
        (snn.SO3ToS2(2, 1, 3, 3), signals),
        (snn.SpectralAct(2, 3), signals),
        (snn.SphereAttention(scalars, sphere, heads=2), fields[:, :2]),
        (snn.SphereNeighbourAttention(scalars, sphere, 1.5, heads=2), fields[:, :2]),
    ]


@pytest.mark.parametrize("case", _layers_on_gauss_rings(), ids=lambda c: type(c[0]).__name__)
def test_another_dtype_than_that_of_the_layer_is_refused_with_the_mend(case):
    layer, x = case
    says = r"input is torch\.float64; .* of torch\.float32\. Say x\.to\(torch\.float32\)"
    with pytest.raises(ValueError, match=says):
        layer(x.double())


@pytest.mark.parametrize("case", _layers_on_gauss_rings(), ids=lambda c: type(c[0]).__name__)
def test_layers_tell_shapes_on_the_meta_device(case):
    layer, x = case
    assert copy.deepcopy(layer).to("meta")(x.to("meta")).shape == layer(x).shape


def test_transforms_refuse_complex_numbers():
    with pytest.raises(ValueError, match=r"SHT: input is torch\.complex64; this transform is of real numbers"):
        snn.SHT("gauss(4)", "1x0")(torch.randn(1, 1, 4, 8, dtype=torch.complex64))


def _close_in_half(module, x, dtype):
    y = module.double()(x.double()).detach()
    half = copy.deepcopy(module).to(dtype)(x.to(dtype)).detach()
    assert half.dtype == dtype and float((half.double() - y).norm() / y.norm()) < 0.03


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    "sphere", [Sphere.gauss(4), Sphere.healpix(2), Sphere.icosahedral(1), Sphere.equiangular(4, "mw")], ids=repr
)
def test_transforms_in_half_precision_keep_their_constants_in_float32(sphere, dtype):
    torch.manual_seed(0)
    there = snn.InverseSHT(sphere, "1x0 + 1x2", 4)
    c, x = torch.randn(2, there.in_type.size), torch.randn(2, 3, *sphere.shape)
    for module in (there, there.bake()):
        _close_in_half(module, c, dtype)
    for module in (snn.SHT(sphere, "1x0 + 1x2", 4, iterations=1), snn.SHT(sphere, "1x0 + 1x2", 4).bake()):
        _close_in_half(module, x, dtype)
    back = snn.SHT(sphere, "1x0", 4).to(dtype)
    assert all(b.dtype == torch.float32 for b in back.buffers() if b.is_floating_point())
    exact = snn.SHT(sphere, "1x0", 4).double()
    for b, e in zip(back.double().buffers(), exact.buffers(), strict=True):
        assert torch.equal(b, e)  # from half precision to double nothing is lost


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_networks_by_harmonics_in_half_precision(dtype):
    torch.manual_seed(0)
    analysis, synthesis = snn.SO3Analysis(3, 2), snn.SO3Synthesis(3, 2)
    _close_in_half(analysis, torch.randn(2, 2, *analysis.plan.shape), dtype)
    _close_in_half(synthesis, torch.randn(2, synthesis.type.size), dtype)
    _close_in_half(st.create_model("s2cnn", sphere="gauss(6)", bands=(6, 4, 3)).eval(), torch.randn(2, 1, 6, 12), dtype)
