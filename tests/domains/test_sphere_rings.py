"""Samplings by equal rings: what they integrate, what they determine, and what they refuse."""

import math

import numpy as np
import pytest
import torch
from tests.domains.sphere_fields import defect, synthesis

import steerable as st
from steerable.domains import EquiangularSphere, GaussSphere, Sphere
from steerable.domains.sphere.quadrature import circle_weights, gauss_legendre

KINDS = ("dh", "mw", "mwss", "cc", "fejer")
GRIDS = [Sphere.gauss(5), Sphere.gauss(6, 11), Sphere.gauss(1)]
GRIDS += [Sphere.equiangular(L, kind) for kind in KINDS for L in (4, 5)]
GRIDS += [Sphere.equiangular(nlat=7, nlon=20, kind="fejer", shift=0.5), Sphere.equiangular(nlat=9, nlon=8, kind="cc")]


@pytest.mark.parametrize("sphere", GRIDS, ids=repr)
def test_weights_are_exact_up_to_the_band_and_not_above(sphere):
    assert defect(sphere, sphere.band) < 1e-12
    assert defect(sphere, sphere.band + 1) > 1e-3
    if sphere.band > 3:
        assert defect(sphere, sphere.band, "1x0 + 1x1 + 1x2") < 1e-12
    w = sphere.weights()
    assert w.shape == sphere.shape and w.min() > 0 and abs(float(w.sum()) - 4 * math.pi) < 1e-12


def test_sizes_by_band():
    sizes = {"dh": (8, 8), "mw": (4, 7), "mwss": (5, 8), "cc": (7, 8), "fejer": (7, 8)}
    for kind, size in sizes.items():
        sphere = Sphere.equiangular(4, kind)
        assert sphere.shape == size and sphere.sampling_band >= 4
        assert sphere.meridian_extension == (kind not in ("dh", "gauss") and sphere.sampling_band > sphere.band)
    assert Sphere.equiangular(4, "mw").sampling_band == Sphere.equiangular(4, "mwss").sampling_band == 4
    assert Sphere.equiangular(nlat=8).shape == (8, 8) and Sphere.equiangular(nlat=8, kind="fejer").shape == (8, 16)
    assert Sphere.equiangular(nlat=9, kind="cc").shape == (9, 16)
    assert not Sphere.gauss(4).meridian_extension and Sphere.gauss(4).sampling_band == 4


@pytest.mark.parametrize("kind", KINDS)
def test_samples_determine_fields_up_to_the_sampling_band_and_not_above(kind):
    sphere = Sphere.equiangular(4, kind)
    for type in ("1x0", "1x1", "1x2"):
        inside = torch.linalg.svdvals(synthesis(sphere, sphere.sampling_band, type).flatten(0, 1))
        assert inside.min() > 1e-3
    outside = torch.linalg.svdvals(synthesis(sphere, sphere.sampling_band + 1).flatten(0, 1))
    assert len(outside) < (sphere.sampling_band + 1) ** 2 or outside.min() < 1e-10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spin", [0, 1, 2])
