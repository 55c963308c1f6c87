"""Real spherical harmonics: the definition, orthonormality, gradients, the origin, tooling, numbers of e3nn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from steerable.fields import e3nn_basis
from steerable.groups import spherical_harmonics
from steerable.groups.spherical import _plain, unit


def points(count=40, seed=0):
    """Gaussian points, after the axes and near-axes at which angles fail."""
    x = torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    axes = torch.eye(3, dtype=torch.float64)
    return torch.cat([axes, -axes, axes + 1e-9, x])


def legendre(l, m, z, sine):
    """Associated Legendre function without the Condon-Shortley phase, from the derivatives of a polynomial."""
    p = np.polynomial.legendre.Legendre.basis(l)
    return sine**m * (p.deriv(m)(z) if m else p(z))


@pytest.mark.parametrize("degree", range(7))
def test_the_definition_in_angles(degree):
    x = points()
    z = (x[:, 2] / x.norm(dim=1)).numpy()
    sine = (x[:, :2].norm(dim=1) / x.norm(dim=1)).numpy()
    phi = torch.atan2(x[:, 1], x[:, 0]).numpy()
    for m in range(-degree, degree + 1):
        k = abs(m)
        norm = math.sqrt((2 * degree + 1) / (4 * math.pi) * math.factorial(degree - k) / math.factorial(degree + k))
        wave = 1.0 if m == 0 else math.sqrt(2) * (np.cos(k * phi) if m > 0 else np.sin(k * phi))
        found = spherical_harmonics(x, degree)[:, degree + m].numpy()
        assert np.abs(found - norm * wave * legendre(degree, k, z, sine)).max() < 1e-12, m


def test_degree_one_is_the_point():
    x = points()
    expected = math.sqrt(3 / (4 * math.pi)) * x[:, [1, 2, 0]]
    assert (spherical_harmonics(x, 1, normalise=False) - expected).abs().max() < 1e-14
    once, twice = (spherical_harmonics(s * x, 3, normalise=False) for s in (1, 2))
    assert (twice - 8 * once).abs().max() < 1e-10


@pytest.mark.parametrize("degree", [8, 64])
def test_orthonormal(degree):
    height, weight = np.polynomial.legendre.leggauss(degree + 1)
    phi = 2 * np.pi * np.arange(2 * degree + 2) / (2 * degree + 2)
    radius = np.sqrt(1 - height**2)[:, None]
    x = np.stack(np.broadcast_arrays(radius * np.cos(phi), radius * np.sin(phi), height[:, None]), -1).reshape(-1, 3)
    w = torch.from_numpy(np.repeat(weight, len(phi)) * (2 * np.pi / len(phi)))
    y = spherical_harmonics(torch.from_numpy(x.copy()), (0, 1, degree))
    assert (y.T @ (w[:, None] * y) - torch.eye(y.shape[1])).abs().max() < 1e-12


@pytest.mark.parametrize("degree", [1, 10, 64])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_stable_at_any_degree(degree, dtype):
    y = spherical_harmonics(points().to(dtype), degree)
    assert y.dtype == dtype and y.isfinite().all()
    total = y.double().square().sum(-1) * (4 * math.pi / (2 * degree + 1))
    assert (total - 1).abs().max() < {torch.float64: 1e-12, torch.float32: 5e-4, torch.float16: 2e-2}[dtype]


@pytest.mark.parametrize("normalise", [True, False])
def test_the_fast_and_the_plain_path_agree(normalise):
    x = points(9000)  # several tiles
    fast = spherical_harmonics(x, range(7), normalise)
    assert (fast - _plain(unit(x) if normalise else x, 6)).abs().max() < (1e-13 if normalise else 1e-9)
    shaped = spherical_harmonics(x[:24].reshape(2, 3, 4, 3), (4, 0), normalise)
    assert shaped.shape == (2, 3, 4, 10)
    assert (shaped.reshape(24, 10) - torch.cat([fast[:24, 16:25], fast[:24, :1]], 1)).abs().max() < 1e-12


@pytest.mark.parametrize("normalise", [True, False])
def test_gradients(normalise):
    x = points(3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: spherical_harmonics(x, range(6), normalise), (x[3:7],))
    y = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: spherical_harmonics(x, range(6), normalise), (y,))
    assert torch.autograd.gradgradcheck(lambda x: spherical_harmonics(x, (0, 2, 3), normalise), (y,))
    weights = torch.cos(torch.arange(49, dtype=torch.float64))
    (fast,) = torch.autograd.grad((spherical_harmonics(x, range(7), normalise) @ weights).sum(), x)
    (plain,) = torch.autograd.grad((_plain(unit(x) if normalise else x, 6) @ weights).sum(), x)
    assert (fast - plain).abs().max() < 1e-11


def test_the_origin_and_points_out_of_range():
    x = torch.tensor([[0.0, 0, 0], [1e-180, 0, 1e-180], [1e200, -1e200, 0], [1, 2, 3]], dtype=torch.float64)
    x.requires_grad_()
    y = spherical_harmonics(x, range(5))
    assert y.isfinite().all() and (y[0, 1:] == 0).all() and y[0, 0] == math.sqrt(0.25 / math.pi)
    near = spherical_harmonics(torch.tensor([[1.0, 0, 1], [1, -1, 0]], dtype=torch.float64), range(5))
    assert (y[1:3] - near).abs().max() < 1e-14
    (grad,) = torch.autograd.grad(y[[0, 2, 3]].square().sum() + y[[0, 2, 3]].sum(), x)
    assert grad.isfinite().all() and (grad[0] == 0).all() and grad[3].abs().max() > 0.01
    for normalise in (True, False):
        zero = torch.zeros(2, 3, requires_grad=True)
        value = spherical_harmonics(zero, range(4), normalise)
        (first,) = torch.autograd.grad(value[:, 4:].sum(), zero, create_graph=True)
        assert (first == 0).all() and torch.autograd.grad(first.sum(), zero)[0].isfinite().all()


def test_tooling():
    x = points(5)

    class Harmonics(torch.nn.Module):
        def forward(self, x):
            return spherical_harmonics(x, (1, 3))

    expected = spherical_harmonics(x, (1, 3))
    compiled = torch.compile(Harmonics(), backend="aot_eager", fullgraph=True)
    assert (compiled(x) - expected).abs().max() < 1e-13
    assert (torch.export.export(Harmonics(), (x,)).module()(x) - expected).abs().max() < 1e-13
    assert (torch.vmap(lambda v: spherical_harmonics(v, (1, 3)))(x) - expected).abs().max() < 1e-13
    jacobian = torch.func.jacfwd(lambda v: spherical_harmonics(v, 3))(x[-1])
    backwards = torch.autograd.functional.jacobian(lambda v: spherical_harmonics(v, 3), x[-1])
    assert (jacobian - backwards).abs().max() < 1e-12
    single = x[-1].clone()
    assert spherical_harmonics(single, 2).shape == (5,) and torch.equal(single, x[-1])  # nothing in place
    assert spherical_harmonics(x[:0], (0, 2)).shape == (0, 6) and spherical_harmonics(x, []).shape == (len(x), 0)


#: e3nn 0.6.0, float64: o3.spherical_harmonics([1, 2, 3], (0.3, -0.5, 0.8), True, "integral")
E3NN = """
0.14806892120200088 -0.24678153533666816 0.3948504565386692 0.2675628809613255 -0.1672268006008284 -0.07402046939599966
-0.44593813493554246 0.30658246776818554 0.333900698504954 -0.35754593927695005 0.038159759348755366 0.3250361668704278
0.10175935826334766 -0.4096880554215054 0.1800266061156037
"""


def test_the_numbers_of_e3nn():
    y = spherical_harmonics(torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64), (1, 2, 3))
    found = torch.cat([e3nn_basis(l) @ y[l * l - 1 : (l + 1) ** 2 - 1] for l in (1, 2, 3)])
    assert (found - torch.tensor([float(v) for v in E3NN.split()], dtype=torch.float64)).abs().max() < 1e-14


def test_bad_input_and_a_planted_fault():
    with pytest.raises(ValueError, match="degrees are integers"):
        spherical_harmonics(torch.zeros(2, 3), [1, -1])
    with pytest.raises(ValueError, match=r"points \[..., 3\]"):
        spherical_harmonics(torch.zeros(3, 2), 1)
    x = points()
    wrong = spherical_harmonics(x[:, [1, 0, 2]], 2)  # axes swapped
    assert (wrong - spherical_harmonics(x, 2)).abs().max() > 0.1
