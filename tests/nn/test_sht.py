"""Spherical harmonic transforms of every spin: equal to the dense ones, inverse to each other, and good citizens."""

from __future__ import annotations

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from tests.nn.layer_checks import gradients_of_both_orders, tooling

import steerable.nn as snn
from steerable.domains import Homogeneous
from steerable.domains.spectral import Circles, Legendre, isht, legendre, sht, sht_tables
from steerable.domains.sphere import GaussSphere, Rings, RingSphere
from steerable.groups import SO2, SO3, Representation
from steerable.groups.sampling import frame_over

TYPES = ("1x0", "1x1", "1x2", "1x3", "2x0 + 1x2 + 1x0 + 2x1", "2 regular(2) + 1x1")


class Uneven(RingSphere):
    """Rings of several lengths and first longitudes, not all mirrored, in a shuffled order."""

    key = ("uneven",)
    band = 6

    @property
    def shape(self):
        return (83,)

    @property
    def rings(self):
        theta = np.array([0.2, 0.5, 1.0, np.pi / 2, np.pi - 1.0, np.pi - 0.5, 3.0])
        return Rings(theta, np.array([4, 8, 16, 18, 18, 16, 3]), np.arange(7) * 0.1, np.arange(7) * 0.01 + 0.1)

    @property
    def ring_order(self):
        return torch.randperm(83, generator=torch.Generator().manual_seed(0))


def dense(sphere, type, band):
    """Matrix of the synthesis ``[N, C, D]`` and weights ``[N]`` of sum one."""
    fields = Homogeneous(SO3(), SO2(), band - 1).fields(type)
    theta, phi = sphere.angles().reshape(-1, 2).unbind(-1)
    return fields.evaluate(frame_over(SO3(), phi, theta)), sphere.flat_weights() / (4 * math.pi)


def errors(sphere, type, band, **options):
    """Largest differences of analysis and synthesis from the dense ones."""
    matrix, weights = dense(sphere, type, band)
    there, back = (
        snn.InverseSHT(sphere, type, band, **options).double(),
        snn.SHT(sphere, type, band, **options).double(),
    )
    x = torch.randn(3, matrix.shape[1], *sphere.shape, dtype=torch.float64)
    c = torch.randn(3, matrix.shape[2], dtype=torch.float64)
    analysis = back(x) - torch.einsum("ncd,bcn,n->bd", matrix, x.flatten(2), weights)
    synthesis = there(c).flatten(2) - torch.einsum("ncd,bd->bcn", matrix, c)
    return float(analysis.abs().max()), float(synthesis.abs().max())


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("precompute", [True, False])
def test_equal_to_the_dense_transform(type, precompute):
    for sphere, band in ((GaussSphere(8, 16), 8), (GaussSphere(9, 15), 7), (Uneven(), 6)):
        assert max(errors(sphere, type, band, precompute=precompute)) < 1e-11


@pytest.mark.parametrize("spin", range(4))
def test_equal_to_the_dense_transform_at_sixteen(spin):
    assert max(errors(GaussSphere(16, 32), f"1x{spin}", 16)) < 1e-10


def test_equal_to_the_layers_on_homogeneous_spaces():
    fields = Homogeneous(SO3(), SO2(), 7).fields("1x0 + 1x2")
    there, back = snn.HomSynthesis(fields).double(), snn.HomAnalysis(fields).double()
    fast, inverse = snn.SHT(GaussSphere(8, 15), "1x0 + 1x2").double(), snn.InverseSHT(GaussSphere(8, 15), "1x0 + 1x2")
    assert fast.out_type == fields.type and fast.in_type == fields.fibre
    c = torch.randn(2, fields.type.size, dtype=torch.float64)
    x = there(c)
    rings = x.unflatten(2, (8, 15)).flip(2)  # that grid runs from the south
    assert float((inverse.double()(c) - rings).abs().max()) < 1e-10
    assert float((fast(rings) - back(x)).abs().max()) < 1e-10


def test_types_whose_copies_are_mixed():
    circle, generator = SO2(), np.random.default_rng(0)
    q = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    for rep in (
        circle.irrep(2).direct_sum(circle.irrep(0)),
        circle.irrep(1).tensor(circle.irrep(2)),
        Representation(circle, ("1", "1"), q),
        Representation(circle, ("2", "0", "0"), q),
    ):
        assert max(errors(GaussSphere(6, 11), 2 * rep, 6)) < 1e-11


@pytest.mark.parametrize("size", [16, 64])
def test_round_trip(size):
    sphere = GaussSphere(size, 2 * size)
    for type in ("1x0", "1x2"):
        forward = snn.SHT(sphere, type).double()
        inverse = forward.inverse().double()
        assert inverse.tables is forward.tables
        c = torch.randn(2, forward.out_type.size, dtype=torch.float64)
        assert float((forward(inverse(c)) - c).abs().max()) < 2e-12 * size
        single = copy.deepcopy(forward).float()
        assert float((single(single.inverse()(c.float())) - c).abs().max()) < 1e-5 * size
        again = single.double()  # tables are derived again, not widened
        assert float((again(inverse(c)) - c).abs().max()) < 2e-12 * size


