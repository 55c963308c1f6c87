"""Implicit kernels: steerable for any group, as rich as the analytic ones, on every domain."""

from __future__ import annotations

import pytest
import torch
from tests.catalogue import GROUPS

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.domains.points import Points
from steerable.groups import O2, O3, SO2, SO3, C, D
from steerable.kernels.rings import GaussianRings
from steerable.laws.equivariance import relative_error

CASES = {
    "O2": (O2(), 2, "1x0e + 1x1", "1x2 + 1x0o"),
    "SO2": (SO2(), 2, "1x0 + 1x1", "1x1 + 1x2"),
    "C4": (C(4), 2, "1 regular + 1x1", "1x1 + 1 trivial"),
    "D4": (D(4), 2, "1 regular", "1x1 + 1x2o"),
    "O3": (O3(), 3, "1x0e + 1x1o", "1x1o + 1x2e"),
    "SO3": (SO3(), 3, "1x0 + 1x1", "1x2 + 1x1"),
    "O2 in space": (O2(), 3, "1x0e + 1x1", "1x1 + 1x0o"),
    "O": (GROUPS["O"], 3, "1x3 + 1 trivial", "1x3 + 1x2"),
}


def randomised(module, seed=0):
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return module.double().eval()


@pytest.mark.parametrize("name", CASES)
def test_kernels_are_steerable(name):
    group, n, source, target = CASES[name]
    a, b = group.type(source), group.type(target)
    extra = 1 * group.trivial + 1 * group.irreps(None if group.is_finite else 1)[-1]
    kernel = randomised(snn.ImplicitKernel(a, b, 1.5, attributes=extra, dimension=n))
    x, z = torch.randn(9, n, dtype=torch.float64), torch.randn(9, extra.size, dtype=torch.float64)
    with torch.no_grad():
        k = kernel(x, z)
        assert k.abs().max() > 1e-3
        for g in group.sample(5, torch.Generator().manual_seed(0)):
            turned = kernel(x @ group.action(g, n).T, extra.transform(z, g))
            assert relative_error(turned, b.matrix(g) @ k @ a.matrix(g).T) < 1e-10


@pytest.mark.parametrize("name", CASES)
def test_random_kernels_span_the_analytic_ones(name):
    """At one radius: as many independent implicit kernels as the analytic basis has, and none outside it."""
    group, n, _, _ = CASES[name]
    a, b = (group.irreps(None if group.is_finite else 1)[-1] for _ in range(2))
    directions = torch.nn.functional.normalize(torch.randn(12, n, dtype=torch.float64), dim=1)
    top = 4  # finite groups need no more: harmonics up to here already hold every kernel on these directions
    rings = GaussianRings((1.0,), (0.5,), (2 if not group.is_finite else top,), n)
    analytic = torch.from_numpy(rings.kernel(a, b).sample(directions.numpy())).flatten(1)
    rank = int(torch.linalg.matrix_rank(analytic, rtol=1e-9))
    kernels = []
    for seed in range(rank + 3):
        torch.manual_seed(seed)
        kernel = snn.ImplicitKernel(1 * a, 1 * b, 2.0, dimension=n, degree=2 if not group.is_finite else top)
        with torch.no_grad():
            kernels.append(randomised(kernel, seed)(directions).permute(1, 2, 0).flatten())
    stacked = torch.stack(kernels)
    stacked = stacked / stacked.norm(dim=1, keepdim=True)
    assert int(torch.linalg.matrix_rank(stacked, rtol=1e-7)) >= rank
    if not group.is_finite:
        both = torch.cat([stacked, analytic / analytic.norm(dim=1, keepdim=True)])
        assert int(torch.linalg.matrix_rank(both, rtol=1e-7)) == rank


def test_a_planted_fault_is_seen():
    """A network that is not equivariant makes no steerable kernel."""
    t = SO3().type("1x0 + 1x1")
    kernel = snn.ImplicitKernel(t, t, 1.0)
    wrong = snn.ImplicitKernel(t, t, 1.0, net=torch.nn.Linear(kernel.in_type.size, kernel.out_type.size)).double()
    g, x = SO3().sample(1)[0], torch.randn(5, 3, dtype=torch.float64)
    turned = wrong(x @ SO3().action(g).T)
    assert relative_error(turned, t.matrix(g) @ wrong(x) @ t.matrix(g).T) > 0.1


