"""Convolution in local frames: message passing at degree 0, any band-limited filter above it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.domains import Neighbourhood
from steerable.domains.points.frames import in_frames, neighbour_frames
from steerable.groups.spherical import spherical_harmonics

T = torch.float64
G = torch.Generator().manual_seed(0)


def cloud(n=24):
    return st.Points(torch.randn(n, 3, dtype=T, generator=G), torch.arange(n) // (n // 2))


def seen(points):
    g = points.knn(6)
    return in_frames(g, neighbour_frames(points, g))


@pytest.mark.parametrize("radial", [None, (0.5, 1.5)])
def test_invariance(radial):
    torch.manual_seed(0)
    conv, points = snn.LocalFrameSphericalConv(3, 4, 3, radial).double(), cloud()
    x = torch.randn(24, 3, dtype=T)
    laws.assert_equivariant_on_points(conv, x, points, seen, atol=1e-9)
    mirrored = laws.point_errors(conv, x, points, seen, 3 * st.O3().trivial, 4 * st.O3().trivial)
    assert max(mirrored.values()) > 0.05  # handedness is seen
    with pytest.raises(AssertionError):  # the fault: offsets that no frame has turned
        laws.assert_equivariant_on_points(conv, x, points, lambda p: p.knn(6), atol=1e-3)


def test_degree_zero_is_message_passing_bit_for_bit():
    g = seen(cloud())
    # numbers whose sums are exact in any order
    weight = torch.randint(-8, 9, (g.num_edges,), generator=G).to(T) / 8
    g = Neighbourhood(g.target, g.source, g.offset, g.num_targets, g.num_sources, weight)
    x = torch.randint(-8, 9, (24, 3), generator=G).to(T) / 4
    conv = snn.LocalFrameSphericalConv(3, 4, 0).double()
    with torch.no_grad():
        for p in conv.parameters():
            p.copy_(torch.randint(-8, 9, p.shape, generator=G) / 4)
    got = torch.zeros(24, 3, dtype=T).index_add(0, g.target, weight[:, None] * x[g.source])
    want = got @ conv.weight[..., 0].T + x @ conv.root.T + conv.bias
    assert torch.equal(conv(x, g), want)
    higher = snn.LocalFrameSphericalConv(3, 4, 1).double()
    with torch.no_grad():
        higher.weight.zero_()
        higher.weight[..., :1] = conv.weight
        higher.root.copy_(conv.root)
        higher.bias.copy_(conv.bias)
        assert torch.equal(higher(x, g), want)
        higher.weight[..., 1] = 0.5
        assert not torch.equal(higher(x, g), want)


def test_any_band_limited_filter_is_reproduced():
    """F(u) = (u . a)^3 + (u . b)(u . c) - 1/2 has degree 3: fitted by quadrature, reproduced everywhere."""
    a, b, c = torch.randn(3, 3, dtype=T, generator=G)

    def target(u):
        return (u @ a) ** 3 + (u @ b) * (u @ c) - 0.5

    grid = st.Sphere.gauss(6)
    u, w = grid.points().flatten(0, -2), grid.weights().flatten()
    offset = torch.randn(50, 3, dtype=T, generator=G)
    pairs = torch.arange(50)
    g = Neighbourhood(pairs, pairs, offset, 50, 50)
    for lmax, fits in ((3, True), (4, True), (2, False)):
        conv = snn.LocalFrameSphericalConv(1, 1, lmax, root=False, bias=False).double()
        with torch.no_grad():
            y = spherical_harmonics(u, range(lmax + 1))
            conv.weight[0, 0] = (y * (w * target(u))[:, None]).sum(0) / (4 * torch.pi) ** 0.5
            error = (
                conv(torch.ones(50, 1, dtype=T), g)[:, 0] - target(offset / offset.norm(dim=1, keepdim=True))
            ).abs()
        assert (error.max() < 1e-12) == fits


def test_it_is_the_point_convolution_of_the_trivial_group():
    g, one = seen(cloud()), st.C(1).trivial
    conv = snn.LocalFrameSphericalConv(2, 3, 2, (0.5, 1.0, 1.5), root=False, bias=False).double()
    twin = snn.PointConv(2 * one, 3 * one, 9.0, spacing=1.0, dimension=3, filters=conv.shells, smooth=False, bias=False)
    x = torch.randn(24, 2, dtype=T, generator=G)
    twin = twin.double()
    filter = twin.filter().detach()
    with torch.no_grad():
        conv.weight.copy_(filter / (4 * torch.pi) ** 0.5)
    assert torch.allclose(conv(x, g), twin(x, g), atol=1e-12)


def test_classes_of_pairs_have_weights_of_their_own():
    g = seen(cloud())
    kind = torch.rand(g.num_edges, 3, dtype=T, generator=G)
    conv, x = snn.LocalFrameSphericalConv(2, 4, 2, (0.5, 1.0), classes=3).double(), torch.randn(24, 2, dtype=T)
    want = x @ conv.root.T + conv.bias
    parts = conv.weight.detach().unflatten(-1, (-1, 3))
    for k in range(3):
        one = snn.LocalFrameSphericalConv(2, 4, 2, (0.5, 1.0), root=False, bias=False).double()
        with torch.no_grad():
            one.weight.copy_(parts[..., k])
        want = want + one(x, replace(g, weight=kind[:, k]))
    assert torch.allclose(conv(x, replace(g, attributes=kind)), want, atol=1e-12)
    assert not torch.allclose(conv(x, replace(g, attributes=kind.flip(1))), want, atol=1e-2)
    for lacking in (None, kind[:, :2]):
        with pytest.raises(ValueError, match=r"how much each pair is of each class"):
            conv(x, replace(g, attributes=lacking))
    with pytest.raises(ValueError, match="0 classes of pairs"):
        snn.LocalFrameSphericalConv(2, 2, 1, classes=0)


def test_gradients():
    conv = snn.LocalFrameSphericalConv(2, 2, 2, neighbours=6).double()
    start = cloud(12)

    def value(x, positions):
        return conv(x, seen(start.at(positions)))

    x = torch.randn(12, 2, dtype=T, generator=G).requires_grad_()
    assert torch.autograd.gradcheck(value, (x, start.positions.clone().requires_grad_()), atol=1e-6)


def test_bad_input():
    g = seen(cloud())
    conv = snn.LocalFrameSphericalConv(2, 2, 2)
    with pytest.raises(ValueError, match="input has 3 channels"):
        conv(torch.zeros(24, 3), g.to(torch.float32))
    with pytest.raises(ValueError, match="lmax -1"):
        snn.LocalFrameSphericalConv(2, 2, -1)
    with pytest.raises(ValueError, match="radii of shells"):
        snn.LocalFrameSphericalConv(2, 2, 1, ())
    few = Neighbourhood(g.target[:6], g.source[:6], g.offset[:6].float(), 1, 24)
    with pytest.raises(ValueError, match="root=False"):
        conv(torch.zeros(24, 2), few)
