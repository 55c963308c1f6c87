"""One steerable kernel, many domains: the same weights on a grid and on the grid's own points."""

from __future__ import annotations

import pytest
import torch
from tests.catalogue import GROUPS as ALL
from tests.catalogue import TYPES

import steerable.nn as snn
from steerable.domains.grid import PixelGrid
from steerable.domains.points import Points
from steerable.domains.voxels import VoxelGrid
from steerable.groups import O2, O3, SO2, SO3, C, D
from steerable.laws.equivariance import relative_error

PLANE = [(C(4), "2 regular + 1x1", "1 regular + 1x2"), (D(3), "1 regular + 1x1", "2x1 + 1 trivial"),
         (SO2(), "1x0 + 2x1", "1x2 + 1x0"), (O2(), "1x0e + 1x1", "1x1 + 1x0o")]  # fmt: skip
SPACE = [(ALL["O"], "1 regular + 1 trivial", "1x3 + 1 regular"), (SO3(), "1x0 + 2x1", "1x2 + 1x1"),
         (O3(), "1x0e + 2x1o", "1x2e + 1x1e"), (C(4), "1 regular", "1x1 + 1 trivial"),
         (O2(), "1x0e + 1x1", "1x1 + 1x0o")]  # fmt: skip
CASES = [(2, k, *case) for k in (3, 5) for case in PLANE] + [(3, 3, *case) for case in SPACE]


