"""Local integrals on samplings without rings: exact for polynomials, and what that does to convolutions."""

from __future__ import annotations

import math

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable.domains.sphere import parse_sphere
from steerable.domains.sphere.local_weights import local_weights, moments
from steerable.nn.sphere.contraction import PairContraction

SO2 = st.SO2()


def neighbourhood(sphere, reach):
    g = sphere.neighbours(reach * sphere.spacing)
    return g.offset, g.weight, g.target, g.num_targets, reach * sphere.spacing


@pytest.mark.parametrize("radius", [0.2, 1.1])
def test_moments_are_integrals(radius):
    r = (torch.arange(4000, dtype=torch.float64) + 0.5) * radius / 4000
    psi = (torch.arange(64, dtype=torch.float64) + 0.5) * math.pi / 32
    area = r.sin() * (1 - (r / radius) ** 2) ** 3 * (radius / 4000) * (math.pi / 32)
    x, y = (r / radius)[:, None] * psi.cos(), (r / radius)[:, None] * psi.sin()
    found = [float((area[:, None] * x**a * y ** (d - a)).sum()) for d in range(5) for a in range(d + 1)]
    assert torch.tensor(moments(radius, 4)).sub(torch.tensor(found)).abs().max() < 1e-6 * found[0]


@pytest.mark.parametrize("name", ["healpix(8)", "icosahedral(3)", "fibonacci(600)"])
def test_integrals_of_monomials_are_exact(name):
    offset, weight, target, count, radius = neighbourhood(parse_sphere(name), 4.0)
    x, wanted = offset / radius, torch.tensor(moments(radius, 4), dtype=torch.float64)
    window = (1 - x.square().sum(1)).clamp_min(0) ** 3
    terms = torch.stack([x[:, 0] ** a * x[:, 1] ** (d - a) for d in range(5) for a in range(d + 1)], 1)
    errors = []
    for w in (weight, local_weights(offset, weight, target, count, radius)):
        sums = torch.zeros(count, len(wanted), dtype=torch.float64).index_add_(0, target, (w * window)[:, None] * terms)
        errors.append(float((sums - wanted).abs().max() / wanted[0]))
    assert errors[1] < 3e-3 and errors[1] < errors[0] / 5  # what the ridge leaves


@pytest.mark.parametrize(
    ("name", "reach", "degree"),
    [
        ("healpix(8)", 1.5, 2),
        ("healpix(16)", 2.0, 2),
        ("healpix(8)", 2.5, 4),
        ("healpix(16)", 3.0, 4),
        ("fibonacci(600)", 3.0, 4),
    ],
)
def test_the_degree_is_the_largest_that_the_neighbours_hold(name, reach, degree):
    given = neighbourhood(parse_sphere(name), reach)
    assert torch.equal(local_weights(*given), local_weights(*given, degree))


def test_irregular_points_are_mended_up_to_the_degree_that_they_allow():
    points = torch.randn(500, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    offset, weight, target, count, radius = neighbourhood(st.Sphere.scattered(points), 4.0)
    share = (1 - (offset / radius).square().sum(1)).clamp_min(0) ** 3
    found = local_weights(offset, weight, target, count, radius)
    error = []
    for w in (weight, found):
        sums = torch.zeros(count, dtype=torch.float64).index_add_(0, target, w * share)
        error.append((sums / moments(radius, 0)[0] - 1).abs())
    assert float(error[0].median()) > 0.1 and float((error[1] > 0.02).double().mean()) < 0.05
    change = torch.zeros_like(sums).index_add_(0, target, weight * share * (found / weight - 1).square())
    assert bool((change <= 0.25 * torch.zeros_like(sums).index_add_(0, target, weight * share)).all())  # never more


def test_they_know_no_frame():
    """Offsets in turned frames: the same weights. So kernels turn as before."""
    offset, weight, target, count, radius = neighbourhood(st.Sphere.healpix(4), 3.0)
    angle = torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))[target] * 6.28
    c, s = angle.cos(), angle.sin()
    turned = torch.stack([c * offset[:, 0] - s * offset[:, 1], s * offset[:, 0] + c * offset[:, 1]], 1)
    first, then = (local_weights(o, weight, target, count, radius) for o in (offset, turned))
    assert float((first - then).abs().max()) < 1e-10 * float(weight.max())
    assert torch.equal(local_weights(offset, weight, target, count, radius, 0), weight)


def test_lopsided_neighbourhoods_keep_their_weights():
    """At the rim of a part of the sky half of the neighbours are missing: nothing is made of the others."""
    whole = st.Sphere.healpix(8).points()
    points = whole[whole[:, 2] > 0.7]
    sphere = st.Sphere.scattered(points, torch.full((len(points),), 4 * math.pi / len(points)))
    g = sphere.neighbours(3.0 * math.sqrt(4 * math.pi / 768))
    found = local_weights(g.offset, g.weight, g.target, g.num_targets, 3.0 * math.sqrt(4 * math.pi / 768), 4)
    rim = points[g.target][:, 2] < 0.75
    assert bool(torch.isfinite(found).all())
    assert float((found / g.weight - 1)[rim].abs().mean()) < 0.05


@pytest.mark.parametrize("name", ["healpix(8)", "icosahedral(3)"])
def test_convolutions_err_less(name):
    """The planted fault is the weights of the sampling."""
    sphere, t = parse_sphere(name), SO2.type("1x0 + 1x1")
    errors = []
    for quadrature in (0, None):
        torch.manual_seed(0)
        conv = snn.SphereConv(t, t, sphere, 4 * sphere.spacing, quadrature=quadrature).double()
        errors.append(float(st.laws.sphere_errors(conv, band=6).max()))
    assert errors[1] < 3e-3 < 5e-3 < errors[0]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="degree is -1"):
        local_weights(*neighbourhood(st.Sphere.healpix(2), 2.0), -1)
    with pytest.raises(ValueError, match="degree is -2"):
        snn.SphereConv(SO2.type("1x0"), SO2.type("1x0"), "gauss(8)", 1.5, quadrature=-2)


def test_on_rings_they_are_those_of_pairs():
    """And they halve the error of a narrow kernel; each ring needs one set of weights, whatever its longitudes."""
    sphere, t = st.Sphere.gauss(16), SO2.type("1x0 + 1x1")
    errors = []
    for quadrature in (0, 4):
        torch.manual_seed(0)
        conv = snn.SphereConv(t, t, sphere, 3 * sphere.spacing, quadrature=quadrature).double()
        errors.append(float(st.laws.sphere_errors(conv, band=6).max()))
    assert errors[1] < errors[0] / 2
    sizes = (conv.out_type.size, conv.in_type.size)
    pairs = PairContraction(sphere, sphere, conv._parts(), sizes, conv.radius, conv._functions, 4).double()
    x = torch.randn(1, 3, *sphere.shape, dtype=torch.float64)
    assert float((pairs(x, conv.filter()) - conv.contraction(x, conv.filter())).detach().abs().max()) < 1e-10