@pytest.mark.parametrize("type", ["2x0", "1x0 + 2x1 + 1x2"])
def test_tooling(type):
    layer = snn.SHT(GaussSphere(6, 12), type).double()
    x = torch.randn(3, layer.in_type.size, 6, 12, dtype=torch.float64)
    tooling(layer, x)
    tooling(layer.inverse(), layer(x).detach())


def test_tables_on_the_way_have_the_same_derivatives():
    layer = snn.SHT(GaussSphere(5, 10), "1x0 + 1x1", precompute=False).double()
    x = torch.randn(2, 3, 5, 10, dtype=torch.float64, requires_grad=True)
    assert layer.tables.nbytes == 0
    assert torch.autograd.gradgradcheck(layer, (x,), fast_mode=True)
    assert torch.autograd.gradcheck(layer.inverse(), (layer(x).detach().requires_grad_(),), fast_mode=True)
    held = snn.SHT(GaussSphere(5, 10), "1x0 + 1x1").double()
    assert float((torch.vmap(lambda v: layer(v[None])[0])(x) - held(x)).detach().abs().max()) < 1e-12
    with pytest.raises(Exception, match="precompute=True"):
        torch.compile(layer, fullgraph=True, backend="aot_eager")(x)


def test_bad_input_is_named():
    sphere = GaussSphere(8, 16)
    with pytest.raises(ValueError, match="band 9; expected 1 to 8"):
        snn.SHT(sphere, "1x0", 9)
    with pytest.raises(ValueError, match="band 6; expected 1 to 5"):
        snn.InverseSHT(GaussSphere(8, 9), "1x0", 6)
    with pytest.raises(ValueError, match="larger band"):
        snn.SHT(sphere, "1x8")
    with pytest.raises(TypeError, match="one of SO2"):
        snn.SHT(sphere, SO3().type("1x0"))
    with pytest.raises(ValueError, match="expected \\[B, 1, 8, 16\\]"):
        snn.SHT(sphere, "1x0")(torch.zeros(1, 1, 16, 8))
    with pytest.raises(ValueError, match="expects 64"):
        snn.InverseSHT(sphere, "1x0")(torch.zeros(1, 63))


def complex_reference(x, sphere, band):
    """``sum w f conj(Y)`` with orthonormal harmonics and the Condon-Shortley phase, from the real ones."""
    from steerable.groups import spherical_harmonics

    y = spherical_harmonics(sphere.points().reshape(-1, 3), range(band))
    real = torch.einsum("nd,bn,n->bd", y, x.flatten(1), sphere.flat_weights())
    out = torch.zeros(len(x), band, band, dtype=torch.complex128)
    for l in range(band):
        out[:, l, 0] = real[:, l * l + l]
        for m in range(1, l + 1):
            out[:, l, m] = (-1) ** m * torch.complex(real[:, l * l + l + m], -real[:, l * l + l - m]) / math.sqrt(2)
    return out


def test_scalars_as_complex_coefficients():
    sphere, band = GaussSphere(9, 18), 8
    tables = sht_tables(Circles.of(sphere), band, dtype=torch.float64)
    x = torch.randn(3, 9, 18, dtype=torch.float64)
    c = sht(x, tables)
    assert float((c - complex_reference(x, sphere, band)).abs().max()) < 1e-12
    smooth = isht(c, tables)
    assert float((sht(smooth, tables) - c).abs().max()) < 1e-12
    lazy = sht_tables(Circles.of(sphere), band, precompute=False, dtype=torch.float64)
    assert lazy.nbytes == 0 and float((sht(x, lazy) - c).abs().max()) < 1e-12
    plain = sht_tables(Circles.of(sphere), band, csphase=False, dtype=torch.float64)
    sign = (-1.0) ** torch.arange(band)
    assert float((sht(x, plain) - sign * c).abs().max()) < 1e-12
    assert sht(x.reshape(3, 1, 9, 18)[:0], tables).shape == (0, 1, 8, 8)
    assert isht(c[:0], tables).shape == (0, 9, 18)
    assert sht(x[0], tables).shape == (8, 8)
    assert torch.autograd.gradcheck(
        lambda v: torch.view_as_real(sht(v, tables).contiguous()), (x[:1].requires_grad_(),)
    )
    assert torch.autograd.gradgradcheck(
        lambda v: torch.view_as_real(sht(v, tables).contiguous()), (x[:1].detach().requires_grad_(),), fast_mode=True
    )
    with pytest.raises(ValueError, match="9, 18"):
        sht(x.mT, tables)
    with pytest.raises(ValueError, match="expected complex"):
        isht(c.real, tables)


