"""Layers of the sphere take a sampling or its name."""

from __future__ import annotations

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable.domains.sphere import parse_sphere

ONE, SIX = st.SO2().type("1x0 + 1x1"), st.C(6).type("1 regular")
SCALARS = st.SO2().type("2x0")
LAYERS = {
    "SHT": (lambda s: snn.SHT(s, ONE), "gauss(4)"),
    "InverseSHT": (lambda s: snn.InverseSHT(s, ONE), "equiangular(4, mw)"),
    "SphereConv": (lambda s: snn.SphereConv(ONE, ONE, s, 1.5), "healpix(2)"),
    "SphereConv to others": (lambda s: snn.SphereConv(ONE, ONE, "gauss(8)", 1.5, s), "gauss(4)"),
    "SphereAttention": (lambda s: snn.SphereAttention(SCALARS, s, heads=1, targets=s), "gauss(4)"),
    "SphereNeighbourAttention": (lambda s: snn.SphereNeighbourAttention(SCALARS, s, 1.5, heads=1), "gauss(4)"),
    "SphereBatchNorm": (lambda s: snn.SphereBatchNorm(ONE, s), "fibonacci(40)"),
    "SphereAvgPool": (lambda s: snn.SphereAvgPool(SCALARS, s), "gauss(4)"),
    "SphereLoss": (lambda s: snn.SphereLoss(s), "gauss(4)"),
    "SphereH1Loss": (lambda s: snn.SphereH1Loss(s), "gauss(6)"),
    "SphereConfusion": (lambda s: snn.SphereConfusion(s, 3), "gauss(4)"),
    "SphereCrossEntropyLoss": (lambda s: snn.SphereCrossEntropyLoss(s), "gauss(4)"),
    "SphereFocalLoss": (lambda s: snn.SphereFocalLoss(s), "gauss(4)"),
    "SphereDiceLoss": (lambda s: snn.SphereDiceLoss(s), "gauss(4)"),
    "IcoConv": (lambda s: snn.IcoConv(SIX, SIX, s), "icosahedral(1)"),
    "IcoPool": (lambda s: snn.IcoPool(SIX, s), "icosahedral(2)"),
    "IcoUnpool": (lambda s: snn.IcoUnpool(SIX, s), "icosahedral(1)"),
    "IcoProject": (lambda s: snn.IcoProject(s, 4, 8), "icosahedral(1)"),
    "SphereProjection": (lambda s: snn.SphereProjection(s, 8), "icosahedral(1)"),
    "GroupCorrelation": (lambda s: snn.GroupCorrelation(2, 3, sphere=s), "icosahedral(1)"),
    "HealpixConv": (lambda s: snn.HealpixConv(2, 2, s), "healpix(2)"),
    "HealpixPool": (lambda s: snn.HealpixPool(2, s), "healpix(2, nested)"),
    "HealpixPixelShuffle": (lambda s: snn.HealpixPixelShuffle(2, s), "healpix(2, nested)"),
    "HealpixPixelUnshuffle": (lambda s: snn.HealpixPixelUnshuffle(2, s), "healpix(2, nested)"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_name_is_as_good_as_the_sampling(name):
    build, sampling = LAYERS[name]
    torch.manual_seed(0)
    given = build(parse_sphere(sampling))
    torch.manual_seed(0)
    named = build(sampling)
    for key in ("sphere", "targets"):
        assert getattr(named, key, None) == getattr(given, key, None)
    for a, b in zip(given.buffers(), named.buffers(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(ValueError, match="expected one of gauss, equiangular, healpix, icosahedral, fibonacci"):
        build("octahedral(3)")


def test_networks_of_the_icosahedron_take_a_sampling():
    for name in ("ico_cnn", "ico_cnn_plain"):
        torch.manual_seed(0)
        by_level = st.create_model(name, level=2, widths=(2, 2), pool_after=(1,)).eval()
        torch.manual_seed(0)
        by_name = st.create_model(name, sphere="icosahedral(2)", widths=(2, 2), pool_after=(1,)).eval()
        x = torch.randn(2, 1, 162)
        assert torch.equal(by_level(x), by_name(x))
        for wrong in ({"sphere": "gauss(4)"}, {"sphere": "icosahedral(2)", "level": 3}):
            with pytest.raises(ValueError, match=r"expected sphere='icosahedral\(level\)'"):
                st.create_model(name, **wrong)
