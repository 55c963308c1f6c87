"""Layers on the pixels of HEALPix: what they compute, what is exact, what they refuse."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import steerable.nn as snn
from steerable.domains import Sphere
from steerable.groups import SO2, SO3, C
from steerable.nn.healpix.image import face_images

SIDES = (1, 2, 3, 4, 8, 16)


def layer(nside: int, nested: bool = True, dtype: torch.dtype = torch.float64, **options: int) -> snn.HealpixConv:
    torch.manual_seed(0)
    conv = snn.HealpixConv(2, 3, Sphere.healpix(nside, nested), **options)
    if conv.bias is not None:
        nn.init.normal_(conv.bias)
    return conv.to(dtype)


def by_neighbours(conv: snn.HealpixConv, x: torch.Tensor) -> torch.Tensor:
    """The sum over the table of neighbours, as it is written."""
    table = conv.sphere.pixel_neighbours()
    taps = {(1, 0): 0, (0, 0): 1, (0, 1): 2, (0, 2): 3, (1, 2): 4, (2, 2): 5, (2, 1): 6, (2, 0): 7}  # (row, column)
    w = conv.filter()
    out = torch.einsum("oc,bcn->bon", w[:, :, 1, 1], x)
    for (row, column), k in taps.items():
        there = torch.where(table[:, k] < 0, 0.0, x[..., table[:, k]])
        out = out + torch.einsum("oc,bcn->bon", w[:, :, row, column], there)
    valid = 1 + (table >= 0).sum(1)
    return out * 9 / valid + conv.bias[:, None]


@pytest.mark.parametrize(("nside", "nested"), [(n, k) for n in SIDES for k in (True, False) if not (k and n == 3)])
def test_it_is_the_sum_over_neighbours(nside, nested):
    conv = layer(nside, nested)
    x = torch.randn(2, 2, 12 * nside**2, dtype=torch.float64)
    full = by_neighbours(conv, x)
    assert (conv(x) - full).abs().max() < 1e-12
    if nside % 2 == 0:  # stride 2 keeps the southern child
        strided = layer(nside, nested, stride=2)
        strided.load_state_dict(conv.state_dict())
        assert (strided(x) - full[..., conv.sphere.coarser().children()[:, 0]]).abs().max() < 1e-12


@pytest.mark.parametrize(("nside", "ring", "count"), [(1, 1, 12), (2, 1, 24), (16, 1, 24), (4, 2, 96), (16, 2, 96)])
def test_missing_neighbours_are_counted(nside, ring, count):
    sphere = Sphere.healpix(nside, True)
    _, _, share = face_images(sphere, ring, 1)
    assert int((share > 1).sum()) == count and share.min() == (1 if nside > 1 else 9 / 7)
    conv = layer(nside, ring=ring)
    with torch.no_grad():
        conv.weight.fill_(1.0)
        conv.bias.zero_()
    y = conv(torch.ones(1, 2, sphere.num_points, dtype=torch.float64))
    assert (y - 2 * (2 * ring + 1) ** 2).abs().max() < 1e-12


def test_without_renormalisation_constants_fade():
    conv = layer(4)
    with torch.no_grad():
        conv.weight.fill_(1.0)
        conv.share.fill_(1.0)  # the planted fault
    y = conv(torch.ones(1, 2, 192, dtype=torch.float64)) - conv.bias[:, None]
    assert (y - 18).abs().max() > 1


@pytest.mark.parametrize("ring", [1, 2])
def test_inside_a_base_pixel_it_is_a_convolution_of_an_image(ring):
    conv = layer(8, ring=ring)
    x = torch.randn(1, 2, 768, dtype=torch.float64)
    face, across, up = map(torch.from_numpy, conv.sphere.faces())
    for f in (0, 5, 11):
        mine = (face == f).nonzero()[:, 0]
        place = (7 - up[mine]) * 8 + across[mine]
        image = torch.zeros(1, 2, 64, dtype=torch.float64).index_copy(2, place, x[..., mine]).view(1, 2, 8, 8)
        wanted = F.conv2d(image, conv.filter(), conv.bias).flatten()
        found = torch.zeros(1, 3, 64, dtype=torch.float64).index_copy(2, place, conv(x)[..., mine]).view(1, 3, 8, 8)
        assert (found[..., ring:-ring, ring:-ring].flatten() - wanted).abs().max() < 1e-12


def quarter_turn(sphere, x):
    """A quarter turn about the poles as a permutation of pixels."""
    g = SO2().grid(4)[1]
    moved = torch.empty_like(x)
    moved[..., sphere.permutation(SO2(), g)] = x
    return moved


@pytest.mark.parametrize("nside", [1, 2, 3, 4, 5, 8, 16, 32])
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_quarter_turns_are_exact_at_every_nside(nside, dtype, limit):
    for options in ({}, {"ring": 2}, {"stride": 2}):
        if options.get("ring", 1) > nside or nside % options.get("stride", 1):
            continue
        conv = layer(nside, False, dtype, **options)
        x = torch.rand(1, 2, 12 * nside**2, dtype=dtype)
        want = quarter_turn(conv.targets, conv(x))
        assert (conv(quarter_turn(conv.sphere, x)) - want).abs().max() / want.abs().max() < limit


@pytest.mark.parametrize("nside", [2, 4, 8])
def test_a_frame_that_turns_with_the_quadrant_is_caught(nside):
    conv = layer(nside)
    conv.into = conv.into.view(12, nside + 2, -1).clone()
    conv.into[1::4] = conv.into[1::4].transpose(1, 2).clone()  # x and y of every second base pixel exchanged
    conv.into = conv.into.flatten(0, 1)
    x = torch.rand(1, 2, 12 * nside**2, dtype=torch.float64)
    error = (conv(quarter_turn(conv.sphere, x)) - quarter_turn(conv.sphere, conv(x))).abs().max()
    assert error > 1e-2


def test_other_turns_are_not_symmetries():
    """Smooth fields, turned in the harmonic domain: quarter turns about the poles, and about an equatorial axis."""
    conv = layer(8, bias=False).requires_grad_(False)
    x = torch.randn(1, 2, 768, dtype=torch.float64)
    x = conv.sphere.move(x, SO3(), SO3().identity)
    errors = []
    for axis in ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0]):
        g = torch.tensor([1.0, *axis], dtype=torch.float64) / 2**0.5
        want = conv.sphere.move(conv(x), SO3(), g)
        found = conv.sphere.move(conv(conv.sphere.move(x, SO3(), g)), SO3(), SO3().identity)
        errors.append(float((found - want).norm() / want.norm()))
    assert errors[0] < 0.1 < 0.5 < errors[1], errors


@pytest.mark.parametrize("nside", [2, 4, 8])
def test_shuffles_are_inverse_and_keep_places(nside):
    sphere = Sphere.healpix(nside, True)
    down, up = snn.HealpixPixelUnshuffle(3, sphere), snn.HealpixPixelShuffle(3, sphere.coarser())
    x = torch.randn(2, 3, sphere.num_points)
    assert torch.equal(up(down(x)), x) and torch.equal(down(up(down(x))), down(x))
    parents = sphere.parents().float().expand(1, 1, -1)
    few = snn.HealpixPixelUnshuffle(1, sphere)(parents)
    assert torch.equal(few, torch.arange(len(few[0, 0])).float().expand(1, 4, -1))
    ringwise = Sphere.healpix(nside).parents().float().expand(1, 1, -1)  # the planted fault: a map by rings
    assert not torch.equal(snn.HealpixPixelUnshuffle(1, sphere)(ringwise), few)


@pytest.mark.parametrize(("nside", "nested"), [(2, True), (2, False), (4, True), (4, False), (6, False)])
def test_pooling(nside, nested):
    sphere = Sphere.healpix(nside, nested)
    x = torch.randn(2, 3, sphere.num_points, dtype=torch.float64)
    mean, most = snn.HealpixPool(3, sphere), snn.HealpixPool(3, sphere, "max")
    assert (mean(x) - sphere.pooling()(x)).abs().max() < 1e-12
    assert torch.equal(most(x), x[..., sphere.coarser().children()].amax(-1))


LAYERS = {
    "conv": lambda s: snn.HealpixConv(4, 3, s),
    "conv strided, wide": lambda s: snn.HealpixConv(C(1).type("4 trivial"), 3, s, ring=2, stride=2, bias=False),
    "shuffle": lambda s: snn.HealpixPixelShuffle(1, s),
    "unshuffle": lambda s: snn.HealpixPixelUnshuffle(4, s),
    "mean": lambda s: snn.HealpixPool(4, s),
    "max": lambda s: snn.HealpixPool(4, s, "max"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_bake_export_compile_and_gradients(name):
    torch.manual_seed(0)
    net = LAYERS[name](Sphere.healpix(4, True)).double().eval()
    x = torch.randn(2, 4, 192, dtype=torch.float64)
    y = net(x)
    assert torch.equal(snn.bake(net)(x), y) and torch.equal(copy.deepcopy(net)(x), y)
    assert not any(hasattr(m, "sphere") for m in snn.bake(net).modules())
    batch = torch.export.Dim("batch", min=1)
    exported = torch.export.export(net, (x,), dynamic_shapes=({0: batch},)).module()
    more = torch.randn(3, 4, 192, dtype=torch.float64)
    assert (exported(more) - net(more)).abs().max() < 1e-12
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    assert (compiled(x) - y).abs().max() < 1e-12
    assert net(x[:0]).shape == (0, *y.shape[1:])
    assert (torch.func.vmap(lambda f: net(f[None])[0])(x) - y).abs().max() < 1e-12
    tiny = LAYERS[name](Sphere.healpix(2, True)).double()
    leaf = torch.randn(1, 4, 48, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(tiny, leaf) and torch.autograd.gradgradcheck(tiny, leaf, fast_mode=True)


@pytest.mark.parametrize(
    ("build", "kind", "words"),
    [
        (lambda: snn.HealpixPixelShuffle(1, Sphere.healpix(4)), ValueError, "nested=True"),
        (lambda: snn.HealpixPixelUnshuffle(1, Sphere.healpix(4)), ValueError, "reorder"),
        (lambda: snn.HealpixConv(1, 1, Sphere.gauss(4)), TypeError, "Sphere.healpix"),
        (lambda: snn.HealpixConv(1, 1, Sphere.healpix(3, True)), ValueError, "power of two"),
        (lambda: snn.HealpixConv(1, 1, Sphere.healpix(3), stride=2), ValueError, "even"),
        (lambda: snn.HealpixConv(1, 1, Sphere.healpix(1), ring=2), ValueError, "nside"),
        (lambda: snn.HealpixConv(1, 1, Sphere.healpix(4), stride=3), ValueError, "1 or 2"),
        (lambda: snn.HealpixConv(0, 1, Sphere.healpix(4)), ValueError, "at least one"),
        (lambda: snn.HealpixConv(SO2().type("1x0"), 1, Sphere.healpix(4)), ValueError, "SphereConv"),
        (lambda: snn.HealpixPool(1, Sphere.healpix(4), "median"), ValueError, "'max'"),
        (lambda: layer(4)(torch.zeros(1, 2, 768, dtype=torch.float64)), ValueError, r"192.*nside 8"),
        (lambda: layer(4)(torch.zeros(1, 2, 200, dtype=torch.float64)), ValueError, "192"),
        (lambda: layer(4)(torch.zeros(1, 2, 16, 32, dtype=torch.float64)), ValueError, "image"),
        (lambda: layer(4)(torch.zeros(1, 5, 192, dtype=torch.float64)), ValueError, "5 channels"),
    ],
)
def test_errors_say_what_to_do(build, kind, words):
    with pytest.raises(kind, match=words) as found:
        build()
    assert "\n" not in str(found.value)
