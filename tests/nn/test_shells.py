"""Functions on spherical shells: sampled from clouds, correlated over rotations, read at points."""

from __future__ import annotations

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.groups import SO3, sampling_matrix
from steerable.laws.equivariance import relative_error
from steerable.nn.spherical_voxel_conv import mean_of_last_turn, ring

T = torch.float64
G = torch.Generator().manual_seed(0)


def ball(n=40, clouds=2):
    x = torch.randn(n, 3, dtype=T, generator=G)
    x = x / x.norm(dim=1, keepdim=True) * torch.rand(n, 1, dtype=T, generator=G) ** (1 / 3)
    return st.Points(x, torch.arange(n) * clouds // n)


@pytest.mark.parametrize("on", ["sphere", "rotations"])
@pytest.mark.parametrize("radial", [1, 3])
def test_correlation_is_exactly_equivariant(on, radial):
    torch.manual_seed(0)
    conv = snn.SphericalVoxelConv(2, 3, 4, on, radial=radial).double()
    x = torch.randn(2, conv.in_type.size, 5, dtype=T)
    for g in SO3().sample(3, G):
        moved, expected = conv(conv.in_type.transform(x, g)), conv.out_type.transform(conv(x), g)
        assert relative_error(moved, expected) < 1e-12
    laws.assert_equivariant(conv, x, atol=1e-11)
    if on == "rotations":  # the fault: rows of the coefficients mixed in place of copies

        def faulty(x):
            flip = [(2 * l + 1) ** 2 for l in range(4)]
            parts = x.unflatten(1, (2, -1)).split(flip, 2)
            parts = [p.unflatten(2, (2 * l + 1, -1)).transpose(2, 3).flatten(2, 3) for l, p in enumerate(parts)]
            return conv(torch.cat(parts, 2).flatten(1, 2))

        g = SO3().sample(1, G)[0]
        assert relative_error(faulty(conv.in_type.transform(x, g)), conv.out_type.transform(faulty(x), g)) > 0.1


def test_correlation_is_its_definition():
    torch.manual_seed(0)
    conv, rep = snn.SphericalVoxelConv(1, 1, 3, taps=5, radial=1).double(), SO3().spectral_regular(2)
    x, r = torch.randn(1, conv.in_type.size, 1, dtype=T), SO3().sample(6, G)
    want = sum(
        conv.weight[0, 0, 0, k] * (sampling_matrix(rep, SO3().compose(r, ring(5)[k].expand(6, 4))) @ x[0, :, 0])
        for k in range(5)
    )
    assert torch.allclose(sampling_matrix(rep, r) @ conv(x)[0, :, 0], want, atol=1e-12)


def test_a_function_on_the_sphere_is_one_on_rotations():
    """Lifting, and the mean over the last turn, against dense samples of both."""
    torch.manual_seed(0)
    lift = snn.SphericalVoxelConv(1, 1, 3, "sphere", taps=1, radial=1).double()
    x, r = torch.randn(1, 9, 1, dtype=T), SO3().sample(6, G)
    space = st.Homogeneous(SO3(), st.SO2(), 2)
    at = SO3().compose(r, ring(1).expand(6, 4))
    want = lift.weight[0, 0, 0, 0] * (space.evaluate(st.SO2().trivial, at)[:, 0] @ x[0, :, 0])
    assert torch.allclose(sampling_matrix(SO3().spectral_regular(2), r) @ lift(x)[0, :, 0], want, atol=1e-12)
    samples = snn.SO3Synthesis(3).double()
    c = torch.randn(1, samples.type.size, 1, dtype=T)
    mean = samples(c[:, :, 0])[0, 0].mean(-1)
    elements = samples.elements[:, :, 0].reshape(-1, 4)
    sphere = space.evaluate(st.SO2().trivial, elements)[:, 0] @ mean_of_last_turn(c, 3)[0, :, 0]
    assert torch.allclose(mean.flatten(), sphere, atol=1e-12)


def test_types():
    with pytest.raises(ValueError, match="'plane'"):
        snn.SphericalVoxelConv(2, 2, 4, "plane")
    for bad in ({"band": 0}, {"band": 3, "radial": 2}, {"band": 3, "taps": 0}):
        with pytest.raises(ValueError, match="expected at least 1 of each"):
            snn.SphericalVoxelConv(1, 1, **bad)


@pytest.mark.parametrize("window", ["round", "box"])
def test_density_does_not_count(window):
    """Twice as many points in the north give the same function; so does every point twice."""
    sampling, points = snn.DensityAwareSampling(3, 2, window).double(), ball(60, 1)
    x = points.positions
    twice = st.Points(torch.cat([x, x]))
    one = torch.ones(60, 1, dtype=T)
    f, again = sampling(one, points), sampling(torch.cat([one, one]), twice)
    assert f.shape == (1, 1, 2, 6, 6)
    assert torch.allclose(f, again, atol=0.03 if window == "round" else 1e-12)
    assert ((f >= 0) & (f <= 1 + 1e-12)).all()  # means of hats


def test_windows_turn_with_the_cloud():
    """A quarter turn about the third axis keeps the cells: exact for both windows."""
    quarter = st.SO3().element(torch.tensor([1.0, 0, 0, 1.0]) / 2**0.5)
    points, one = ball(), torch.ones(40, 1, dtype=T)
    for window in ("round", "box"):
        sampling = snn.DensityAwareSampling(4, 3, window).double()
        f, turned = sampling(one, points), sampling(one, points.moved(st.SO3(), quarter))
        assert torch.allclose(turned, f.roll(2, -1), atol=1e-9)
    # round windows see the angle to the cell alone; not adaptive ones, nor boxes, do not
    theta, cells = sampling.sphere.angles().flatten(0, -2)[:, 0], sampling.sphere.points().flatten(0, -2)
    near, far = cells[theta.argmin()], cells[(theta - 1.4).abs().argmin()]
    axis = torch.tensor([0.0, 1.0, 0.0], dtype=T)
    for window, adaptive, same in (("round", True, True), ("round", False, False), ("box", True, False)):
        sampling = snn.DensityAwareSampling(4, 3, window, adaptive).double()
        seen = []
        for cell in (near, far):
            around = torch.nn.functional.normalize(torch.linalg.cross(cell, axis), dim=0)
            ring = torch.stack([cell * 0.966 + a * 0.26 * around + b * 0.26 * axis for a, b in ((1, 0), (0, 1))])
            ring = torch.nn.functional.normalize(ring, dim=1)
            seen.append(sampling.windows(ring)[:, (cells @ cell).argmax()])
        flat = torch.cat(seen)
        assert bool((flat.max() - flat.min()) < 0.02) == same


@pytest.mark.parametrize("method", ["harmonic", "trilinear"])
def test_resampling_reads_the_function(method):
    points, band = ball(), 4
    read = snn.PointResample(band, 3, method).double()
    x = torch.randn(2, 2 * band**2, 3, dtype=T, generator=G) / torch.arange(1, 33)[:, None]
    y = read(x, points)
    assert y.shape == (40, 2)
    smooth = torch.zeros(2, band**2, 3, dtype=T)
    smooth[:, 0], smooth[:, 2] = 1.0, 0.5  # 1 + sqrt(3) z / 2
    z = points.positions[:, 2] / points.positions.norm(dim=1)
    error = (read(smooth, points)[:, 0] - (1 + 0.5 * 3**0.5 * z)).abs().max()
    assert error < (1e-12 if method == "harmonic" else 0.03)
    one = st.Points(torch.zeros(1, 3, dtype=T))
    assert torch.allclose(read(x[:1], one), x[:1].unflatten(1, (2, -1))[:, :, 0, 0])  # the mean of the first shell
    poles = torch.tensor([[0.0, 0, 0.5], [1e-9, 0, 0.5], [0.0, 0, -0.5], [1e-9, 0, -0.5]], dtype=T)
    at = read(x[:1], st.Points(poles))
    assert torch.allclose(at[0], at[1], atol=1e-6) and torch.allclose(at[2], at[3], atol=1e-6)


def test_gradients():
    points = ball(6, 1)
    for window in ("round",):
        sampling = snn.DensityAwareSampling(2, 2, window, width=2.0).double()
        x, p = torch.randn(6, 1, dtype=T).requires_grad_(), (0.9 * points.positions).clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda x, p, s=sampling: s(x, st.Points(p)), (x, p), atol=1e-6)
    read, c = snn.PointResample(3, 2).double(), torch.randn(1, 9, 2, dtype=T).requires_grad_()
    assert torch.autograd.gradcheck(lambda c, p: read(c, st.Points(p)), (c, p), atol=1e-6)


