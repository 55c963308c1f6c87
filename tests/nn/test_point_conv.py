"""Convolutions of points: the laws, forces, bad input."""

from __future__ import annotations

import math

import pytest
import torch
from tests.catalogue import GROUPS, SPATIAL_TYPES

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.domains.points import Neighbourhood, Points
from steerable.groups import O2, SO2, C, D
from steerable.laws.equivariance import relative_error

PLANAR = [C(5).type("1 regular + 1x2"), D(3).type("1 regular + 1x1"), SO2().type("2x0 + 1x1"), O2().type("1x0e + 1x1")]


def cloud(n, count=25, graphs=2, seed=0, cell=None):
    generator = torch.Generator().manual_seed(seed)
    positions = torch.rand(count, n, generator=generator, dtype=torch.float64) * 2.5
    batch = torch.sort(torch.randint(graphs, (count,), generator=generator)).values
    return Points(positions, batch, cell=cell, num_graphs=graphs)


def layer(t, n, **options):
    torch.manual_seed(0)
    out = t.group.trivial + 2 * max(t.group.irreps(None if t.group.is_finite else 2), key=lambda r: r.size)
    found = snn.PointConv(t, out, cutoff=1.3, kernel_size=5, dimension=n, **options).double()
    with torch.no_grad():
        for p in found.parameters():
            p.normal_()
    return found


CASES = [(t, 3) for t in SPATIAL_TYPES] + [(t, 2) for t in PLANAR]


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize(("t", "n"), CASES, ids=lambda v: str(v))
def test_any_element_moves_points_exactly(t, n, reduce):
    points = cloud(n)
    x = torch.randn(len(points), t.size, dtype=torch.float64)
    laws.assert_equivariant_on_points(layer(t, n, reduce=reduce), x, points, lambda p: p.neighbours(1.3))


def test_a_periodic_cell_turns_along():
    t = st.O3().type("2x0e + 1x1o")
    cell = torch.tensor([[1.5, 0, 0], [0.3, 1.7, 0], [0, 0.2, 1.6]], dtype=torch.float64)
    points = cloud(3, 8, 1, cell=cell)
    x = torch.randn(len(points), t.size, dtype=torch.float64)
    laws.assert_equivariant_on_points(layer(t, 3), x, points, lambda p: p.neighbours(1.3))


@pytest.mark.parametrize("fault", ["type", "norm"])
def test_planted_faults(fault):
    t = st.SO3().type("2x0 + 2x1")
    module, points = layer(t, 3, backend="functions"), cloud(3)
    x = torch.randn(len(points), t.size, dtype=torch.float64)
    if fault == "type":  # a vector that is declared to be three scalars
        with pytest.raises(AssertionError, match="not equivariant"):
            laws.assert_equivariant_on_points(
                module, x, points, lambda p: p.neighbours(1.3), in_type=st.SO3().type("8x0")
            )
        return
    original = module.values
    module.values = lambda g: original(g) * (1 + 0.1 * g.offset[:, :1])  # looks at a direction
    with pytest.raises(AssertionError, match="not equivariant"):
        laws.assert_equivariant_on_points(module, x, points, lambda p: p.neighbours(1.3))


def test_baked_and_in_float32():
    t = GROUPS["O"].type("1 regular + 1x3")
    module, points = layer(t, 3), cloud(3)
    x = torch.randn(len(points), t.size, dtype=torch.float64)
    g = points.neighbours(1.3)
    y = module.eval()(x, g)
    assert relative_error(st.bake(module)(x, g), y) < 1e-12
    assert relative_error(module.float()(x.float(), g.to(torch.float32)), y) < 1e-5


@pytest.mark.parametrize("smooth", [True, False])
def test_forces_are_gradients(smooth):
    """The energy of a cloud, differentiated by its positions, twice; coinciding points give no NaN."""
    t = st.SO3().type("2x0 + 1x1")
    module = layer(t, 3, smooth=smooth)
    points = cloud(3, 6, 1)
    x = torch.randn(6, t.size, dtype=torch.float64)

    def energy(positions):
        return module(x, points.at(positions).neighbours(5.0)).square().sum()

    module.cutoff = 5.0
    positions = points.positions.clone().requires_grad_()
    assert torch.autograd.gradcheck(energy, (positions,))
    assert torch.autograd.gradgradcheck(energy, (positions,))
    same = positions.detach().clone()
    same[1] = same[0]
    same.requires_grad_()
    energy(same).backward()
    assert torch.isfinite(same.grad).all()


def test_a_neighbour_that_leaves_does_so_smoothly():
    t = st.SO3().type("1x0 + 1x1")
    module = layer(t, 3)
    x = torch.randn(2, t.size, dtype=torch.float64)
    alone = module(x, Points(torch.tensor([[0.0, 0, 0], [9.0, 0, 0]], dtype=torch.float64)).neighbours(1.3))
    near = module(x, Points(torch.tensor([[0.0, 0, 0], [1.3 - 1e-4, 0, 0]], dtype=torch.float64)).neighbours(1.3))
    assert (near - alone).abs().max() < 1e-9


