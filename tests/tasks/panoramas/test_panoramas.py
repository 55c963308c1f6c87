"""Panoramas: resampling by area, error over the sphere, and the rate that a codec saves."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest
import torch

from steerable.data import InputError
from steerable.domains import Sphere
from steerable.groups import SO3
from steerable.tasks.panoramas import (
    bd_rate,
    panorama,
    panorama_sphere,
    resample,
    synthetic_panorama,
    turned_views,
    ws_psnr,
)

GRIDS = {
    "nested": Sphere.healpix(16, True),
    "by rings": Sphere.healpix(12),
    "image": panorama_sphere(torch.empty(40, 80)),
}


def smooth(sphere: Sphere) -> torch.Tensor:
    """Two smooth functions."""
    p = sphere.points()
    return torch.stack([p[..., 0] * p[..., 1] + p[..., 2], torch.exp(p @ torch.tensor([0.5, -1.0, 0.8]).double())])


def mean(x: torch.Tensor, sphere: Sphere) -> torch.Tensor:
    """Over the sphere."""
    return (x * sphere.weights()).flatten(1).sum(1) / (4 * math.pi)


@pytest.mark.parametrize("source", GRIDS)
@pytest.mark.parametrize("target", GRIDS)
def test_values_means_and_constants(source, target):
    a, b = GRIDS[source], GRIDS[target]
    x = smooth(a)
    y = resample(x, a, b)
    assert (y - smooth(b)).abs().max() < 0.04 and (mean(y, b) - mean(x, a)).abs().max() < 1e-4
    assert (resample(torch.ones_like(x), a, b) - 1).abs().max() < 1e-12
    fine = resample(x, a, b, 3)
    assert (mean(fine, b) - mean(x, a)).abs().max() < 1e-3


def test_interpolation_converges_with_order_two():
    fine = Sphere.healpix(32, True)
    errors = []
    for height in (32, 64):
        image = panorama_sphere(torch.empty(height, 2 * height))
        errors.append(float((resample(smooth(image), image, fine, 1) - smooth(fine)).abs().max()))
    assert math.log2(errors[0] / errors[1]) > 1.8, errors


@pytest.mark.parametrize("target", [GRIDS["nested"], panorama_sphere(torch.empty(16, 32))])
def test_fine_detail_is_averaged_not_picked(target):
    """White noise fades as the number of pixels averaged. One place a pixel, the planted fault, does not."""
    image = panorama_sphere(torch.empty(256, 512))
    x = torch.randn(1, 256, 512, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert resample(x, image, target).std() < 0.2 < 0.35 < resample(x, image, target, 1).std()


def test_turning():
    sphere = GRIDS["nested"]
    image = panorama_sphere(torch.empty(64, 128))
    g = SO3().sample(1, torch.Generator().manual_seed(0))[0]
    back = sphere.points() @ SO3().action(g, 3)  # g^-1 p
    want = torch.stack([back[:, 0] * back[:, 1] + back[:, 2]])
    found = resample(smooth(image)[:1], image, sphere, rotation=g)
    assert (found - want).abs().max() < 0.01
    assert (resample(smooth(image)[:1], image, sphere, rotation=SO3().inverse(g)) - want).abs().max() > 0.1


def test_error_is_weighted_by_area():
    image, maps = panorama_sphere(torch.empty(64, 128)), Sphere.healpix(16)
    for sphere in (image, maps):
        north = torch.zeros(1, 1, *sphere.shape, dtype=torch.float64)
        north[0, 0][sphere.points()[..., 2] > 0.5] = 0.1  # a cap of a quarter of the area
        found = float(ws_psnr(north, torch.zeros_like(north), sphere))
        assert abs(found - 10 * math.log10(4 / 0.01)) < 0.3
    plain = float(-10 * torch.log10((north.new_tensor(0.01)) * (image.points()[..., 2] > 0.5).double().mean()))
    assert abs(plain - 10 * math.log10(4 / 0.01)) > 1  # what counting pixels of the image would say


def test_rate_saved_by_hand():
    a = [(2 ** ((q - 30) / 6), q) for q in (30.0, 33, 36, 39)]
    assert abs(bd_rate(a, [(0.9 * r, q) for r, q in a]) + 10) < 1e-9
    assert abs(bd_rate(a, a)) < 1e-12
    # log rates that differ by s (q - 30) from 30 to 39 dB, read off up to 36: the mean is 3 s
    s = 0.02
    other = [(r * math.exp(s * (q - 30)), q) for r, q in a][:3][::-1]
    assert abs(bd_rate(a, other) - 100 * math.expm1(3 * s)) < 1e-9
    assert bd_rate(other, a) == pytest.approx(100 * math.expm1(-3 * s))
    assert abs(bd_rate(a, [(r, q + 1) for r, q in a]) - 100 * (2 ** (-1 / 6) - 1)) < 1e-9
    # the planted fault: rates averaged, not their logarithms
    assert abs(np.mean([r for r, _ in other]) / np.mean([r for r, _ in a[:3]]) - math.exp(3 * s)) > 1e-3


def test_curves_bend_as_a_monotone_cubic():
    from scipy.interpolate import PchipInterpolator

    a, b = [(0.1, 25), (0.22, 28), (0.5, 30.5), (1.2, 34)], [(0.12, 26), (0.2, 28.5), (0.6, 31), (1.1, 33.5)]
    log = [PchipInterpolator([q for _, q in c], np.log([r for r, _ in c])) for c in (a, b)]
    want = 100 * math.expm1((log[1].integrate(26, 33.5) - log[0].integrate(26, 33.5)) / 7.5)
    assert abs(bd_rate(a, b) - want) < 1e-9


@pytest.mark.parametrize(
    ("build", "kind", "words"),
    [
        (lambda: panorama_sphere(torch.zeros(3, 100, 512)), ValueError, "band of a panorama"),
        (lambda: panorama_sphere(torch.zeros(7)), ValueError, "H, 2 H"),
        (lambda: resample(torch.zeros(3, 100), GRIDS["nested"], GRIDS["image"]), ValueError, "3072"),
        (lambda: resample(torch.zeros(3, 3072), GRIDS["nested"], Sphere.gauss(8)), ValueError, "panorama_sphere"),
        (lambda: resample(torch.zeros(3, 3072), GRIDS["nested"], GRIDS["image"], 0), ValueError, "at least one"),
        (
            lambda: ws_psnr(torch.zeros(1, 3, 768), torch.zeros(1, 1, 768), Sphere.healpix(8)),
            ValueError,
            "two fields of one shape",
        ),
        (lambda: ws_psnr(torch.zeros(1, 3, 48), torch.zeros(1, 3, 48), Sphere.healpix(8)), ValueError, r"768.*nside 2"),
        (lambda: bd_rate([(1, 30)], [(1, 30), (2, 31)]), ValueError, "two points"),
        (lambda: bd_rate([(1, 30), (2, 29)], [(1, 30), (2, 31)]), ValueError, "more quality for more rate"),
        (lambda: bd_rate([(1, 30), (2, 31)], [(1, 32), (2, 33)]), ValueError, "overlap"),
        (lambda: panorama("mars"), InputError, "photograph"),
        (lambda: panorama("earth", "/nowhere"), InputError, "folder"),
    ],
)
def test_errors_say_what_to_do(build, kind, words):
    with pytest.raises(kind, match=words) as found:
        build()
    assert "\n" not in str(found.value)


def test_made_up_panoramas():
    a, b = synthetic_panorama(0, 32), synthetic_panorama(1, 32)
    assert a.shape == (3, 32, 64) and not torch.equal(a, b) and torch.equal(a, synthetic_panorama(0, 32))
    assert a.min() >= 0 and a.max() <= 1 and a.std() > 0.1
    views = turned_views(a, GRIDS["nested"], 2)
    assert views.shape == (2, 3, 3072) and not torch.equal(views[0], views[1])


@pytest.mark.skipif(not os.environ.get("STEERABLE_DATA"), reason="no real data")
@pytest.mark.parametrize("name", ["photograph", "earth"])
def test_real_panoramas(name):
    x = panorama(name)
    assert x.shape == (3, 512, 1024) and 0 <= x.min() < x.max() <= 1
    if name == "earth":  # ice in the south, water in the middle of the Pacific
        assert x[:, 500].mean() > 0.6 and x[:, 256, 20:120].mean() < 0.3


def test_samplings_without_rings_are_sent_to_harmonics():
    with pytest.raises(ValueError, match="Other samplings go by harmonics"):
        resample(torch.zeros(162), Sphere.icosahedral(2), Sphere.healpix(4))
    with pytest.raises(ValueError, match="Other samplings go by harmonics"):
        resample(torch.zeros(768), Sphere.healpix(8), Sphere.gauss(8))
