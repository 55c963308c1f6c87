"""Codecs of panoramas: what they estimate is what they write, and what they write comes back."""

from __future__ import annotations

import copy
import os

import pytest
import torch

from steerable.domains import Sphere
from steerable.models.entropy import FactorisedPrior, gaussian_mass, gaussian_tables, level_of, scale_of
from steerable.models.gdn import GDN
from steerable.models.sphere_codec import EquirectCodec, SphereCodec
from steerable.nn import bake
from steerable.tasks.panoramas import panorama, panorama_sphere, resample, synthetic_panorama

SMALL = {"width": 8, "latents": 8, "hyper": 4, "stages": 2}


def make(kind: str, seed: int = 0, **options: int) -> SphereCodec | EquirectCodec:
    torch.manual_seed(seed)
    options = SMALL | options
    net = SphereCodec(Sphere.healpix(8, True), **options) if kind == "healpix" else EquirectCodec(16, **options)
    return net.eval()


def maps(net, count: int = 2) -> torch.Tensor:
    return torch.rand(count, *net.shape, generator=torch.Generator().manual_seed(1))


KINDS = ["healpix", "equirect"]


def test_equal_channels_and_parameters():
    a, b = make("healpix"), make("equirect")
    sizes = [sorted(p.numel() for p in net.parameters()) for net in (a, b)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("kind", KINDS)
def test_latents_come_back_bit_by_bit(kind):
    net = make(kind)
    x = maps(net)
    data = net.compress(x)
    sent, read = net.symbols(x), net.read(data)
    assert torch.equal(sent.quantised, read.quantised) and torch.equal(sent.hyper, read.hyper)
    assert sent.latent.abs().max() > 1 and net.compress(x) == data
    with torch.no_grad():
        assert torch.equal(net.decompress(data), net.synthesis(sent.quantised.float()))
        assert (net.decompress(data) - net(x).output).abs().max() < 1e-3
    assert torch.equal(copy.deepcopy(net).decompress(data), net.decompress(data))
    net.train()  # noise is for forward only
    assert net.compress(x) == data


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_read_says_why(kind):
    net = make(kind)
    data = net.compress(maps(net, 1))
    for other in (make(kind, 1), make("equirect" if kind == "healpix" else "healpix")):
        with pytest.raises(ValueError, match=r"of a model .* Load the checkpoint") as found:
            other.decompress(data)
        assert "\n" not in str(found.value)
    for bytes_, words in (
        (b"", "expected those of compress"),
        (b"\x89PNG" + data[4:], "expected those of compress"),
        (data[:-3], f"expected {len(data)}"),
        (data + b"\0", "cut or joined"),
    ):
        with pytest.raises(ValueError, match=words):
            net.decompress(bytes_)
    for place in (18, 18 + (len(data) - 18) // 2, len(data) - 3, 15):  # one bit of the body, or of the checksum
        damaged = bytearray(data)
        damaged[place] ^= 16
        with pytest.raises(ValueError, match="checksum"):
            net.decompress(bytes(damaged))


def test_tables_of_another_scale_are_noticed(monkeypatch):
    """The planted fault: a machine whose side information comes out different."""
    net = make("healpix")
    data = net.compress(maps(net, 1))
    monkeypatch.setattr("steerable.models.codec.level_of", lambda s: level_of(s) + 1)
    with pytest.raises(ValueError, match="evaluates the model otherwise"):
        net.decompress(data)


@pytest.fixture(scope="module")
def learned() -> tuple[SphereCodec, torch.Tensor]:
    """A codec after a few steps, and a real panorama where there is one."""
    torch.manual_seed(0)
    sphere = Sphere.healpix(32, True)
    images = [synthetic_panorama(k, 64) for k in range(3)]
    if os.environ.get("STEERABLE_DATA"):
        images.append(panorama("photograph"))
    x = torch.stack([resample(i, panorama_sphere(i), sphere) for i in images])
    net = SphereCodec(sphere, width=12, latents=12, hyper=6)
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    for k in range(60):
        loss = net.loss(x[k % 2][None], 0.01)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
    return net.eval(), x[-1:]


def test_files_are_as_long_as_estimated(learned, monkeypatch):
    net, x = learned
    with torch.no_grad():
        estimate = float(net(x).bits)
    written = 8 * (len(net.compress(x)) - 18)
    assert abs(written / estimate - 1) < 0.01
    monkeypatch.setattr("steerable.models.codec.level_of", lambda s: (level_of(s) + 20).clamp(max=191))
    assert 8 * (len(net.compress(x)) - 18) / estimate - 1 > 0.01


def test_training_lowers_the_loss(learned):
    net, x = learned
    torch.manual_seed(0)
    fresh = SphereCodec(net.sphere, width=12, latents=12, hyper=6).eval()
    with torch.no_grad():
        assert net.loss(x, 0.01) < 0.5 * fresh.loss(x, 0.01)


def test_noise_stands_for_rounding():
    net = make("healpix").train()
    x = maps(net)
    assert not torch.equal(net(x).bits, net(x).bits)
    net.eval()
    assert torch.equal(net(x).bits, net(x).bits)


def test_masses_sum_to_one():
    k = torch.arange(-400, 401, dtype=torch.float64)
    for scale in (0.11, 0.7, 5.0, 60.0):
        assert abs(float(gaussian_mass(k - 0.3, torch.tensor(scale)).sum()) - 1) < 1e-10
    prior = FactorisedPrior(3).double()
    z = k.repeat(1, 3, 1)
    assert (prior(z).sum(2) - 1).abs().max() < 1e-6
    with torch.no_grad():
        for shift in prior.shifts:
            shift.zero_()
    assert (prior(z).sum(2) - 1).abs().max() < 1e-6  # a density with a mirror: both sides of zero weigh the same
    assert bool((prior(z)[0, :, 400] >= prior(z)[0, :, 401]).all())
    assert float(scale_of(torch.tensor(-50.0, dtype=torch.float64))) >= 0.11
    tables = gaussian_tables()
    assert all(
        t.cumulative[-1] == 65536 and min(b - a for a, b in zip(t.cumulative, t.cumulative[1:])) > 0 for t in tables
    )


def test_normalisation_and_its_inverse():
    torch.manual_seed(0)
    x = torch.randn(2, 5, 7, dtype=torch.float64, requires_grad=True)
    down, up = GDN(5).double(), GDN(5, inverse=True).double()
    want = x[0, 2, 3] / (1 + 1e-6 + (down.gamma[2] ** 2 * x[0, :, 3] ** 2).sum()).sqrt()
    assert abs(down(x)[0, 2, 3] - want) < 1e-12
    assert torch.autograd.gradcheck(down, x) and torch.autograd.gradcheck(up, x)
    assert down(x.view(2, 5, 7, 1)).shape == (2, 5, 7, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_bake_export_and_compile(kind):
    net = make(kind, stages=1).double()
    x = maps(net).double()
    y = net(x)
    baked = bake(net)(x)
    assert (baked.output - y.output).abs().max() < 1e-9 and (baked.bits - y.bits).abs().max() < 1e-6
    if kind == "equirect":  # nothing but layers of torch
        return
    exported = torch.export.export(net, (x,)).module()
    assert (exported(x).output - y.output).abs().max() < 1e-9
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    assert (compiled(x).output - y.output).abs().max() < 1e-9


@pytest.mark.parametrize(
    ("build", "kind", "words"),
    [
        (lambda: SphereCodec(Sphere.healpix(8)), ValueError, "nested=True"),
        (lambda: SphereCodec(Sphere.gauss(8)), TypeError, "Sphere.healpix"),
        (lambda: SphereCodec(Sphere.healpix(8, True)), ValueError, r"multiple of 16.*fewer stages"),
        (lambda: EquirectCodec(50), ValueError, "such as 48"),
        (lambda: make("healpix")(torch.zeros(1, 3, 3072)), ValueError, r"3, 768\].*nside 16"),
        (lambda: make("healpix")(torch.zeros(1, 3, 16, 32)), ValueError, "resample"),
        (lambda: make("equirect")(torch.zeros(1, 3, 8, 32)), ValueError, "band of a panorama"),
        (lambda: make("healpix").compress(torch.zeros(0, 3, 768)), ValueError, "0 maps"),
        (lambda: make("healpix").compress(torch.full((1, 3, 768), float("nan"))), ValueError, "finite"),
    ],
)
def test_errors_say_what_to_do(build, kind, words):
    with pytest.raises(kind, match=words) as found:
        build()
    assert "\n" not in str(found.value)