def on_both(n, k, group, source, target, **options):
    """A convolution of a grid and of its points with the same weights, on the same random field."""
    torch.manual_seed(0)
    a, b = group.type(source), group.type(target)
    make = snn.Conv2d if n == 2 else snn.Conv3d
    grid = PixelGrid(7, 6) if n == 2 else VoxelGrid(5, 4, 5)
    conv = make(a, b, k, padding=k // 2, init="he").double()
    torch.nn.init.normal_(conv.bias) if conv.bias is not None else None
    reach = (k // 2) * n**0.5 + 0.01
    points = snn.PointConv(
        a, b, cutoff=reach, kernel_size=k, dimension=n, spacing=1.0, filters=conv.filters, smooth=False, **options
    ).double()
    points.load_state_dict(conv.state_dict())
    x = torch.randn(1, a.size, *grid.shape, dtype=torch.float64)
    g = Points(grid.points().reshape(-1, n)).neighbours(reach, loop=True)
    found = points(x[0].flatten(1).T, g)
    return found, conv(x)[0].flatten(1).T, points, conv


@pytest.mark.parametrize(("n", "k", "group", "source", "target"), CASES)
def test_the_points_of_a_grid(n, k, group, source, target):
    found, expected, points, conv = on_both(n, k, group, source, target)
    assert relative_error(found, expected) < 1e-12
    assert points.weight.shape == conv.weight.shape


def test_another_kernel_is_seen():
    """The planted fault: shells a tenth wider are another kernel."""
    found, expected, points, _ = on_both(2, 3, *PLANE[0])
    points.spacing = 1.1
    grid = PixelGrid(7, 6).points().reshape(-1, 2)
    x = torch.randn(len(grid), points.in_type.size, dtype=torch.float64)
    g = Points(grid).neighbours(1.42, loop=True)
    other = points(x, g)
    points.spacing = 1.0
    assert relative_error(other, points(x, g)) > 0.05
    assert relative_error(found, expected) < 1e-12


@pytest.mark.parametrize("lonely", [False, True])
@pytest.mark.parametrize("order", ["gather", "project", "padded"])
def test_all_orders_of_the_contraction(order, lonely):
    from steerable.aggregate.scatter import point_conv

    torch.manual_seed(0)
    t = TYPES["O3 irreps"]
    layer = snn.PointConv(t, t, cutoff=1.5).double()
    positions = torch.rand(30, 3, dtype=torch.float64) * 3
    if lonely:  # one point has all neighbours, some have none
        positions = torch.cat([positions[:12] * 0.2, positions[12:] + 10 * torch.arange(18)[:, None]])
    cloud = Points(positions)
    g, x = cloud.neighbours(1.5), torch.randn(30, t.size, dtype=torch.float64)
    y = point_conv(layer.values(g), x, layer.filter(), g.target, g.source, g.num_targets, order)
    by_hand = torch.zeros_like(y)
    values, filter = layer.values(g), layer.filter()
    for e, (i, j) in enumerate(zip(g.target, g.source, strict=True)):
        by_hand[i] += torch.einsum("ocf,f,c->o", filter, values[e], x[j])
    assert relative_error(y, by_hand) < 1e-12


FRAMES = [
    (SO3(), "2x0 + 1x1 + 2x2", "1x0 + 2x1 + 1x3", 1),
    (SO3(), "1x3 + 1x1", "2x2", 3),
    (O3(), "1x0e + 1x0o + 1x1o + 1x1e", "2x1o + 1x2e + 1x2o", 1),
]


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize(("group", "source", "target", "low"), FRAMES)
def test_frames_of_pairs_and_scalar_functions_are_one_kernel(group, source, target, low, reduce):
    """In the frame of a pair only equal orders meet; values, forces and weights have the same gradients."""
    torch.manual_seed(0)
    a, b = group.type(source), group.type(target)
    tops = (0, low, 4, 2)
    plain = snn.PointConv(a, b, 1.6, bandlimit=tops, reduce=reduce, backend="functions").double()
    frame = snn.PointConv(a, b, 1.6, bandlimit=tops, reduce=reduce, backend="frame").double()
    frame.load_state_dict(plain.state_dict())
    positions = torch.rand(9, 3, dtype=torch.float64) * 1.5
    positions[3] = positions[2] + torch.tensor([0.0, 0.0, 0.7])  # straight up and straight down
    positions[4] = positions[5]  # no direction at all
    x = torch.randn(9, a.size, dtype=torch.float64)
    cloud = Points(positions)
    found = []
    for layer in (plain, frame):
        place = positions.clone().requires_grad_()
        y = layer(x, cloud.at(place).neighbours(1.6, loop=True))
        apart = layer(x, cloud.at(place[[0, 1, 2, 3, 5, 6, 7, 8, 8]]).neighbours(1.6))
        loss = (y.sin().sum()) + 0 * apart.sum()
        grads = torch.autograd.grad(loss, [place, layer.weight])
        found.append((y, grads[0][[0, 1, 2, 3, 6, 7, 8]], grads[1]))
    for one, other in zip(*found, strict=True):
        assert relative_error(other, one) < 1e-10


def test_forces_through_live_frames():
    """A frame that is detached gives wrong forces: the gradient goes through it, twice."""
    torch.manual_seed(0)
    t = SO3().type("1x0 + 1x1 + 1x2")
    layer = snn.PointConv(t, t, 2.0, backend="frame").double()
    x, cloud = torch.randn(4, t.size, dtype=torch.float64), Points(torch.rand(4, 3, dtype=torch.float64))
    energy = lambda p: layer(x, cloud.at(p).neighbours(2.0)).square().sum()  # noqa: E731
    place = cloud.positions.clone().requires_grad_()
    assert torch.autograd.gradcheck(energy, (place,))
    assert torch.autograd.gradgradcheck(energy, (place,))


def test_attributes_of_pairs_are_no_hindrance():
    """A neighbourhood that another layer shares, with attributes, and points that coincide."""
    from dataclasses import replace

    t = SO3().type("1x0 + 1x1")
    layer = snn.PointConv(t, t, 1.0, backend="frame").double()
    g = Points(torch.rand(5, 3, dtype=torch.float64)).neighbours(1.0, loop=True)
    x = torch.randn(5, t.size, dtype=torch.float64)
    assert torch.equal(layer(x, replace(g, attributes=torch.ones(g.num_edges, 2))), layer(x, g))


def test_frames_need_irreps():
    with pytest.raises(ValueError, match="irreps of SO3 and O3"):
        snn.PointConv(ALL["O"].type("1 regular"), ALL["O"].type("1 regular"), 1.0, backend="frame")
    with pytest.raises(ValueError, match="'auto', 'functions' or 'frame'"):
        snn.PointConv(SO3().type("1x0"), SO3().type("1x0"), 1.0, backend="fast")
