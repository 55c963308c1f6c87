"""Tables of the transforms: functions of colatitude, their recursion, and what goes wrong without care."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest
import torch

from steerable.domains.spectral import profiles
from steerable.groups.wigner import wigner_d

module = importlib.import_module("steerable.groups.profiles")


def tilts(angles):
    half = torch.as_tensor(angles, dtype=torch.float64) / 2
    return torch.stack([half.cos(), 0 * half, half.sin(), 0 * half], -1)


def pairs(band):
    m, n = (v.ravel() for v in np.meshgrid(np.arange(band), np.arange(band), indexing="ij"))
    order = np.argsort(np.maximum(m, n), kind="stable")
    return m[order], n[order]


def test_profiles_are_entries_of_wigner_matrices():
    band = 13
    m, n = pairs(band)
    theta = torch.tensor([0.0, 1e-3, 0.3, 1.0, 1.5, 2.5, 3.1, math.pi], dtype=torch.float64)
    a, b = profiles(theta, m, n, 0, band)
    for l in range(band):
        matrix = wigner_d(tilts(theta), l)[0] * math.sqrt(2 * l + 1)
        here = np.maximum(m, n) <= l
        first = matrix[:, l + m[here], l + n[here]].T
        second = matrix[:, l - m[here], l - n[here]].T * torch.from_numpy((m[here] > 0) & (n[here] > 0))[:, None]
        assert float((a[here, l] - first).abs().max()) < 1e-12
        assert float((b[here, l] - second).abs().max()) < 1e-12
        assert not a[~here, l].any() and not b[~here, l].any()


def long_double(m, band, height):
    """Orthonormal Legendre functions times sqrt(4 pi) in extended precision, whose exponents reach 10^-4932."""
    x, s = np.longdouble(height), np.sqrt(1 - np.longdouble(height) ** 2)
    now = np.longdouble(1 if m == 0 else 2) ** np.longdouble(0.5)
    for k in range(1, m + 1):
        now = now * s * np.sqrt(np.longdouble(2 * k + 1) / (2 * k))
    before, out = np.longdouble(0), [now]
    for l in range(m + 1, band):
        a = np.sqrt(np.longdouble(4 * l * l - 1) / ((l - m) * (l + m)))
        b = (
            np.sqrt(np.longdouble((2 * l + 1) * (l + m - 1) * (l - m - 1)) / ((2 * l - 3) * (l - m) * (l + m)))
            if l > 1
            else 0
        )
        before, now = now, a * x * now - b * before
        out.append(now)
    return np.array(out)


@pytest.mark.skipif(np.finfo(np.longdouble).minexp > -16000, reason="no extended precision on this machine")
@pytest.mark.parametrize("band", [1024, 2048])
def test_large_degrees_against_a_recursion_that_cannot_underflow(band):
    """Rings from the first Gauss node to the equator; orders around L / e, where sin^m leaves float64 soonest."""
    height = np.cos([2.4048 / band, 0.02, 0.2, math.asin(1 / math.e), 0.6, 1.2, 1.5])
    orders = np.array([0, 1, 40, 109, int(0.3 * band), int(band / math.e), int(0.5 * band), band - 1])
    theta = torch.from_numpy(np.arccos(height))
    found = profiles(theta, orders, 0 * orders, 0, band)[0].numpy()
    for i, m in enumerate(orders):
        for t, x in enumerate(np.cos(theta.numpy())):
            exact = long_double(int(m), band, x).astype(np.float64)
            assert np.abs(found[i, m:, t] - exact).max() < 2e-12 * band


def test_planted_single_precision_is_caught():
    theta = torch.tensor([0.05, 0.4], dtype=torch.float64)
    m = np.array([0, 5, 60])
    good, bad = (profiles(theta, m, 0 * m, 0, 128, dtype)[0] for dtype in (torch.float64, torch.float32))
    assert float((good - bad).abs().max()) > 1e-5


def test_planted_underflow_is_caught(monkeypatch):
    """Without exponents the seeds of order 760 at sin = 1/e vanish, and with them functions of size one."""
    theta, m = torch.tensor([math.asin(1 / math.e)], dtype=torch.float64), np.array([760])
    assert float(profiles(theta, m, 0 * m, 760, 2200)[0].abs().max()) > 0.5
    monkeypatch.setattr(module, "_TINY", -math.inf)
    assert float(profiles(theta, m, 0 * m, 760, 2200)[0].abs().max()) < 1e-3


def test_large_spins_are_orthonormal():
    """Gauss nodes integrate products of two functions of the same orders, up to degree 63 and spin 40."""
    band = 64
    height, weight = np.polynomial.legendre.leggauss(band)
    theta = torch.from_numpy(np.arccos(height))
    for m, n in ((3, 40), (40, 40), (63, 12)):
        a, b = profiles(theta, np.array([m]), np.array([n]), max(m, n), band)
        gram = torch.einsum("lt,kt,t->lk", a[0], a[0], torch.from_numpy(weight / 8))
        gram = gram + torch.einsum("lt,kt,t->lk", b[0], b[0], torch.from_numpy(weight / 8))
        assert float((gram - torch.eye(len(gram), dtype=gram.dtype)).abs().max()) < 1e-11
