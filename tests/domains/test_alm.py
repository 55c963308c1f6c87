"""Coefficients in the order and scale of healpy, against harmonics of scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import steerable.nn as snn
from steerable.domains import Sphere
from steerable.domains.spectral import from_alm, to_alm

special = pytest.importorskip("scipy.special")

BAND = 6


def healpy_index(l, m):
    """``healpy.Alm.getidx(lmax, l, m)``, from its documentation."""
    return m * (2 * (BAND - 1) + 1 - m) // 2 + l


def drawn():
    rng = np.random.default_rng(0)
    alm = rng.standard_normal(BAND * (BAND + 1) // 2) + 1j * rng.standard_normal(BAND * (BAND + 1) // 2)
    alm[:BAND].imag = 0
    return alm


@pytest.mark.parametrize("sphere", [Sphere.gauss(BAND), Sphere.equiangular(BAND, "mw")], ids=repr)
def test_a_scalar_has_the_coefficients_of_healpy(sphere):
    alm, (theta, phi) = drawn(), sphere.angles().numpy().transpose(2, 0, 1)
    values = sum(
        (1 if m == 0 else 2) * (alm[healpy_index(l, m)] * special.sph_harm_y(l, m, theta, phi)).real
        for l in range(BAND)
        for m in range(l + 1)
    )
    c = snn.SHT(sphere, "1x0", BAND).double()(torch.from_numpy(values)[None, None])
    assert np.abs(to_alm(c)[0].numpy() - alm).max() < 1e-12
    assert (from_alm(torch.from_numpy(alm)) - c[0]).abs().max() < 1e-12


def test_a_pure_e_mode_of_polarisation():
    """``Q = -a_20 2Y20``, ``2Y20 = sqrt(15 / 32 pi) sin^2``, in HEALPix's convention."""
    sphere = Sphere.gauss(BAND)
    q = -math.sqrt(15 / (32 * math.pi)) * sphere.angles()[..., 0].sin() ** 2
    e, b = to_alm(snn.SHT(sphere, "1x2", BAND).double()(torch.stack([q, 0 * q])[None]), spin=2)[0]
    assert abs(complex(e[healpy_index(2, 0)]) - 1) < 1e-12 and abs(float(e.abs().sum()) - 1) < 1e-12
    assert float(b.abs().max()) < 1e-12


def test_e_and_b_of_a_complex_mode_are_those_of_healpix():
    """``Q + iU = sum -(E + iB) 2Y`` for m = 2 and -2, by the closed form of the harmonics of spin 2."""
    sphere, alm = Sphere.gauss(BAND), torch.zeros(2, BAND * (BAND + 1) // 2, dtype=torch.complex128)
    alm[0, healpy_index(2, 2)], alm[1, healpy_index(2, 2)] = 0.3 - 0.7j, -1.1 + 0.4j
    theta, phi = sphere.angles().unbind(-1)
    plus, minus = (math.sqrt(5 / (64 * math.pi)) * (1 + s * theta.cos()) ** 2 for s in (-1, 1))  # 2Y22 and 2Y2-2
    up, down = plus * torch.exp(2j * phi), minus * torch.exp(-2j * phi)
    e, b = alm[:, healpy_index(2, 2)]
    field = -((e + 1j * b) * up + (e.conj() + 1j * b.conj()) * down)
    found = snn.InverseSHT(sphere, "1x2", BAND).double()(from_alm(alm, spin=2)[None])[0]
    for part, expected in zip(found, (field.real, field.imag), strict=True):
        assert float((part - expected).abs().max()) < 1e-12


def test_there_and_back_for_any_batch():
    c = torch.randn(2, 3, 49, requires_grad=True, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: from_alm(to_alm(x)), (c,))
    assert torch.allclose(from_alm(to_alm(c)), c)
    pairs = torch.randn(3, 2 * (49 - 4), dtype=torch.float64)
    assert torch.allclose(from_alm(to_alm(pairs, spin=2), spin=2), pairs)
    assert to_alm(c.float()).dtype == torch.complex64 and from_alm(to_alm(c.float())).dtype == torch.float32


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (to_alm, torch.zeros(8)),
        (to_alm, torch.zeros(0)),
        (to_alm, torch.zeros(9, dtype=torch.complex64)),
        (from_alm, torch.zeros(4, dtype=torch.complex64)),
        (from_alm, torch.zeros(3)),
        (lambda c: to_alm(c, spin=2), torch.zeros(49)),
        (lambda a: from_alm(a, spin=2), torch.zeros(6, dtype=torch.complex64)),
    ],
)
def test_other_numbers_of_coefficients_are_refused(function, given):
    with pytest.raises(ValueError, match=r"expected (real|complex) \[\.\.\., "):
        function(given)