def test_both_contractions_have_one_second_derivative_where_points_coincide():
    t = st.SO3().type("2x0 + 1x1")
    offset = torch.tensor([[0.0, 0, 0], [0, 0.2, 0.5]], dtype=torch.float64)
    ends = torch.tensor([0, 0]), torch.tensor([0, 1])
    x = torch.randn(2, t.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = []
    for backend in ("frame", "functions"):
        module, o = layer(t, 3, backend=backend), offset.clone().requires_grad_()
        y = module(x, Neighbourhood(*ends, o, 1, 2)).sin().sum()
        (g,) = torch.autograd.grad(y, o, create_graph=True)
        found.append(torch.autograd.grad(g.sin().sum(), o)[0])
    assert relative_error(*found) < 1e-12


def test_empty_and_single():
    t = st.O3().type("2x0e + 1x1o")
    module = layer(t, 3)
    for count in (0, 1):
        g = Points(torch.zeros(count, 3, dtype=torch.float64), num_graphs=1).neighbours(1.3)
        y = module(torch.ones(count, t.size, dtype=torch.float64), g)
        assert y.shape == (count, module.out_type.size)
        assert torch.isfinite(y).all()


def test_the_mean_of_equal_neighbours():
    t = st.SO3().type("1x0")
    module = layer(t, 3, reduce="mean")
    ring = torch.tensor([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0, -1]], dtype=torch.float64)
    x = torch.ones(5, 1, dtype=torch.float64)
    few = module(x[:2], Points(ring[:2]).neighbours(1.01))[0]
    many = module(x, Points(ring).neighbours(1.01))[0]
    assert relative_error(few[0], many[0]) < 1e-12


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda t: snn.PointConv(t, t, 1.0, kernel_size=4), "expected an odd number"),
        (lambda t: snn.PointConv(t, t, -1.0), "positive distance"),
        (lambda t: snn.PointConv(t, t, math.nan), "positive distance"),
        (lambda t: snn.PointConv(t, t, 1.0, reduce="max"), "'sum' or 'mean'"),
        (lambda t: snn.PointConv(t, t, 1.0, neighbours=0), "neighbours is 0; expected a positive"),
        (lambda t: snn.PointConv(t, t, 1.0, spacing=0.0), r"spacing is 0\.0; expected a positive"),
        (lambda t: snn.PointConv(t, t, 1.0, dimension=2), "does not act on the plane"),
        (lambda t: snn.PointConv(t, t, 1.0, filters=st.kernels.Pixels(3)), "dimension=3"),
    ],
)
def test_bad_arguments(make, says):
    with pytest.raises(ValueError, match=says):
        make(st.SO3().type("1x0 + 1x1"))


def test_bad_neighbourhoods():
    t = st.SO3().type("1x0 + 1x1")
    module = layer(t, 3)
    x = torch.ones(4, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match="offsets in R\\^2"):
        module(x, Points(torch.zeros(4, 2, dtype=torch.float64)).neighbours(1.0))
    with pytest.raises(ValueError, match="features of 4 points"):
        module(x, Points(torch.zeros(5, 3, dtype=torch.float64)).neighbours(1.0))
    here = Points(torch.zeros(4, 3, dtype=torch.float64))
    for wrong in (here, here.positions):
        with pytest.raises(TypeError, match="expected a Neighbourhood"):
            module(x, wrong)
    g = here.neighbours(1.0)
    with pytest.raises(ValueError, match=r"features are torch.float64, positions torch.float32"):
        module(x, g.to(torch.float32))
    with pytest.raises(ValueError, match=r"input is torch.float32; this layer has weights of torch.float64"):
        module(x.float(), g.to(torch.float32))
    with pytest.raises(ValueError, match=r"input is torch.int64; this layer expects real numbers"):
        module(x.long(), g)
    with pytest.raises(TypeError, match="input is of the type ndarray"):
        module(x.numpy(), g)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("many", [False, True])
def test_half_precision(dtype, many):
    t = st.SO3().type("16x0 + 8x1 + 4x2") if many else st.SO3().type("2x0 + 1x1")
    torch.manual_seed(0)
    module = snn.PointConv(t, t, cutoff=1.0)
    g = Points(torch.rand(30, 3)).neighbours(1.0)
    x = torch.randn(30, t.size)
    expected = module(x, g)
    found = module.to(dtype)(x.to(dtype), g.to(dtype))
    assert found.dtype == dtype
    assert relative_error(found.float(), expected) < (0.05 if dtype == torch.bfloat16 else 0.01)


def test_a_chain_forwards_the_neighbourhood():
    t = st.SO3().type("2x0 + 1x1")
    gate = snn.Gate(t)
    kinds = (
        snn.PointConv(t, gate.in_type, 1.0),
        snn.ImplicitPointConv(t, gate.in_type, 1.0),
    )
    g = Points(torch.rand(9, 3, dtype=torch.float64)).neighbours(1.0)
    x = torch.randn(9, t.size, dtype=torch.float64)
    for conv in kinds:
        chain = snn.Sequential(conv, gate, snn.Sequential(snn.PointConv(t, t, 1.0), snn.NormPool(t))).double().eval()
        y = chain[2](gate(conv(x, g)), g)
        assert torch.equal(chain(x, g), y)
        assert relative_error(st.bake(chain)(x, g), y) < 1e-12
    t = 2 * st.SO3().spectral_regular(1)
    x = torch.randn(9, t.size, dtype=torch.float64)
    for conv in (snn.GroupPointConv(t, t, cutoff=1.0), snn.SeparableGroupConv(t, t, cutoff=1.0)):
        chain = snn.Sequential(conv, snn.NormPool(t)).double().eval()
        assert relative_error(st.bake(chain)(x, g), chain(x, g)) < 1e-12
