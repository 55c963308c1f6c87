"""Needlet networks: fields to fields on the sphere, and invariants of sets of spheres."""

from __future__ import annotations

import math
import os

import pytest
import torch

import steerable as st
from steerable.data import Clouds
from steerable.data.rotations import random_rotations
from steerable.domains.homogeneous import Homogeneous
from steerable.domains.spectral import rotate_coefficients
from steerable.groups.spherical import spherical_harmonics
from steerable.laws import sphere_errors
from steerable.models import NeedletSets, PlainSets
from steerable.models.needlet_parts import DegreeMix, SphereNeedletBlock, SphericalScalars
from steerable.nn.sphere.needlet import NeedletTransform
from steerable.tasks.molecules import potential_maps, qm7, sampled

real = pytest.mark.skipif("STEERABLE_DATA" not in os.environ, reason="STEERABLE_DATA is not set")
ROTATION = torch.tensor([0.5, -0.5, 0.1, 0.7], dtype=torch.float64)
ROTATION = ROTATION / ROTATION.norm()


def scalars(band: int, count: int = 1):
    return Homogeneous(st.SO3(), st.SO2(), band - 1).fields(count * st.SO2().trivial).type


@pytest.mark.parametrize("on", ["group", "sphere"])
@pytest.mark.parametrize(("given", "answer"), [("2x0", "1x0"), ("1x0 + 1x2", "1x2 + 1x0")])
def test_turns_with_its_input(on, given, answer):
    torch.manual_seed(0)
    options = {"sphere": "gauss(8)", "in_type": given, "out_type": answer, "on": on, "width": 3}
    errors = {s: float(sphere_errors(st.create_model("needlet_net", oversample=s, **options).double()).max())
              for s in (1.0, 3.0)}  # fmt: skip
    assert errors[3.0] < 2e-4 and errors[3.0] < errors[1.0] / 3
    plain = st.create_model("needlet_net_plain", **{**options, "width": 6}).double()
    assert float(sphere_errors(plain).max()) > 0.1


def test_linear_half_is_exact():
    torch.manual_seed(0)
    net = st.create_model("needlet_net", sphere="gauss(8)", in_type="1x0 + 1x2", out_type="1x1").double()
    torch.nn.init.normal_(net.linear.weight)
    torch.nn.init.zeros_(net.project.weight)
    assert float(sphere_errors(net, band=8).max()) < 1e-12


def test_fields_of_spin_become_scalars_and_come_back():
    band, kind = 6, st.SO2().type("2x2 + 1x0 + 1x1")
    fields = Homogeneous(st.SO3(), st.SO2(), band - 1).fields(kind)
    parts, back = SphericalScalars(kind, band), SphericalScalars(kind, band, back=True)
    c = torch.randn(2, fields.type.size, dtype=torch.float64)
    assert parts.count == 7 and torch.equal(back(parts(c)), c)
    turned = parts(rotate_coefficients(c, fields.type, ROTATION))
    assert (turned - rotate_coefficients(parts(c), scalars(band, 7), ROTATION)).abs().max() < 1e-12
    for wrong, size in (("1x0 + 1x6", 6), ("1x0 + 1x2", 2)):
        with pytest.raises(ValueError, match="expected a band above"):
            SphericalScalars(st.SO2().type(wrong), size)
    with pytest.raises(ValueError, match="a sum of irreps"):
        SphericalScalars(st.C(4).type("1 regular"), 4)


def test_mixing_of_degrees():
    torch.manual_seed(0)
    mix = DegreeMix(3, 2, 5).double()
    x = torch.randn(2, 75, dtype=torch.float64)
    turned = mix(rotate_coefficients(x, mix.in_type, ROTATION))
    assert (turned - rotate_coefficients(mix(x), mix.out_type, ROTATION)).abs().max() < 1e-12
    assert (mix(x)[:, 7] - (mix.weight[2, 0] * x.view(2, 3, 25)[:, :, 7]).sum(1)).abs().max() < 1e-12
    same = DegreeMix(2, 2, 5, identity=True)
    assert torch.equal(same(x[:, :50].float()), x[:, :50].float())
    with pytest.raises(ValueError, match="expects 75"):
        mix(x[:, 1:])


