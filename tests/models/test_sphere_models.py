"""Networks on the sphere: any sampling, any spin, and their plain twins."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

import steerable as st
from steerable.domains.sphere import parse_sphere
from steerable.domains.sphere.meridian import by_rings
from steerable.laws import sphere_errors
from steerable.models.sphere import levels

SAMPLINGS = ["gauss(16)", "healpix(4)", "icosahedral(3)", "equiangular(nlat=18, kind=fejer)", "fibonacci(400)"]


@pytest.mark.parametrize("sphere", SAMPLINGS)
def test_trains_and_answers_on_every_sampling(sphere):
    torch.manual_seed(0)
    net = st.create_model("sphere_cnn", in_channels=2, num_classes=3, sphere=sphere, widths=(4, 6))
    x = torch.randn(2, 2, *net.sphere.shape)
    net(x).square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())
    unet = st.create_model("sphere_unet", sphere=sphere, in_type="1x0 + 1x2", out_type="1x1", widths=(4, 6)).eval()
    assert unet(torch.randn(2, 3, *unet.sphere.shape)).shape == (2, 2, *unet.sphere.shape)


def test_rotations_change_little_and_north_aligned_much():
    errors = {}
    for name, more in {
        "SO2": {"in_channels": 1}, "O2": {"in_type": "1x0e + 1x0o + 1x1"}, "C1": {"in_channels": 1},
        "narrow": {"in_channels": 1, "reach": 2.5},
    }.items():  # fmt: skip
        torch.manual_seed(0)
        group = name if name != "narrow" else "SO2"
        net = st.create_model("sphere_cnn", sphere="gauss(32)", group=group, widths=(4, 8), num_classes=3, **more)
        field = st.nn.InverseSHT("gauss(32)", "2x0 + 1x1" if name == "O2" else "1x0", 12).double()
        for _ in range(10):  # batch norms that have seen fields: before, signals are small, and all there is is linear
            net.double()(field(torch.randn(4, field.in_type.size, dtype=torch.float64) / 12))
        errors[name] = float(sphere_errors(net.eval(), band=6, in_type=field.out_type).max())
    assert errors["SO2"] < 5e-3 and errors["O2"] < 5e-3
    assert errors["C1"] > 3 * errors["SO2"] and errors["narrow"] > 3 * errors["SO2"]


def test_weights_serve_on_another_sampling():
    torch.manual_seed(0)
    nets = [
        st.create_model("sphere_cnn", sphere=s, widths=(4, 6), radius=0.3).eval() for s in ("gauss(24)", "healpix(12)")
    ]
    nets[1].load_state_dict(nets[0].state_dict())
    answers = []
    for net in nets:
        x, y, z = net.sphere.points().unbind(-1)
        answers.append(net((x * y + 0.5 * z + (x - z) ** 3)[None, None].float()))
    assert float((answers[0] - answers[1]).detach().abs().max()) < 0.01


def test_batch_norm_counts_by_area():
    sphere, t = st.Sphere.gauss(24), st.SO2().type("1x0 + 1x1")
    norm = st.nn.SphereBatchNorm(t, sphere).double().train()
    x, y, z = sphere.points().unbind(-1)
    field = torch.stack([z * z, x, y])[None]
    found = norm(field)
    shares = sphere.weights() / sphere.weights().sum()
    mean = (found[:, 0] * shares).sum()
    assert float(mean.detach()) == pytest.approx(0, abs=1e-12)
    assert float((found[:, 0].square() * shares).sum().detach()) == pytest.approx(1, abs=1e-3)
    plain = st.nn.BatchNorm(t).double().train()(field)
    assert abs(float((plain[:, 0] * shares).sum().detach())) > 0.01  # samples that count alike crowd at the poles
    norm.eval()
    twin = st.nn.BatchNorm(t).double().eval()
    twin.load_state_dict(norm.state_dict())
    assert torch.equal(norm(field), twin(field)) and not torch.equal(norm(field), field)
    assert norm(field[:0]).shape == (0, 3, *sphere.shape)


def test_plain_twins():
    for kind in ("cnn", "unet"):
        options = {"in_channels": 1, "num_classes": 3, "sphere": "gauss(16)", "widths": (6, 10)}
        ours = st.create_model(f"sphere_{kind}", **options)
        plain = st.create_model(f"sphere_{kind}_plain", **options)
        count = [sum(p.numel() for p in m.parameters()) for m in (ours, plain)]
        assert abs(count[1] / count[0] - 1) < 0.1
        x = torch.randn(2, 1, 16, 32)
        assert plain.eval()(x).shape == ours.eval()(x).shape
        if kind == "cnn":  # the other one interpolates without going round
            assert torch.allclose(plain(x.roll(4, 3)), plain(x), atol=1e-4)
    with pytest.raises(ValueError, match="expected a map of longitude and latitude"):
        st.create_model("sphere_cnn_plain", sphere="healpix(4)")


def test_names_of_samplings():
    for text in SAMPLINGS:
        assert parse_sphere(text) == parse_sphere(text.replace(" ", ""))
    assert parse_sphere("healpix(4, nested)") == st.Sphere.healpix(4, nested=True)
    assert parse_sphere("healpix(4, nested=True)") == parse_sphere("healpix(nside=4, nested=true)")
    assert parse_sphere("healpix(4, nested=False)") == st.Sphere.healpix(4)
    assert parse_sphere("equiangular(8, mw)") == st.Sphere.equiangular(8, "mw")
    with pytest.raises(ValueError, match=r"'4.5' is neither a whole number nor a word; see steerable.Sphere.gauss"):
        parse_sphere("gauss(4.5)")
    for wrong in ("gauss", "cube(4)", "gauss()", "gauss(size=3)", 16, None):
        with pytest.raises(ValueError, match="sphere is"):
            parse_sphere(wrong)


def test_kernels_are_as_wide_as_their_sampling_asks():
    for options, first in (({"reach": 2.5}, 2.5 * st.Sphere.gauss(16).spacing), ({"radius": 0.4}, 0.4)):
        net = st.create_model("sphere_unet", sphere="gauss(16)", widths=(4, 6, 6), **options)
        found = [m for m in net.modules() if isinstance(m, st.nn.SphereConv)]
        assert len(found) == 10
        for layer in found:
            level = max(s.spacing for s in (layer.sphere, layer.targets)) / net.sphere.spacing
            assert layer.radius == pytest.approx(first * level, rel=1e-12)


@pytest.mark.parametrize(
    ("sphere", "coarser"),
    [
        ("equiangular(nlat=20, kind=cc, nlon=24)", ["gauss(10, nlon=12)", "gauss(5, nlon=6)"]),
        ("equiangular(nlat=19, kind=cc)", ["equiangular(nlat=10, kind=cc)", "gauss(5, nlon=9)"]),
        ("gauss(14, nlon=25, shift=0.5)", ["gauss(7, nlon=25, shift=0.5)", "gauss(3, nlon=25, shift=0.5)"]),
    ],
)
def test_grids_that_cannot_be_halved_are_followed_by_gauss_rings(sphere, coarser):
    found = levels(sphere, 3)
    assert found == [parse_sphere(s) for s in (sphere, *coarser)]
    assert all(by_rings(a, b) and by_rings(b, a) for a, b in pairwise(found))
    options = {"in_channels": 1, "num_classes": 2, "sphere": sphere, "widths": (3, 4, 4)}
    x = torch.randn(1, 1, *found[0].shape)
    for name in ("sphere_unet", "sphere_unet_plain"):
        assert st.create_model(name, **options).eval()(x).shape == (1, 2, *found[0].shape)


def test_a_sampling_too_coarse_for_the_network_is_named():
    for sphere, mend in (("gauss(9)", "reach below 3.8"), ("healpix(4)", "reach below 3.1")):
        with pytest.raises(ValueError, match=f"too coarse for a network of 3 resolutions.*{mend}"):
            st.create_model("sphere_unet", sphere=sphere)


def test_what_has_no_coarser_sampling_is_refused():
    for sphere in ("healpix(1)", "gauss(3)", "fibonacci(20)"):
        with pytest.raises(ValueError, match="no coarser"):
            levels(sphere, 3)
