"""Equivariant transformers: heat maps shift, periodic poses follow untrained, maps compose, the image is read once."""

from __future__ import annotations

import math
from unittest import mock

import pytest
import torch
from tests.warps import ELEVEN, image
from torch import nn

from steerable import laws
from steerable.domains import Warp
from steerable.models.direct_pose import DirectPose
from steerable.nn import PosePredictor, TransformerSequence, WarpImage
from steerable.nn.follow import moved_pairs, pose_misses
from steerable.nn.warp_image import sample_pixels

SIDE, SIZE, CELLS = 129, (64, 64), 2
#: blobs away from the centre, where scaling brings in what was too small to be seen
OPTIONS = {"low": 0.3, "high": 0.45, "sigma": 0.1}


def predictor(warp, seed=0, channels=8, size=SIZE, **options):
    """An untrained predictor with statistics of its own, in eval."""
    torch.manual_seed(seed)
    p = PosePredictor(warp, 1, channels, size, image_side=SIDE, **options).double()
    zero = torch.zeros(warp.parameters, dtype=torch.float64)
    p(torch.cat([image(warp, zero, SIDE, seed=s, **OPTIONS) for s in range(4)]))
    return p.eval()


def shift(warp, cells=CELLS, size=SIZE):
    """Parameters that shift the heat maps by whole cells (each is two cells of the resampled image)."""
    return torch.tensor([2 * cells * warp.steps(size)[axis] for axis in warp.shifts], dtype=torch.float64)


@torch.no_grad()
def heat_error(warp, p, seed):
    """Largest change of the shifted heat maps, away from their ends, relative to the largest logit."""
    a = shift(warp)
    before, after = (p.heatmaps(image(warp, t, SIDE, seed=seed, **OPTIONS)) for t in (0 * a, a))
    worst = 0.0
    for axis, h, moved in zip(warp.shifts, before, after, strict=True):
        d = moved - h.roll(CELLS, -1)
        d = d if warp.periodic[axis] else d[:, CELLS + 3 : -3]
        worst = max(worst, float(d.abs().max() / h.abs().max()))
    return worst


@pytest.mark.parametrize("name", ELEVEN)
def test_heat_maps_shift(name):
    warp = ELEVEN[name]
    assert max(heat_error(warp, predictor(warp, s), s) for s in range(2)) <= 1e-2


def test_planted_no_cyclic_padding_breaks_heat_maps():
    from dataclasses import replace

    warp = Warp.rotation()
    p = predictor(warp)
    for layer in p.modules():
        if hasattr(layer, "warp") and layer is not p.image:
            layer.warp = replace(warp, v=replace(warp.v, periodic=False))
    p.warp = warp
    assert heat_error(warp, p, 0) > 1e-2


@pytest.mark.parametrize("name", ["rotation", "rotation_scale"])
def test_cyclic_heat_maps_roll_exactly(name):
    p = predictor(ELEVEN[name])
    x = torch.randn(2, 1, *SIZE, dtype=torch.float64)
    for k in (1, 7):
        assert (p.read(x.roll(2 * k, -1))[-1] - p.read(x)[-1].roll(k, -1)).abs().max() < 1e-12


@pytest.mark.parametrize("name", ["rotation", "rotation_scale"])
@torch.no_grad()
def test_periodic_poses_follow_untrained(name):
    """At angles of no relation to the grid; other axes follow after training only (benchmarks/trained/pose_law.py)."""
    warp = ELEVEN[name]
    for seed in range(3):
        p = predictor(warp, seed, size=(32, 128))
        for angle in (0.7, -2.1, 3.0):
            a = torch.tensor([0.0, angle][-warp.parameters :], dtype=torch.float64)
            before, after = (p(image(warp, t, SIDE, seed=seed, **OPTIONS)).params[0, -1] for t in (0 * a, a))
            miss = torch.remainder(after - before - angle + math.pi, 2 * math.pi) - math.pi
            assert abs(float(miss)) <= 0.01 * 2 * math.pi


@torch.no_grad()
def test_direct_pose_does_not_follow():
    torch.manual_seed(0)
    warp = Warp.rotation()
    p = DirectPose(warp).double().eval()
    nn.init.normal_(p.head.weight)
    a = torch.tensor([0.7], dtype=torch.float64)
    before, after = (p(image(warp, t, SIDE)).params[0, 0] for t in (0 * a, a))
    assert abs(float(after - before) - 0.7) > 0.05 * 2 * math.pi


def test_offset_and_range():
    p = predictor(Warp.shear_x())
    x = image(p.warp, torch.zeros(1), SIDE)
    with torch.no_grad():
        p.offset.zero_()
        start = p(x).params
        p.offset.fill_(0.5)
    assert (p(x).params - start - 5.0 * math.tanh(0.5)).abs().max() < 1e-12


def test_sharpness_moves_the_pose_from_the_middle_to_the_peak():
    p = predictor(Warp.shear_x())
    x = image(p.warp, torch.zeros(1), SIDE)
    with torch.no_grad():
        p.offset.zero_()
    places = []
    for sharpness in (1e-3, 1.0, 1e3):
        with torch.no_grad():
            p.log_sharpness.fill_(math.log(sharpness))
            places.append(float(p(x).params))
    line = p.heatmaps(x)[0][0]
    cells = torch.arange(len(line))
    inner = line[2:-2].argmax() + 2
    assert abs(places[0]) < 0.01
    assert places[2] == pytest.approx(float((cells[inner] + 0.5) * 10 / len(line) - 5), abs=1e-3)
    assert places[0] != places[1] != places[2]


def sequence(parallel=False, final=None):
    parts = [predictor(Warp.rotation()), predictor(Warp.shear_x(), 1), predictor(Warp.perspective_y(), 2)]
    return TransformerSequence(parts, final, parallel)


