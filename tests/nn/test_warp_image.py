"""Resampling in canonical coordinates, warped convolutions, soft argmax: laws, each with a planted fault."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import dataclass, replace

import pytest
import torch
from tests.warps import ELEVEN, WARPS, image, pixels, scene
from torch import nn

import steerable as st
from steerable import laws
from steerable.domains import Axis, Warp
from steerable.nn import SoftArgmax1d, SoftArgmax2d, WarpedConv2d, WarpImage
from steerable.nn.warp_image import sample_pixels, sample_plane
from steerable.nn.warped_conv import join_sheets, split_sheets

SIDE, CELLS = 97, 4


def shifted(x, warp, by):
    """Overlapping parts of images of one sheet: the first shifted by ``by`` cells, and the second."""
    first, second = x
    for axis in warp.shifts:
        d = 2 + axis
        if warp.periodic[axis]:
            first = first.roll(by, d)
        else:
            n = first.shape[d]
            first, second = first.narrow(d, 0, n - by), second.narrow(d, by, n - by)
    return first, second


def roll_error(warp, oversample, size=(64, 64), side=SIDE):
    """``warp(I o t_-a)`` against ``shift_a(warp(I))``, relative to the largest value."""
    layer = WarpImage(warp, size, oversample=oversample).double()
    a = torch.tensor([CELLS * warp.steps(size)[axis] for axis in warp.shifts], dtype=torch.float64)
    pair = (split_sheets(layer(image(warp, t, side)), warp) for t in (0 * a, a))
    before, after = shifted(tuple(pair), warp, CELLS)
    return float((before - after).abs().max() / before.abs().max())


@pytest.mark.parametrize("name", [n for n in WARPS if n not in ("generated", "four quadrants")])
@pytest.mark.parametrize("oversample", [(1, 1), (2, 2)])
def test_a_map_of_the_image_is_a_shift(name, oversample):
    options = {"side": 193} if name == "scale_aspect" else {}
    assert roll_error(WARPS[name], oversample, **options) <= 5e-3


@pytest.mark.parametrize("name", ["rotation", "scale", "rotation_scale"])
@pytest.mark.parametrize("side", [96, 97])
def test_quarter_turns_are_exact_rolls(name, side):
    warp = WARPS[name]
    x = torch.randn(2, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    layer = WarpImage(warp, (16, 32)).double()
    y = layer(x)
    for k in range(4):
        assert (layer(torch.rot90(x, k, (-2, -1))) - y.roll(8 * k, -1)).abs().max() < 1e-12


@dataclass(frozen=True)
class Closed(Axis):
    """The planted fault: an angle that is sampled at both ends."""

    def samples(self, n):
        return torch.linspace(self.low, self.high, n, dtype=torch.float64)


def test_planted_duplicated_seam():
    warp = replace(Warp.rotation(), v=Closed(-math.pi, math.pi, True, True))
    x = torch.randn(1, 1, 97, 97, dtype=torch.float64)
    layer = WarpImage(warp, (16, 32)).double()
    assert (layer(torch.rot90(x, 1, (-2, -1))) - layer(x).roll(8, -1)).abs().max() > 1e-2
    assert roll_error(replace(Warp.rotation(), v=Closed(-math.pi, math.pi, True, True)), (1, 1)) > 1e-2


def test_translation_is_the_picture_itself():
    x = torch.randn(2, 1, 12, 12, dtype=torch.float64)
    y = WarpImage(Warp.translation(), (12, 12), oversample=(1, 1)).double()(x)
    assert (y.transpose(-1, -2).flip(-2) - x).abs().max() < 1e-12  # rows are x1, columns x2


def test_values_are_those_of_the_scene():
    """Against the analytic scene: half-pixel or sign slips of ``align_corners`` and x2 would show."""
    for name, warp in ELEVEN.items():
        found = WarpImage(warp, (32, 32), oversample=(1, 1)).double()(image(warp, torch.zeros(warp.parameters), 257))
        grid = warp.grid((32, 32))
        inside = (grid.abs() < 0.95).all(-1)
        assert (found[0, 0] - scene(grid))[inside].abs().max() < 1e-3, name


def test_pictures_that_are_not_square():
    """The unit is half the shorter side on both axes, so that angles stay angles."""
    warp, tall = Warp.rotation(), torch.zeros(1, 1, 129, 65, dtype=torch.float64)
    rows, columns = torch.meshgrid(torch.arange(129) - 64, torch.arange(65) - 32, indexing="ij")
    points = torch.stack((columns, -rows), -1).double() * 2 / 65
    tall[0, 0] = scene(points)
    layer = WarpImage(warp, (8, 16), oversample=(1, 1)).double()
    square = scene(pixels(65))[None, None]
    assert (layer(tall) - layer(square)).abs().max() < 1e-10


def test_seen_through_a_matrix_once():
    """``warp(T^-1 f)`` in one resampling: the grid is moved, not the picture."""
    warp = Warp.log_polar()
    a = torch.tensor([[0.2, 0.7]], dtype=torch.float64)
    layer = WarpImage(warp, (32, 64)).double()
    f = image(warp, torch.zeros(2), 129)
    expected = layer(image(warp, -a[0], 129))
    assert (layer(f, warp.matrix(a)) - expected).abs().max() < 6e-3
    twice = layer(sample_pixels(f, warp.matrix(a)))
    assert (twice - expected).abs().max() > (layer(f, warp.matrix(a)) - expected).abs().max()  # what it saves


def test_detail_does_not_alias():
    """A checkerboard of single pixels averages out where cells are large; taken at points it is noise."""
    board = ((torch.arange(128)[:, None] + torch.arange(128)) % 2).double()[None, None] - 0.5
    plain, averaged = (
        WarpImage(Warp.log_polar(0.3), (12, 24), oversample=o).double()(board)[..., 8:11, :].std()
        for o in ((1, 1), (4, 4))
    )
    assert averaged < 0.5 * plain


def test_mask_of_the_image():
    layer = WarpImage(Warp.rotation(1.2), (16, 32))
    assert bool(layer.valid[:10].all()) and not bool(layer.valid[-1].all()) and bool(layer.valid[-1].any())


# ---- convolution -----------------------------------------------------------------------------------------------------


def maps(warp, size=(16, 16), channels=2, seed=0):
    return torch.randn(2, channels, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("mode", ["zeros", "replicate"])
@pytest.mark.parametrize("name", ["rotation", "scale", "rotation_scale"])
def test_cyclic_padding_rolls_exactly(name, mode):
    warp, x = WARPS[name], maps(None)
    net = nn.Sequential(
        WarpedConv2d(warp, 2, 4, 5, padding_mode=mode), nn.ReLU(), nn.AvgPool2d(2), WarpedConv2d(warp, 4, 1, 3)
    ).double()
    for k in (2, 6):
        assert (net(x.roll(k, -1)) - net(x).roll(k // 2, -1)).abs().max() < 1e-12


def test_planted_no_cyclic_padding():
    warp = Warp.rotation()
    open_ended = replace(warp, v=replace(warp.v, periodic=False))
    layer = WarpedConv2d(open_ended, 2, 1, 3).double()
    x = maps(None)
    assert (layer(x.roll(2, -1)) - layer(x).roll(2, -1)).abs().max() > 1e-2


@pytest.mark.parametrize("name", ["scale_x", "scale_y", "hyperbolic_rotation", "perspective_x", "four quadrants"])
def test_sheets_do_not_see_each_other(name):
    warp, x = WARPS[name], maps(None)
    assert torch.equal(join_sheets(split_sheets(x, warp), warp), x)
    layer = WarpedConv2d(warp, 2, 3, 3).double()
    y, d = layer(x), 2 + warp.stacked
    first = slice(0, x.shape[d] // warp.sheets)
    other = x.clone()
    other.movedim(d, 0)[first.stop :] += 1.0
    assert (layer(other).movedim(d, 0)[first] - y.movedim(d, 0)[first]).abs().max() < 1e-12
    together = nn.functional.conv2d(other, layer.conv.weight, layer.conv.bias, padding=1)  # the planted fault
    apart = nn.functional.conv2d(x, layer.conv.weight, layer.conv.bias, padding=1)
    assert (together - apart).movedim(d, 0)[first].abs().max() > 1e-2


@pytest.mark.parametrize("name", WARPS)
@pytest.mark.parametrize("stride", [1, 2])
def test_shapes_and_interior_shift(name, stride):
    warp = WARPS[name]
    layer = WarpedConv2d(warp, 2, 3, 3, stride=stride).double()
    x = maps(None)
    assert layer(x).shape == (2, 3, 16 // stride, 16 // stride)


# ---- the theorem -----------------------------------------------------------------------------------------------------

FILTERS = {"rotation_scale": (0.3, 0.4), "scale_aspect": (0.35, 0.3), "sphere": (0.1, -0.15)}


def correlation_error(name, jacobian=True, side=256):
    """Group correlation by a direct integral over the plane against the warped one, over nine maps of the group."""
    warp = WARPS[name]
    centre, size = torch.tensor(FILTERS[name], dtype=torch.float64), (256, 256)

    def taps(x):  # an explicit filter that is not symmetric
        d = x - centre
        return torch.exp(-0.5 * (d / torch.tensor([0.08, 0.05])).square().sum(-1)) * (1 + 4 * d[..., 0])

    x = pixels(side)
    picture = scene(x, sigma=0.15)[None, None]
    grid = warp.grid(size)
    u = warp.u.samples(256)[:, None].expand(size).clone().requires_grad_()
    v = warp.v.samples(256)[None].expand(size).clone().requires_grad_()
    points = warp.to_plane(u, v)
    rows = [torch.autograd.grad(points[..., i].sum(), (u, v), retain_graph=True) for i in (0, 1)]
    det = (rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0]).abs() if jacobian else torch.ones(size).double()
    cell = warp.u.step(256) * warp.v.step(256)
    weights = taps(grid) * det.detach() * cell
    warped = WarpImage(warp, size, oversample=(1, 1)).double()(picture)[0, 0]
    pairs = []
    for i in (-6, 0, 6):
        for j in (-6, 0, 6):
            a = torch.tensor([i * warp.u.step(256), j * warp.v.step(256)], dtype=torch.float64)
            moved = sample_plane(picture, warp.act(a, x).nan_to_num(9.0))[0, 0]
            direct = (moved * taps(x)).sum() * (2 / side) ** 2
            pairs.append((direct, (warped.roll((-i, -j), (0, 1)) * weights).sum()))
    direct, ours = (torch.stack(p) for p in zip(*pairs, strict=True))
    return float((direct - ours).abs().max() / direct.abs().max()), float(direct.std() / direct.abs().max())


@pytest.mark.parametrize("name", FILTERS)
def test_group_correlation_is_warped_correlation(name):
    error, spread = correlation_error(name)
    assert error < 0.01 < spread
    assert correlation_error(name, jacobian=False)[0] > 0.1  # the planted fault


# ---- soft argmax -----------------------------------------------------------------------------------------------------


def test_soft_argmax_turns_with_a_periodic_map():
    x = torch.randn(3, 16, dtype=torch.float64)
    head = SoftArgmax1d(periodic=True)
    for k in range(16):
        d = torch.remainder(head(x.roll(k, -1)) - head(x) - k / 8 + 1, 2) - 1
        assert d.abs().max() < 1e-12
    d = torch.remainder(SoftArgmax1d(False)(x.roll(3, -1)) - SoftArgmax1d(False)(x) - 3 / 8 + 1, 2) - 1
    assert d.abs().max() > 1e-2  # the planted fault: an axis that is not known to be periodic


def test_soft_argmax_of_a_peak_and_of_nothing():
    x = torch.full((1, 12, 10), -40.0, dtype=torch.float64)
    x[0, 3, 7] = 40.0
    assert SoftArgmax2d()(x)[0].tolist() == pytest.approx([(3.5 / 12) * 2 - 1, (7.5 / 10) * 2 - 1])
    flat = torch.zeros(2, 8, dtype=torch.float64, requires_grad=True)
    place = SoftArgmax1d(periodic=True)(flat)
    place.sum().backward()
    assert place.abs().max() < 1e-6 and bool(flat.grad.isfinite().all())


def test_margins_and_masks_hold_no_mass():
    x = torch.zeros(1, 10, dtype=torch.float64)
    x[0, 0] = x[0, 5] = 30.0
    assert SoftArgmax1d(margin=2)(x).item() == pytest.approx(0.1, abs=1e-9)
    valid = torch.arange(10) > 2
    assert SoftArgmax1d()(x, valid).item() == pytest.approx(0.1, abs=1e-9)
    assert SoftArgmax2d((False, True), margin=1)(x[:, :, None].expand(1, 10, 4))[0, 0].item() == pytest.approx(0.1)


def test_bad_arguments_are_named():
    for build, text in (
        (lambda: SoftArgmax1d(True, 2), "0 if periodic"),
        (lambda: SoftArgmax2d((True,)), "two flags"),
        (lambda: SoftArgmax1d(margin=4)(torch.zeros(1, 8)), "more than 8 cells"),
        (lambda: WarpedConv2d(Warp.scale(), 1, 1, 4), "odd number"),
        (lambda: WarpedConv2d(Warp.scale(), 1, 1, padding_mode="wrap"), "'replicate'"),
        (lambda: WarpedConv2d(Warp.scale(), 1, 1)(torch.zeros(1, 2, 8, 8)), r"expected \[B, 1, rows"),
        (lambda: WarpedConv2d(Warp.scale(), 1, 1, stride=2)(torch.zeros(1, 1, 8, 9)), "multiple of the stride"),
        (lambda: WarpImage(Warp.scale(), padding="wrap"), "'reflection'"),
        (lambda: WarpImage(Warp.scale(), oversample=(0, 1)), "at least 1"),
        (lambda: WarpImage(Warp.scale_x(), (8, 7)), "2 sheets"),
    ):
        with pytest.raises(ValueError, match=text):
            build()


# ---- tools -----------------------------------------------------------------------------------------------------------

TOOLED = {
    "WarpImage": (lambda: WarpImage(Warp.log_polar(), (8, 16)), (2, 3, 20, 20)),
    "WarpImage sheets": (lambda: WarpImage(Warp.scale_x(), (8, 16), padding="border"), (2, 3, 20, 20)),
    "WarpedConv2d": (lambda: WarpedConv2d(Warp.log_polar(), 2, 3, 5), (2, 2, 8, 16)),
    "WarpedConv2d sheets": (lambda: WarpedConv2d(Warp.perspective_y(), 2, 3, padding_mode="replicate"), (2, 2, 8, 16)),
    "SoftArgmax1d": (lambda: SoftArgmax1d(margin=1), (2, 8)),
    "SoftArgmax2d": (lambda: SoftArgmax2d((False, True)), (2, 8, 8)),
}


@pytest.mark.parametrize("name", TOOLED)
def test_tools(name):
    build, shape = TOOLED[name]
    torch.manual_seed(0)
    layer, x = build().double().eval(), torch.randn(shape, dtype=torch.float64)
    y = layer(x)
    torch._dynamo.reset()
    laws.assert_compiled_equals(layer, x)
    laws.assert_export_equals_eager(layer, x, dynamic_batch=True)
    laws.assert_baked_equals(layer, x)
    laws.assert_batch_independent(layer, x)
    near = {"rtol": 0.0, "atol": 1e-12}
    torch.testing.assert_close(torch.vmap(lambda v: layer(v[None])[0])(x), y, **near)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(other(x), y, **near)
    assert layer(x[:0]).shape == (0, *y.shape[1:])
    narrow = copy.deepcopy(layer).float()
    assert narrow.state_dict().keys() == layer.state_dict().keys()
    torch.testing.assert_close(narrow.double()(x), y, rtol=0, atol=1e-5)  # parameters went through float32
    if not list(layer.parameters()):
        assert not layer.state_dict()  # grids are derived, in float64, and come back exactly
        torch.testing.assert_close(narrow(x), y, **near)
    half = copy.deepcopy(layer).float()
    with torch.autocast("cpu", torch.bfloat16):
        assert half(x.float()).isfinite().all()
    assert torch.autograd.gradcheck(layer, (x[:1].clone().requires_grad_(),), fast_mode=True)


def test_grids_are_float32_of_float64():
    layer = WarpImage(Warp.log_polar(), (8, 16))
    assert layer.points.dtype == torch.float32
    exact = Warp.log_polar().grid((8 * layer.oversample[0], 16 * layer.oversample[1]))
    assert torch.equal(layer.points, exact.float()) and torch.equal(layer.double().points, exact)
    x = torch.randn(1, 1, 20, 20).bfloat16()
    assert layer.float()(x).dtype == torch.bfloat16


def test_onnx():
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    net = nn.Sequential(
        WarpImage(Warp.log_polar(), (8, 16)), WarpedConv2d(Warp.log_polar(), 1, 2), SoftArgmax2d((False, True))
    )
    laws.assert_onnx_equals(net, torch.randn(2, 1, 20, 20))


def test_bake_keeps_what_is_plain():
    net = nn.Sequential(WarpImage(Warp.log_polar(), (8, 16)), WarpedConv2d(Warp.log_polar(), 1, 2)).eval()
    x = torch.randn(2, 1, 20, 20)
    assert (st.bake(net)(x) - net(x)).abs().max() < 1e-6