def test_the_short_way_has_the_same_derivatives():
    """Even numbers of rings take a path of their own; odd ones, longer batches and traces the plain operators."""
    for sphere, band in ((GaussSphere(6, 12), 6), (GaussSphere(8, 20), 7)):
        tables = sht_tables(Circles.of(sphere), band, dtype=torch.float64)
        x = torch.randn(2, *sphere.shape, dtype=torch.float64, requires_grad=True)
        assert float((sht(x.detach(), tables) - complex_reference(x.detach(), sphere, band)).abs().max()) < 1e-12
        plain = torch.vmap(lambda v, t=tables: sht(v, t))(x.detach())
        assert float((plain - sht(x.detach(), tables)).abs().max()) < 1e-12
        assert torch.autograd.gradcheck(lambda v, t=tables: torch.view_as_real(sht(v, t).contiguous()), (x,))
        assert torch.autograd.gradgradcheck(
            lambda v, t=tables: torch.view_as_real(sht(v, t).contiguous()), (x,), fast_mode=True
        )


def test_half_the_tables_of_all_rings():
    band = 64
    tables = sht_tables(Circles.of(GaussSphere(band, 2 * band)), band)
    assert tables.nbytes <= 0.5 * 4 * band**3
    assert sht_tables(Circles.of(GaussSphere(256, 512)), 256, precompute=False).nbytes == 0


def test_planted_faults_are_caught(monkeypatch):
    sphere = GaussSphere(8, 16)
    assert max(errors(sphere, "1x1", 8)) < 1e-11
    right = Legendre._degrees

    def swapped(self, p, q, start):  # even and odd functions exchanged
        return right(self, p, q, start)[:, ::-1].copy()

    with monkeypatch.context() as patch:
        patch.setattr(legendre.Legendre, "_degrees", swapped)
        assert max(errors(sphere, "1x1", 8)) > 1e-2
    weights = GaussSphere.rings.func

    class Equal(GaussSphere):
        @property
        def rings(self):
            r = weights(self)
            return Rings(r.colatitude, r.count, r.first, np.full(8, r.weight.mean()))

    wrong = snn.SHT(Equal(8, 16), "1x0").double()
    c = torch.randn(1, 64, dtype=torch.float64)
    assert float((wrong(snn.InverseSHT(sphere, "1x0").double()(c)) - c).abs().max()) > 1e-2


def test_iterations_mend_weights():
    class Equal(GaussSphere):
        @property
        def rings(self):
            r = GaussSphere.rings.func(self)
            return Rings(
                r.colatitude, r.count, r.first, 4 * np.pi * np.sin(r.colatitude) / np.sin(r.colatitude).sum() / 24
            )

    sphere = Equal(12, 24)
    c = torch.randn(1, 64, dtype=torch.float64)
    x = snn.InverseSHT(sphere, "1x0", 8).double()(c)
    found = [float((snn.SHT(sphere, "1x0", 8, iterations=k).double()(x) - c).abs().max()) for k in range(4)]
    assert all(b < 0.3 * a for a, b in itertools.pairwise(found))


@pytest.mark.parametrize("rings", [(64, 128), (66, 140)])
def test_the_short_ways_are_the_same(rings):
    sphere, band = GaussSphere(*rings), 64
    tables, lazy = (sht_tables(Circles.of(sphere), band, precompute=p, dtype=torch.float64) for p in (True, False))
    assert tables.is_usual and not lazy.is_usual and len(tables.blocks) > 1
    x = torch.randn(2, 3, *rings, dtype=torch.float64)
    c = sht(x, tables)
    assert float((c - sht(x, lazy)).abs().max()) < 1e-13
    y = isht(c, tables)
    assert y.shape == x.shape and y.is_contiguous()
    assert float((y - isht(c.clone().requires_grad_(), tables).detach()).abs().max()) < 1e-12
    assert float((y - isht(c, lazy)).abs().max()) < 1e-12


@pytest.mark.parametrize(
    "name", ["gauss(5)", "gauss(4, nlon=9)", "healpix(2)", "healpix(2, nested)", "equiangular(6)", "uneven"]
)
@pytest.mark.parametrize("type", ["1x0", "1x0 + 1x1"])
def test_gradients_of_both_orders(name, type):
    """Each direction is the gradient of the other; the weights of the samples belong to the analysis alone."""
    sphere, band = (Uneven(), 6) if name == "uneven" else (name, 3)  # rings too short for their orders, too
    analysis = snn.SHT(sphere, type, band).double()
    inverse = analysis.inverse()
    samples = (analysis.in_type.size, *analysis.sphere.shape)
    gradients_of_both_orders(analysis, (1, *samples))
    gradients_of_both_orders(inverse, (1, inverse.in_type.size))