@pytest.mark.parametrize("method", ["harmonic", "trilinear"])
@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("window", ["round", "box"])
def test_points_at_the_origin_and_on_the_axis(window, adaptive, method):
    x = torch.tensor([[0.0, 0, 0], [0, 0, 0.5], [0, 0, -0.5], [0.3, 0, 0]], requires_grad=True)
    f = snn.DensityAwareSampling(3, 2, window, adaptive)(torch.ones(4, 1), st.Points(x))
    y = snn.PointResample(3, 2, method)(torch.randn(1, 9, 2), st.Points(x))
    (f.sum() + y.sum()).backward()
    assert torch.isfinite(f).all() and torch.isfinite(y).all() and torch.isfinite(x.grad).all()


def test_bad_input():
    with pytest.raises(ValueError, match="window 'disc'"):
        snn.DensityAwareSampling(3, 2, "disc")
    with pytest.raises(ValueError, match=r"expected .* in space"):
        snn.DensityAwareSampling(3, 2)(torch.ones(4, 1), st.Points(torch.randn(4, 2)))
    with pytest.raises(ValueError, match="method 'nearest'"):
        snn.PointResample(3, 2, "nearest")
    with pytest.raises(ValueError, match=r"expected \[1, C 9, 2\]"):
        snn.PointResample(3, 2)(torch.randn(1, 8, 2), st.Points(torch.randn(4, 3)))
