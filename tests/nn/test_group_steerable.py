"""Group convolution and steerable convolution are one layer: the map of the weights, both ways."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from tests.catalogue import GROUPS

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.domains.points import Points
from steerable.groups import O2, O3, SO2, SO3, C, D, mackey_lift, sampling_matrix
from steerable.kernels import GaussianRings, Pixels
from steerable.laws.equivariance import relative_error
from steerable.nn.group_steerable import kernel_shape

T, Q = GROUPS["T"], SO3().spectral_quotient(SO2(), 2)

#: dimension, input, its subgroup, output, its subgroup
CASES = {
    "SO3": (3, SO3().spectral_regular(2), None, SO3().spectral_regular(1), None),
    "SO3 rising": (3, SO3().spectral_regular(1), None, SO3().spectral_regular(2), None),
    "S2 to SO3": (3, Q, SO2(), SO3().spectral_regular(1), None),
    "SO3 to S2": (3, SO3().spectral_regular(1), None, Q, SO2()),
    "S2": (3, Q, SO2(), Q, SO2()),
    "O3": (3, O3().spectral_quotient(O2(), 1), O2(), O3().spectral_regular(1), None),
    "SO2": (2, SO2().spectral_regular(2), None, SO2().spectral_regular(3), None),
    "O2": (2, O2().spectral_regular(2), None, O2().spectral_regular(1), None),
    "SO2 in space": (3, SO2().spectral_regular(1), None, SO2().spectral_regular(2), None),
    "C5": (2, C(5).regular, None, C(5).regular, None),
    "C5 band": (2, C(5).spectral_regular(1), None, C(5).regular, None),
    "D3": (2, D(3).regular, None, D(3).spectral_regular(1), None),
    "T": (3, T.regular, None, T.regular, None),
}


def cloud(n, count=7, graphs=1):
    generator = torch.Generator().manual_seed(0)
    positions = torch.rand(count, n, generator=generator, dtype=torch.float64) * 1.5
    return Points(positions, torch.arange(count) * graphs // count, num_graphs=graphs)


def drawn(module):
    """In float64, every parameter random."""
    module = module.double()
    with torch.no_grad():
        for p in module.parameters():
            p.normal_(generator=torch.Generator().manual_seed(1))
    return module


def layer(name, **options):
    n, a, h, b, k = CASES[name]
    return drawn(snn.GroupPointConv(2 * a, 3 * b, 1.2, h, k, kernel_size=3, dimension=n, **options))


def features(module, points):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(len(points), module.in_type.size, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("name", CASES)
def test_group_convolution_is_a_steerable_convolution(name):
    """Both integrals over the group by quadrature; one steerable layer with the mapped weights: the same numbers."""
    module = layer(name, bias=False).requires_grad_(False)
    points = cloud(module.dimension)
    g = points.neighbours(1.2, loop=True)
    x = features(module, points)
    expected = module.quadrature(x, g)
    steerable = module.steerable()
    assert type(steerable) is snn.PointConv
    assert relative_error(steerable(x, g), expected) < 1e-10
    assert relative_error(module(x, g), expected) < 1e-10
    with torch.no_grad():  # planted: the kernel of another group convolution
        steerable.weight.copy_(snn.group_to_steerable(steerable, module.kernel.roll(1, 2), module.subgroups[1]))
    assert relative_error(steerable(x, g), expected) > 0.1


@pytest.mark.parametrize("name", CASES)
def test_round_trips(name):
    module = layer(name).requires_grad_(False)
    steerable, subgroup = module.steerable().requires_grad_(False), module.subgroups[1]
    weight = torch.randn_like(steerable.weight)
    there = snn.steerable_to_group(steerable, weight, subgroup)
    assert relative_error(snn.group_to_steerable(steerable, there, subgroup), weight) < 1e-12
    again = snn.steerable_to_group(steerable, subgroup=subgroup)  # of the weights that the kernel gave
    if again.numel() == steerable.weight.numel():
        assert relative_error(again, module.kernel) < 1e-12
    else:  # part of the kernel leaves the band of the output: the way back gives the part that counts, a projection
        twice = snn.steerable_to_group(steerable, snn.group_to_steerable(steerable, again, subgroup), subgroup)
        assert relative_error(twice, again) < 1e-12
        assert float((again * (module.kernel - again)).sum().abs() / again.square().sum()) < 1e-12


def test_the_weights_are_those_of_the_published_formula():
    """Poulenard et al.: the sum over Clebsch-Gordan coefficients on both sides, here for orthonormal functions."""
    group, low, high, degree = SO3(), 1, 2, 2
    steerable = snn.PointConv(
        1 * group.spectral_regular(low), 1 * group.spectral_regular(high), 1.2, 3, bandlimit=(0, degree), bias=False
    ).double()
    kernel = torch.randn(kernel_shape(steerable), dtype=torch.float64)
    with torch.no_grad():
        steerable.weight.copy_(snn.group_to_steerable(steerable, kernel))
    found = steerable.filter().detach()  # [(l n m), (j b a), F], functions: one shell of degree 0, then 0, 1, 2
    rows = {l: sum((2 * k + 1) ** 2 for k in range(l)) for l in range(4)}
    for l in range(high + 1):
        for j in range(low + 1):
            for degree in range(3):
                start = 1 + degree**2
                functions = slice(start, start + 2 * degree + 1)
                block = found[rows[l] : rows[l + 1], rows[j] : rows[j + 1], functions]
                phi = kernel[0, 0, rows[j] : rows[j + 1], functions].view(2 * j + 1, 2 * j + 1, -1)  # [b, a, M]
                cg = st.groups.clebsch_gordan(group.irrep(j), group.irrep(degree), group.irrep(l))
                expected = torch.zeros_like(block)
                if len(cg):
                    weight = torch.einsum("naM,baM->nb", cg[0], phi)
                    expected = torch.einsum("nb,maM->nmbaM", weight, cg[0]).reshape(block.shape) / (2 * l + 1) ** 0.5
                assert float((block - expected).abs().max()) < 1e-12


def test_where_the_band_is_complete_all_kernels_return():
    """L_out = L_in + degree of the kernel: as many weights as kernels, and a round trip of both."""
    steerable = snn.PointConv(
        2 * SO3().spectral_regular(1), 1 * SO3().spectral_regular(3), 1.2, 3, bandlimit=(0, 2), bias=False
    ).double()
    kernel = torch.randn(kernel_shape(steerable), dtype=torch.float64)
    assert kernel.numel() == steerable.weight.numel()
    weight = snn.group_to_steerable(steerable, kernel)
    assert relative_error(snn.steerable_to_group(steerable, weight), kernel) < 1e-12


def test_signals_on_the_sphere_are_the_columns_n_zero():
    """R^3 x S^2 to R^3 x SO3: the layer of quotients equals the full one on lifted signals."""
    sphere = layer("S2 to SO3", bias=False).requires_grad_(False)
    regular = SO3().spectral_regular(2)
    lift = mackey_lift(SO3(), SO2(), SO2().trivial, 2)
    full = snn.PointConv(2 * regular, sphere.out_type, 1.2, 3, bias=False).double()
    with torch.no_grad():
        kernel = torch.einsum("oiaf,da->oidf", sphere.kernel, lift)
        full.weight.copy_(snn.group_to_steerable(full, kernel))
    points = cloud(3)
    g, x = points.neighbours(1.2), features(sphere, points)
    lifted = torch.einsum("nia,da->nid", x.view(len(x), 2, -1), lift)
    assert relative_error(full(lifted.flatten(1), g), sphere(x, g)) < 1e-12
    columns = lifted.view(len(x), 2, -1)[..., 1:10].unflatten(-1, (3, 3))  # degree 1: copy n, component m
    assert float(columns[..., [0, 2], :].abs().max()) < 1e-15 < float(columns[..., 1, :].abs().max())


@pytest.mark.parametrize("name", ["SO3", "S2 to SO3", "O2", "D3", "T"])
def test_laws_of_points(name):
    module = layer(name)
    points = cloud(module.dimension, 12, 2)
    laws.assert_equivariant_on_points(module, features(module, points), points, lambda p: p.neighbours(1.2))


def test_gradients_copies_and_baking():
    module = layer("SO2")
    points = cloud(2)
    g, x = points.neighbours(1.2), features(module, points)
    y = module(x, g)
    y.square().sum().backward()
    assert module.kernel.grad is not None and float(module.kernel.grad.abs().max()) > 0
    assert sorted(dict(module.named_parameters())) == ["bias", "kernel"] == sorted(module.state_dict())
    assert relative_error(st.bake(module)(x, g), y.detach()) < 1e-12
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert relative_error(other(x, g).detach(), y.detach()) == 0
    module.reset_parameters()
    assert float(module.bias.detach().abs().max()) == 0 and relative_error(module(x, g).detach(), y.detach()) > 0.1


# ---- layers on grids, and over the group alone ---------------------------------------------------------------------


def test_one_kernel_on_pixels_and_points():
    """The same kernel of a group convolution gives the weights of Conv2d and of PointConv on the points of the grid."""
    rep, filters = D(4).regular, GaussianRings.for_size(3)
    image = snn.Conv2d(1 * rep, 2 * rep, 3, bias=False, filters=filters).double()
    point = snn.PointConv(1 * rep, 2 * rep, 1.6, 3, spacing=1.0, smooth=False, bias=False, filters=filters).double()
    kernel = torch.randn(kernel_shape(image), dtype=torch.float64)
    weights = [snn.group_to_steerable(m, kernel) for m in (image, point)]
    assert relative_error(weights[0], weights[1]) < 1e-12
    assert relative_error(snn.steerable_to_group(image, weights[0]), kernel) < 1e-12


def test_pixels_are_the_group_convolution_of_the_first_papers():
    """C(4) on pixels: ``kernel[u] at offset x`` is ``phi_u(x)``, and the filter is its four turned copies."""
    rep = C(4).regular
    image = snn.Conv2d(1 * rep, 1 * rep, 3, bias=False, filters=Pixels(3)).double()
    kernel = torch.randn(kernel_shape(image), dtype=torch.float64)
    with torch.no_grad():
        image.weight.copy_(snn.group_to_steerable(image, kernel))
    filter = image.filter().detach()  # [g, h, 3, 3] with k(g^-1 x, g^-1 h)
    phi = kernel.view(4, 3, 3)
    for g in range(4):
        for h in range(4):
            expected = torch.rot90(phi[(h - g) % 4], g, (-2, -1))
            assert relative_error(filter[g, h] / filter[0, 0].norm(), expected / phi[0].norm()) < 1e-12


def test_linear_is_the_convolution_over_the_group():
    group = SO3()
    rep = group.spectral_regular(2)
    linear = drawn(snn.Linear(2 * rep, 1 * rep, bias=False)).requires_grad_(False)
    kernel = snn.steerable_to_group(linear)[..., 0]
    elements, weights = group.haar(4)
    x = torch.randn(1, linear.in_type.size, dtype=torch.float64)
    f = sampling_matrix(rep, elements) @ x.view(2, -1).T
    for r in group.sample(3):
        k = sampling_matrix(rep, group.compose(group.inverse(r), elements)) @ kernel[0].T
        value = sampling_matrix(rep, r[None])[0] @ linear(x)[0]
        assert abs(float((weights[:, None] * f * k).sum() - value)) < 1e-12


def test_bad_input():
    mixed = snn.PointConv(SO3().type("1x0 + 1x1"), SO3().type("1x0 + 1x1"), 1.0)
    with pytest.raises(ValueError, match="2 representations"):
        snn.steerable_to_group(mixed)
    twice = snn.PointConv(SO3().type("2x1"), 1 * SO3().irrep(0).direct_sum(SO3().irrep(0)), 1.0)
    with pytest.raises(ValueError, match="no functions"):
        snn.steerable_to_group(twice)
    good = snn.PointConv(2 * Q, 1 * Q, 1.0)
    with pytest.raises(ValueError, match=r"expected \[m_out"):
        snn.group_to_steerable(good, torch.zeros(2, 1, 9, 3))
    grouped = snn.Conv2d(2 * C(4).regular, 2 * C(4).regular, 3, groups=2)
    with pytest.raises(ValueError, match="groups=2"):
        snn.steerable_to_group(grouped)
    with pytest.raises(ValueError, match="'group' or 'space'"):
        snn.SeparableGroupConv(2 * C(4).regular, 1 * C(4).regular, 1.0, "other")


# ---- separable -----------------------------------------------------------------------------------------------------

SEPARABLE = ["SO3", "SO3 rising", "SO2", "O2", "D3", "C5 band", "T"]


@pytest.mark.parametrize("first", ["group", "space"])
@pytest.mark.parametrize("name", SEPARABLE)
def test_separable_layers_equal_the_full_layer(name, first):
    n, a, _, b, _ = CASES[name]
    module = drawn(snn.SeparableGroupConv(2 * a, 3 * b, 1.2, first, kernel_size=3, dimension=n)).requires_grad_(False)
    points = cloud(n, 12, 2)
    g, x = points.neighbours(1.2, loop=True), features(module, points)
    full = module.full().requires_grad_(False)
    y = module(x, g)
    assert relative_error(full(x, g), y) < 1e-10
    # and the definition: the product kernel, both integrals by quadrature
    group_layer = drawn(snn.GroupPointConv(2 * a, 3 * b, 1.2, kernel_size=3, dimension=n, bias=False))
    group_layer.requires_grad_(False)
    group_layer.kernel.copy_(module.kernel())
    bias = full.expanded_bias()
    assert relative_error(group_layer.quadrature(x, g) + (0 if bias is None else bias), y) < 1e-10
    assert relative_error(st.bake(module)(x, g), y) < 1e-10
    # planted: a kernel that is no product
    full.weight.mul_(torch.linspace(0.5, 1.5, len(full.weight), dtype=torch.float64))
    assert relative_error(full(x, g), y) > 0.01


def test_separable_kernels_are_products_and_cheaper():
    rep = SO3().spectral_regular(2)
    module = drawn(snn.SeparableGroupConv(8 * rep, 8 * rep, 1.2, kernel_size=5))
    kernel = module.kernel().detach()
    flat = kernel[3, 5]  # [D_in, F]
    values = torch.linalg.svdvals(flat)
    assert float(values[1] / values[0]) < 1e-12  # rank one: k1(z) k2(T)
    weights = sum(p.numel() for p in module.parameters())
    assert weights < 0.1 * sum(p.numel() for p in module.full().parameters())


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("first", ["group", "space"])
def test_fresh_separable_layers_have_the_variance_of_full_ones(first, reduce):
    rep = SO3().spectral_regular(1)
    generator = torch.Generator().manual_seed(0)
    points = Points(torch.rand(120, 3, generator=generator, dtype=torch.float64) * 2.4)
    g = points.neighbours(1.2)
    torch.manual_seed(0)
    options = {"kernel_size": 3, "reduce": reduce}
    full = snn.PointConv(16 * rep, 16 * rep, 1.2, **options).double()
    module = snn.SeparableGroupConv(16 * rep, 16 * rep, 1.2, first, **options).double()
    x = features(module, points)
    ratio = float(module(x, g).detach().var() / full(x, g).detach().var())
    assert 0.3 < ratio < 3


@pytest.mark.parametrize("first", ["group", "space"])
def test_separable_layers_keep_the_laws(first):
    rep = SO3().spectral_regular(1)
    module = drawn(snn.SeparableGroupConv(2 * rep, 2 * rep, 1.2, first, kernel_size=3, reduce="mean"))
    points = cloud(3, 12, 2)
    laws.assert_equivariant_on_points(module, features(module, points), points, lambda p: p.neighbours(1.2))
    again = pickle.loads(pickle.dumps(module))
    g = points.neighbours(1.2)
    x = features(module, points)
    assert relative_error(again(x, g).detach(), module(x, g).detach()) == 0
