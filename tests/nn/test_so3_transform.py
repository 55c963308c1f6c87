"""The Fourier transform on SO(3): equal to the sampled matrix coefficients, exact, and of the right growth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.nn.layer_checks import gradients_of_both_orders, tooling

import steerable.nn as snn
from steerable.domains.spectral import profiles
from steerable.domains.spectral.rotation import quarter_tilts
from steerable.groups import SO3, sampling_matrix

GROUP = SO3()


def dense(layer):
    """``[N, D]``: functions on the grid, those of the copies that the azimuthal limit leaves."""
    band, orders = layer.band, layer.orders
    full = sampling_matrix(GROUP.spectral_regular(band - 1), layer.elements.reshape(-1, 4))
    kept, start = [], 0
    for l in range(band):
        for n in range(-l, l + 1):
            kept += range(start, start + 2 * l + 1) if abs(n) < orders else []
            start += 2 * l + 1
    return full[:, kept]


SIZES = [(1, 1, 1), (2, 2, 2), (5, 5, 5), (6, 2, 6), (6, 1, 6), (8, 8, 8), (3, 3, 6), (4, 2, 7), (1, 1, 3)]


@pytest.mark.parametrize(("band", "orders", "grid"), SIZES)
@pytest.mark.parametrize("precompute", [True, False])
def test_equal_to_the_sampling_matrix(band, orders, grid, precompute):
    analysis = snn.SO3Analysis(band, 2, orders, precompute, grid).double()
    synthesis = snn.SO3Synthesis(band, 2, orders, precompute, grid).double()
    matrix = dense(analysis)
    c = torch.randn(3, 2 * matrix.shape[1], dtype=torch.float64)
    x = torch.einsum("nd,bcd->bcn", matrix, c.unflatten(1, (2, -1))).reshape(3, 2, *analysis.plan.shape)
    assert analysis.type.size == c.shape[1]
    assert float((synthesis(c) - x).abs().max()) < 1e-10
    assert float((analysis(x) - c).abs().max()) < 1e-10
    white = torch.randn_like(x)  # not band-limited: the integral against every function
    weights = torch.from_numpy(analysis.plan.rings.weight)[None, :, None].expand(analysis.plan.shape).flatten()
    assert float(weights.sum() - 1) < 1e-12
    expected = torch.einsum("nd,bcn,n->bcd", matrix, white.flatten(2), weights).flatten(1)
    assert float((analysis(white) - expected).abs().max()) < 1e-10


@pytest.mark.parametrize(("band", "orders", "grid"), [(4, 4, 4), (3, 2, 5)])
def test_gradients_of_both_orders(band, orders, grid):
    """Each direction is the gradient of the other; the weights of the tilts belong to the analysis alone."""
    analysis = snn.SO3Analysis(band, 1, orders, grid=grid).double()
    gradients_of_both_orders(analysis, (1, 1, *analysis.plan.shape))
    gradients_of_both_orders(analysis.inverse().double(), (1, analysis.type.size))


def test_left_translation_rotates_the_coefficients():
    layer = snn.SO3Analysis(4).double()
    c = torch.randn(1, layer.type.size, dtype=torch.float64)
    g = GROUP.sample(1, torch.Generator().manual_seed(0))[0]
    rep = layer.plan.representation
    moved = sampling_matrix(rep, GROUP.compose(GROUP.inverse(g), layer.elements.reshape(-1, 4)))
    x = (c @ moved.T).reshape(1, 1, *layer.plan.shape)
    assert float((layer(x) - layer.type.transform(c, g)).abs().max()) < 1e-11


@pytest.mark.parametrize("band", [16, 32])
def test_round_trip(band):
    analysis = snn.SO3Analysis(band).double()
    synthesis = analysis.inverse().double()
    assert synthesis.tables is analysis.tables
    c = torch.randn(1, analysis.type.size, dtype=torch.float64)
    assert float((analysis(synthesis(c)) - c).abs().max()) < 1e-11
    single = analysis.float()
    assert float((single(synthesis.float()(c.float())) - c).abs().max()) < 2e-3


def test_tables_are_those_of_quarter_tilts():
    """``M(b) = K' Z(b) K'^T`` with the constant matrices of a quarter tilt (Delta), for all pairs of orders at once."""
    l, theta = 20, np.array([0.1, 0.7, 2.0])
    m, n = (v.ravel() for v in np.meshgrid(np.arange(l + 1), np.arange(l + 1), indexing="ij"))
    order = np.argsort(np.maximum(m, n), kind="stable")
    a = profiles(torch.from_numpy(theta), m[order], n[order], 0, l + 1)[0][:, l] / math.sqrt(2 * l + 1)
    even, odd = quarter_tilts(l)[l]
    for t, angle in enumerate(theta):
        # Ry(b) = Rz(pi/2) Ry(pi/2) Rz(b) Ry(-pi/2) Rz(-pi/2), on the full basis -l..l
        full = np.zeros((2 * l + 1, 2 * l + 1))
        full[l:, l:], full[:l, :l] = even, odd[::-1, ::-1]
        k = np.arange(-l, l + 1)

        def turn(x, k=k):
            z = np.diag(np.cos(k * x))
            return z - np.diag(np.sin(k * x))[:, ::-1] if len(k) > 1 else z

        found = turn(np.pi / 2) @ full @ turn(angle) @ full.T @ turn(-np.pi / 2)
        assert np.abs(found[l + m[order], l + n[order]] - a[:, t].numpy()).max() < 1e-12


def test_growth_of_the_tables():
    sizes = [snn.SO3Analysis(band).tables.nbytes for band in (16, 24, 32, 48)]
    slope = np.polyfit(np.log([16, 24, 32, 48]), np.log(sizes), 1)[0]
    assert 3.3 <= slope <= 4.2
    narrow = [snn.SO3Analysis(band, orders=3).tables.nbytes for band in (16, 24, 32, 48)]
    assert np.polyfit(np.log([16, 24, 32, 48]), np.log(narrow), 1)[0] <= 3.2


def test_tooling():
    layer = snn.SO3Analysis(3, 2)
    x = torch.randn(2, 2, *layer.plan.shape, dtype=torch.float64)
    tooling(layer, x)
    tooling(layer.inverse(), layer(x).detach())


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="orders from 1 to the band"):
        snn.SO3Analysis(4, orders=5)
    with pytest.raises(ValueError, match="a grid of at least the band"):
        snn.SO3Analysis(4, grid=3)
    with pytest.raises(ValueError, match="expected samples \\[B, 1, 8, 4, 8\\]"):
        snn.SO3Analysis(4)(torch.zeros(1, 1, 4, 8, 8))
    with pytest.raises(ValueError, match="expected coefficients \\[B, 10\\]"):
        snn.SO3Synthesis(2)(torch.zeros(1, 9))


def test_planted_weights_are_caught(monkeypatch):
    monkeypatch.setattr(
        np.polynomial.legendre, "leggauss", lambda n: (np.cos(np.pi * (np.arange(n) + 0.5) / n), np.full(n, 2 / n))
    )
    layer = snn.SO3Analysis(5).double()
    c = torch.randn(1, layer.type.size, dtype=torch.float64)
    assert float((layer(layer.inverse().double()(c)) - c).abs().max()) > 1e-2
