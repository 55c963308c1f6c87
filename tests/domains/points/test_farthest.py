"""Points that are spread, points that are near, and what both do with clouds of any size."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.domains.points.dilated import nearest_of
from steerable.domains.points.farthest import farthest_points
from steerable.domains.points.interpolate import interpolate
from steerable.domains.points.rows import rows

G = torch.Generator().manual_seed(0)


def three() -> st.Points:
    """Clouds of 30, 1, no and 12 points."""
    batch = torch.tensor([0] * 30 + [1] + [3] * 12)
    return st.Points(torch.randn(43, 3, dtype=torch.float64, generator=G), batch)


def slow(x, count):
    """The definition."""
    found = [int((x - x.mean(0)).norm(dim=1).argmax())]
    while len(found) < min(count, len(x)):
        left = torch.stack([(x - x[i]).norm(dim=1) for i in found]).amin(0)
        left[found] = -1
        found.append(int(left.argmax()))
    return found


def test_rows():
    index, there = rows(three())
    assert there.sum(1).tolist() == [30, 1, 0, 12] and index[there].tolist() == list(range(43))


@pytest.mark.parametrize("count", [1, 5, 12, 40])
def test_farthest_points_are_those_of_the_definition(count):
    points, found = three(), farthest_points(three(), count)
    points = three()
    found = farthest_points(points, count)
    want = [s + i for s, n in ((0, 30), (30, 1), (31, 12)) for i in slow(points.positions[s : s + n], count)]
    assert found.tolist() == want


def test_farthest_points_turn_with_the_cloud_and_ignore_its_order():
    points, group = three(), st.O3()
    found = farthest_points(points, 8)
    for g in group.sample(4, G):
        assert torch.equal(farthest_points(points.moved(group, g), 8), found)
    order = torch.cat([torch.randperm(30, generator=G), torch.arange(30, 43)])
    again = farthest_points(points.reordered(order), 8)
    assert torch.equal(order[again], found)
    # a fault that this finds: the first point starts
    first = torch.tensor([0])
    assert int(order[first]) != int(first)


def test_ties_go_by_number_in_a_turned_cube():
    cube = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)
    found = farthest_points(st.Points(cube), 8)
    assert found[0] == 0 and found[1] == 7 and len(set(found.tolist())) == 8
    for g in st.SO3().sample(5, G):
        assert torch.equal(farthest_points(st.Points(cube).moved(st.SO3(), g), 8), found)


def test_coinciding_points_are_given_once():
    x = torch.zeros(6, 3)
    x[3] = 1.0
    assert sorted(farthest_points(st.Points(x), 6).tolist()) == list(range(6))
    assert farthest_points(st.Points(torch.zeros(0, 3)), 4).tolist() == []
    with pytest.raises(ValueError, match="count is 0; expected a whole number"):
        farthest_points(st.Points(x), 0)


@pytest.mark.parametrize(("k", "dilation"), [(1, 1), (3, 1), (3, 2), (4, 3), (50, 2)])
def test_nearest_of(k, dilation):
    points = three()
    few = farthest_points(points, 6).sort().values
    targets = st.Points(points.positions[few], points.batch[few], num_graphs=4)
    g = nearest_of(points, targets, k, dilation)
    assert torch.equal(g.target, g.target.sort().values)
    for t in range(len(targets)):
        own = (points.batch == targets.batch[t]).nonzero()[:, 0]
        by_distance = own[(points.positions[own] - targets.positions[t]).norm(dim=1).argsort(stable=True)]
        step = min(dilation, max(1, len(own) // k))
        want = by_distance[: k * step : step] if len(own) >= k else by_distance
        assert sorted(g.source[g.target == t].tolist()) == sorted(want.tolist())
        assert few[t] in g.source[g.target == t]
    assert torch.equal(g.offset, points.positions[g.source] - targets.positions[g.target])


def test_nearest_of_refuses():
    points = three()
    for options, word in (({"k": 0}, "k is 0"), ({"k": 2, "dilation": 1.5}, "dilation is 1.5")):
        with pytest.raises(ValueError, match=word):
            nearest_of(points, points, **options)
    with pytest.raises(ValueError, match="same num_graphs"):
        nearest_of(points, st.Points(torch.zeros(2, 3)), 3)


def test_interpolation_is_a_mean_and_never_nan():
    points = three()
    few = farthest_points(points, 6).sort().values
    sources = st.Points(points.positions[few], points.batch[few], num_graphs=4)
    x = torch.randn(len(few), 2, dtype=torch.float64)
    y = interpolate(x, sources, points)
    assert torch.allclose(interpolate(torch.ones_like(x), sources, points), torch.ones_like(y))
    assert (y[few] - x).abs().max() < 0.01 * x.abs().max()  # where they are, almost
    turned = [p.moved(st.SO3(), st.SO3().sample(1, G.manual_seed(1))[0]) for p in (sources, points)]
    assert torch.allclose(interpolate(x, *turned), y, atol=1e-10)
    same = torch.zeros(5, 3, requires_grad=True)
    interpolate(torch.randn(5, 2), st.Points(same), st.Points(same)).sum().backward()
    assert torch.isfinite(same.grad).all()
