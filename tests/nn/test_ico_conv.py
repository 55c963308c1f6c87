"""The icosahedral gauge CNN: 60 rotations, free frames, two ways to compute it, levels."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.aggregate.hexagon import HexFrames, chart_frames, chart_vertices
from steerable.domains.sphere import IcosahedralSphere
from steerable.groups import full_icosahedral, icosahedral
from steerable.kernels import Hexagons
from steerable.nn.icosahedral.gather import turn_matrices

C6, D6 = st.C(6), st.D(6)
S2 = IcosahedralSphere(2)
SOME = torch.arange(1, 60, 9)
TYPES = [
    (C6, "2 trivial", "2 regular"),
    (C6, "1 regular + 2 trivial", "1 regular + 1x1 + 1x3"),
    (C6, "1x1 + 1x2", "1x2 + 1x1 + 1x0"),
    (D6, "1 regular + 1x1", "1x2 + 1 regular + 1x0o"),
]


def frames(drawn: bool, level: int = 2) -> HexFrames:
    own = chart_frames(level)
    return HexFrames(own.sphere, laws.random_gauges(own, torch.Generator().manual_seed(level))) if drawn else own


def field(type, level=2, batch=2, corners="zero"):
    x = torch.randn(batch, type.size, 10 * 4**level + 2, dtype=torch.float64)
    keep = turn_matrices(type)[6] if corners == "invariant" else torch.zeros(type.size, type.size).double()
    x[:, :, :12] = keep @ x[:, :, :12]
    return x


def randomised(module):
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, t in [*module.double().named_parameters(), *module.named_buffers()]:
            what = name.rsplit(".")[-1]
            if what in ("weight", "bias", "running_mean", "running_var"):
                drawn = torch.randn(t.shape, generator=generator, dtype=torch.float64)
                t.copy_(0.5 + 0.3 * drawn.abs() if what == "running_var" else 0.3 * drawn)
    return module.eval().requires_grad_(False)


# ---- the geometry


@pytest.mark.parametrize("level", [1, 2, 3])
def test_five_charts_hold_every_vertex_but_the_poles_once(level):
    charts = chart_vertices(level)
    n = 2**level
    assert charts.shape == (5, n + 1, 2 * n + 1)
    owned = charts[:, 1:, :-1].flatten().sort().values.tolist()
    assert owned == [v for v in range(10 * 4**level + 2) if v not in (0, 3)]


@pytest.mark.parametrize("level", [1, 2, 3])
def test_default_frames_have_no_transport_within_charts(level):
    own, charts = chart_frames(level), chart_vertices(level)[:, 1:, :-1]
    here, right = charts[:, :, :-1], charts[:, :, 1:]
    inside = (here >= 12) & (right >= 12)
    assert torch.equal(own.neighbours[here[inside], 0], right[inside])
    assert (own.transport[here[inside], 0] == 0).all()


@pytest.mark.parametrize("drawn", [False, True])
def test_transport_is_flat_around_triangles_and_turns_a_sixth_around_corners(drawn):
    own = frames(drawn)

    def around(ring):  # frames carried along a closed walk
        turn = 0
        for here, there in zip(ring, [*ring[1:], ring[0]], strict=True):
            turn += own.transport[here, int(own.slots(torch.tensor(here), torch.tensor(there)))]
        return int(turn) % 6

    for face in own.sphere.faces.tolist():
        if min(face) >= 12:
            assert around(face) == 0
    assert {around(own.neighbours[corner, :5].tolist()) for corner in range(12)} <= {1, 5}


def test_kernels_are_those_of_a_hexagonal_lattice():
    """42 weights for a pair of regular fields, 7 for a scalar; a convolution of the plane on sheared hexagons."""
    assert snn.IcoConv(C6.type("1 regular"), C6.type("1 regular"), S2, bias=False).weight.numel() == 42
    assert snn.IcoConv(C6.type("1 trivial"), C6.type("1 regular"), S2, bias=False).weight.numel() == 7
    assert Hexagons(5).count == 19
    t, u = C6.type("1 regular + 1x1"), C6.type("1x2 + 1 regular")
    conv = snn.Conv2d(t, u, 3, padding=1, filters=Hexagons(3)).double()
    x = torch.zeros(1, t.size, 9, 9, dtype=torch.float64)
    hexagon = Hexagons(7).lattice.astype(int)
    values = torch.randn(len(hexagon), t.size, dtype=torch.float64)
    turned = {tuple(p): v for p, v in zip([(a - b, a) for a, b in hexagon], t.transform(values, C6.elements[1]))}
    moved = x.clone()
    for (a, b), v in zip(hexagon, values, strict=True):
        x[0, :, 4 - b, 4 + a] = v
        moved[0, :, 4 - b, 4 + a] = turned[a, b]
    before, after = conv(x)[0], conv(moved)[0]
    wanted = torch.stack([before[:, 4 - b, 4 + a] for a, b in hexagon])
    found = torch.stack([after[:, 4 - a, 4 + a - b] for a, b in hexagon])
    assert (found - u.transform(wanted, C6.elements[1])).abs().max() < 1e-12
    with pytest.raises(ValueError, match="C4 turns hexagons into no hexagons"):
        snn.Conv2d(st.C(4).type("1 regular"), st.C(4).type("1 regular"), 3, filters=Hexagons(3))


# ---- the laws


@pytest.mark.parametrize("corners", ["zero", "invariant"])
@pytest.mark.parametrize("path", ["gather", "atlas"])
@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize(("group", "in_type", "out_type"), TYPES)
def test_exact_under_all_symmetries(group, in_type, out_type, drawn, path, corners):
    a, b, own = group.type(in_type), group.type(out_type), frames(drawn)
    conv = randomised(snn.IcoConv(a, b, S2, own.gauges, corners, path=path))
    acting = full_icosahedral() if group == D6 else icosahedral()
    some = acting.elements if (drawn, corners) == (True, "zero") else acting.elements[1::9]
    errors = laws.icosahedral_errors(conv, field(a, corners=corners), a, b, own, None, acting, some)
    assert errors.max() < 1e-12


def network(own, path=None, level=2):
    """Scalars, regular, regular, invariants, with ReLU."""
    one, deep = C6.type("1 trivial"), C6.type("3 regular")
    sphere, gauges = own.sphere, own.gauges
    return snn.Sequential(
        snn.IcoConv(one, deep, sphere, gauges, path=path),
        snn.ReLU(deep),
        snn.IcoConv(deep, deep, sphere, gauges, path=path),
        snn.BatchNorm(deep),
        snn.ReLU(deep),
        snn.IcoConv(deep, deep, sphere, gauges, path=path),
        snn.GroupPool(deep),
    )


@pytest.mark.parametrize("path", ["gather", "atlas"])
def test_network_of_three_layers_in_random_frames(path):
    """Acceptance 2 of the sphere: below 1e-12 for all 60 rotations, and free of the frames."""
    own = frames(True)
    net = randomised(network(own, path))
    x = torch.randn(2, 1, S2.num_points, dtype=torch.float64)
    one = C6.type("1 trivial")
    assert laws.icosahedral_errors(net, x, one, net.out_type, own).max() < 1e-12
    other = randomised(network(frames(False), path))
    other.load_state_dict(net.state_dict())
    assert (other(x) - net(x)).abs().max() < 1e-12


@pytest.mark.parametrize(("group", "in_type", "out_type"), TYPES)
def test_drawing_frames_again_changes_coefficients_alone(group, in_type, out_type):
    a, b = group.type(in_type), group.type(out_type)
    here, there = frames(False), frames(True)
    one, other = (randomised(snn.IcoConv(a, b, S2, f.gauges)) for f in (here, there))
    x = field(a)
    wanted = laws.regauge(one(x), b, here, there)
    assert (other(laws.regauge(x, a, here, there)) - wanted).abs().max() < 1e-12


def wrong_way(self):
    here = torch.arange(self.sphere.num_points)[:, None].expand(-1, 6)
    back = self.slots(self.neighbours.clamp(min=0), here)
    return -(torch.arange(6) - back - 3) % 6


@pytest.mark.parametrize("fault", ["no transport", "wrong sign", "one frame", "no law for the kernel"])
def test_a_planted_fault_is_seen(fault, monkeypatch):
    own = frames(True)
    if fault == "no transport":
        monkeypatch.setattr(HexFrames, "transport", property(lambda self: torch.zeros_like(self.neighbours)))
    elif fault == "wrong sign":
        monkeypatch.setattr(HexFrames, "transport", property(wrong_way))
    elif fault == "one frame":  # a sixth too many everywhere would be another kernel, not a fault
        honest = HexFrames.__dict__["transport"].func
        at = (torch.arange(162) == 100).long()[:, None]
        monkeypatch.setattr(HexFrames, "transport", property(lambda self: (honest(self) + at) % 6))
    a = C6.type("1 regular + 1x1")
    conv = randomised(snn.IcoConv(a, a, S2, own.gauges, path="gather"))
    if fault == "no law for the kernel":
        weight = torch.randn(a.size, a.size, 3, 3, dtype=torch.float64)
        conv.filter = lambda: weight
    assert laws.icosahedral_errors(conv, field(a), a, a, own, elements=SOME).max() > 0.02


def test_shifted_seams_are_seen(monkeypatch):
    from steerable.nn.icosahedral import conv as ico_conv

    vertex, turn = ico_conv.padded_charts(2)
    monkeypatch.setattr(ico_conv, "padded_charts", lambda level: (vertex, -turn % 6))
    a = C6.type("2 regular")
    assert laws.icosahedral_errors(
        randomised(snn.IcoConv(a, a, S2, path="atlas")), field(a), a, a, frames(False)
    ).max() > 0.05  # fmt: skip


def test_without_transport_it_is_held_by_the_charts():
    t = st.C(1).type("3 trivial")
    conv = randomised(snn.IcoConv(t, t, S2))
    assert conv.weight.numel() == 7 * 9
    scalars = C6.type("3 trivial")
    assert laws.icosahedral_errors(conv, field(t), scalars, scalars, frames(False)).max() > 0.05


# ---- two ways to compute it


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("corners", ["zero", "invariant"])
@pytest.mark.parametrize(("group", "in_type", "out_type"), TYPES)
def test_charts_give_what_neighbours_give(group, in_type, out_type, corners, level):
    a, b = group.type(in_type), group.type(out_type)
    sphere = IcosahedralSphere(level)
    one, other = (randomised(snn.IcoConv(a, b, sphere, corners=corners, path=p)) for p in ("gather", "atlas"))
    x = field(a, level, 3, corners)
    y = one(x)
    assert (other(x) - y).abs().max() / y.abs().max() < 1e-14


def test_bit_for_bit_where_blocks_of_products_agree():
    a = C6.type("2 regular")
    one, other = (randomised(snn.IcoConv(a, a, S2, path=p)) for p in ("gather", "atlas"))
    x = field(a)
    assert (one(x) - other(x)).abs().max() <= 2e-15 * float(one(x).detach().abs().max())


@pytest.mark.parametrize("drawn", [False, True])
def test_atlas_and_back(drawn):
    own, t = frames(drawn), C6.type("1 regular + 1x1 + 1 trivial")
    x = field(t)
    charts = snn.to_atlas(x, t, own)
    assert charts.shape == (2, t.size, 5, 4, 8)
    back = snn.from_atlas(charts, t, own)
    assert (back[:, :, 12:] - x[:, :, 12:]).abs().max() < 1e-14
    assert torch.allclose(snn.to_atlas(x, t, own, padding=1)[..., 1:-1, 1:-1], charts, atol=1e-14)


def test_one_conv2d_on_padded_charts_is_the_layer():
    t = C6.type("2 regular")
    conv = randomised(snn.IcoConv(t, t, S2, bias=False))
    padded = snn.to_atlas(field(t).requires_grad_(False), t, conv.frames, padding=1)
    x = snn.from_atlas(padded[..., 1:-1, 1:-1], t, conv.frames)
    y = nn.functional.conv2d(padded.transpose(1, 2).flatten(0, 1), conv.filter()).unflatten(0, (-1, 5)).transpose(1, 2)
    found = snn.from_atlas(y, t, conv.frames)
    assert (found - conv(x))[:, :, 12:].abs().max() < 1e-12


# ---- levels


@pytest.mark.parametrize("corners", ["zero", "invariant"])
@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("function", ["mean", "max"])
@pytest.mark.parametrize("kind", ["2 regular + 1 trivial", "1x1 + 1x2 + 1 regular"])
def test_levels(kind, function, drawn, corners):
    t = C6.type(kind)
    if function == "max" and not t.is_permutation:
        with pytest.raises(TypeError, match="use function"):
            snn.IcoPool(t, S2, "max")
        return
    fine, coarse = frames(drawn), frames(drawn, 1)
    down = snn.IcoPool(t, S2, function, fine.gauges, coarse.gauges, corners).double()
    up = snn.IcoUnpool(t, IcosahedralSphere(1), coarse.gauges, fine.gauges, corners).double()
    x, y = field(t, corners=corners), field(t, 1, corners=corners)
    assert down(x).shape == (2, t.size, 42) and up(y).shape == (2, t.size, 162)
    assert laws.icosahedral_errors(down, x, t, t, fine, coarse, elements=SOME).max() < 1e-14
    assert laws.icosahedral_errors(up, y, t, t, coarse, fine, elements=SOME).max() < 1e-14
    kept = up(y)[:, :, 12:42]  # vertices that stay keep their value, in frames of their own
    assert (laws.regauge(up(y), t, fine, frames(False))[:, :, 12:42].norm(dim=1) - kept.norm(dim=1)).abs().max() < 1e-12


def test_pooling_with_wrong_frames_is_seen(monkeypatch):
    from steerable.nn.icosahedral import pool as ico_pool

    monkeypatch.setattr(ico_pool, "ahead_of_fine", lambda fine, coarse: torch.zeros(42, dtype=torch.int64))
    t, fine, coarse = C6.type("1 regular"), frames(True), frames(True, 1)
    down = snn.IcoPool(t, S2, gauges=fine.gauges, coarse_gauges=coarse.gauges).double()
    assert laws.icosahedral_errors(down, field(t), t, t, fine, coarse).max() > 0.05


def test_constants_stay_constant():
    t = C6.type("2 trivial")
    ones = torch.ones(1, 2, 162, dtype=torch.float64)
    conv = randomised(snn.IcoConv(t, t, S2, corners="invariant"))
    y = conv(ones)
    assert (y - y[..., :1]).abs().max() < 1e-14
    assert (snn.IcoPool(t, S2, corners="invariant").double()(ones) - 1).abs().max() < 1e-15
    assert (snn.IcoUnpool(t, S2, corners="invariant").double()(ones) - 1).abs().max() < 1e-15
    away = snn.IcoPool(t, S2).double()(ones)
    assert (away[..., 12:] - 1).abs().max() < 1e-15 and away[..., :12].abs().max() == 0


# ---- tools


LAYERS = {
    "atlas": lambda a, b: snn.IcoConv(a, b, IcosahedralSphere(1), path="atlas"),
    "gather": lambda a, b: snn.IcoConv(a, b, IcosahedralSphere(1), path="gather", corners="invariant"),
    "pool": lambda a, b: snn.IcoPool(a, S2),
    "unpool": lambda a, b: snn.IcoUnpool(a, IcosahedralSphere(1)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_tools(name):
    a, b = C6.type("1 regular + 1x1"), C6.type("1x2 + 1 regular")
    layer = LAYERS[name](a, b).eval()
    x = torch.randn(2, a.size, layer.sphere.num_points)
    laws.assert_baked_equals(layer, x)
    laws.assert_export_equals_eager(layer, x, dynamic_batch=True)
    laws.assert_compiled_equals(layer, x)
    with torch.no_grad():
        assert torch.allclose(torch.vmap(layer)(x[:, None])[:, 0], layer(x), atol=1e-5)
        assert layer(x[:0]).shape[0] == 0
    assert set(layer.state_dict()) == {n for n, _ in layer.named_parameters()}
    layer = layer.double()
    x = x[:1].double().requires_grad_()
    weights = dict(layer.named_parameters())
    small = tuple(w.detach().requires_grad_() for w in weights.values())

    def call(x, *values):
        return torch.func.functional_call(layer, dict(zip(weights, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(call, (x, *small), fast_mode=True)
    assert torch.autograd.gradgradcheck(call, (x, *small), fast_mode=True)


def test_a_mixture_of_gauges_or_levels_is_refused():
    one, t = C6.type("1 trivial"), C6.type("1 regular")
    other = frames(True).gauges
    with pytest.raises(ValueError, match=r"differ at \d+ of 162 vertices .* a mixture of gauges. Pass the same gauges"):
        snn.IcoSequential(snn.IcoConv(one, t, S2), snn.ReLU(t), snn.IcoConv(t, t, S2, other))
    with pytest.raises(ValueError, match=r"entry 0 \(IcoPool\) gives fields on .*42 vertices.* is on .*162 vertices"):
        snn.IcoSequential(snn.IcoPool(t, S2), snn.ReLU(t), snn.IcoConv(t, t, S2))
    with pytest.raises(TypeError, match="gives C6: 1 regular, but entry 1"):
        snn.IcoSequential(snn.IcoConv(one, t, S2), snn.IcoConv(one, t, S2))
    snn.IcoSequential(snn.IcoConv(t, one, S2), snn.IcoConv(one, t, S2, other))  # scalars have no frames
    snn.IcoSequential(snn.IcoConv(t, t, S2, other), snn.IcoPool(t, S2, gauges=other), snn.IcoConv(t, t, S2.coarser()))


def test_pickles_and_mixed_precision():
    t = C6.type("1 regular")
    layer = snn.IcoConv(t, t, S2).eval()
    x = torch.randn(1, 6, 162)
    again = pickle.loads(pickle.dumps(layer))
    assert torch.equal(again(x), layer(x))
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x)
    assert (half - layer(x)).abs().max() < 0.05 * layer(x).abs().max()


def test_bad_input():
    t = C6.type("1 regular")
    with pytest.raises(ValueError, match="level 0 of the icosahedron has 12 corners"):
        snn.IcoConv(t, t, IcosahedralSphere(0))
    with pytest.raises(ValueError, match="level 0"):
        snn.IcoPool(t, IcosahedralSphere(1))
    with pytest.raises(ValueError, match="level 0"):
        snn.IcoUnpool(t, IcosahedralSphere(0))
    with pytest.raises(TypeError, match="need the vertices of an IcosahedralSphere, got GaussSphere"):
        snn.IcoConv(t, t, st.Sphere.gauss(4))
    with pytest.raises(ValueError, match="of C8, but transport on the icosahedron turns frames by sixths"):
        snn.IcoConv(st.C(8).type("1 regular"), st.C(8).type("1 regular"), S2)
    with pytest.raises(ValueError, match=r"samples \(642,\); this layer is on IcosahedralSphere"):
        snn.IcoConv(t, t, S2)(torch.zeros(1, 6, 642))
    with pytest.raises(ValueError, match=r"expected one integer 0 to 5 for each vertex, torch.int64 \[162\]"):
        snn.IcoConv(t, t, S2, gauges=torch.zeros(42, dtype=torch.int64))
    with pytest.raises(ValueError, match="gauges from 0 to 6; expected 0 to 5"):
        snn.IcoConv(t, t, S2, gauges=torch.arange(162) % 7)
    with pytest.raises(ValueError, match="corners is 'mean'; expected 'zero' or 'invariant'"):
        snn.IcoConv(t, t, S2, corners="mean")
    with pytest.raises(ValueError, match="knows no reflections"):
        group = full_icosahedral()
        mirrored = next(g for g in group.elements if torch.linalg.det(group.action(g, 3)) < 0)
        laws.turn_icosahedron(torch.zeros(1, 6, 162), t, frames(False), group, mirrored)
    with pytest.raises(ValueError, match=r"expected padding 0 or 1 and \[B, 6, 162\]"):
        snn.to_atlas(torch.zeros(1, 6, 42), t, frames(False))
    with pytest.raises(ValueError, match=r"expected \[B, 6, 5, 4, 8\]"):
        snn.from_atlas(torch.zeros(1, 6, 5, 8, 4), t, frames(False))
