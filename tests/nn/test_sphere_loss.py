"""Losses and metrics on the sphere: integrals, masks, classes."""

from __future__ import annotations

import math

import pytest
import torch
from tests.domains.sphere_fields import synthesis
from torch.nn import functional as F

import steerable.nn as snn
from steerable.domains import Sphere
from steerable.groups import SO2

SPHERES = [Sphere.gauss(12), Sphere.equiangular(12, "cc"), Sphere.icosahedral(3), Sphere.healpix(8)]
LOSSES = [snn.SphereMSELoss, snn.SphereL1Loss, snn.SphereH1Loss]
BY_CLASS = [snn.SphereCrossEntropyLoss, snn.SphereFocalLoss, snn.SphereDiceLoss]


def harmonics(sphere, band=4):
    """``[1, band^2, *shape]`` of mean square 1."""
    return synthesis(sphere, band)[:, 0].T.reshape(1, -1, *sphere.shape)


def polar(sphere, angle):
    """True in the cap about the north pole."""
    return sphere.angles()[..., 0] < angle


@pytest.mark.parametrize("sphere", SPHERES, ids=repr)
def test_mean_squares_of_harmonics(sphere):
    y, loss = harmonics(sphere), snn.SphereMSELoss(sphere).double()
    limit = 1e-10 if sphere.band else 0.01
    for k in range(16):
        assert float(loss(y[:, k : k + 1], 0 * y[:, :1])) == pytest.approx(1, abs=limit)
    plain = [float(y[:, k].square().mean()) for k in (6, 12)]  # by samples: poles are over-counted
    if sphere.band:
        assert max(abs(p - 1) for p in plain) > 0.2


def test_absolute_error_is_the_integral():
    values = []
    for n in (16, 32):
        sphere = Sphere.gauss(n)
        z = sphere.points()[None, None, ..., 2]
        values.append(float(snn.SphereL1Loss(sphere).double()(z, torch.zeros_like(z))))
        assert float(z.abs().mean()) > 0.6  # by samples
    assert abs(values[1] - 0.5) < 2e-3 and abs(values[1] - 0.5) < abs(values[0] - 0.5) / 3


@pytest.mark.parametrize("kind", ["gauss", "icosahedral"])
def test_gradients_converge_to_the_integral(kind):
    errors = []
    for n in {"gauss": (12, 24), "icosahedral": (3, 4)}[kind]:
        sphere = getattr(Sphere, kind)(n)
        y, loss = harmonics(sphere), snn.SphereH1Loss(sphere).double()
        found = [float(loss(y[:, k : k + 1], 0 * y[:, :1])) for k in range(16)]
        expected = [l * (l + 1) for l in range(4) for _ in range(2 * l + 1)]
        errors.append(max(abs(f - e) / max(e, 1) for f, e in zip(found, expected, strict=True)))
    assert errors[1] < 0.06 and errors[1] < errors[0] / 3, errors


@pytest.mark.parametrize("make", LOSSES)
def test_what_is_masked_is_not_seen(make):
    sphere = Sphere.gauss(8)
    x = torch.randn(2, 3, 8, 16, dtype=torch.float64, requires_grad=True)
    y = torch.randn(2, 3, 8, 16, dtype=torch.float64)
    kept = ~polar(sphere, 1.0)
    gone = y.masked_fill(~kept, torch.nan)
    fixed, loose = make(sphere, kept).double(), make(sphere).double()
    found = fixed(x, gone)
    assert found.isfinite() and float(found.detach()) == pytest.approx(float(loose(x, gone, kept).detach()))
    (grad,) = torch.autograd.grad(found, x)
    assert grad.isfinite().all() and (grad[..., ~kept] == 0).all()
    assert loose(x, gone).isnan()  # a missing target that is not masked is not hidden
    batch = torch.stack([kept, torch.zeros_like(kept)])
    assert float(loose(x, gone, batch).detach()) == pytest.approx(float(loose(x[:1], gone[:1], kept).detach()))
    assert torch.autograd.gradcheck(lambda t: fixed(t, gone), (x,))


def test_squared_error_of_spins_does_not_see_frames():
    sphere = Sphere.gauss(6)
    x = torch.randn(1, 2, 6, 12, dtype=torch.float64)
    angle = torch.randn(6, 12, dtype=torch.float64)
    turned = torch.stack(
        [x[:, 0] * angle.cos() - x[:, 1] * angle.sin(), x[:, 0] * angle.sin() + x[:, 1] * angle.cos()], 1
    )
    loss = snn.SphereMSELoss(sphere).double()
    assert float(loss(x, 0 * x)) == pytest.approx(float(loss(turned, 0 * x)))


def caps(sphere, angle=0.6, predicted=0.9):
    """Classes: 1 in a polar cap, else 0; sure predictions of a wider cap."""
    truth, said = polar(sphere, angle).long()[None], polar(sphere, predicted).long()[None]
    return truth, said, 200.0 * (F.one_hot(said, 2).movedim(-1, 1).double() - 0.5)


def area(angle):
    """Share of the sphere within an angle."""
    return (1 - math.cos(angle)) / 2