def test_a_meridian_goes_on_over_the_poles_with_the_sign_that_is_documented(kind, spin):
    sphere = Sphere.equiangular(6, kind)
    band, c = min(sphere.sampling_band, 6), torch.Generator().manual_seed(1)
    y = synthesis(sphere, band, f"1x{spin}")
    values = y @ torch.randn(y.shape[-1], dtype=torch.float64, generator=c)
    field = values[:, 0] if spin == 0 else torch.complex(values[:, 0], values[:, 1])
    orders = torch.fft.fft(field.reshape(sphere.shape).to(torch.complex128), dim=1)
    m = torch.fft.fftfreq(sphere.nlon, 1 / sphere.nlon).round()
    sign = (-1.0) ** (m + spin)
    circle, first = sphere.circle, float(sphere.rings.colatitude[0])
    mirror = [round(-t - first * circle / math.pi) % circle for t in range(sphere.nlat)]
    full = torch.zeros(circle, sphere.nlon, dtype=torch.complex128)
    full[mirror] = orders * sign
    on_poles = [t for t, s in enumerate(mirror) if t == s]
    assert (full[on_poles] - orders[on_poles]).abs().max() < 1e-12 if on_poles else True
    full[: sphere.nlat] = orders
    along = torch.fft.fft(full, dim=0).abs()
    k = torch.fft.fftfreq(circle, 1 / circle).round().abs()
    assert along[k > band - 1].sum() < 1e-9 * along.sum()  # a trigonometric polynomial of degree below the band
    full[sphere.nlat // 2] *= -1  # planted: a wrong sign
    wrong = torch.fft.fft(full, dim=0).abs()
    assert circle < 2 * band or wrong[k > band - 1].sum() > 1e-3 * wrong.sum()


def test_weights_by_closed_formulas():
    b = 9
    j, k = np.arange(2 * b), np.arange(b)
    angle = np.pi * (2 * j + 1) / (4 * b)
    healy = 2 / b * np.sin(angle) * (np.sin(np.outer(2 * j + 1, 2 * k + 1) * np.pi / (4 * b)) / (2 * k + 1)).sum(1)
    assert np.abs(circle_weights(np.pi / (4 * b), 2 * b, 4 * b) - healy).max() < 1e-15
    assert np.allclose(circle_weights(0.0, 3, 4), [1 / 3, 4 / 3, 1 / 3], atol=1e-15)  # Simpson
    for n in (1, 2, 5, 64, 301):
        theta, weight = gauss_legendre(n)
        x, w = np.polynomial.legendre.leggauss(n)
        assert np.abs(np.cos(theta) - x[::-1]).max() < 1e-14 and np.abs(weight - w[::-1]).max() < 1e-13


def test_gauss_rings_near_the_pole_keep_their_digits():
    theta, weight = gauss_legendre(1024)
    # by Newton's method with 40 digits
    assert abs(theta[0] / 0.0023473162149632256192 - 1) < 1e-15
    assert abs(weight[0] / 7.0700764101825898713e-6 - 1) < 1e-14
    by_height = np.arccos(np.polynomial.legendre.leggauss(200)[0][-1])  # planted: through the height
    assert 1e-14 < abs(by_height / gauss_legendre(200)[0][0] - 1) < 1e-10
    height = 1 - 2 * np.sin(theta.astype(np.longdouble) / 2) ** 2
    moments = [float((weight * height ** (2 * k)).sum() - np.longdouble(2) / (2 * k + 1)) for k in (1, 10, 100)]
    assert max(map(abs, moments)) < 1e-14 and (np.diff(theta) > 0).all()


def test_poles_hold_one_sample_many_times():
    sphere = Sphere.equiangular(nlat=9, kind="cc")
    assert sphere.pole_rings == (0, 8) and Sphere.equiangular(5, "mw").pole_rings == (4,)
    assert Sphere.gauss(8).pole_rings == () and Sphere.equiangular(5, "dh").pole_rings == ()
    ones = torch.zeros(9, 16, dtype=torch.float64)
    ones[0] = 1  # weight of a pole is divided among its samples: Clenshaw and Curtis give it 1 / (N^2 - 1)
    assert abs(float((ones * sphere.weights()).sum()) - 2 * math.pi / 63) < 1e-14
    x = torch.randn(2, 3, 9, 16)
    one = sphere.single_valued(x)
    assert torch.equal(one[..., 1:-1, :], x[..., 1:-1, :]) and float(one[..., 0, :].std(-1).max()) < 1e-6
    assert Sphere.gauss(8).single_valued(x) is x


def test_value_and_pickle():
    import pickle

    assert Sphere.equiangular(5, "dh") == EquiangularSphere("fejer", 10, 10) != EquiangularSphere("cc", 10, 10)
    for sphere in GRIDS:
        back = pickle.loads(pickle.dumps(sphere))
        assert back == sphere and hash(back) == hash(sphere) and torch.equal(back.points(), sphere.points())
    assert repr(Sphere.gauss(4)) == "GaussSphere(4 x 8)"
    assert repr(Sphere.equiangular(4, "mw")) == "EquiangularSphere(mw, 4 x 7)"
    assert st.Sphere is Sphere and abs(st.degrees(180) - math.pi) < 1e-15


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (lambda: Sphere.gauss(8).check_band(9), "band 9; expected 1 to 8, the largest"),
        (lambda: Sphere.gauss(8, 12).check_band(7), "expected 1 to 6"),
        (lambda: Sphere.healpix(4).check_band(9), "expected 1 to 8, the largest that it holds (usual, none is exact)"),
        (
            lambda: Sphere.gauss(8).check_map(torch.zeros(2, 16, 8)),
            "expected [..., 8, 16]; it lies on its side",
        ),
        (lambda: Sphere.healpix(4).check_map(torch.zeros(48)), "expected [..., 192]; that is a map of nside 2"),
        (lambda: Sphere.gauss(7).coarser(), "7 rings cannot be halved"),
        (lambda: Sphere.gauss(8, 13).coarser(), "13 longitudes cannot be halved"),
        (lambda: Sphere.equiangular(nlat=8, kind="cc").coarser(), "7 steps of latitude cannot be halved"),
        (lambda: Sphere.equiangular(5, "tea"), "the kind is 'tea'; expected one of fejer, dh, mw, mwss, cc"),
        (
            lambda: Sphere.equiangular(721, 1440),
            "the kind is 1440; expected one of fejer, dh, mw, mwss, cc. Sizes go by name",
        ),
        (lambda: Sphere.equiangular(5, nlat=5), "expected either L or nlat"),
        (lambda: Sphere.equiangular(0), "band 0; expected at least 1"),
        (lambda: GaussSphere(0, 4), "of 0 rings and 4 longitudes"),
        (lambda: EquiangularSphere("cc", 1, 4), "expected at least 2 rings"),
        (lambda: Sphere.gauss(4, shift=math.nan), "the first longitude is nan steps"),
        (lambda: Sphere.equiangular(4, "mw", shift=math.inf), "the first longitude is inf steps"),
    ],
)
def test_errors_say_what_fits(what, text):
    with pytest.raises(ValueError) as error:
        what()
    assert text in str(error.value) and "\n" not in str(error.value)
