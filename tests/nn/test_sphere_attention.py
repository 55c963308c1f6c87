"""Attention on the sphere: integrals, rotations, two samplings."""

from __future__ import annotations

import itertools
import math
import pickle

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import steerable as st
import steerable.nn as snn
from steerable.domains import Sphere
from steerable.groups import O2, SO2
from steerable.laws.sphere import frame_fields, frames_of, sphere_errors

S = SO2()
SCALARS = S.type("4x0")
MIXED = S.type("2x0 + 2x1 + 2x2")


def drawn(layer):
    """In float64, with weights that make scores matter, and distances too."""
    torch.manual_seed(0)
    with torch.no_grad():
        for p in layer.parameters():
            p.normal_(std=0.7)
    return layer.double().eval().requires_grad_(False)


def globally(sphere, targets=None, type=SCALARS, **options):
    return drawn(snn.SphereAttention(type, sphere, heads=2, targets=targets, **options))


def locally(sphere, radius=0.9, type=MIXED, **options):
    return drawn(snn.SphereNeighbourAttention(type, sphere, radius, heads=2, **options))


def sampled(type, sphere, band=4, batch=2):
    """The same smooth fields on any sampling."""
    fields = frame_fields(type, band)
    c = torch.randn(batch, fields.type.size, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) / 4
    return torch.einsum("ncd,bd->bcn", fields.evaluate(frames_of(sphere)), c).reshape(batch, -1, *sphere.shape)


def test_global_attention_is_the_formula():
    sphere = Sphere.gauss(6)
    layer, x = globally(sphere), sampled(SCALARS, sphere)
    flat, weights = x.flatten(2), sphere.flat_weights()
    q, k, v = (m(flat).unflatten(1, (2, 2)) for m in (layer.query, layer.key, layer.value))
    p = sphere.points().reshape(-1, 3)
    cos = p @ p.T
    bias = sum(layer.distance[:, n, None, None] * cos ** (n + 1) for n in range(3))
    share = weights * (torch.einsum("bhci,bhcj->bhij", q, k) / math.sqrt(2) + bias).exp()
    y = torch.einsum("bhij,bhcj->bhci", share / share.sum(-1, keepdim=True), v).flatten(1, 2)
    assert (layer(x) - layer.out(y).view(x.shape)).abs().max() < 1e-10


@pytest.mark.parametrize("sphere", [Sphere.gauss(5), Sphere.icosahedral(1)], ids=repr)
def test_local_attention_is_the_formula(sphere):
    layer, x = locally(sphere), sampled(MIXED, sphere)
    near = sphere.neighbours(layer.radius)
    flat = x.flatten(2)
    q, k, v = layer.query(flat), layer.key(flat), layer.value(flat)
    u = near.distance / layer.radius
    window = 1 - 10 * u**3 + 15 * u**4 - 6 * u**5
    reps = [b.rep(near.transport) for b in MIXED.blocks for _ in range(b.multiplicity)]  # rho(t) of every field
    matrix = torch.stack([torch.block_diag(*(r[e] for r in reps)) for e in range(near.num_edges)])
    moved = [torch.einsum("eij,bje->bie", matrix, t[..., near.source]) for t in (k, v)]
    y = torch.zeros_like(flat)
    for head in range(2):
        channels = [head, *range(2 + 2 * head, 4 + 2 * head), *range(6 + 2 * head, 8 + 2 * head)]
        score = (q[:, channels][..., near.target] * moved[0][:, channels]).sum(1) / math.sqrt(5)
        score = score + sum(layer.distance[head, n] * u ** (2 * n + 2) for n in range(3))
        share = near.weight * window * score.exp()
        total = torch.zeros_like(flat[:, 0]).index_add(1, near.target, share)
        out = torch.zeros_like(flat[:, channels]).index_add(2, near.target, share[:, None] * moved[1][:, channels])
        y[:, channels] = out / total[:, None]
    assert (layer(x) - layer.out(y).view(x.shape)).abs().max() < 1e-10


def across(make, coarse, *finer):
    """Differences of the answer on fixed targets, from one sampling to the next."""
    targets = Sphere.gauss(6)
    first = make(coarse, targets)
    answers = []
    for sphere in (coarse, *finer):
        layer = make(sphere, targets)
        layer.load_state_dict(first.state_dict())
        answers.append(layer(sampled(layer.in_type, sphere), sampled(layer.in_type, targets)))
    return [float((a - b).norm() / b.norm()) for a, b in itertools.pairwise(answers)]


