"""SPRIN, PRIN, S-GCN and PointNet: what rotations, mirrors and orders change, and what they do not."""

from __future__ import annotations

import pytest
import torch

import steerable as st
import steerable.models.sprin as sprin_module
from benchmarks.trained.cone_count import ceiling, fitted
from steerable import laws
from steerable.domains import Neighbourhood, Points
from steerable.domains.points.farthest import farthest_points
from steerable.models.plain_cnn import count_parameters
from steerable.models.sgcn import separation_classes
from steerable.tasks.proteins import decoys
from steerable.tasks.shapes.dataset import draw

T = torch.float64
SMALL = {"sizes": (16, 8), "widths": (8, 12), "k": 5, "rank": 4, "hidden": 8}


class OnCloud(torch.nn.Module):
    """A model of points as a layer of a cloud, for the law."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, points):
        return self.model(x, points.positions, points.batch)


def two_clouds(dtype=T, each=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2 * each, 3, dtype=T, generator=generator)
    return Points(x.to(dtype), torch.arange(2 * each) // each), torch.randn(2 * each, 2, generator=generator).to(dtype)


@pytest.mark.parametrize("task", ["classify", "segment"])
@pytest.mark.parametrize("group", ["O3", "SO3"])
def test_sprin_is_exact_for_its_group_and_for_permutations(group, task):
    torch.manual_seed(0)
    net = st.create_model("sprin", in_channels=2, num_classes=3, group=group, task=task, **SMALL).double().eval()
    points, x = two_clouds()
    one = (st.O3() if group == "O3" else st.SO3()).trivial
    laws.assert_equivariant_on_points(OnCloud(net), x, points, lambda p: p, 2 * one, 3 * one, atol=1e-11)
    mirror = st.O3().trivial
    errors = laws.point_errors(OnCloud(net), x, points, lambda p: p, 2 * mirror, 3 * mirror)
    assert (max(errors.values()) > 1e-4) == (group == "SO3")


def _along(points, cloud):
    """Numbers of the points of a cloud, sorted by their first coordinate."""
    own = (points.batch == cloud).nonzero()[:, 0]
    return own[points.positions[own, 0].argsort()]


@pytest.mark.parametrize("fault", ["no centre", "first points", "along an axis"])
def test_faults_in_sprin_are_found(fault, monkeypatch):
    torch.manual_seed(0)
    net = st.create_model("sprin", in_channels=2, num_classes=3, **SMALL).double().eval()
    if fault == "no centre":
        monkeypatch.setattr(sprin_module, "centred", lambda points: points)
    elif fault == "first points":
        monkeypatch.setattr(
            sprin_module, "farthest_points", lambda p, n: torch.cat([(p.batch == k).nonzero()[:n, 0] for k in (0, 1)])
        )
    else:
        monkeypatch.setattr(
            sprin_module, "farthest_points",
            lambda p, n: torch.cat([_along(p, k)[:n] for k in (0, 1)]),
        )  # fmt: skip
    points, x = two_clouds()
    one = st.SO3().trivial
    with pytest.raises(AssertionError):
        laws.assert_equivariant_on_points(OnCloud(net), x, points, lambda p: p, 2 * one, 3 * one, atol=1e-4)


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (T, 1e-11)])
def test_sprin_logits_with_the_same_points(dtype, limit, monkeypatch):
    """Acceptance 8: the same indices before and after the turn, then end to end."""
    torch.manual_seed(0)
    net = st.create_model("sprin", in_channels=2, num_classes=11).to(dtype).eval()
    points, x = two_clouds(dtype, 200)
    turn = st.SO3().action(st.SO3().sample(5, torch.Generator().manual_seed(1))).to(dtype)
    found = []

    def recorded(p, n):
        if found and len(found) == 2 and not recorded.replay:
            recorded.replay = True
        found.append(farthest_points(p, n)) if not recorded.replay else None
        recorded.at += 1
        return found[(recorded.at - 1) % 2]

    recorded.replay, recorded.at = False, 0
    with torch.no_grad():
        y = net(x, points.positions, points.batch)
        whole = max(float((net(x, points.positions @ r.T, points.batch) - y).abs().max()) for r in turn)
        monkeypatch.setattr(sprin_module, "farthest_points", recorded)
        assert torch.equal(net(x, points.positions, points.batch), y)
        same = max(float((net(x, points.positions @ r.T, points.batch) - y).abs().max()) for r in turn)
    assert recorded.replay and same < limit * float(y.abs().max()) and whole < 1e-4


def test_twins():
    for task in ("classify", "segment"):
        net, plain = (st.create_model(n, num_classes=5, task=task) for n in ("sprin", "sprin_plain"))
        assert count_parameters(plain) == pytest.approx(count_parameters(net), rel=0.03)
        points, _ = two_clouds(torch.float32)
        assert plain(torch.ones(80, 1), points.positions, points.batch).shape == (2 if task == "classify" else 80, 5)
    plain.double().eval()
    points, x = two_clouds()
    turned = points.moved(st.SO3(), st.SO3().sample(1, torch.Generator().manual_seed(0))[0])
    x = x[:, :1]
    assert (plain(x, points.positions) - plain(x, turned.positions)).abs().max() > 1e-3


CLOUDS = {
    "one point": (torch.randn(1, 3), None),
    "one among others": (torch.randn(9, 3), torch.tensor([0] * 8 + [1])),
    "coinciding": (torch.zeros(6, 3), None),
    "an empty cloud": (torch.randn(6, 3), torch.tensor([0, 0, 0, 2, 2, 2])),
    "a line": (torch.arange(6.0)[:, None] * torch.tensor([1.0, 2, 3]), None),
    "no point": (torch.zeros(0, 3), None),
}


@pytest.mark.parametrize(
    ("name", "task"),
    [("sprin", "classify"), ("sprin", "segment"), ("prin", "classify"), ("prin", "segment"), ("sgcn", "classify")],
)
@pytest.mark.parametrize("case", CLOUDS)
def test_degenerate_clouds(name, case, task):
    torch.manual_seed(0)
    options = {"sprin": {"group": "SO3", "task": task}, "prin": {"band": 3, "task": task}, "sgcn": {"lmax": 2}}[name]
    net = st.create_model(name, num_classes=2, **options).eval()
    positions, batch = CLOUDS[case]
    positions = positions.clone().requires_grad_()
    y = net(torch.ones(len(positions), 1), positions, batch)
    y.square().sum().backward()
    clouds = 0 if not len(positions) else 1 if batch is None else int(batch.max()) + 1
    assert torch.isfinite(y).all() and (not clouds or torch.isfinite(positions.grad).all())
    assert len(y) == (len(positions) if task == "segment" else max(clouds, len(y) if not clouds else 0))
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def dense(count=2048):
    return draw(5, count, 0.15, torch.Generator().manual_seed(0)).float()


def feature_error(band, **options):
    """Relative change of the features of the points, mean over three rotations."""
    torch.manual_seed(0)
    net = st.create_model("prin", task="segment", band=band, widths=(4, 6, 6), **options)
    x, p = torch.ones(2048, 1), dense()
    with torch.no_grad():
        net.train()
        for norm in net.norms:
            norm.momentum = 1.0
        net(x, p)
        net.eval()
        f = net.features(x, p)
        turn = st.SO3().action(st.SO3().sample(3, torch.Generator().manual_seed(1))).float()
        return sum(float((net.features(x, p @ r.T) - f).norm() / f.norm()) for r in turn) / 3


def test_prin_features_are_invariant_up_to_the_band():
    errors = {b: feature_error(b) for b in (6, 8, 12)}
    assert errors[8] < 5e-2 and errors[12] < 2.5e-2
    assert errors[6] > 1.3 * errors[8] > 1.3 * 1.3 * errors[12]  # falls with the band
    assert feature_error(8, adaptive=False) > 1.5 * errors[8]
    assert feature_error(8, window="box") > 1.5 * errors[8]
    assert feature_error(8, oversample=1.0) > 1.5 * errors[8]


def test_prin_is_exact_for_quarter_turns_about_the_axis_and_for_orders():
    torch.manual_seed(0)
    quarter = st.SO3().element(torch.tensor([1.0, 0, 0, 1.0]) / 2**0.5)
    points, x = two_clouds()
    for task in ("classify", "segment"):
        net = st.create_model("prin", in_channels=2, num_classes=3, band=4, task=task, widths=(3, 3), oversample=2.0)
        net = net.double().eval()
        one = st.SO3().trivial
        errors = laws.point_errors(OnCloud(net), x, points, lambda p: p, 2 * one, 3 * one, elements=[quarter])
        assert max(errors.values()) < 1e-10


def proteins(dtype):
    d = decoys(4, 16)
    return d.atoms.to(dtype), d.batch, torch.randn(64, 2, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("separations", [(), (1, 2, 4)])
@pytest.mark.parametrize("backbones", [True, False])
def test_sgcn_under_rigid_motions_and_mirrors(backbones, separations):
    torch.manual_seed(0)
    atoms, batch, x = proteins(torch.float32)
    positions = atoms if backbones else atoms[:, 1].contiguous()
    net = st.create_model("sgcn", in_channels=2, num_classes=3, cutoff=10.0, separations=separations).eval()
    turn = st.SO3().action(st.SO3().sample(1, torch.Generator().manual_seed(0))[0]).float()
    with torch.no_grad():
        for part in (0, 1):
            y = net.heads(x, positions, batch)[part]
            moved = net.heads(x, positions @ turn.T + torch.tensor([1.0, -2.0, 3.0]), batch)[part]
            mirrored = net.heads(x, -positions, batch)[part]
            scale = float(y.abs().max())
            assert (moved - y).abs().max() < 1e-6 * max(scale, 1.0)
            assert (mirrored - y).abs().max() > 1e-2 * scale
    assert y.shape == (4, 3) and torch.equal(net(x, positions, batch), y)


def test_sgcn_knows_the_distance_along_the_chain():
    line = torch.arange(12.0)[:, None] * torch.tensor([1.0, 0.0, 0.0])
    g = st.Points(line).neighbours(20.0)
    found, bounds = separation_classes(g, (1, 2, 4)).argmax(1), (1, 2, 4)
    for i, j, k in zip(g.target.tolist(), g.source.tolist(), found.tolist(), strict=True):
        nearer = sum(abs(j - i) > b for b in bounds)
        assert k == (4 + nearer if j > i else 3 - nearer)
    torch.manual_seed(0)
    atoms, batch, x = proteins(T)
    swapped = torch.arange(64).view(4, 16).flip(1).flatten()  # the same residues, in the opposite order
    for separations, moves in (((), False), ((1, 2), True)):
        net = st.create_model("sgcn", in_channels=2, cutoff=10.0, separations=separations).double().eval()
        with torch.no_grad():
            moved = (net(x[swapped], atoms[swapped], batch) - net(x, atoms, batch)).abs().max()
        assert moved > 1e-3 if moves else moved < 1e-12


def test_sgcn_with_missing_atoms_still_turns():
    torch.manual_seed(0)
    atoms, batch, x = proteins(T)
    atoms[3, 0], atoms[10, 2], atoms[16, 0] = torch.nan, torch.nan, torch.nan  # 16 begins a chain: no frame at all
    net = st.create_model("sgcn", in_channels=2, num_classes=3, cutoff=10.0).double().eval()
    turn = st.SO3().action(st.SO3().sample(1, torch.Generator().manual_seed(0))[0])
    atoms.requires_grad_()
    y = net(x, atoms, batch)
    y.sum().backward()
    assert torch.isfinite(y).all() and torch.isfinite(atoms.grad).all()
    assert (net(x, (atoms @ turn.T).detach(), batch) - y).abs().max() < 1e-12
    with pytest.raises(ValueError, match="1 of 64 residues have no CA"):
        lost = atoms.detach().clone()
        lost[5, 1] = torch.nan
        net(x, lost, batch)


def test_cone_count_needs_directions():
    """Acceptance 11: a count of neighbours in a cone of the local frame."""
    found = {l: fitted(l, steps=80, points=1000) for l in (0, 4)}
    assert found[0] < 0.3 and found[4] > 0.95
    assert ceiling(4, 40.0) > ceiling(3, 40.0) > 0.95 and ceiling(12, 0.0) < 0.95


def test_bad_arguments():
    for name, options, word in (
        ("sprin", {"task": "draw"}, "classify, segment"),
        ("sprin", {"sizes": (8, 16)}, "do not grow"),
        ("sprin", {"group": "C4"}, "expected O3, or SO3"),
        ("pointnet", {"task": "draw"}, "classify, segment"),
        ("prin", {"band": 0}, "band 0"),
        ("sgcn", {"cutoff": 0.0}, "cutoff is 0.0"),
        ("sgcn", {"separations": (2, 2)}, "numbers that rise"),
    ):
        with pytest.raises(ValueError, match=word):
            st.create_model(name, **options)
    with pytest.raises(ValueError, match=r"\[N, 3, 3\]"):
        st.create_model("sgcn")(torch.ones(4, 1), torch.randn(4, 2))


def test_classes_of_pairs_stay_on_the_device_of_the_pairs():
    pairs = torch.empty(3, dtype=torch.int64, device="meta")
    g = Neighbourhood(pairs, pairs, torch.empty(3, 3, device="meta"), 2, 2)
    assert separation_classes(g, (1, 2)).shape == (3, 6)
