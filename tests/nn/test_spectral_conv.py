"""Correlations on the sphere and on SO(3), and needlets: exact, by coefficients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from steerable.groups import SO3, sampling_matrix
from steerable.groups.conversions import convert_rotation
from steerable.groups.quaternions import quaternion_conjugate, quaternion_product
from steerable.groups.sampling import sphere_rule
from steerable.groups.spherical import spherical_harmonics
from steerable.groups.wigner import wigner_d
from steerable.nn.sphere.needlet import NeedletTransform, needlet_filters, shrink
from steerable.nn.sphere.spectral_conv import RingSupport, S2Conv, SO3Conv, SO3Mean, SO3ToS2, rotation_signals, total

G = SO3()
LAYERS = {"s2": S2Conv, "so3": SO3Conv, "to_s2": SO3ToS2}


def made(kind: str, support: RingSupport | None, bands: tuple[int, int] = (5, 4)) -> torch.nn.Module:
    torch.manual_seed(0)
    return LAYERS[kind](2, 3, *bands, support).double()


@pytest.mark.parametrize("bands", [(5, 4), (4, 6)])
@pytest.mark.parametrize("support", [None, RingSupport()], ids=["free", "local"])
@pytest.mark.parametrize("kind", list(LAYERS))
def test_equivariant_under_any_rotation(kind, support, bands):
    layer = made(kind, support, bands)
    x = torch.randn(3, layer.in_type.size, dtype=torch.float64)
    for g in G.sample(3, torch.Generator().manual_seed(1)):
        found = layer(layer.in_type.transform(x, g))
        assert torch.allclose(found, layer.out_type.transform(layer(x), g), atol=1e-11)
    assert torch.allclose(layer.bake()(x), layer(x))


def swapped(x: torch.Tensor) -> torch.Tensor:
    """Copies and components of each degree exchanged, two channels of band 5."""
    x = x.unflatten(1, (2, -1))
    parts = [x[:, :, total(l) : total(l + 1)].unflatten(2, (2 * l + 1, -1)).mT.flatten(2) for l in range(5)]
    return torch.cat(parts, 2).flatten(1)


def test_mixing_components_in_place_of_copies_is_caught():
    """The planted fault: the wrong index of each matrix."""
    layer = made("so3", None)
    x = torch.randn(3, layer.in_type.size, dtype=torch.float64)
    g = G.sample(1, torch.Generator().manual_seed(1))[0]
    found = layer(swapped(layer.in_type.transform(x, g)))
    assert (found - layer.out_type.transform(layer(swapped(x)), g)).abs().max() > 0.1


def test_lifting_is_the_inner_product_with_the_turned_kernel():
    band = 4
    layer = S2Conv(1, 1, band, band, None).double()
    f = torch.randn(1, band * band, dtype=torch.float64)
    values = sampling_matrix(G.spectral_regular(band - 1), turns := G.sample(5)) @ layer(f)[0].detach()
    elements, weights = sphere_rule(G, 2 * band)
    points = G.action(elements)[..., 2]

    def harmonics(p):
        return math.sqrt(4 * math.pi) * spherical_harmonics(p, range(band))

    for g, value in zip(turns, values, strict=True):
        kernel = harmonics(points @ G.action(g)) @ layer.kernel()[0, 0].detach()  # psi(R^-1 w)
        assert float((weights * kernel * (harmonics(points) @ f[0])).sum() - value) == pytest.approx(0, abs=1e-10)


def test_a_unit_mass_shifts_functions_from_the_right():
    support = RingSupport(0.5, 1, 1, 1)
    layer = SO3Conv(1, 1, 4, 4, support).double()
    layer.weight.data.fill_(1.0)
    rep = G.spectral_regular(3)
    x = torch.randn(1, rep.size, dtype=torch.float64)
    g = G.sample(6)
    shifted = G.compose(g, support.elements(True).expand_as(g))
    assert torch.allclose(sampling_matrix(rep, g) @ layer(x)[0], sampling_matrix(rep, shifted) @ x[0], atol=1e-11)


def test_the_correlation_is_the_integral_over_rotations():
    """By quadrature under the Haar measure of total mass 1, with the functions evaluated by Wigner matrices."""
    torch.manual_seed(0)
    band, conv = 3, SO3Conv(1, 1, 3, 3, None).double()
    x, w = np.polynomial.legendre.leggauss(2 * band)
    turn = 2 * math.pi * torch.arange(4 * band, dtype=torch.float64) / (4 * band)
    a, b, c = torch.meshgrid(turn, torch.from_numpy(np.arccos(x)), turn, indexing="ij")
    q = convert_rotation(torch.stack([a, b, c], -1).flatten(0, 2), "euler", "quaternion")
    haar = (torch.from_numpy(w)[None, :, None] / 2 / len(turn) ** 2).expand(a.shape).flatten()

    def at(coefficients, elements):
        parts = [math.sqrt(2 * l + 1) * d.mT.flatten(1) for l, d in enumerate(wigner_d(elements, range(band)))]
        return coefficients @ torch.cat(parts, 1).T

    f = torch.randn(1, conv.in_type.size, dtype=torch.float64)
    scale = torch.cat([torch.full(((2 * l + 1) ** 2,), math.sqrt(2 * l + 1), dtype=torch.float64) for l in range(band)])
    with torch.no_grad():
        found, psi = conv(f), conv.kernel()[0] * scale
    for r in SO3().sample(3, torch.Generator().manual_seed(0)):
        near = quaternion_product(quaternion_conjugate(r)[None], q)
        expected = (at(psi, near) * at(f, q) * haar).sum()
        assert abs(float(at(found, r[None]) - expected)) < 1e-10


def test_the_mean_is_what_no_rotation_changes():
    layer = SO3Mean(2, 4)
    x = torch.randn(3, rotation_signals(2, 4).size, dtype=torch.float64)
    elements, weights = G.haar(4)
    values = torch.einsum("nd,bcd->bcn", sampling_matrix(G.spectral_regular(3), elements), x.unflatten(1, (2, -1)))
    assert torch.allclose(layer(x), values @ weights, atol=1e-12)


@pytest.mark.parametrize("kind", list(LAYERS))
def test_variance_stays(kind):
    torch.manual_seed(0)
    for support in (None, RingSupport()):
        layer = LAYERS[kind](8, 8, 6, 6, support)
        x = torch.randn(64, layer.in_type.size)
        energy = float(layer(x).detach().square().sum() / x.square().sum()) / (layer.out_type.size / layer.in_type.size)
        assert 0.1 < energy < 3


def test_gradients():
    layer = made("so3", RingSupport(0.4, 1, 2, 2), (3, 3))
    x = torch.randn(1, layer.in_type.size, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


def test_filters_divide_unity():
    x = np.linspace(0, 0.5, 501)
    assert np.abs((needlet_filters(x) ** 2).sum(0) - 1).max() < 1e-14


@pytest.mark.parametrize("on", ["sphere", "group"])
@pytest.mark.parametrize(("band", "levels"), [(8, 1), (8, 2), (16, 3), (12, 2), (5, 1)])
def test_needlets_are_a_tight_frame_that_commutes(on, band, levels):
    frame = NeedletTransform(band, levels, on).double()
    x = torch.randn(2, 2 * frame.size(band), dtype=torch.float64)
    parts = frame(x)
    assert (frame.inverse(parts) - x).abs().max() < 1e-12
    assert float(sum(p.square().sum() for p in parts)) == pytest.approx(float(x.square().sum()), rel=1e-12)
    if on == "group" and band <= 8:
        g = G.sample(1, torch.Generator().manual_seed(2))[0]
        for part, turned, b in zip(parts, frame(rotation_signals(2, band).transform(x, g)), frame.bands, strict=True):
            assert torch.allclose(turned, rotation_signals(2, b).transform(part, g), atol=1e-11)


def test_a_filter_that_is_forgotten_is_caught():
    frame = NeedletTransform(8, 2).double()
    x = torch.randn(2, frame.size(8), dtype=torch.float64)
    parts = frame(x)
    parts[3] = torch.zeros_like(parts[3])
    assert (frame.inverse(parts) - x).abs().max() > 0.1


def test_shrinkage():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0])
    assert shrink(x, torch.tensor(1.0)).tolist() == [-1, 0, 0, 0, 1]
    assert shrink(x, torch.tensor(1.0), hard=True).tolist() == [-2, 0, 0, 0, 2]


def test_bad_input():
    with pytest.raises(ValueError, match="band 0 has no coefficients"):
        S2Conv(1, 1, 0, 4)
    with pytest.raises(ValueError, match="1 to 2 levels"):
        NeedletTransform(8, 5)
    with pytest.raises(ValueError, match="expected 'sphere' or 'group'"):
        NeedletTransform(8, 1, "plane")
    with pytest.raises(ValueError, match=r"expected \[B, C \* 680\]"):
        NeedletTransform(8, 1)(torch.zeros(1, 7))
    frame = NeedletTransform(8, 1)
    parts = frame(torch.zeros(1, 680))
    for wrong in ([], parts[:2], [*parts, parts[0]]):
        with pytest.raises(ValueError, match=f"{len(wrong)} parts; expected 3, of bands"):
            frame.inverse(wrong)
