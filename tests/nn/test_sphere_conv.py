"""Convolutions on the sphere: two contractions, one kernel, all rotations."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

import steerable.nn as snn
from steerable.aggregate.modes import from_modes, to_modes
from steerable.aggregate.ring import windows
from steerable.domains.points import Points
from steerable.domains.sphere import GaussSphere, HealpixSphere, Sphere, SpherePoints
from steerable.domains.sphere.ring_neighbours import ring_logarithm
from steerable.groups import O2, SO2, C
from steerable.kernels import GaussianRings, Zernike
from steerable.laws.sphere import frames_of, sphere_errors
from steerable.nn.sphere.contraction import PaddedContraction, PairContraction, RingContraction

S = SO2()
MIXED = ("2x0 + 1x1", "1x0 + 1x2")


def layer(in_type: str, out_type: str, rings: int, radius: float, **options: object) -> snn.SphereConv:
    torch.manual_seed(0)
    sphere = GaussSphere(rings, 2 * rings)
    return snn.SphereConv(S.type(in_type), S.type(out_type), sphere, radius, **options).double()  # type: ignore[arg-type]


def by_pairs(conv: snn.SphereConv) -> PairContraction:
    sizes = (conv.out_type.size, conv.in_type.size)
    found = PairContraction(conv.sphere, conv.targets, conv._parts(), sizes, conv.radius, conv._functions)
    return found.double()


def nodes(count: int) -> SpherePoints:
    """A golden spiral."""
    k = torch.arange(count, dtype=torch.float64)
    z, phi = 1 - (2 * k + 1) / count, math.pi * (3 - math.sqrt(5)) * k
    rho = (1 - z * z).sqrt()
    return SpherePoints(torch.stack([rho * phi.cos(), rho * phi.sin(), z], -1))


@pytest.mark.parametrize("types", [MIXED, ("1x0", "1x0"), ("1x3", "1x0 + 1x1"), ("1x1 + 2x0", "1x2 + 3x0 + 1x1")])
@pytest.mark.parametrize("targets", [(16, 32), (8, 16), (32, 64), (13, 16), (11, 96)])
def test_modes_along_rings_equal_sums_over_pairs(types, targets):
    conv = layer(*types, 16, 1.1, targets=GaussSphere(*targets))
    assert isinstance(conv.contraction, RingContraction)
    x = torch.randn(2, conv.in_type.size, 16, 32, dtype=torch.float64)
    expected = by_pairs(conv)(x, conv.filter())
    assert (conv.contraction(x, conv.filter()) - expected).abs().max() < 1e-12
    assert conv(x).shape == (2, conv.out_type.size, *targets)


@pytest.mark.parametrize(
    ("sides", "reach"),
    [
        *((s, 1.1) for s in (((40, 16), (40, 16)), ((50, 16), (21, 8)), ((11, 16), (20, 32)), ((36, 8), (36, 24)))),
        (((10, 8), (40, 16)), 6.0),  # several blocks, each with a window of all rings
    ],
)
def test_many_rings_are_several_blocks(sides, reach):
    sphere, targets = (GaussSphere(*s) for s in sides)
    torch.manual_seed(0)
    conv = snn.SphereConv(*(S.type(k) for k in MIXED), sphere, reach * sphere.spacing, targets).double()
    x = torch.randn(2, conv.in_type.size, *sphere.shape, dtype=torch.float64)
    expected = by_pairs(conv)(x, conv.filter())
    assert (conv.contraction(x, conv.filter()) - expected).abs().max() < 1e-12


def test_gradients_of_windows_and_modes():
    x = torch.randn(2, 3, 9, dtype=torch.float64, requires_grad=True)
    pieces = [x[:, :, a : a + 4] for a in (0, 2, 5)]
    assert torch.equal(windows(x, (0, 2, 5), 4), torch.stack(pieces, 1))
    assert torch.autograd.gradcheck(lambda v: windows(v, (0, 2, 5), 4), x)
    assert torch.autograd.gradgradcheck(lambda v: windows(v, (0, 2, 5), 4), x)
    for steps in (6, 7):
        y = torch.randn(3, steps, dtype=torch.float64, requires_grad=True)
        wave = to_modes(y.detach()).requires_grad_()
        assert torch.allclose(from_modes(wave, steps), steps * y)
        for function, argument in ((to_modes, y), (lambda v, n=steps: from_modes(v, n), wave)):
            assert torch.autograd.gradcheck(function, argument)
            assert torch.autograd.gradgradcheck(function, argument)


FEJER = {"kind": "fejer", "shift": 0.5}


@pytest.mark.parametrize(
    ("sphere", "targets"),
    [
        (GaussSphere(8, 15), None),  # an odd number of longitudes
        (Sphere.equiangular(8, "mw"), None),  # a pole that is a ring
        (Sphere.equiangular(nlat=9, kind="cc"), GaussSphere(6, 8)),
        (Sphere.equiangular(nlat=8, **FEJER), Sphere.equiangular(nlat=4, **FEJER)),  # other first longitudes
        (GaussSphere(9, 15), GaussSphere(5, 45)),
    ],
    ids=["odd", "mw", "poles", "shifted", "threefold"],
)
def test_on_any_rings(sphere, targets):
    torch.manual_seed(0)
    conv = snn.SphereConv(*(S.type(k) for k in MIXED), sphere, 1.1, targets).double()
    assert isinstance(conv.contraction, RingContraction)
    x = torch.randn(2, conv.in_type.size, *sphere.shape, dtype=torch.float64)
    assert (conv.contraction(x, conv.filter()) - by_pairs(conv)(x, conv.filter())).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("sphere", "limit"),
    [
        (Sphere.equiangular(32, "mw"), 2e-3),
        (Sphere.equiangular(nlat=33, kind="cc"), 2e-3),
        (Sphere.healpix(16), 1e-2),
        (Sphere.icosahedral(4), 2e-2),
    ],
    ids=["mw", "cc", "healpix", "icosahedral"],
)
def test_equivariant_on_every_sampling(sphere, limit):
    torch.manual_seed(0)
    conv = snn.SphereConv(*(S.type(k) for k in MIXED), sphere, 0.6).double()
    assert float(sphere_errors(conv, band=8).max()) < limit


def test_a_channel_that_nothing_reaches_is_zero():
    conv = layer("1x0", "1x0 + 1x3", 8, 1.2, filters=Zernike(1, 3.0), bias=False)
    assert conv(torch.randn(1, 1, 8, 16, dtype=torch.float64))[:, 1:].abs().max() == 0


@pytest.mark.parametrize(
    ("types", "limit"), [(("1x0", "1x0"), 5e-4), (("1x0", "1x1"), 1e-3), (MIXED, 2e-3), (("1x2", "1x1 + 1x3"), 2e-3)]
)
def test_equivariant_under_any_rotation(types, limit):
    """Six samples to each side on 64 Gauss rings, inputs of half the band: acceptance test 1 of the method."""
    assert float(sphere_errors(layer(*types, 64, 6 * math.pi / 64)).max()) < limit


def test_without_transport_it_is_not(monkeypatch):
    monkeypatch.setattr("steerable.domains.sphere.ring_neighbours.ring_logarithm", _no_transport)
    conv = layer(*MIXED, 16, 6 * math.pi / 16)
    assert float(sphere_errors(conv).max()) > 0.1


def _no_transport(theta, other, longitude):
    offset, transport = ring_logarithm(theta, other, longitude)
    return offset, 0 * transport


def test_held_by_north_it_is_equivariant_about_the_poles_only():
    torch.manual_seed(0)
    t = C(1).type("2 trivial")
    conv = snn.SphereConv(t, t, GaussSphere(16, 32), 6 * math.pi / 16).double()
    assert conv.mode == "north_aligned"
    assert float(sphere_errors(conv).max()) > 0.5
    x = torch.randn(1, 2, 16, 32, dtype=torch.float64)
    assert (conv(x.roll(5, 3)) - conv(x).roll(5, 3)).abs().max() < 1e-12


def test_reflections_with_parity():
    t = O2().type("1x0e + 1x0o + 1x1")
    conv = snn.SphereConv(t, t, GaussSphere(16, 32), 1.1, bias=False).double()
    x = torch.randn(1, 4, 16, 32, dtype=torch.float64)

    def mirror(f):  # east to west: longitudes run the other way, the second component of a vector changes sign
        signs = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
        return f.flip(3).roll(1, 3) * signs[:, None, None]

    assert (conv(mirror(x)) - mirror(conv(x))).abs().max() < 1e-12
    assert float(sphere_errors(conv).max()) < 5e-3


def test_error_falls_with_the_resolution():
    errors = [float(sphere_errors(layer(*MIXED, n, 0.8), band=6).max()) for n in (12, 24, 48)]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert min(orders) > 2, errors


def test_the_same_weights_on_another_sampling():
    conv = layer(*MIXED, 24, 0.6)
    spiral = snn.SphereConv(conv.in_type, conv.out_type, nodes(3000), 0.6).double()
    spiral.load_state_dict(conv.state_dict())
    assert isinstance(spiral.contraction, PairContraction)
    from steerable.laws.sphere import frame_fields

    fields = frame_fields(conv.in_type, 6)
    c = torch.randn(fields.type.size, dtype=torch.float64)
    here, there = (fields.evaluate(frames_of(s)) @ c for s in (conv.sphere, spiral.sphere))
    conv.requires_grad_(False)
    spiral.requires_grad_(False)
    a = conv(here.T.reshape(1, -1, 24, 48))
    out = frame_fields(conv.out_type, 24)
    matrix = out.evaluate(frames_of(conv.sphere))
    weights = conv.sphere.flat_weights() / (4 * math.pi)
    coefficients = torch.einsum("ncd,n,cn->d", matrix, weights, a[0].flatten(1))
    wanted = (out.evaluate(frames_of(spiral.sphere)) @ coefficients).T
    found = spiral(there.T[None])[0]
    assert float((found - wanted).norm() / wanted.norm()) < 5e-3


class Patch(SpherePoints):
    """Points of a small region, each with the same area."""

    def __init__(self, points, area):
        super().__init__(points)
        self.area = area

    @property
    def spacing(self):
        return math.sqrt(self.area)

    def weights(self):
        return torch.full(self.shape, self.area, dtype=torch.float64)


def test_it_becomes_the_convolution_of_the_plane():
    """Points near the equator, shrunk: the difference from the planar layer falls as the square of the scale."""
    torch.manual_seed(1)
    place = 2 * torch.rand(120, 2, dtype=torch.float64) - 1  # south, east
    t = [S.type(k) for k in MIXED]
    filters = Zernike(3, 3.0)
    flat = snn.PointConv(*t, cutoff=0.6, kernel_size=5, dimension=2, filters=filters, smooth=False).double()
    x = torch.randn(120, t[0].size, dtype=torch.float64)
    wanted = flat(x, Points(place).neighbours(0.6, loop=True))
    errors = []
    for scale in (0.1, 0.05):
        theta, phi = math.pi / 2 + scale * place[:, 0], scale * place[:, 1]
        xyz = torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], -1)
        curved = snn.SphereConv(*t, Patch(xyz, (0.2 * scale) ** 2), 0.6 * scale, filters=filters, quadrature=0).double()
        curved.load_state_dict(flat.state_dict())
        errors.append(float((curved(x.T[None])[0].T - wanted).detach().abs().max()))
    assert errors[0] < 0.3
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.3)


def test_striding_and_refining_are_adjoint():
    fine, coarse = GaussSphere(16, 32), GaussSphere(8, 16)
    t = S.type("1x0")
    down = snn.SphereConv(t, t, fine, 1.0, coarse, bias=False).double()
    up = snn.SphereConv(t, t, coarse, 1.0, fine, bias=False).double()
    up.load_state_dict(down.state_dict())
    f, g = (torch.randn(1, 1, *s.shape, dtype=torch.float64) for s in (fine, coarse))
    down.requires_grad_(False)
    up.requires_grad_(False)
    assert float((down(f) * g * coarse.weights()).sum() - (f * up(g) * fine.weights()).sum()) == pytest.approx(
        0, abs=1e-12
    )


@pytest.mark.parametrize("kind", ["rings", "pairs"])
def test_gradients(kind):
    conv = layer("1x0 + 1x1", "1x1", 3, 1.5)
    contraction = conv.contraction if kind == "rings" else by_pairs(conv)
    x = torch.randn(1, conv.in_type.size, 3, 6, dtype=torch.float64, requires_grad=True)
    f = conv.filter().detach().requires_grad_()
    assert torch.autograd.gradcheck(contraction, (x, f))
    assert torch.autograd.gradgradcheck(contraction, (x, f))


@pytest.mark.parametrize("sphere", [GaussSphere(6, 12), nodes(80)], ids=["rings", "pairs"])
def test_tools(sphere):
    conv = snn.SphereConv(*(S.type(k) for k in MIXED), sphere, 1.2).eval()
    x = torch.randn(2, conv.in_type.size, *sphere.shape)
    with torch.no_grad():
        y = conv(x)
        assert torch.allclose(torch.compile(conv, backend="aot_eager", fullgraph=True)(x), y, atol=1e-5)
        assert torch.allclose(torch.export.export(conv, (x,)).module()(x), y, atol=1e-5)
        assert torch.allclose(torch.vmap(conv)(x[:, None])[:, 0], y, atol=1e-5)
        assert torch.allclose(conv.bake()(x), y, atol=1e-6)
        assert conv(x[:0]).shape == (0, *y.shape[1:])
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.allclose(conv(x.bfloat16()), y, atol=0.2)
    assert set(conv.state_dict()) == {"weight", "bias"}


@pytest.mark.parametrize("targets", [None, HealpixSphere(2), nodes(30)], ids=["same", "coarser", "other points"])
def test_compilers_see_padded_neighbourhoods_of_a_fixed_filter(targets):
    conv = snn.SphereConv(*(S.type(k) for k in MIXED), HealpixSphere(4), 0.7, targets).double()
    baked = conv.bake()
    assert isinstance(baked.contraction, PaddedContraction)
    x = torch.randn(2, conv.in_type.size, 192, dtype=torch.float64, requires_grad=True)
    y, g = conv(x), torch.randn(2, conv.out_type.size, *conv.targets.shape, dtype=torch.float64)
    seen = torch.compile(baked, backend="aot_eager", fullgraph=True)
    assert torch.equal(baked(x), y) and (seen(x) - y).abs().max() < 1e-12
    slopes = [torch.autograd.grad((f(x) * g).sum(), x)[0] for f in (conv, seen)]
    assert (slopes[0] - slopes[1]).abs().max() < 1e-12
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    program = torch.export.export(baked, (x.detach(),), dynamic_shapes=shapes)
    called = [str(n.target) for n in program.graph.nodes if n.op == "call_function"]
    assert called.count("aten.bmm.default") == len(conv.contraction.parts)
    assert not any("index_add" in c for c in called)
    moved = program.module()
    assert (moved(x[:1]) - y[:1]).abs().max() < 1e-12
    wrong = x.detach().clone()
    wrong[:, :, 0] = torch.nan  # a missing sample spoils what lies around it, and nothing else
    assert torch.equal(moved(wrong).isnan(), conv(wrong).isnan())
    # a spare neighbour that weighs something is seen
    baked.contraction._values0[0, 0, -1] += 1
    assert (torch.export.export(baked, (x.detach(),)).module()(x) - y).abs().max() > 1e-3
    single = conv.float().bake().double()  # weights that were float32; tables are exact
    assert (torch.export.export(single, (x.detach(),)).module()(x) - y).abs().max() < 1e-6


def test_uneven_neighbourhoods_are_not_padded():
    torch.manual_seed(0)
    crowd = torch.nn.functional.normalize(torch.tensor([[0.0, 0.0, 1.0]]) + 0.1 * torch.randn(20, 3).double(), dim=1)
    far = nodes(150).points()
    conv = snn.SphereConv(*(S.type(k) for k in MIXED), SpherePoints(torch.cat([crowd, far])), 0.4).double()
    assert type(conv.bake().contraction) is PairContraction
    x = torch.randn(1, conv.in_type.size, 170, dtype=torch.float64)
    assert torch.equal(conv.bake()(x), conv(x))


@pytest.mark.parametrize("sphere", [GaussSphere(8, 16), HealpixSphere(2)], ids=["rings", "pairs"])
def test_types_without_a_kernel_give_the_bias(sphere):
    conv = snn.SphereConv(S.type("1x0"), S.type("1x9"), sphere, 0.9, kernel_size=3)
    x = torch.randn(2, 1, *sphere.shape)
    assert conv(x).shape == (2, 2, *sphere.shape) and not conv(x).any() and not conv.bake()(x).any()
    conv = snn.SphereConv(S.type("1x0"), S.type("1x9 + 1x0"), sphere, 0.9, kernel_size=3)
    assert not conv(x)[:, :2].any() and conv(x)[:, 2].any()


def test_bad_input():
    sphere = GaussSphere(8, 16)
    t = S.type("1x0")
    with pytest.raises(ValueError, match=r"of C8, but.*transport turns frames by any angle"):
        snn.SphereConv(C(8).type("1 trivial"), C(8).type("1 trivial"), sphere, 1.0)
    with pytest.raises(ValueError, match=r"radius is 0.01 rad.*expected between"):
        snn.SphereConv(t, t, sphere, 0.01)
    with pytest.raises(ValueError, match="radius is 4 rad"):
        snn.SphereConv(t, t, sphere, 4)
    with pytest.raises(ValueError, match="kernel_size is 4"):
        snn.SphereConv(t, t, sphere, 1.0, kernel_size=4)
    with pytest.raises(ValueError, match=r"samples \(16, 8\); this layer is on GaussSphere"):
        snn.SphereConv(t, t, sphere, 1.0)(torch.zeros(1, 1, 16, 8))


def test_other_filters_end_at_the_radius():
    conv = layer("1x0", "1x1", 16, 1.0, filters=GaussianRings.for_points(5, dimension=2))
    assert float(sphere_errors(conv, band=4).max()) < 0.05


def test_types_are_shown():
    conv = layer(*MIXED, 8, 1.0)
    assert "steerable" in repr(conv)
    assert isinstance(conv, nn.Module)


def test_the_report_of_a_layer():
    from steerable.laws import check

    conv = layer(*MIXED, 32, 0.6)
    report = check(conv, torch.randn(1, conv.in_type.size, 32, 64, dtype=torch.float64))
    assert report.ok and report.exact[0].element == "90 deg to the east"
    assert report.resampled[0].error < 0.02 and report.resampled[0].floor < 1e-12
    t = C(1).type("1 trivial")
    north = snn.SphereConv(t, t, conv.sphere, 0.6).double()
    assert check(north, torch.randn(1, 1, 32, 64, dtype=torch.float64)).resampled[0].error > 0.3
