"""The filters of harmonic networks: the m - n half of the SO(2) solution, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steerable.fields import complex_stream, streams
from steerable.groups import O2, SO2, C, D
from steerable.kernels import ComplexKernel, ComplexLinear, GaussianRings, HarmonicKernel

RINGS = GaussianRings((1.0,), (0.5,), (6,))  # one ring, every frequency that pairs of orders up to 3 can ask for
POINTS = np.stack([np.cos(a := np.linspace(0, 6, 23)), np.sin(a)], -1)


def span(rows):
    """Orthonormal basis of the row space."""
    _, s, vt = np.linalg.svd(rows.reshape(len(rows), -1), full_matrices=False)
    return vt[s > 1e-9 * max(s[0], 1e-300)]


def outside(a, b):
    """Largest part of ``a`` that lies outside the span of ``b``."""
    a, b = span(a), span(b)
    return np.abs(a - (a @ b.T) @ b).max(initial=0)


def analytic(n, m, conjugate=False):
    """Multiplication by ``e^(i (m - n) phi)`` and by i times it, as real matrices ``[2, 2, 2, points]``.

    With ``conjugate`` the other half: the input is conjugated first, and the frequency is m + n.
    """
    phi = np.arctan2(POINTS[:, 1], POINTS[:, 0]) * (m + n if conjugate else m - n)
    found = []
    for shift in (0, np.pi / 2):
        c, s = np.cos(phi + shift), np.sin(phi + shift)
        matrix = np.stack([np.stack([c, -s]), np.stack([s, c])])
        found.append(matrix * np.array([1, -1])[None, :, None] if conjugate else matrix)
    return np.stack(found)


@pytest.mark.parametrize("n", range(-2, 4))
@pytest.mark.parametrize("m", range(-2, 4))
def test_it_is_the_difference_half(n, m):
    """Two elements a ring of four: ``R((m - n) phi)`` and its quarter turn; never the frequency m + n."""
    into, out = complex_stream(SO2(), n), complex_stream(SO2(), m)
    kernel, full = ComplexLinear(RINGS).kernel(into, out), HarmonicKernel(into, out, RINGS)
    assert (kernel.dim, full.dim) == (2, 4)
    ours, theirs, all_of_it = kernel.sample(POINTS), analytic(n, m), full.sample(POINTS)
    assert max(outside(ours, theirs), outside(theirs, ours)) < 1e-10
    other = analytic(n, m, conjugate=True)
    assert outside(ours, all_of_it) < 1e-10 and outside(other, all_of_it) < 1e-10
    assert outside(other, ours) > 0.1  # planted: the m + n half is not it
    assert outside(all_of_it, np.concatenate([ours, other])) < 1e-10


@pytest.mark.parametrize("group", [SO2(), C(3), C(4), C(8)], ids=str)
@pytest.mark.parametrize("share", [False, True])
def test_kernel_law_and_complex_linearity(group, share):
    into = complex_stream(group, 0).direct_sum(complex_stream(group, 1))
    out = complex_stream(group, 1).direct_sum(complex_stream(group, -1), complex_stream(group, 2))
    kernel = ComplexKernel(into, out, ComplexLinear(RINGS, share))
    basis = kernel.sample(POINTS)
    i_in, i_out = (np.kron(np.eye(r.size // 2), [[0, -1], [1, 0]]) for r in (into, out))
    assert np.abs(i_out @ basis.transpose(0, 3, 1, 2) - basis.transpose(0, 3, 1, 2) @ i_in).max() < 1e-12
    for g in group.grid(5) if not group.is_finite else group.elements:
        moved = kernel.sample(POINTS @ group.plane(g).numpy().T)
        expected = np.einsum("ab,kbcn,dc->kadn", out(g).numpy(), basis, into(g).numpy())
        assert np.abs(moved - expected).max() < 1e-12
    assert kernel.dim == len(span(basis)) or group == C(3)  # on C(3) orders coincide: functions may too


def test_orders_of_one_difference_share_their_filters():
    field = complex_stream(SO2(), 0).direct_sum(complex_stream(SO2(), 1), complex_stream(SO2(), 2))
    free, shared = (ComplexLinear(GaussianRings.for_size(5), s).kernel(field, field) for s in (False, True))
    # difference 0: three rings, else two (bounded by the band), two real numbers each; pairs 3 + 2 + 2 + 1 + 1
    assert free.dim == 2 * (3 * 3 + 2 * 2 * 2 + 2 * 2)
    assert shared.dim == 2 * (3 + 2 + 2 + 2 + 2)
    basis = shared.sample(POINTS)
    cells = basis.reshape(len(basis), 3, 2, 3, 2, -1)
    for d in (-1, 0, 1):
        pairs = [cells[:, o, :, o - d] for o in range(3) if 0 <= o - d < 3]
        assert all(np.abs(p - pairs[0]).max() < 1e-12 for p in pairs)
    cells = free.sample(POINTS).reshape(free.dim, 3, 2, 3, 2, -1)
    assert np.abs(cells[:, 0, :, 0] - cells[:, 1, :, 1]).max() > 0.1


def test_the_centre_belongs_to_order_zero():
    filters = ComplexLinear(GaussianRings.for_size(5))
    origin = np.zeros((1, 2))
    for n, m in ((0, 0), (1, 1), (0, 1), (1, 0), (-1, 1)):
        values = filters.kernel(complex_stream(SO2(), n), complex_stream(SO2(), m)).sample(origin)
        assert (np.abs(values).max() > 0.1) == (n == m)


def test_real_fields_are_under_no_constraint():
    real, out = SO2().trivial, complex_stream(SO2(), 0).direct_sum(complex_stream(SO2(), 1))
    filters = GaussianRings.for_size(5)
    for a, b in ((real, out), (out, real)):
        assert ComplexLinear(filters).kernel(a, b).dim == HarmonicKernel(a, b, filters).dim


def test_streams():
    for order in (-2, -1, 0, 1, 3):
        rep = complex_stream(SO2(), order)
        angle = SO2().grid(7)
        z = np.exp(1j * order * angle.numpy())
        expected = np.stack([np.stack([z.real, -z.imag], -1), np.stack([z.imag, z.real], -1)], -2)
        assert np.abs(rep(angle).numpy() - expected).max() < 1e-12
        assert [s.rep for s in streams(rep)] == [rep]
    mixed = complex_stream(SO2(), -1).direct_sum(complex_stream(SO2(), 0))
    assert [s.rep for s in streams(mixed)] == [complex_stream(SO2(), m) for m in (-1, 0)]
    for group in (D(4), O2(), D(1)):
        with pytest.raises(ValueError, match="reflection"):
            complex_stream(group, 1)
    for rep in (C(4).regular, D(4).irrep("1"), SO2().trivial.direct_sum(SO2().irrep("1"))):
        with pytest.raises(ValueError, match="complex_stream"):
            streams(rep)


@pytest.mark.parametrize("group", [C(2), C(3), C(4), C(5), C(8), C(16), SO2()], ids=lambda g: g.name)
def test_a_stream_of_any_order_turns_by_its_order(group):
    """Also orders below zero, at half of n, and beyond n, where they alias."""
    for order in range(-9, 10):
        stream = complex_stream(group, order)
        for g in group.sample(5, generator=torch.Generator().manual_seed(0)):
            turn = group.plane(g)
            phase = complex(turn[0, 0], turn[1, 0]) ** order
            wanted = torch.tensor([[phase.real, -phase.imag], [phase.imag, phase.real]], dtype=torch.float64)
            assert (stream(g) - wanted).abs().max() < 1e-10
