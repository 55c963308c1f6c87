"""Layers on the sphere whose modules are turned to another dtype as a whole."""

from __future__ import annotations

import copy

import pytest
import torch

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
