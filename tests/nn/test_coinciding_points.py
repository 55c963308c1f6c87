"""Two points that come together: values and first derivatives tend to those at distance zero, in every layer."""

from __future__ import annotations

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable.domains.points import Neighbourhood
from steerable.groups import parse_group
from steerable.kernels import GaussianRings

DISTANCES = (1e-2, 1e-3, 1e-4, 1e-6, 1e-30, 0.0)
T3, T2 = st.SO3().type("2x0 + 1x1 + 1x2"), st.SO2().type("2x0 + 1x1 + 1x2")
CUBE = parse_group("O").type("1 regular")


def layers():
    group = st.O3().type("2x0e + 1x1o")
    options = {"cutoff": 2.0, "kernel_size": 5}
    whole = snn.GroupPointConv(st.FieldType(st.SO3(), [(1, st.SO3().spectral_regular(1))]),
                               st.FieldType(st.SO3(), [(1, st.SO3().spectral_regular(1))]), **options)  # fmt: skip
    return {
        "space": snn.PointConv(T3, T3, **options, backend="functions"),
        "frame": snn.PointConv(T3, T3, **options, backend="frame"),
        "mirrors": snn.PointConv(group, group, **options),
        "plane": snn.PointConv(T2, T2, **options),
        "degrees at the centre": snn.PointConv(T3, T3, **options, bandlimit=(2, 2, 2)),
        "cube": snn.PointConv(CUBE, CUBE, **options),
        "implicit": snn.ImplicitPointConv(T3, T3, cutoff=2.0),
        "group": whole,
    }


def response(layer, offset):
    """What one pair gives, and its derivative by the offset."""
    offset = offset.clone().requires_grad_()
    n = layer.in_type.size
    x = torch.randn(1, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    one = torch.zeros(1, dtype=torch.int64)
    g = Neighbourhood(one, one, offset[None], 1, 1)
    y = layer(x, g)[0]
    ones = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (grad,) = torch.autograd.grad((y * ones).sum(), offset)
    return y.detach(), grad


@pytest.mark.parametrize("name", layers())
def test_values_and_gradients_tend_to_those_at_distance_zero(name):
    torch.manual_seed(0)
    layer = layers()[name].double().eval()
    dimension = 2 if name == "plane" else 3
    direction = torch.tensor([0.48, -0.6, 0.64][:dimension], dtype=torch.float64)
    (y0, g0), *_ = there = [response(layer, r * direction) for r in reversed(DISTANCES)]
    assert y0.abs().max() > 1e-3 and torch.isfinite(g0).all()
    for r, (y, g) in zip(reversed(DISTANCES), there, strict=True):
        scale = 100 * y0.abs().max()
        assert (y - y0).abs().max() <= scale * r + 1e-14, (r, y, y0)
        assert (g - g0).abs().max() <= 30 * scale * r + 1e-12, (r, g, g0)


def test_kernels_of_the_grid_have_no_limit():
    """The planted fault: without a core a neighbour has a direction at any distance, and none on the spot."""
    torch.manual_seed(0)
    filters = GaussianRings((0.0, 1.0), (0.6, 0.6), (0, 2), 3)
    layer = snn.PointConv(T3, T3, cutoff=2.0, kernel_size=3, filters=filters).double()
    direction = torch.tensor([0.48, -0.6, 0.64], dtype=torch.float64)
    near, at = (response(layer, r * direction)[0] for r in (1e-9, 0.0))
    assert (near - at).abs().max() > 0.05 * at.abs().max()


def test_only_scalars_of_the_kernel_are_left():
    """At distance zero the kernel commutes with the group: it is the central shell alone."""
    layer = snn.PointConv(T3, T3, cutoff=2.0, kernel_size=5).double()
    values = layer.filters.values(torch.zeros(1, 3, dtype=torch.float64))
    assert values[0, 0] > 0 and not values[0, 1:].any()
    kernel = (layer.filter() * values[0]).sum(-1)
    rho = T3.matrix(st.SO3().sample(3))
    assert (rho @ kernel @ rho.mT - kernel).abs().max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tiny", [0.0, 1e-45, 1e-30, 1e-23, 1e-19])
def test_directions_too_short_for_the_dtype_are_finite(dtype, tiny):
    for name, layer in layers().items():
        layer = layer.to(dtype)
        dimension = 2 if name == "plane" else 3
        offset = torch.full((1, dimension), tiny, dtype=dtype, requires_grad=True)
        one = torch.zeros(1, dtype=torch.int64)
        y = layer(torch.ones(1, layer.in_type.size, dtype=dtype), Neighbourhood(one, one, offset, 1, 1))
        (grad,) = torch.autograd.grad(y.sum(), offset)
        assert torch.isfinite(y).all() and torch.isfinite(grad).all(), name


def test_the_core_is_not_seen_from_one_step_on():
    points = torch.tensor([[0.0, 0, 1], [1, 1, 0], [2, -1, 0.5]], dtype=torch.float64)
    with_core = GaussianRings.for_points(7)
    without = GaussianRings(with_core.radii, with_core.widths, with_core.bandlimit, 3)
    assert (with_core.values(points) - without.values(points)).abs().max() < 1.2e-7


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("bandlimit", ["default", (2, 2, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_second_derivatives_at_and_near_the_origin(dtype, bandlimit, dimension):
    """Training on forces takes them: finite at any distance; of what does not turn, those at the origin are a limit."""
    filters = GaussianRings.for_points(5, bandlimit, dimension)
    still, start = [], 0
    for top in filters.tops:
        still.append(start)
        start += (top + 1) ** 2 if dimension == 3 else 2 * top + 1
    u = torch.tensor([0.48, -0.6, 0.64][:dimension], dtype=dtype)

    def bend(x, columns):
        return torch.autograd.functional.hessian(lambda y: filters.values(y[None])[0, columns].sum(), x)

    for r in (1e-24, 1e-22, 3e-20, 1e-19, 2e-19, 1e-15):
        assert torch.isfinite(bend(r * u, slice(None))).all(), r
    for k in still:
        at, near = bend(0 * u, [k]), bend(1e-4 * u, [k])
        assert at.abs().max() > 0.02 and (at - near).abs().max() < 2e-3 * at.abs().max(), k