@pytest.mark.parametrize("sphere", [Sphere.gauss(64), Sphere.healpix(32)], ids=repr)
def test_classes_count_by_area(sphere):
    truth, said, logits = caps(sphere)
    wrong, inner, outer = area(0.9) - area(0.6), area(0.6), area(0.9)
    rough = {"abs": 0.012}
    entropy = snn.SphereCrossEntropyLoss(sphere).double()(logits, truth)
    assert float(entropy) / 200 == pytest.approx(wrong, **rough)
    assert float(snn.SphereFocalLoss(sphere).double()(logits, truth)) / 200 == pytest.approx(wrong, **rough)
    dice = 1 - (2 * inner / (inner + outer) + 2 * (1 - outer) / (2 - inner - outer)) / 2
    assert float(snn.SphereDiceLoss(sphere).double()(logits, truth)) == pytest.approx(dice, abs=0.02)
    confusion = snn.SphereConfusion(sphere, 3).double()
    for given in (said, logits):
        scores = snn.confusion_scores(confusion(given, truth))
        assert scores["iou"][:2].tolist() == pytest.approx([(1 - outer) / (1 - inner), inner / outer], abs=0.03)
        assert scores["accuracy"][:2].tolist() == pytest.approx([(1 - outer) / (1 - inner), 1], **rough)
        assert scores["iou"][2].isnan() and scores["mean_iou"].isfinite()
        assert float(scores["area_accuracy"]) == pytest.approx(1 - wrong, **rough)
    if sphere.band:  # by samples the cap at the pole counts too much
        plain = (truth.bool() & said.bool()).sum() / (truth.bool() | said.bool()).sum()
        assert abs(float(plain) - inner / outer) > 0.15


def test_focal_is_cross_entropy_at_zero_and_lower_above():
    sphere = Sphere.icosahedral(1)
    logits, truth = torch.randn(2, 3, 42, dtype=torch.float64), torch.randint(0, 3, (2, 42))
    entropy = snn.SphereCrossEntropyLoss(sphere).double()(logits, truth)
    assert float(snn.SphereFocalLoss(sphere, 0.0).double()(logits, truth)) == pytest.approx(float(entropy))
    by_hand = F.cross_entropy(logits, truth, reduction="none") @ sphere.flat_weights() / (4 * math.pi)
    assert float(entropy) == pytest.approx(float(by_hand.mean()))
    p = logits.softmax(1).gather(1, truth[:, None])[:, 0]
    focal = ((1 - p) ** 2 * -p.log() @ sphere.flat_weights() / (4 * math.pi)).mean()
    assert float(snn.SphereFocalLoss(sphere).double()(logits, truth)) == pytest.approx(float(focal))


@pytest.mark.parametrize("make", BY_CLASS)
def test_ignored_classes_masks_and_weights(make):
    sphere = Sphere.gauss(6)
    logits = torch.randn(2, 3, 6, 12, dtype=torch.float64, requires_grad=True)
    truth = torch.randint(0, 3, (2, 6, 12))
    kept = ~polar(sphere, 1.0)
    hidden = truth.masked_fill(~kept, 255)
    expected = make(sphere, mask=kept).double()(logits, truth)
    for found in (make(sphere, ignore=255).double()(logits, hidden), make(sphere).double()(logits, hidden, kept)):
        assert float(found.detach()) == pytest.approx(float(expected.detach()))
    even = make(sphere, class_weights=torch.ones(3)).double()(logits, truth)
    assert float(even.detach()) == pytest.approx(float(make(sphere).double()(logits, truth).detach()))
    only = make(sphere, class_weights=torch.tensor([0.0, 1.0, 0.0])).double()(logits, truth)
    assert float(only.detach()) != pytest.approx(float(even.detach()))
    assert torch.autograd.gradcheck(lambda t: make(sphere, mask=kept).double()(t, truth), (logits,))


def test_signal_to_noise_by_area():
    sphere = Sphere.gauss(32)
    x = torch.zeros(2, 3, *sphere.shape, dtype=torch.float64)
    y = x.clone()
    y[1] += 0.1 * polar(sphere, 0.5)
    found = snn.ws_psnr(x, y, sphere)
    assert found[0].isinf() and float(found[1]) == pytest.approx(20 - 10 * math.log10(area(0.5)), abs=0.2)
    plain = -10 * math.log10(float((x[1] - y[1]).square().mean()))
    assert abs(plain - float(found[1])) > 3  # by samples
    assert float(snn.ws_psnr(255 * x, 255 * y, sphere, 255.0)[1]) == pytest.approx(float(found[1]))
    assert float(snn.ws_psnr(x, y, sphere, mask=polar(sphere, 0.4))[1]) == pytest.approx(20)