def test_shrinkage_zeroes_small_details():
    block = SphereNeedletBlock(1, 1, 8).double()
    assert len(block.frame.bands) == 3
    for layer in block.parts[1:]:
        torch.nn.init.constant_(layer[1].threshold, 50.0)  # far above every sample
    x = torch.zeros(1, 64, dtype=torch.float64)
    x[0, 36:] = 1.0  # degrees from 6 on: details alone
    assert block(x).abs().max() < 1e-12
    with pytest.raises(ValueError, match="expected one of group, sphere"):
        st.create_model("needlet_net", on="plane")


def test_shrinkage_beats_the_wiener_filter_on_sparse_fields():
    """Three points of either sign in noise of equal power; thresholds were chosen on other maps (seed 0)."""
    band, generator = 16, torch.Generator().manual_seed(1)
    points = torch.randn(100, 3, 3, generator=generator, dtype=torch.float64)
    signs = torch.randn(100, 3, 1, generator=generator, dtype=torch.float64).sign()
    truth = (spherical_harmonics(points, range(band)) * signs).sum(1)
    truth = truth / truth.square().sum(1).mean().sqrt()
    seen = truth + torch.randn(truth.shape, generator=generator, dtype=torch.float64) / band
    degree = torch.arange(band).repeat_interleave(2 * torch.arange(band) + 1)
    sums = [torch.zeros(band, dtype=torch.float64).index_add(0, degree, (a * seen).mean(0)) for a in (truth, seen)]
    wiener = (sums[0] / sums[1])[degree] * seen  # with the truth of these very maps
    frame = NeedletTransform(band, 1, "sphere").double()
    low, *details = frame(seen)
    kept = [0.4 * low]
    for part, threshold in zip(details, (0.9, 0.6), strict=True):
        act = st.nn.SpectralAct(1, band, "shrink", on="sphere", bias=False).double()
        torch.nn.init.constant_(act.threshold, math.log(math.expm1(threshold)))
        kept.append(act(part).detach())
    left = [float((x - truth).square().sum(1).mean()) for x in (seen, wiener, frame.inverse(kept))]
    assert left[1] == pytest.approx(0.5, abs=0.02) and left[2] < 0.4 < left[0]


def test_trains_with_a_twin_of_its_size():
    torch.manual_seed(0)
    for on in ("group", "sphere"):
        options = {"in_channels": 2, "num_classes": 3, "sphere": "gauss(6)", "width": 8, "on": on}
        net, plain = (st.create_model(f"needlet_net{s}", **options) for s in ("", "_plain"))
        counts = [sum(p.numel() for p in m.parameters()) for m in (net, plain)]
        assert abs(counts[1] / counts[0] - 1) < 0.15
        for m in (net, plain):
            y = m(torch.randn(2, 2, 6, 12))
            assert y.shape == (2, 3, 6, 12)
            y.square().mean().backward()
            assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in m.parameters())


def test_bakes_and_exports():
    torch.manual_seed(0)
    for on in ("group", "sphere"):
        net = st.create_model("needlet_net", sphere="gauss(4)", in_type="1x0 + 1x2", on=on).double().eval()
        x = torch.randn(2, 3, 4, 8, dtype=torch.float64)
        assert (st.bake(net)(x) - net(x)).abs().max() < 1e-12
        assert st.laws.lint(net, x) == []
    program = torch.export.export(net, (x,)).module()
    assert (program(x) - net(x)).abs().max() < 1e-12


def molecule(count: int = 5, seed: int = 0) -> Clouds:
    """Atoms of three elements, at least an Angstrom apart, in two molecules, float64."""
    generator = torch.Generator().manual_seed(seed)
    grid = torch.cartesian_prod(*3 * [torch.arange(2.0, dtype=torch.float64)])[:count].repeat(2, 1)
    features = torch.eye(3)[torch.randint(3, (2 * count,), generator=generator)]
    return moved(features, 1.6 * grid + 0.4 * torch.rand(grid.shape, generator=generator), torch.tensor([0, 5, 10]))


def moved(features: torch.Tensor, positions: torch.Tensor, ptr: torch.Tensor) -> Clouds:
    """Clouds in the precision of the positions, which files do not have."""
    return Clouds(features, positions, ptr, check=False)