@pytest.mark.parametrize("name", CASES)
def test_points(name):
    group, n, source, target = CASES[name]
    a, b = group.type(source), group.type(target)
    layer = randomised(snn.ImplicitPointConv(a, b, 1.2, dimension=n))
    points = Points(torch.rand(15, n, dtype=torch.float64) * 2)
    x = torch.randn(15, a.size, dtype=torch.float64)
    laws.assert_equivariant_on_points(layer, x, points, lambda p: p.neighbours(1.2))
    g = points.neighbours(1.2)
    assert relative_error(st.bake(layer)(x, g), layer(x, g)) < 1e-10


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if n != "SO3"])
def test_grids(name):
    group, n, source, target = CASES[name]
    a, b = group.type(source), group.type(target)
    layer = randomised((snn.ImplicitConv2d if n == 2 else snn.ImplicitConv3d)(a, b, 3, padding=1))
    x = torch.randn(2, a.size, *(5,) * n, dtype=torch.float64)
    laws.assert_equivariant(layer, x)
    laws.assert_baked_equals(layer, x)


def test_the_same_kernel_on_a_grid_and_on_its_points():
    t = SO3().type("1x0 + 1x1")
    grid = randomised(snn.ImplicitConv3d(t, t, 3, padding=1))
    points = snn.ImplicitPointConv(t, t, 1.5, smooth=False, neighbours=27.0).double()
    points.load_state_dict(grid.state_dict())
    x = torch.randn(1, t.size, 4, 4, 4, dtype=torch.float64)
    where = st.domains.VoxelGrid(4, 4, 4).points().reshape(-1, 3)
    y = points(x[0].flatten(1).T, Points(where).neighbours(1.74, loop=True))
    assert relative_error(y, grid(x)[0].flatten(1).T) < 1e-12


def test_attributes_are_used_and_checked():
    t = SO3().type("1x0 + 1x1")
    layer = randomised(snn.ImplicitPointConv(t, t, 1.2, attributes=SO3().type("2x0 + 1x1")))
    points = Points(torch.rand(6, 3, dtype=torch.float64))
    g = points.neighbours(1.2)
    x = torch.randn(6, t.size, dtype=torch.float64)
    with pytest.raises(ValueError, match="attributes are None"):
        layer(x, g)
    from dataclasses import replace

    z = torch.randn(g.num_edges, 5, dtype=torch.float64)
    y = layer(x, replace(g, attributes=z))
    assert relative_error(layer(x, replace(g, attributes=2 * z)), y) > 1e-3
    r = SO3().sample(1)[0]
    zt = SO3().type("2x0 + 1x1").transform(z, r)
    turned = layer(t.transform(x, r), replace(points.moved(SO3(), r).neighbours(1.2), attributes=zt))
    assert relative_error(turned, t.transform(y, r)) < 1e-10


def test_values_do_not_depend_on_other_pairs():
    t = SO3().type("1x0 + 1x1")
    kernel = randomised(snn.ImplicitKernel(t, t, 1.0)).train()
    x = torch.randn(7, 3, dtype=torch.float64)
    assert relative_error(kernel(x)[:2], kernel(x[:2])) < 1e-12
    same = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    kernel(same).sum().backward()
    assert torch.isfinite(same.grad).all()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda t: snn.ImplicitConv3d(t, t, 4), "must be odd"),
        (lambda t: snn.ImplicitConv2d(t, t, 3), "does not act on the plane"),
        (lambda t: snn.ImplicitKernel(t, t, 1.0, layers=1), "at least 2"),
        (lambda t: snn.ImplicitConv3d(t, t, 3, attributes=t), "no attributes"),
        (lambda t: snn.ImplicitKernel(t, t, 1.0, net=snn.Linear(t, t)), "the net maps"),
    ],
)
def test_bad_arguments(make, says):
    with pytest.raises(ValueError, match=says):
        make(SO3().type("1x0 + 1x1"))