def test_signal_to_noise_of_bytes():
    """Bytes know no negative differences, and areas of half precision none near the poles."""
    sphere, g = Sphere.gauss(32), torch.Generator().manual_seed(0)
    x, y = (torch.randint(0, 256, (2, 3, *sphere.shape), generator=g) for _ in range(2))
    expected = snn.ws_psnr(x.double(), y.double(), sphere, 255.0)
    error = ((x - y).double().square().mean(1) * sphere.weights()).flatten(1).sum(1) / (4 * math.pi)
    assert torch.allclose(expected, 10 * torch.log10(255**2 / error), rtol=0, atol=1e-10)
    for dtype in (torch.uint8, torch.int64, torch.float16):
        assert torch.allclose(snn.ws_psnr(x.to(dtype), y.to(dtype), sphere, 255.0), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_means_of_many_samples(dtype):
    """The sum of many small areas is 1 in every dtype."""
    for sphere in (Sphere.healpix(128), Sphere.gauss(128)):
        ones = torch.ones(1, 1, *sphere.shape, dtype=dtype)
        pool = snn.SphereAvgPool(SO2().type("1x0"), sphere)
        for module in (pool, pool.bake()):
            assert float(module(ones)) == pytest.approx(1, abs=1e-6) and module(ones).dtype == dtype
        assert float(snn.SphereMSELoss(sphere)(ones, 0 * ones)) == pytest.approx(1, abs=1e-6)
    norm = snn.SphereBatchNorm(SO2().type("1x0"), Sphere.healpix(128))
    norm(torch.ones(1, 1, *Sphere.healpix(128).shape, dtype=dtype))
    assert float(norm.running_mean) == pytest.approx(1, abs=1e-6)  # of one batch its own


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_of_what_is_certain_has_a_gradient(gamma):
    logits = torch.zeros(1, 3, 6, 12)
    logits[:, 0] = 200.0
    logits.requires_grad_()
    snn.SphereFocalLoss(Sphere.gauss(6), gamma)(logits, torch.zeros(1, 6, 12).long()).backward()
    assert logits.grad is not None and bool((logits.grad == 0).all())


@pytest.mark.parametrize("make", LOSSES)
def test_losses_compile_and_export(make):
    sphere = Sphere.icosahedral(1)
    loss = make(sphere).double()
    x, y = torch.randn(2, 2, 42, dtype=torch.float64), torch.randn(2, 2, 42, dtype=torch.float64)
    expected = loss(x, y)
    assert (torch.compile(loss, backend="aot_eager", fullgraph=True)(x, y) - expected).abs() < 1e-12
    assert (torch.export.export(loss, (x, y)).module()(x, y) - expected).abs() < 1e-12


NONE = torch.zeros(6, 12, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, x: snn.SphereMSELoss(s, NONE), "leaves nothing of GaussSphere"),
        (lambda s, x: snn.SphereMSELoss(s)(x, x, NONE), "leaves nothing of this batch"),
        (lambda s, x: snn.SphereMSELoss(s, torch.ones(6, 12)), "bool"),
        (lambda s, x: snn.SphereMSELoss(s, ~NONE.T), r"\[12, 6\]"),
        (lambda s, x: snn.SphereMSELoss(s)(x, x, ~NONE[:5]), r"\[5, 12\]"),
        (lambda s, x: snn.SphereMSELoss(s)(x, x[:1]), "one shape"),
        (lambda s, x: snn.SphereL1Loss(s)(x[..., 1:], x[..., 1:]), "6, 12"),
        (lambda s, x: snn.SphereH1Loss(s)(x, x, polar(s, 0.5)), "leaves nothing"),
        (lambda s, x: snn.SphereH1Loss(s, radius=0.2), "along a line"),
        (lambda s, x: snn.SphereDiceLoss(s)(x, x), "classes"),
        (lambda s, x: snn.SphereCrossEntropyLoss(s, ignore=1)(x, torch.ones(2, 6, 12).long()), "leaves nothing"),
        (lambda s, x: snn.SphereConfusion(s, 0), "at least 1"),
        (lambda s, x: snn.SphereConfusion(s, 2)(x[:, 0].long(), x[:1, 0].long()), "one shape"),
        (lambda s, x: snn.SphereConfusion(s, 2)(x, 255 + x[:, 0].long()), "classes hold 255 at 144 samples"),
        (lambda s, x: snn.SphereConfusion(s, 2)(x[:, 0] - 1, x[:, 0].long()), "predictions hold -1 at 144 samples"),
        (lambda s, x: snn.confusion_scores(torch.zeros(2, 3)), r"\[K, K\]"),
        (lambda s, x: snn.ws_psnr(x, x, Sphere.gauss(5)), "GaussSphere"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call(Sphere.gauss(6), torch.zeros(2, 2, 6, 12))
    assert "\n" not in str(caught.value)


def test_running_statistics_are_means_until_there_are_many_batches():
    sphere = Sphere.gauss(4)
    norm = snn.SphereBatchNorm(SO2().type("1x0"), sphere).double()
    values = torch.randn(14, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for k, value in enumerate(values):
        norm(value + torch.zeros(2, 1, *sphere.shape, dtype=torch.float64))
        if k == 9:
            assert float(norm.running_mean) == pytest.approx(float(values[:10].mean()))
    expected = float(values[:10].mean())
    for value in values[10:]:
        expected += 0.1 * (float(value) - expected)
    assert float(norm.running_mean) == pytest.approx(expected)
