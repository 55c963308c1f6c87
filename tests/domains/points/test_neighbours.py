"""Who is near whom: the same pairs by both searches and by scipy, with and without periodic cells."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from scipy.spatial import cKDTree

import steerable as st
from steerable.domains.points import bins, periodic, ranges
from steerable.domains.points.search import Side, candidates


def cloud(n, dimension=3, seed=0, dtype=torch.float64):
    return torch.randn(n, dimension, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def pairs(g):
    return list(zip(g.target.tolist(), g.source.tolist(), strict=True))


def same(a, b):
    return torch.equal(a.target, b.target) and torch.equal(a.source, b.source) and torch.equal(a.offset, b.offset)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("cutoff", [0.2, 0.7, 2.0, 50.0])
@pytest.mark.parametrize("method", ["brute", "bins", "auto"])
def test_equal_to_scipy(dimension, cutoff, method):
    x = cloud(400, dimension)
    g = st.Points(x).neighbours(cutoff, method=method)
    found = cKDTree(x.numpy()).query_pairs(cutoff, output_type="ndarray").tolist()
    assert pairs(g) == sorted([(i, j) for i, j in found] + [(j, i) for i, j in found])  # and in order
    assert torch.equal(g.offset, x[g.source] - x[g.target])


@pytest.mark.parametrize("method", ["brute", "bins"])
def test_batches_are_the_clouds_one_after_another(method):
    parts = [cloud(n, seed=n) for n in (50, 1, 7, 120)]
    # an empty cloud in the middle, and one at the end
    batch = torch.cat([torch.full((len(p),), k) for k, p in zip((0, 1, 3, 4), parts, strict=True)])
    g = st.Points(torch.cat(parts), batch, num_graphs=6).neighbours(0.8, method=method)
    start, rows = 0, []
    for p in parts:
        rows += [(i + start, j + start) for i, j in pairs(st.Points(p).neighbours(0.8))]
        start += len(p)
    assert pairs(g) == rows
    assert (g.num_targets, g.num_sources) == (start, start)


CELLS = {
    "cube": torch.eye(3) * 2.0,
    "oblique": torch.tensor([[2.0, 0.3, 0.0], [-0.5, 1.5, 0.4], [0.9, 0.2, 1.8]]),
    "left-handed": torch.tensor([[0.0, 2.0, 0.0], [2.0, 0.0, 0.3], [0.0, 0.0, 1.5]]),
    "slab": torch.tensor([[1.7, 0.4, 0.0], [0.0, 2.0, 0.1], [0.0, 0.0, 0.0]]),
    "wire": torch.tensor([[0.0, 0.0, 0.0], [0.6, 1.2, 0.5], [0.0, 0.0, 0.0]]),
    "open": torch.zeros(3, 3),
}


def by_hand(x, cell, cutoff, reach=12):
    """All images by three loops, with the shift of each."""
    axes = [range(-reach, reach + 1) if bool(row.any()) else (0,) for row in cell]
    rows = []
    for shift in itertools.product(*axes):
        s = torch.tensor(shift, dtype=torch.float64)
        away = x[None] - x[:, None] + s @ cell
        near = (away.norm(dim=-1) <= cutoff).nonzero().tolist()
        rows += [(i, j, shift) for i, j in near if i != j or any(shift)]
    return sorted(rows)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("cutoff", [0.6, 1.3, 3.1])
@pytest.mark.parametrize("method", ["brute", "bins"])
def test_periodic_images_by_hand(name, cutoff, method):
    cell, x = CELLS[name].double(), 2 * cloud(12)  # far outside the cell, too
    g = st.Points(x, cell=cell).neighbours(cutoff, method=method)
    rows = by_hand(x, cell, cutoff)
    assert pairs(g) == [(i, j) for i, j, _ in rows]
    for offset, (i, j, s) in zip(g.offset, rows, strict=True):
        assert (offset - (x[j] - x[i] + torch.tensor(s, dtype=torch.float64) @ cell)).abs().max() < 1e-12
    if name in ("cube", "oblique") and cutoff > 2:  # minimum images alone would miss most: the planted fault
        shortest = {(i, j) for i, j, _ in rows}
        assert len(shortest) < len(rows) / 2


def test_each_cloud_has_its_own_cell():
    x, cells = cloud(20), torch.stack([CELLS["cube"], CELLS["slab"]]).double()
    batch = (torch.arange(20) >= 9).long()
    g = st.Points(x, batch, cells).neighbours(1.1)
    own = [by_hand(x[:9], cells[0], 1.1), by_hand(x[9:], cells[1], 1.1)]
    assert pairs(g) == [(i, j) for i, j, _ in own[0]] + [(i + 9, j + 9) for i, j, _ in own[1]]


def test_wrapping_changes_nothing():
    cell = CELLS["oblique"].double()
    x = cloud(30)
    shift = torch.randint(-3, 4, (30, 3), generator=torch.Generator().manual_seed(1)).double()
    a, b = (st.Points(p, cell=cell).neighbours(1.0) for p in (x, x + shift @ cell))
    assert pairs(a) == pairs(b)
    # the order of images of one pair may differ; their offsets are the same set
    key = [sorted((i, j, *(round(v, 9) for v in o)) for (i, j), o in zip(pairs(g), g.offset.tolist(), strict=True))
           for g in (a, b)]  # fmt: skip
    assert key[0] == key[1]


def test_pairs_have_their_reverse_and_forces_add_to_zero():
    x = cloud(200).float().requires_grad_()
    g = st.Points(x, cell=torch.eye(3) * 4).neighbours(1.0)
    assert sorted(pairs(g)) == sorted((j, i) for i, j in pairs(g))
    (force,) = torch.autograd.grad((1.0 - g.distance).square().sum(), x)
    assert force.abs().max() > 0.1 and force.sum(0).abs().max() < 1e-3


def test_loops_and_coinciding_points():
    x = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    g = st.Points(x).neighbours(1.0)
    assert pairs(g) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    assert len(pairs(st.Points(x).neighbours(1.0, loop=True))) == 9
    assert torch.equal(g.distance, torch.zeros(6, dtype=torch.float64))
    (slope,) = torch.autograd.grad(g.distance.sum(), x)
    assert torch.equal(slope, torch.zeros_like(slope))
    (naive,) = torch.autograd.grad(st.Points(x).neighbours(1.0).offset.square().sum(-1).sqrt().sum(), x)
    assert naive.isnan().any()  # what the safe distance is for
    images = st.Points(x[:1].detach(), cell=torch.eye(3, dtype=torch.float64)).neighbours(1.0)
    assert pairs(images) == [(0, 0)] * 6  # a point is its own neighbour through the cell


def test_offsets_are_differentiable_in_positions_and_cell():
    x, cell = cloud(5), CELLS["oblique"].double()

    def energy(x, cell):
        return st.Points(x, cell=cell).neighbours(1.2).offset.pow(4).sum()

    assert torch.autograd.gradcheck(energy, (x.requires_grad_(), cell.clone().requires_grad_()))
    stretched = torch.autograd.grad(energy(x, cell.requires_grad_()), cell)[0]
    assert stretched.abs().max() > 0.1


def test_moving_points():
    points = st.Points(cloud(60))
    moved = points.at(points.positions + 0.3 * cloud(60, seed=5))
    assert same(moved.neighbours(0.8), st.Points(moved.positions).neighbours(0.8))
    assert pairs(moved.neighbours(0.8)) != pairs(points.neighbours(0.8))
    with pytest.raises(ValueError, match="as before"):
        points.at(points.positions[1:])


def test_queries_at_other_points():
    x, q = cloud(300), cloud(40, seed=3)
    g = st.Points(x).cross(st.Points(q), 0.9)
    found = cKDTree(x.numpy()).query_ball_point(q.numpy(), 0.9)
    assert pairs(g) == [(i, j) for i, row in enumerate(found) for j in sorted(row)]
    assert (g.num_targets, g.num_sources) == (40, 300)
    assert torch.equal(g.offset, x[g.source] - q[g.target])
    far = st.Points(x).cross(st.Points(q + 1e9), 0.9, method="bins")
    assert far.num_edges == 0
    with pytest.raises(ValueError, match="same num_graphs"):
        st.Points(x).cross(st.Points(q, num_graphs=2), 0.9)


@pytest.mark.parametrize("n", [30, 500])
@pytest.mark.parametrize("dimension", [2, 3])
def test_nearest_equal_scipy(n, dimension):
    x = cloud(n, dimension)
    x[-1] = 40  # one far away, whose search has to grow
    g = st.Points(x).knn(6)
    _, index = cKDTree(x.numpy()).query(x.numpy(), 7)
    assert pairs(g) == [(i, j) for i in range(n) for j in sorted(index[i, 1:].tolist())]
    assert pairs(st.Points(x).knn(6, loop=True)) == [(i, j) for i in range(n) for j in sorted(index[i, :6].tolist())]


def test_nearest_in_small_clouds_and_in_cells():
    batch = torch.tensor([0, 0, 0, 1, 2, 2])
    g = st.Points(cloud(6), batch).knn(4)
    assert pairs(g) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (4, 5), (5, 4)]  # all others there are
    cell = CELLS["oblique"].double()
    x = cloud(4)
    g = st.Points(x, cell=cell).knn(20)
    assert torch.bincount(g.target).tolist() == [20] * 4  # images never end
    for i in range(4):
        away = sorted(o.norm().item() for (t, _), o in zip(pairs(g), g.offset, strict=True) if t == i)
        rows = [(a, b, s) for a, b, s in by_hand(x, cell, 6.0, 6) if a == i]
        all_of = sorted((x[b] - x[a] + torch.tensor(s, dtype=torch.float64) @ cell).norm().item() for a, b, s in rows)
        assert away == pytest.approx(all_of[:20])
    wire = st.Points(x[:1], cell=CELLS["wire"].double()).knn(3)
    assert wire.num_edges == 3
    ties = st.Points(torch.tensor([[0.0, 0], [1, 0], [-1, 0], [0, 1]])).knn(2)
    assert pairs(ties)[:2] == [(0, 1), (0, 2)]  # of three at one distance, the first two


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_large_coordinates_and_empty_space(dtype):
    x = cloud(300, dtype=dtype) * 1e4 + 1e6
    a, b = (st.Points(x).neighbours(2e3, method=m) for m in ("brute", "bins"))
    assert same(a, b) and a.num_edges > 0
    sparse = torch.tensor([[0.0, 0, 0], [1e-4, 0, 0], [1e9, 0, 0], [1e9, 1e9, -1e9]], dtype=torch.float64)
    found = [st.Points(sparse).neighbours(1e-3, method=m) for m in ("brute", "bins")]
    assert pairs(found[0]) == pairs(found[1]) == [(0, 1), (1, 0)]


def test_work_grows_as_the_number_of_points():
    counts = {m: [] for m in ("brute", "bins")}
    for n in (1000, 4000, 16000):
        x = torch.rand(n, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * n ** (1 / 3)
        side = Side(x, torch.zeros(n, dtype=torch.int64))
        for method, found in counts.items():
            found.append(candidates(side, side, 1, 1.2, method).count())
    order = {m: math.log(c[-1] / c[0]) / math.log(16) for m, c in counts.items()}
    assert order["bins"] < 1.15 and order["brute"] == pytest.approx(2), order
    assert candidates(side, side, 1, 1.2).count() == counts["bins"][-1]  # auto takes the cheaper one
    assert candidates(side, side, 1, math.inf).count() == 16000**2


def test_candidates_come_in_parts(monkeypatch):
    x = cloud(200)
    whole = st.Points(x).neighbours(1.0)
    monkeypatch.setattr(ranges.Ranges.pairs, "__defaults__", (100,))
    assert same(st.Points(x).neighbours(1.0), whole)
    assert same(st.Points(x).neighbours(1.0, method="bins"), whole)


def test_a_planted_fault_in_the_bins_is_caught(monkeypatch):
    x = cloud(400)
    whole = pairs(st.Points(x).neighbours(0.8, method="brute"))
    monkeypatch.setattr(bins, "_MARGIN", -0.3)  # bins narrower than the cut-off
    assert pairs(st.Points(x).neighbours(0.8, method="bins")) != whole


def test_a_planted_fault_in_the_images_is_caught(monkeypatch):
    x, cell = cloud(12), CELLS["cube"].double()
    whole = by_hand(x, cell, 1.3)
    monkeypatch.setattr(periodic, "floors", lambda x, graph, cell: torch.zeros_like(x))
    assert len(pairs(st.Points(2 * x, cell=cell).neighbours(1.3))) != len(by_hand(2 * x, cell, 1.3))
    assert whole


def test_an_infinite_cutoff_joins_all():
    g = st.Points(cloud(5), torch.tensor([0, 0, 0, 1, 1])).neighbours(math.inf)
    assert g.num_edges == 6 + 2
    with pytest.raises(ValueError, match="expected at most 10 times"):
        st.Points(cloud(5), cell=torch.eye(3, dtype=torch.float64)).neighbours(math.inf)


def test_a_cell_of_zeros_is_no_cell():
    x, batch = cloud(6), torch.tensor([0, 0, 0, 0, 1, 1])
    free, zeros = st.Points(x, batch), st.Points(x, batch, torch.zeros(3, 3, dtype=torch.float64))
    assert same(zeros.neighbours(math.inf), free.neighbours(math.inf))
    assert same(zeros.knn(2), free.knn(2))
    assert same(zeros.knn(9), free.knn(9))


def test_the_nearest_in_one_cloud_do_not_depend_on_the_cell_of_another():
    """A cell so small that ten of it do not reach the neighbours of the other cloud."""
    cells = torch.stack([torch.eye(3), 30 * torch.eye(3), torch.zeros(3, 3), 0.1 * torch.eye(3)]).double()
    clouds = [cloud(1), 14 * cloud(2), 40 * cloud(3), cloud(0)]  # the last one is empty
    points = st.Points(torch.cat(clouds), torch.tensor([0, 1, 1, 2, 2, 2]), cells, num_graphs=4)
    together = points.knn(4)
    alone = [st.Points(x, cell=c).knn(4) for x, c in zip(clouds, cells, strict=True)]
    assert torch.equal(together.offset, torch.cat([g.offset for g in alone]))
    assert together.num_edges == 4 + 8 + 6
    assert points.neighbours(9.0).num_edges > 0  # 90 times the cell of the cloud that is empty