def test_potential_is_the_sum_over_the_other_atoms():
    x, z = molecule(), torch.tensor([1.0, 6.0, 8.0])
    sphere = st.Sphere.gauss(4)
    maps = sampled(potential_maps(x, 40, 0.3, z), 40, sphere)
    assert maps.shape == (10, 3, 4, 8)
    own, points = (x.features @ z).double(), sphere.points()
    expected = torch.zeros_like(maps)
    for i in range(10):
        for j in range(10):
            if i != j and i // 5 == j // 5:
                where = x.positions[i] + 0.3 * points - x.positions[j]
                expected[i, x.features[j].argmax()] += own[i] * own[j] / where.norm(dim=-1)
    assert (maps - expected).abs().max() < 1e-9


def test_potential_turns_and_knows_neither_place_nor_order():
    x, band = molecule(), 5
    maps = potential_maps(x, band)
    g = st.SO3().action(ROTATION)
    turned = potential_maps(moved(x.features, x.positions @ g.T + torch.tensor([1.0, 2, 3]), x.ptr), band)
    assert (turned - rotate_coefficients(maps, scalars(band, 3), ROTATION)).abs().max() < 1e-12
    assert (
        turned - rotate_coefficients(maps, scalars(band, 3), ROTATION * torch.tensor([1, -1, -1, -1]))
    ).abs().max() > 0.1
    order = torch.tensor([3, 1, 4, 0, 2, 5, 9, 8, 7, 6])
    shuffled = moved(x.features[order], x.positions[order], x.ptr)
    assert (potential_maps(shuffled, band) - maps[order]).abs().max() < 1e-12
    one = Clouds(torch.eye(2)[:1], torch.zeros(1, 3), torch.tensor([0, 1]))
    assert potential_maps(one).abs().max() == 0
    for options, word in (({"radius": 0.9}, "do not overlap"), ({"band": 0}, "a band from 1 on"),
                          ({"charges": torch.ones(2)}, "a charge for each")):  # fmt: skip
        with pytest.raises(ValueError, match=word):
            potential_maps(x, **options)


@pytest.mark.parametrize("on", ["group", "sphere"])
def test_sets_of_spheres_are_invariant(on):
    torch.manual_seed(0)
    x, band = molecule(), 5
    net = NeedletSets(3, 2, band, 3, width=4, on=on, oversample=3).double().eval()
    plain = PlainSets(3, 2, band, 3, width=4, on=on).double().eval()
    counts = [sum(p.numel() for p in m.parameters()) for m in (net, plain)]
    assert abs(counts[1] / counts[0] - 1) < 0.15
    features = x.features.double()

    def ask(model, positions, order=None):
        order = torch.arange(10) if order is None else order
        there = moved(x.features[order], positions[order], x.ptr)
        return model(potential_maps(there, band), features[order], there.batch).detach()

    g = random_rotations(1, 3, torch.Generator().manual_seed(1))[0]
    answer = ask(net, x.positions)
    assert answer.shape == (2, 2) and (answer[0] - answer[1]).abs().max() > 1e-6
    spread = (answer[0] - answer[1]).abs().max()
    change = (ask(net, x.positions @ g.T + 1) - answer).abs().max()
    assert change < 1e-3 * spread
    assert (ask(plain, x.positions @ g.T) - ask(plain, x.positions)).abs().max() > 3 * change
    order = torch.tensor([4, 3, 2, 1, 0, 6, 5, 7, 9, 8])
    assert (ask(net, x.positions, order) - answer).abs().max() < 1e-12
    single = net(potential_maps(x, band)[:5], features[:5], x.batch[:5]).detach()
    assert (single[0] - answer[0]).abs().max() < 1e-12  # sets do not see each other


@real
def test_maps_of_qm7():
    x = qm7(images=40).train.x
    maps = potential_maps(x, 4, 0.45, torch.tensor([1.0, 6, 7, 8, 16]))
    assert maps.shape == (len(x.positions), 80) and bool(maps.isfinite().all())
    with pytest.raises(ValueError, match="a radius below"):
        potential_maps(x, 4, 0.6)
