from __future__ import annotations

import numpy as np
import pytest
import torch

from steerable.tasks.lensing.profiles import (
    epl_deflection,
    nfw_ratio,
    point_ratio,
    pseudo_jaffe_ratio,
    sersic,
    shear_deflection,
    sie_deflection,
)


def _points(n: int = 200, low: float = 0.2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    radius = low + 1.5 * torch.rand(n, generator=generator, dtype=torch.float64)
    angle = 2 * torch.pi * torch.rand(n, generator=generator, dtype=torch.float64)
    return radius * angle.cos(), radius * angle.sin()


def _t(*values: float) -> list[torch.Tensor]:
    return [torch.tensor(value, dtype=torch.float64) for value in values]


def _product(pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return pair[0] * pair[1]


def _divergence_and_curl(deflection, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    ones, zeros = torch.ones_like(x), torch.zeros_like(x)
    _, (xx, yx) = torch.func.jvp(deflection, (x, y), (ones, zeros))
    _, (xy, yy) = torch.func.jvp(deflection, (x, y), (zeros, ones))
    return xx + yy, xy - yx


def test_divergence_of_the_sie_is_twice_its_convergence() -> None:
    x, y = _points()
    theta_e, e1, e2 = _t(1.1, 0.12, -0.07)
    divergence, curl = _divergence_and_curl(lambda a, b: sie_deflection(a, b, theta_e, e1, e2), x, y)
    e = float((e1**2 + e2**2).sqrt())
    q, angle = (1 - e) / (1 + e), 0.5 * float(torch.atan2(e2, e1))
    major, minor = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    kappa = 1.1 / (2 * torch.sqrt(q * major**2 + minor**2 / q))
    assert (divergence - 2 * kappa).abs().max() < 1e-12
    assert curl.abs().max() < 1e-12


def test_sie_agrees_with_a_numerical_integral() -> None:
    """alpha_x = q x J0, alpha_y = q y J1 for any elliptical kappa (C. R. Keeton, astro-ph/0102341, section 2.3)."""
    x, y = _points(50)
    q, theta_e = 0.7, 1.1
    e = (1 - q) / (1 + q)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    t = torch.tensor(0.5 * (nodes + 1))  # u = t^2 removes the square-root singularity at u = 0
    w = torch.tensor(0.5 * weights) * 2 * t
    stretch = 1 - (1 - q**2) * t**2
    xi = t * torch.sqrt(x[:, None] ** 2 + y[:, None] ** 2 / stretch)
    kappa = theta_e / (2 * q**0.5 * xi)
    want_x = q * x * (w * kappa / stretch**0.5).sum(1)
    want_y = q * y * (w * kappa / stretch**1.5).sum(1)
    got_x, got_y = sie_deflection(x, y, *_t(theta_e, e, 0.0))
    assert (got_x - want_x).abs().max() < 1e-10
    assert (got_y - want_y).abs().max() < 1e-10


def test_a_round_sie_is_a_sis_and_has_finite_gradients() -> None:
    x, y = _points()
    theta_e, e1, e2 = (v.requires_grad_() for v in _t(1.0, 0.0, 0.0))
    ax, ay = sie_deflection(x, y, theta_e, e1, e2)
    assert (torch.hypot(ax, ay) - 1).abs().max() < 1e-5
    for gradient in torch.autograd.grad((ax * x).sum(), (theta_e, e1, e2)):
        assert torch.isfinite(gradient)


def test_a_power_law_of_slope_two_is_the_sie() -> None:
    x, y = _points()
    ellipse = _t(1.1, 0.15, -0.1)
    for ours, theirs in zip(
        epl_deflection(x, y, ellipse[0], *_t(2.0), *ellipse[1:]), sie_deflection(x, y, *ellipse), strict=True
    ):
        assert (ours - theirs).abs().max() < 1e-12


@pytest.mark.parametrize("gamma", [1.4, 2.0, 2.3])
def test_divergence_of_the_power_law_is_twice_its_convergence(gamma: float) -> None:
    x, y = _points()
    theta_e, slope, e1, e2 = _t(1.1, gamma, 0.3, -0.2)
    divergence, curl = _divergence_and_curl(lambda a, b: epl_deflection(a, b, theta_e, slope, e1, e2), x, y)
    e = float((e1**2 + e2**2).sqrt())
    q, angle = (1 - e) / (1 + e), 0.5 * float(torch.atan2(e2, e1))
    major, minor = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    kappa = (3 - gamma) / 2 * (1.1 / torch.sqrt(q * major**2 + minor**2 / q)) ** (gamma - 1)
    assert (divergence - 2 * kappa).abs().max() < 1e-11
    assert curl.abs().max() < 1e-11
    wrong = (3 - gamma + 0.01) / 2 * (1.1 / torch.sqrt(q * major**2 + minor**2 / q)) ** (gamma - 1)
    assert (divergence - 2 * wrong).abs().max() > 1e-3  # the check can fail


def test_pseudo_jaffe_has_the_mass_and_the_convergence_it_claims() -> None:
    sigma0, core, cut = _t(0.7, 0.03, 0.4)

    def deflection(u: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ratio = _product(pseudo_jaffe_ratio(u * u, v * v, sigma0, core, cut))
        return ratio * u, ratio * v

    x, y = _points()
    divergence, curl = _divergence_and_curl(deflection, x, y)
    r2 = x * x + y * y
    kappa = sigma0 * core * cut / (cut - core) * (1 / torch.sqrt(r2 + core**2) - 1 / torch.sqrt(r2 + cut**2))
    assert (divergence - 2 * kappa).abs().max() < 1e-12
    assert curl.abs().max() < 1e-12
    far = torch.tensor([1e6], dtype=torch.float64)
    assert torch.allclose(
        _product(pseudo_jaffe_ratio(far * far, 0 * far, sigma0, core, cut)) * far * far, 2 * sigma0 * core * cut
    )
    assert torch.allclose(_product(point_ratio(far * far, 0 * far, sigma0)) * far * far, sigma0**2)
    zero, lean = 0 * r2, pseudo_jaffe_ratio(r2, 0 * r2, sigma0, core, cut)
    single = _product(pseudo_jaffe_ratio(*(v.float() for v in (r2, zero, sigma0, core, cut))))
    assert (single - _product(lean)).abs().max() < 2e-5
    plain = pseudo_jaffe_ratio(r2.requires_grad_(), zero, sigma0, core, cut)
    assert (_product(plain) - _product(lean)).abs().max() < 1e-15


def test_nfw_has_the_convergence_it_claims_on_both_sides_of_its_radius() -> None:
    scale, alpha = _t(0.8, 0.3)
    x, y = _points(400, low=0.02)

    def deflection(u: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ratio = _product(nfw_ratio(u * u, v * v, scale, alpha))
        return ratio * u, ratio * v

    divergence, curl = _divergence_and_curl(deflection, x, y)
    u = torch.hypot(x, y) / scale
    # kappa = 2 k F, F = [1 - arccosh(1/u) / sqrt(1 - u^2)] / (u^2 - 1), k from the deflection at the scale radius
    inside = torch.acosh(1 / u.clamp_max(1)) / torch.sqrt((1 - u**2).clamp_min(1e-30))
    outside = torch.acos(1 / u.clamp_min(1)) / torch.sqrt((u**2 - 1).clamp_min(1e-30))
    form = (1 - torch.where(u < 1, inside, outside)) / (u**2 - 1)
    kappa = alpha / (2 * scale * (1 - np.log(2))) * form
    away = (u - 1).abs() > 1e-3
    assert (divergence - 2 * kappa)[away].abs().max() < 1e-8
    assert curl.abs().max() < 1e-10
    assert torch.allclose(_product(nfw_ratio(scale**2, 0 * scale, scale, alpha)) * scale, alpha, rtol=1e-10)
    line = (torch.linspace(0.85, 1.15, 20001, dtype=torch.float64) * scale) ** 2
    assert (
        _product(nfw_ratio(line, 0 * line, scale, alpha)).diff().diff().abs().max() < 1e-8
    )  # no step where the forms meet
    small = torch.tensor([1e-4, 1e-3, 1e-2, 0.3], dtype=torch.float64) ** 2
    single = _product(nfw_ratio(small.float(), 0 * small.float(), scale.float(), alpha.float()))
    assert torch.allclose(single.double(), _product(nfw_ratio(small, 0 * small, scale, alpha)), rtol=1e-5)


def test_shear_is_traceless_and_symmetric() -> None:
    x, y = _points()
    g1, g2 = _t(0.05, -0.03)
    divergence, curl = _divergence_and_curl(lambda a, b: shear_deflection(a, b, g1, g2), x, y)
    assert divergence.abs().max() == 0
    assert curl.abs().max() == 0


def test_half_of_a_sersic_is_inside_its_radius() -> None:
    ticks = (torch.arange(800, dtype=torch.float64) - 399.5) * 0.01
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    for index in (0.8, 1.0, 1.6):
        light = sersic(x, y, *_t(0.3, index, 0.0, 0.0, 2.0))
        inside = light[torch.hypot(x, y) < 0.3].sum() / light.sum()
        assert abs(float(inside) - 0.5) < 0.01
        stretched = sersic(x, y, *_t(0.3, index, 0.2, 0.1, 2.0))
        assert abs(float(stretched.sum() / light.sum()) - 1) < 1e-3  # the ellipse keeps the area


@pytest.mark.parametrize("e", [0.0, 1e-9, 3e-5, 0.3, 0.9])
@pytest.mark.parametrize("gamma", [None, 1.1, 2.0, 2.9])
def test_deflections_turn_with_the_sky_at_any_angle(gamma: float | None, e: float) -> None:
    """Also those of circles, which have no axes to turn."""
    x, y = _points()
    theta_e, slope = _t(1.3, gamma or 2.0)

    def deflection(u: torch.Tensor, v: torch.Tensor, angle: float) -> tuple[torch.Tensor, torch.Tensor]:
        e1, e2 = _t(e * np.cos(0.7 + 2 * angle), e * np.sin(0.7 + 2 * angle))
        if gamma is None:
            return sie_deflection(u, v, theta_e, e1, e2)
        return epl_deflection(u, v, theta_e, slope, e1, e2)

    ax, ay = deflection(x, y, 0.0)
    for angle in (0.5 * np.pi, 0.65):
        cos, sin = np.cos(angle), np.sin(angle)
        bx, by = deflection(cos * x - sin * y, sin * x + cos * y, angle)
        assert torch.hypot(bx - (cos * ax - sin * ay), by - (sin * ax + cos * ay)).max() < 1e-12
    if e == 0.0:
        assert (torch.hypot(ax, ay) - 1.3 * (1.3 / torch.hypot(x, y)) ** ((gamma or 2.0) - 2)).abs().max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_derivative_of_a_round_lens_by_its_ellipticity(dtype: torch.dtype) -> None:
    """d alpha / d e at e = 0 is -conj(u) / 2 and u^3 / 6 (by e and its conjugate), u the direction."""
    x, y = torch.tensor([0.7], dtype=dtype), torch.tensor([0.4], dtype=dtype)
    e1, e2 = (torch.zeros((), dtype=dtype, requires_grad=True) for _ in range(2))
    ax, _ = sie_deflection(x, y, torch.ones((), dtype=dtype), e1, e2)
    found = torch.autograd.grad(ax.sum(), (e1, e2))
    u = complex(0.7, 0.4) / abs(complex(0.7, 0.4))
    by_e, by_conjugate = -u.conjugate() / 2, u**3 / 6
    want = ((by_e + by_conjugate).real, (1j * (by_e - by_conjugate)).real)
    for got, value in zip(found, want, strict=True):
        assert float(got) == pytest.approx(value, rel=1e-5 if dtype == torch.float32 else 1e-9)
