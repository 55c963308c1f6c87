"""SO(3) and O(3): elements, quadrature, Wigner matrices, coupling, restriction, numbers of e3nn."""

from __future__ import annotations

from fractions import Fraction
from math import factorial, isqrt

import numpy as np
import pytest
import torch
from tests.catalogue import elements

from steerable.groups import (
    O3,
    SO2,
    SO3,
    fourier_pair,
    octahedral,
    sampling_grid,
    sampling_matrix,
    spherical_harmonics,
    wigner_d,
)
from steerable.groups.constructions import tensor_irreps
from steerable.groups.coupling import coupling, couplings
from steerable.groups.decompose import decompose, irrep_samples
from steerable.groups.quaternions import quaternion_product, quaternion_to_matrix
from steerable.groups.wigner import _plain, generators, swap_matrix

SPECIAL = torch.tensor(
    [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 1], [1, 1e-9, 0, 0], [1e-9, 1, 0, 0]],
    dtype=torch.float64,
)


def rotations(count=20, seed=0):
    """Random quaternions after the ones at which Euler angles fail: no tilt, half a turn of tilt, near both."""
    q = torch.randn(count, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.cat([SPECIAL, q])


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 6, 11, 32])
def test_wigner_matrices_move_harmonics_and_multiply(degree):
    q, r = rotations(), rotations(seed=1).flip(0)
    x = torch.randn(len(q), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    (d,) = wigner_d(q, degree)
    moved = spherical_harmonics((quaternion_to_matrix(q) @ x[..., None])[..., 0], degree)
    assert (moved - (d @ spherical_harmonics(x, degree)[..., None])[..., 0]).abs().max() < 1e-12
    assert (wigner_d(quaternion_product(q, r), degree)[0] - d @ wigner_d(r, degree)[0]).abs().max() < 1e-12
    assert (d @ d.mT - torch.eye(2 * degree + 1)).abs().max() < 1e-12
    assert (d - wigner_d(-3 * q, degree)[0]).abs().max() < 1e-12  # any length, either sign


def test_the_fast_and_the_plain_wigner_matrices_agree():
    q = rotations()
    for fast, plain in zip(wigner_d(q, range(9)), _plain(q, tuple(range(9))), strict=True):
        assert (fast - plain).abs().max() < 1e-12
    assert (wigner_d(q[0], 2)[0] - torch.eye(5)).abs().max() < 1e-15
    wide = wigner_d(rotations(1300).float(), 4)[0]  # several tiles
    assert (wide - wigner_d(rotations(1300), 4)[0]).abs().max() < 3e-6 and wide.dtype == torch.float32


def test_gradients_of_wigner_matrices_are_finite_and_right_at_every_rotation():
    q = rotations(1).requires_grad_()
    assert torch.autograd.gradcheck(lambda q: wigner_d(q, (0, 1, 2, 3)), (q,))
    assert torch.autograd.gradgradcheck(lambda q: wigner_d(q, (1, 2)), (q,))
    one = torch.vmap(lambda q: wigner_d(q, 3)[0])(q.detach())
    assert (one - wigner_d(q.detach(), 3)[0]).abs().max() < 1e-12
    (tangent,) = torch.autograd.grad(wigner_d(q, 3)[0].sin().sum(), q)
    _, along = torch.func.jvp(lambda q: wigner_d(q, 3)[0].sin().sum(), (q.detach(),), (torch.ones_like(q),))
    assert (tangent.sum() - along).abs() < 1e-10


def test_wigner_matrices_compile_and_export():
    class Turn(torch.nn.Module):
        def forward(self, q):
            return wigner_d(q, (1, 4))[1]

    q = rotations(3)
    assert (torch.compile(Turn(), backend="aot_eager", fullgraph=True)(q) - Turn()(q)).abs().max() < 1e-12
    assert (torch.export.export(Turn(), (q,)).module()(q) - Turn()(q)).abs().max() < 1e-12


def test_generators_close_as_rotations_do():
    for degree in (1, 3, 8):
        x, y, z = generators(degree)
        for a, b, c in ((x, y, z), (y, z, x), (z, x, y)):
            assert np.abs(a @ b - b @ a - c).max() < 1e-12 and np.abs(a + a.T).max() < 1e-12
        casimir = -(x @ x + y @ y + z @ z)
        assert np.abs(casimir - degree * (degree + 1) * np.eye(2 * degree + 1)).max() < 1e-11


@pytest.mark.parametrize("degree", [1, 6, 40])
def test_the_swap_is_an_exact_reflection(degree):
    j = swap_matrix(degree)
    assert np.abs(j @ j - np.eye(len(j))).max() < 1e-14 and np.abs(j - j.T).max() < 1e-15
    x = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    swapped = spherical_harmonics(x[:, [0, 2, 1]], degree)
    assert (swapped - spherical_harmonics(x, degree) @ torch.from_numpy(j).T).abs().max() < 1e-12


# ---- coupling ----


def exact(l, k, t, m, n):
    """Square and sign of the Clebsch-Gordan coefficient ``<l m, k n | t m+n>``: Racah's sum in integers."""
    f = factorial
    total = sum(
        Fraction((-1) ** s, f(s) * f(l + k - t - s) * f(l - m - s) * f(k + n - s) * f(t - k + m + s) * f(t - l - n + s))
        for s in range(max(0, k - t - m, l - t + n), min(l + k - t, l - m, k + n) + 1)
    )
    front = Fraction((2 * t + 1) * f(l + k - t) * f(l - k + t) * f(k - l + t), f(l + k + t + 1))
    front *= f(t + m + n) * f(t - m - n) * f(l - m) * f(l + m) * f(k - n) * f(k + n)
    return front * total**2, (total > 0) - (total < 0)


@pytest.mark.parametrize(("l", "k", "t"), [(1, 1, 1), (2, 1, 2), (3, 2, 4), (6, 6, 7), (14, 11, 5), (20, 20, 3)])
def test_couplings_are_racahs_numbers(l, k, t):
    from steerable.groups.coupling import _complex

    vectors = _complex(l, k)
    for m in {-t, -t // 2, 0, 1, t}:
        low, column = vectors[t, m]
        for p, found in enumerate(column, low):
            square, sign = exact(l, k, t, p, m - p)
            digits = isqrt(square.numerator * 10**40 // square.denominator)
            assert abs(found - sign * digits / 10**20) < 1e-13


@pytest.mark.parametrize(("l", "k"), [(0, 0), (1, 1), (2, 1), (3, 5), (6, 6), (12, 9)])
def test_couplings_intertwine_and_are_complete(l, k):
    q = rotations(3)
    a, b = wigner_d(q, l)[0], wigner_d(q, k)[0]
    stacked = np.concatenate([c.reshape(len(c), -1) for c in couplings(l, k)])
    assert np.abs(stacked @ stacked.T - np.eye(len(stacked))).max() < 1e-13
    for t in range(abs(l - k), l + k + 1):
        c = torch.from_numpy(coupling(l, k, t).copy())
        left = torch.einsum("gtu,uab->gtab", wigner_d(q, t)[0], c)
        assert (left - torch.einsum("tcd,gca,gdb->gtab", c, a, b)).abs().max() < 1e-12
        assert float(c[t, l + 1, k - 1] if (l + k + t) % 2 else c[t, l, k]) > 0


def test_couplings_of_vectors_are_the_products_of_school():
    a, b = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    order = [1, 2, 0]
    u, v = a[order], b[order]
    dot = torch.einsum("tab,a,b->t", torch.from_numpy(coupling(1, 1, 0).copy()), u, v)
    cross = torch.einsum("tab,a,b->t", torch.from_numpy(coupling(1, 1, 1).copy()), u, v)
    assert (dot * 3**0.5 - a @ b).abs().max() < 1e-14
    assert (cross * 2**0.5 - torch.linalg.cross(a, b)[order]).abs().max() < 1e-14
    y = spherical_harmonics(a, (1, 2, 3))
    product = torch.einsum("tab,a,b->t", torch.from_numpy(coupling(1, 2, 3).copy()), y[:3], y[3:8])
    assert (product / y[8:]).std() < 1e-13 and (product / y[8:]).min() > 0


@pytest.mark.parametrize(("a", "b"), [("1o", "1o"), ("2e", "3o"), ("0o", "2o")])
def test_the_closed_form_spans_what_averages_find(a, b):
    group = O3()
    band = int(a[0]) + int(b[0])
    psi, phi = irrep_samples(group, a, 2 * band), irrep_samples(group, b, 2 * band)
    size = psi.shape[1] * phi.shape[1]
    ids, q = decompose(group, np.einsum("gij,gkl->gikjl", psi, phi).reshape(-1, size, size), 2 * band, band)
    known, r = tensor_irreps(group, a, b)
    assert ids == known and np.abs(np.abs(q.T @ r) - np.eye(size)).max() < 1e-12


# ---- the groups ----


@pytest.mark.parametrize("group", [SO3(), O3()], ids=str)
@pytest.mark.parametrize("frequency", [0, 1, 4, 5])
def test_the_haar_rule_is_exact(group, frequency):
    g, weights = group.haar(frequency)
    assert abs(float(weights.sum()) - 1) < 1e-14 and (weights > 0).all()
    for rho in group.irreps(frequency):
        mean = torch.einsum("g,gij->ij", weights, rho(g))
        assert (mean - (1.0 if rho.is_trivial else 0.0)).abs().max() < 1e-13
    with pytest.raises(TypeError, match=r"use S?O3.haar"):
        group.quadrature(2)


@pytest.mark.parametrize("group", [SO3(), O3()], ids=str)
def test_elements_and_their_action(group):
    a, b = elements(group, 30, 1), elements(group, 30, 2)
    assert (group.action(group.compose(a, b)) - group.action(a) @ group.action(b)).abs().max() < 1e-14
    assert group.equal(group.from_action(group.action(a)), a).all() and not group.equal(a, b).all()
    flip = torch.cat([-a[..., :4], a[..., 4:]], -1)
    assert group.equal(flip, a).all() and (group.irreps(2)[-1](flip) - group.irreps(2)[-1](a)).abs().max() < 1e-12
    vector = group.irrep("1" if group == SO3() else "1o")
    assert (vector(a) - group.action(a)[..., [1, 2, 0], :][..., [1, 2, 0]]).abs().max() < 1e-14
    points = torch.randn(31, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    moved = (group.action(a) @ points[..., None])[..., 0]
    for degree in range(4):  # harmonics have the parity of their degree
        rho = group.irrep(str(degree) + ("" if group == SO3() else "eo"[degree % 2]))
        expected = (rho(a) @ spherical_harmonics(points, degree)[..., None])[..., 0]
        assert (spherical_harmonics(moved, degree) - expected).abs().max() < 1e-13


def test_functions_on_the_sphere():
    group = SO3()
    sphere = group.spectral_quotient(SO2(), 3)
    g = elements(group, 20)
    expected = spherical_harmonics(group.action(g)[..., 2], range(4)) * (4 * np.pi) ** 0.5
    assert sphere.irreps == ("0", "1", "2", "3")
    assert (sampling_matrix(sphere, g, SO2()) - expected).abs().max() < 1e-13
    cube = group.spectral_quotient(octahedral(), 6)  # functions on the orientations of a cube
    assert cube.irreps == ("0", "4", "6")
    turned = group.compose(g, octahedral_elements()[:, None])
    values = torch.stack([sampling_matrix(cube, row, octahedral()) for row in turned])
    assert (values - values[0]).abs().max() < 1e-12
    with pytest.raises(ValueError, match="more than 1 times"):
        sampling_matrix(sphere.direct_sum(sphere), g, SO2())


def octahedral_elements():
    """The rotations of a cube as quaternions."""
    return SO3().subgroup(octahedral()).map(octahedral().elements)


@pytest.mark.parametrize(
    ("group", "band", "samples", "kind"),
    [
        (SO3(), 2, 70, "spread"),
        (SO3(), 2, 500, "quadrature"),
        (SO3(), 2, 96, "random"),
        (O3(), 1, 60, "spread"),
        (O3(), 1, 300, "quadrature"),
    ],
    ids=str,
)
def test_transforms_on_every_kind_of_grid(group, band, samples, kind):
    rho = group.spectral_regular(band)
    a, inverse = fourier_pair(rho, samples, kind)
    assert (inverse @ a - torch.eye(rho.size)).abs().max() < 1e-12 and len(a) <= samples
    g, weights = sampling_grid(group, samples, kind)
    assert abs(float(weights.sum()) - 1) < 1e-12
    h = elements(group, 3)[-1]
    assert (a @ rho(h) - sampling_matrix(rho, group.compose(group.inverse(h), g))).abs().max() < 1e-12
    if kind == "quadrature":
        assert (inverse - a.T * weights).abs().max() < 1e-15


def test_the_spiral_is_spread():
    g = SO3().grid(200)
    near = (g @ g.T).abs() - 2 * torch.eye(200)
    closest = 2 * torch.arccos(near.amax(1))
    random = SO3().sample(200, torch.Generator().manual_seed(0))
    worse = 2 * torch.arccos(((random @ random.T).abs() - 2 * torch.eye(200)).amax(1))
    assert closest.min() > 0.35 and closest.min() > 4 * worse.min()


#: e3nn 0.6.0, float64: o3.wigner_D(2, 0.3, 1.1, -0.7), rows of the matrix
E3NN_D2 = [
    [0.3990860703876886, 0.7096223422437695, 0.38838433430401864, -0.29927161883330367, -0.3110635736294073],
    [-0.2624358059573564, 0.21939590572160086, 0.2069168727305483, -0.41218005492662213, 0.8187098963639112],
    [0.6778328861277048, -0.4510673253341647, -0.19137583794150922, -0.5355259977422121, 0.11691039686042341],
    [-0.3358096350973722, -0.46471453477180596, 0.6689059978960555, -0.34365163527652165, -0.3251778124319803],
    [0.4468022198171992, -0.16994186396757563, 0.5676998073608108, 0.5793613378501914, 0.336964253541207],
]


def test_the_numbers_of_e3nn():
    from steerable.fields import e3nn_basis
    from steerable.groups import convert_rotation

    q = convert_rotation(torch.tensor([0.3, 1.1, -0.7], dtype=torch.float64), "euler_yxy", "quaternion")
    basis = e3nn_basis(2)
    assert (basis @ wigner_d(q, 2)[0] @ basis.T - torch.tensor(E3NN_D2, dtype=torch.float64)).abs().max() < 1e-13


# ---- bad input, planted faults ----


def test_bad_input():
    with pytest.raises(ValueError, match="norm 0"):
        SO3().element(torch.zeros(4))
    with pytest.raises(ValueError, match="degrees are integers"):
        wigner_d(SPECIAL, -1)
    with pytest.raises(ValueError, match=r"expected quaternions \[..., 4\]"):
        wigner_d(SPECIAL[:, :3], 1)
    with pytest.raises(ValueError, match="orthogonal 3x3 matrices"):
        O3().from_action(2 * torch.eye(3))
    with pytest.raises(ValueError, match="use O3"):
        SO3().from_action(-torch.eye(3))
    with pytest.raises(ValueError, match=r"couple to 1\.\.3"):
        coupling(1, 2, 0)
    for group in (SO3(), O3()):
        with pytest.raises(ValueError, match="no irrep"):
            group.irrep("-1")
        with pytest.raises(ValueError, match="max_frequency"):
            group.irreps()
        with pytest.raises(ValueError, match="max_frequency"):
            group.irreps(-1)
        with pytest.raises(ValueError, match="infinite"):
            group.grid()
        with pytest.raises(ValueError, match="smallest quadrature"):
            sampling_grid(group, 0, "quadrature")
    with pytest.raises(ValueError, match="kind is"):
        sampling_grid(SO3(), 10, "hexagonal")  # type: ignore[arg-type]


def test_planted_faults_are_caught():
    q, r = rotations(), rotations(seed=1)
    wrong = wigner_d(quaternion_product(r, q), 2)[0]  # the other order
    assert (wrong - wigner_d(q, 2)[0] @ wigner_d(r, 2)[0]).abs().max() > 0.1
    g, weights = SO3().haar(4)
    rho = SO3().irrep(2)
    assert rho(g).mean(0).abs().max() > 1e-3  # equal weights are no quadrature
    assert torch.einsum("g,gij->ij", weights, rho(g)).abs().max() < 1e-13
    with pytest.raises(ValueError, match="found irreps"):
        decompose(SO3(), rho(g).numpy(), 4, 1)  # a band too small
    c = torch.from_numpy(coupling(2, 1, 2) * np.sign(np.arange(5) - 1.5)[:, None, None])  # two rows change sign
    a, b = wigner_d(q, 2)[0], wigner_d(q, 1)[0]
    left = torch.einsum("gtu,uab->gtab", a, c)
    assert (left - torch.einsum("tcd,gca,gdb->gtab", c, a, b)).abs().max() > 0.1


def test_a_matrix_is_no_element():
    with pytest.raises(ValueError, match=r"unit quaternions .* got shape \(3, 3\)"):
        SO3().action(torch.eye(3))