@pytest.mark.parametrize("parallel", [False, True])
def test_maps_compose_and_the_image_is_read_once(parallel):
    final = WarpImage(Warp.log_polar(), (16, 32)).double()
    net = sequence(parallel, final)
    x = torch.cat([image(Warp.rotation(), torch.zeros(1), SIDE, seed=s) for s in range(2)])
    found = net.normalise(x)
    expected = torch.eye(3, dtype=torch.float64).expand(2, 3, 3)
    for part, params in zip(net.predictors, found.params, strict=True):
        again = part(x, None if parallel or part is net.predictors[0] else expected)
        assert (again.params - params).abs().max() < 1e-10
        expected = expected @ part.warp.matrix(params)
    assert (found.transform - expected).abs().max() < 1e-12
    assert (found.image - final(x, expected)).abs().max() < 1e-12
    assert [len(h) for h in found.heatmaps] == [1, 1, 1]
    sampled = []
    original = torch.nn.functional.grid_sample
    with mock.patch("torch.nn.functional.grid_sample", lambda v, *a, **k: sampled.append(v) or original(v, *a, **k)):
        net(x)
    assert len(sampled) == 4 and all(torch.equal(v, x) for v in sampled)  # no picture of a picture


def test_the_order_matters():
    first, second = (TransformerSequence(parts) for parts in _orders())
    x = image(Warp.rotation(), torch.zeros(1), SIDE)
    assert (first.normalise(x).transform - second.normalise(x).transform).abs().max() > 1e-2


def _orders():
    parts = [predictor(Warp.rotation()), predictor(Warp.shear_x(), 1)]
    return parts, parts[::-1]


@torch.no_grad()
def test_normalised_image_is_invariant():
    """f and T_a f come to the same picture, and the map takes up the difference."""
    warp = Warp.rotation()
    net = TransformerSequence([predictor(warp, size=(32, 64))])
    a = torch.tensor([0.7], dtype=torch.float64)
    f, g = (net.normalise(image(warp, t, SIDE)) for t in (0 * a, a))
    assert (g.image - f.image).norm() / f.image.norm() < 0.05
    assert (g.transform - warp.matrix(a) @ f.transform).abs().max() < 0.02
    unmoved = image(warp, a, SIDE) - image(warp, 0 * a, SIDE)
    assert unmoved.norm() / f.image.norm() > 0.2  # the law can fail
    exact = net(torch.rot90(f.image, 1, (-2, -1)))
    assert (exact - net(f.image)).abs().max() < 1e-10


def test_stands_in_for_an_stn():
    net = sequence()
    x = image(Warp.rotation(), torch.zeros(1), SIDE)
    assert net(x).shape == x.shape
    net(x).square().mean().backward()
    for p in net.predictors:
        assert float(p.features[0].conv.weight.grad.abs().max()) > 0
    assert torch.equal(TransformerSequence()(x), x)
    wide = torch.randn(1, 2, 20, 31, dtype=torch.float64)
    eye = torch.eye(3, dtype=torch.float64)[None]
    assert (sample_pixels(wide, eye) - wide).abs().max() < 1e-12
    turned = sample_pixels(x, Warp.rotation().matrix(torch.tensor([[-math.pi / 2]], dtype=torch.float64)))
    assert (turned - torch.rot90(x, 1, (-2, -1))).abs().max() < 1e-12  # T^-1 of a quarter turn back turns forward


def test_groups_without_matrices_are_refused():
    with pytest.raises(ValueError, match="expected a projective group"):
        PosePredictor(Warp.sphere(1.0, 1.0, 3.0, 0.5))


@pytest.mark.parametrize(
    "name", [n if n in ("rotation_scale", "scale_x") else pytest.param(n, marks=pytest.mark.slow) for n in ELEVEN]
)
def test_tools(name):
    torch.manual_seed(0)
    final = WarpImage(Warp.log_polar(), (8, 16))
    net = TransformerSequence([PosePredictor(ELEVEN[name], 1, 4, (16, 16))], final).double().eval()
    x = torch.randn(2, 1, 24, 24, dtype=torch.float64)
    torch._dynamo.reset()
    laws.assert_compiled_equals(net, x)
    laws.assert_export_equals_eager(net, x, dynamic_batch=True)
    laws.assert_baked_equals(net, x)
    laws.assert_batch_independent(net, x)
    assert net(x[:0]).shape == (0, 1, 8, 16)
    assert (torch.vmap(lambda v: net(v[None])[0])(x) - net(x)).abs().max() < 1e-10
    assert torch.autograd.gradcheck(net, (x[:1].clone().requires_grad_(),), fast_mode=True, atol=1e-4)


@torch.no_grad()
def mean_miss(p, seed=7):
    """Mean error of the pose on new scenes, and of an answer that does not move, as shares of the range."""
    f, g, a = moved_pairs(p.warp, 64, 1, torch.Generator().manual_seed(seed))
    found = p(g.double()).params - p(f.double()).params
    return tuple(float(pose_misses(p.warp, d, a).abs().mean()) for d in (found, torch.zeros_like(a)))


@pytest.mark.parametrize("name", ELEVEN)
@torch.no_grad()
def test_poses_start_to_follow_before_any_training(name):
    """The chosen head follows; its negative, as likely a draw as itself, goes against the image."""
    for seed in range(2):
        torch.manual_seed(seed)
        p = PosePredictor(ELEVEN[name], 1, 16, (32, 64), image_side=48).double()
        ours, still = mean_miss(p)
        assert ours < 0.85 * still
        if name not in ("rotation", "rotation_scale"):
            for head in p.heads:
                head.weight.neg_()
            assert mean_miss(p)[0] > still  # the planted fault
            assert bool(p.offset.isfinite().all())
