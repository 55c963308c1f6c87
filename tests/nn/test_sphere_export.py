"""Layers of the sphere as programs for batches of any size."""

from __future__ import annotations

import pytest
import torch

import steerable.nn as snn
from steerable import laws
from steerable.domains import Sphere
from steerable.groups import C

HEX = C(6).type("1 regular + 1 trivial")


def transforms():
    for sphere in (Sphere.gauss(4), Sphere.equiangular(4, "mw"), Sphere.healpix(2)):
        analysis = snn.SHT(sphere, "1x0 + 1x1", 3)
        yield f"analysis {sphere!r}", analysis, (3, *sphere.shape)
        yield f"synthesis {sphere!r}", analysis.inverse(), (analysis.inverse().in_type.size,)
    rotations = snn.SO3Analysis(3, 2)
    yield "rotations", rotations, (2, *rotations.plan.shape)
    yield "rotations back", rotations.inverse(), (rotations.type.size,)
    for on, one_matrix in (("group", False), ("sphere", False), ("sphere", True)):
        act = snn.SpectralAct(2, 3, on=on, one_matrix=one_matrix)
        yield f"activation on the {on}{', one matrix' * one_matrix}", act, (act.in_type.size,)
    block = snn.NeedletBlock(2, 2, 3)
    yield "needlets", block, (block.in_type.size,)


def others():
    for layer in (snn.S2Conv(2, 2, 3, 3), snn.SO3Conv(2, 2, 3, 3), snn.SO3ToS2(2, 2, 3, 3), snn.SO3Mean(2, 3)):
        yield type(layer).__name__, layer, (layer.in_type.size,)
    shells = snn.SphericalVoxelConv(2, 2, 3)
    yield "shells", shells, (shells.in_type.size, 4)
    for path in ("gather", "atlas"):
        yield f"hexagons {path}", snn.IcoConv(HEX, HEX, Sphere.icosahedral(1), path=path), (7, 42)
    yield "hexagons down", snn.IcoPool(HEX, Sphere.icosahedral(2)), (7, 162)
    yield "hexagons up", snn.IcoUnpool(HEX, Sphere.icosahedral(1)), (7, 42)
    yield "pictures", snn.IcoProject(Sphere.icosahedral(1), 4, 8), (2, 4, 8)
    yield "images", snn.SphereProjection(Sphere.icosahedral(1), 8), (2, 8, 8)
    correlation = snn.GroupCorrelation(2, 7, "T")
    yield "correlation", correlation, (14, correlation.seen)


#: those that take seconds each and hold nothing that the others do not
SLOW = {"needlets", "synthesis HealpixSphere(2)", "synthesis EquiangularSphere(mw, 4 x 7)"}
CASES = [
    pytest.param(*case[1:], id=case[0], marks=[pytest.mark.slow] if case[0] in SLOW else [])
    for case in (*transforms(), *others())
]


@pytest.mark.parametrize(("layer", "shape"), CASES)
def test_exported_for_any_batch(layer, shape):
    laws.assert_export_equals_eager(layer.eval(), torch.randn(2, *shape), dynamic_batch=True)