@pytest.mark.parametrize("kind", ["gauss", "healpix", "icosahedral"])
def test_doubling_the_sampling_changes_nothing_to_second_order(kind):
    steps = {"gauss": (8, 16, 32), "healpix": (2, 4, 8), "icosahedral": (1, 2, 3)}[kind]
    errors = across(globally, *(getattr(Sphere, kind)(n) for n in steps))
    assert errors[1] < 0.02 and errors[1] < errors[0] / 3.3, errors


def test_without_weights_it_does_not_converge(monkeypatch):
    monkeypatch.setattr(
        "steerable.nn.sphere.attention_cores.require_weights",
        lambda s: torch.full((s.num_points,), 4 * math.pi / s.num_points),
    )
    planted = globally(Sphere.gauss(16), Sphere.gauss(6))
    monkeypatch.undo()
    layer = globally(Sphere.gauss(16), Sphere.gauss(6))
    x, query = sampled(SCALARS, layer.sphere), sampled(SCALARS, layer.targets)
    assert (planted(x, query) - layer(x, query)).norm() > 0.02 * layer(x, query).norm()
    assert float(sphere_errors(globally_planted(monkeypatch)).max()) > 0.02
    assert float(sphere_errors(globally(Sphere.gauss(16)), band=4).max()) < 0.01


def globally_planted(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            "steerable.nn.sphere.attention_cores.require_weights", lambda s: torch.ones(s.num_points).double()
        )
        return globally(Sphere.gauss(16))


@pytest.mark.parametrize("type", [MIXED, SCALARS], ids=str)
def test_local_attention_converges(type):
    errors = across(lambda s, t: locally(s, 0.9, type, targets=t), Sphere.gauss(8), Sphere.gauss(16), Sphere.gauss(32))
    assert errors[1] < 0.01 and errors[1] < errors[0] / 3.3, errors


@pytest.mark.parametrize("kind", [SO2, O2])
def test_local_attention_of_spins_is_equivariant(kind):
    type = MIXED if kind is SO2 else O2().type("2x0e + 2x0o + 2x1")
    errors = [float(sphere_errors(locally(Sphere.gauss(n), 0.9, type), band=3).max()) for n in (8, 16)]
    assert errors[1] < 0.02 and errors[0] / errors[1] > 3.3, errors


def test_global_attention_is_equivariant():
    errors = [float(sphere_errors(globally(Sphere.gauss(n)), band=3).max()) for n in (8, 16)]
    assert errors[1] < 5e-3 and errors[0] / errors[1] > 4, errors


def test_without_transport_it_is_not():
    layer = locally(Sphere.gauss(16), 0.9)
    good = float(sphere_errors(layer, band=3).max())
    layer.core._cos.fill_(1.0)
    layer.core._sin.fill_(0.0)
    assert float(sphere_errors(layer, band=3).max()) > 10 * good
    turned = locally(Sphere.gauss(16), 0.9)
    turned.core._sin.neg_()  # the other way round
    assert float(sphere_errors(turned, band=3).max()) > 10 * good


def test_a_sharp_rim_is_seen(monkeypatch):
    good = float(sphere_errors(locally(Sphere.gauss(12), 0.7), band=3).max())
    monkeypatch.setattr("steerable.nn.sphere.attention_cores.envelope", lambda d, r: torch.ones_like(d))
    assert float(sphere_errors(locally(Sphere.gauss(12), 0.7), band=3).max()) > 2 * good


@pytest.mark.parametrize(("n", "m"), [(16, 8), (8, 16)])
@pytest.mark.parametrize("make", [lambda s, t: locally(s, 1.0, targets=t), globally], ids=["local", "global"])
def test_down_and_up_between_samplings(make, n, m):
    layer = make(Sphere.gauss(n), Sphere.gauss(m))
    x = sampled(layer.in_type, layer.sphere)
    y = layer(x)  # queries are means around the targets
    assert y.shape == (2, layer.out_type.size, m, 2 * m)
    given = layer(x, sampled(layer.in_type, layer.targets))
    assert (y - given).norm() < 0.5 * given.norm()
    assert float(sphere_errors(layer, band=3).max()) < 0.06


def test_cross_attention_of_other_types():
    sphere, targets = Sphere.gauss(6), Sphere.icosahedral(1)
    wind, height = S.type("1x1"), S.type("3x0")
    layer = drawn(
        snn.SphereNeighbourAttention(height, sphere, 1.0, wind, heads=2, targets=targets, query_type=wind, inner=MIXED)
    )
    assert layer(torch.randn(2, 3, 6, 12).double(), torch.randn(2, 2, 42).double()).shape == (2, 2, 42)
    with pytest.raises(ValueError, match="pass query"):
        layer(torch.randn(2, 3, 6, 12).double())


@pytest.mark.parametrize("name", ["global", "local", "local down"])
def test_tooling(name):
    sphere = Sphere.icosahedral(1)
    if name == "global":
        layer = globally(sphere)
    else:
        layer = locally(sphere, 1.0, targets=Sphere.gauss(3) if "down" in name else None)
    x = torch.randn(2, layer.in_type.size, 42, dtype=torch.float64, requires_grad=True)
    y = layer(x)
    baked = st.bake(layer)
    assert (baked(x) - y).abs().max() < 1e-12
    for module in (layer, baked):
        program = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
        assert (program(x) - y).abs().max() < 1e-12 and program(torch.cat([x, x])).shape[0] == 4
        assert (torch.compile(module, backend="aot_eager", fullgraph=True)(x) - y).abs().max() < 1e-12
    assert (pickle.loads(pickle.dumps(layer))(x) - y).abs().max() == 0
    assert (torch.func.vmap(baked)(x[:, None])[:, 0] - y).abs().max() < 1e-12
    assert layer(x[:0]).shape == (0, *y.shape[1:])
    assert not any(k.split(".")[-1].startswith("_") for k in layer.state_dict())
    direction = torch.randn_like(x)[:1]
    with sdpa_kernel(SDPBackend.MATH):
        point = torch.zeros(1, dtype=torch.float64, requires_grad=True)

        def along(t):
            return layer(x[:1].detach() + t * direction).square().sum()

        assert torch.autograd.gradcheck(along, (point,)) and torch.autograd.gradgradcheck(along, (point,))
    single = layer.float()
    with torch.autocast("cpu", torch.bfloat16):
        assert (single(x.float()) - y).abs().max() < 1e-4
    assert (single.double()(x) - y).abs().max() < 1e-5  # parameters were rounded, constants were not


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_samples_without_area_are_not_seen_however_large(dtype):
    g = torch.Generator().manual_seed(0)
    points = torch.randn(30, 3, dtype=torch.float64, generator=g)
    sphere = Sphere.scattered(points, (torch.arange(30) > 3).double())
    every = torch.randn(2, 10, 30, generator=g).to(dtype)
    shouted = torch.where(torch.arange(30) > 3, every, 1e3)
    for layer in (globally(sphere), locally(sphere, 2.0)):
        layer = layer.to(dtype)
        x, loud = every[:, : layer.in_type.size], shouted[:, : layer.in_type.size]
        assert torch.equal(layer(x)[:, :, 4:], layer(loud)[:, :, 4:]) and bool(layer(loud).isfinite().all())


def test_large_scores_do_not_overflow():
    layer = locally(Sphere.icosahedral(1), 1.0)
    y = layer(1e4 * torch.randn(1, layer.in_type.size, 42, dtype=torch.float64))
    assert y.isfinite().all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: snn.SphereAttention(MIXED, s), "SphereNeighbourAttention"),
        (lambda s: snn.SphereAttention(S.type("3x0"), s, heads=2), "3 inner channels"),
        (lambda s: snn.SphereAttention(SCALARS, s, heads=0), "heads=0"),
        (lambda s: snn.SphereNeighbourAttention(MIXED, s, 1.0, heads=3), "multiple of 3"),
        (lambda s: snn.SphereNeighbourAttention(MIXED, s, 0.01), "radius is 0.01"),
        (lambda s: snn.SphereNeighbourAttention(st.C(4).type("2x0"), s, 1.0), "SO2, O2"),
        (lambda s: snn.SphereAttention(SCALARS, s)(torch.zeros(1, 4, 6, 11)), "6, 11"),
        (lambda s: snn.SphereAttention(SCALARS, s)(torch.zeros(1, 3, 6, 12)), "3 channels"),
        (lambda s: snn.SphereAttention(SCALARS, s)(torch.zeros(1, 4, 6, 12), torch.zeros(1, 4, 42)), "query is"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make(Sphere.gauss(6))
    assert "\n" not in str(caught.value)
