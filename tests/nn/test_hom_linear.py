"""Layers on homogeneous spaces: generalised convolutions, transforms, activations, a learned gradient."""

from __future__ import annotations

import pickle
import time

import pytest
import torch
from tests.catalogue import GROUPS, alternating5

import steerable as st
import steerable.nn as snn
from steerable.domains import Homogeneous
from steerable.groups import O2, O3, SO2, SO3, C, spherical_harmonics
from steerable.laws.equivariance import relative_error


def cyclic(group, order):
    """A cyclic subgroup of a finite group."""
    return next(s for g in group.elements.tolist() if (s := group.subgroup_from([g])).small.order == order)


def elements(group, count=4):
    return group.sample(count, torch.Generator().manual_seed(3))


def double(module):
    """In float64, with parameters off their start."""
    module = module.double()
    with torch.no_grad():
        for p in module.parameters():
            p.normal_(generator=torch.Generator().manual_seed(1))
    return module


def spin_case(n_in, n_out):
    sphere = Homogeneous(SO3(), SO2(), 4)
    return sphere.fields(f"1x{n_in}"), sphere.fields(f"1x{n_out}")


A5, Q8 = alternating5(), GROUPS["Q8"]
CASES = {
    **{f"spin {a} to {b}": spin_case(a, b) for a in range(3) for b in range(3)},
    "lift": (Homogeneous(SO3(), SO2(), 3).fields("1x0 + 1x1"), Homogeneous(SO3(), C(1), 3).fields("1 trivial")),
    "project": (Homogeneous(SO3(), C(1), 2).fields("2 trivial"), Homogeneous(SO3(), SO2(), 2).fields("1x0 + 1x2")),
    "SO3/C4": (Homogeneous(SO3(), C(4), 2).fields("1x1 + 1x2"), Homogeneous(SO3(), SO2(), 2).fields("1x1")),
    "O3/O2": (Homogeneous(O3(), O2(), 2).fields("1x0e + 1x1"), Homogeneous(O3(), O2(), 2).fields("1x0o + 1x2")),
    "A5/C5": (
        Homogeneous(A5, cyclic(A5, 5)).fields("1 trivial"),
        Homogeneous(A5, cyclic(A5, 3)).fields("1 regular"),
    ),
    "Q8": (Homogeneous(Q8, cyclic(Q8, 4)).fields("1x1 + 1 trivial"), Homogeneous(Q8, C(1)).fields("1 trivial")),
}


@pytest.mark.parametrize("name", CASES)
def test_layers_are_equivariant_convolutions(name):
    source, target = CASES[name]
    group = source.space.group
    layer = double(snn.HomLinear(source, target, bias=False)).requires_grad_(False)
    x = torch.randn(2, source.type.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = layer(x)
    for g in elements(group):
        assert relative_error(layer(source.type.transform(x, g)), target.type.transform(y, g)) < 1e-11
    # the convolution theorem: F_out(u) = integral kappa(v^-1 u) F_in(v) dv, by quadrature
    v, weights = group.haar(2 * (source.space.band or 0))
    values = source.evaluate(v) @ x[0]
    for u in elements(group):
        kernel = layer.kernel(group.compose(group.inverse(v), u))
        integral = torch.einsum("n,nij,nj->i", weights, kernel, values)
        assert float((integral - target.evaluate(u[None])[0] @ y[0]).abs().max()) < 1e-12
    # the kernel lives on double cosets
    g, h, k = elements(group, 3), elements(source.space.subgroup, 3), elements(target.space.subgroup, 3)
    moved = group.compose(group.compose(source.space.inclusion.map(h), g), target.space.inclusion.map(k))
    out = target.fibre.matrix(target.space.subgroup.inverse(k))
    into = source.fibre.matrix(source.space.subgroup.inverse(h))
    assert float((layer.kernel(moved) - out @ layer.kernel(g) @ into).abs().max()) < 1e-11


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_those_of_schur(name):
    source, target = CASES[name]
    layer = double(snn.HomLinear(source, target, bias=False))
    numbers = layer.coefficients()
    ins, outs = ([i for rep in t.type.fields for i in rep.irreps] for t in (source, target))
    group = source.space.group
    for id in source.space.irreps:
        copies = outs.count(id), ins.count(id)
        assert (tuple(numbers[id].shape) if id in numbers else (0, 0)) == (
            (*copies, group.irrep_info(id).type) if all(copies) else (0, 0)
        )
    assert layer.weight.numel() == sum(n.numel() for n in numbers.values())


@pytest.mark.parametrize("init", ["he", "delta"])
@pytest.mark.parametrize("name", [*CASES, "blocks"])
def test_weights_are_those_of_the_dense_map(name, init):
    """Small matrices hold the weights of `Linear` in its order, drawn as it draws them."""
    sphere = Homogeneous(SO3(), SO2(), 3)
    source, target = (
        CASES[name] if name in CASES else (sphere.fields("2x2 + 3x0 + 1x1"), sphere.fields("1x1 + 2x0 + 1x2"))
    )
    torch.manual_seed(0)
    layer = snn.HomLinear(source, target, init=init).double()
    torch.manual_seed(0)
    dense = snn.Linear(source.type, target.type, init=init).double()
    assert list(layer.state_dict()) == list(dense.state_dict())
    assert float((layer.weight - dense.weight).detach().abs().max()) < 1e-5
    for p in dense.parameters():
        torch.nn.init.normal_(p)
    layer.load_state_dict(dense.state_dict())
    x = torch.randn(2, source.type.size, 3, dtype=torch.float64)
    assert float((layer(x) - dense(x)).detach().abs().max()) < 1e-12
    assert float((layer.filter() - dense.filter()).detach().abs().max()) < 1e-12


def test_large_bands_are_built_at_once():
    """Band 48, where products of irreps have 9025 dimensions and the dense matrix 800 million entries."""
    fields = Homogeneous(SO3(), SO2(), 47).fields("8x0 + 2x2")
    start = time.perf_counter()
    layer = snn.HomLinear(fields, fields)
    assert time.perf_counter() - start < 5  # 0.1 s; products would take an hour
    assert layer.weight.numel() == 2 * 64 + 46 * 12 * 12
    assert layer(torch.randn(1, fields.type.size)).shape == (1, fields.type.size)


def test_the_convolution_theorem_of_rotations():
    """``(f * k)(u) = integral f(u v^-1) k(v) dv`` is a matrix product for each degree, at L = 4."""
    group = SO3()
    space = Homogeneous(group, C(1), 4)
    functions = space.fields("1 trivial")
    layer = double(snn.HomLinear(functions, functions, bias=False)).requires_grad_(False)
    x = torch.randn(1, functions.type.size, dtype=torch.float64)
    v, weights = group.haar(8)
    k = layer.kernel(v)[:, 0, 0]
    expected = functions.evaluate(elements(group))[:, 0] @ layer(x)[0]
    for u, value in zip(elements(group), expected, strict=True):
        f = functions.evaluate(group.compose(u, group.inverse(v)))[:, 0] @ x[0]
        assert abs(float((weights * f * k).sum() - value)) < 1e-12
    wrong = functions.evaluate(group.compose(elements(group)[0], v))[:, 0] @ x[0]  # planted: v in place of its inverse
    assert abs(float((weights * wrong * k).sum() - expected[0])) > 1e-3


def test_complex_weights_of_spin():
    """Between fields of spin there are four real numbers a degree: a complex factor, and one of the conjugate."""
    for n, m in ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2)):
        numbers = snn.HomLinear(*spin_case(n, m)).coefficients()
        assert sorted(numbers) == [str(l) for l in range(max(n, m), 5)]
        assert {v.numel() for v in numbers.values()} == {(1 + (n > 0)) * (1 + (m > 0))}


def test_a_planted_fault_is_no_convolution():
    source, target = CASES["spin 0 to 1"]
    layer = double(snn.HomLinear(source, target, bias=False))
    x = torch.randn(2, source.type.size, dtype=torch.float64)
    g = elements(SO3())[0]
    shifted = x.roll(1, 1)  # as if coefficients began at another degree
    assert relative_error(layer(source.type.transform(x, g)), target.type.transform(layer(shifted), g)) > 0.1


@pytest.mark.parametrize("text", ["2x0 + 1x1 + 1x2", "1 regular(2)"])
def test_transforms_invert_each_other(text):
    fields = Homogeneous(SO3(), SO2(), 4).fields(text)
    there, back = snn.HomSynthesis(fields).double(), snn.HomAnalysis(fields).double()
    x = torch.randn(2, fields.type.size, dtype=torch.float64)
    samples = there(x)
    assert samples.shape == (2, fields.fibre.size, len(there.elements))
    assert relative_error(back(samples), x) < 1e-12
    # a turn moves points and frames: [g f](x) = rho(h) f(g^-1 x) with h = fibre of s(x)^-1 g s(g^-1 x)
    space, g = fields.space, elements(SO3())[0]
    moved = SO3().compose(SO3().inverse(g), there.elements)
    rho = fields.fibre.matrix(space.subgroup.inverse(space.fibre(moved)))
    values = fields.evaluate(space.section(space.coset(moved))) @ x[0]
    expected = torch.einsum("nij,nj->in", rho, values)
    assert relative_error(there(fields.type.transform(x, g))[0], expected) < 1e-11
    with pytest.raises(ValueError, match="expected coefficients"):
        there(x[:, 1:])
    with pytest.raises(ValueError, match="expected values"):
        back(samples[:, 1:])


def activation_error(space, text, function, oversample):
    """Largest relative equivariance error over some turns, for white fields of unit variance."""
    fields = space.fields(text)
    layer = snn.LiftActProject(fields, function, oversample).double()
    x = torch.randn(10, fields.type.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = x / fields.type.size**0.5
    y, t = layer(x), fields.type
    return max(relative_error(layer(t.transform(x, g)), t.transform(y, g)) for g in elements(space.group))


@pytest.mark.parametrize("text", ["1x0", "1 regular(1)", "1x1"])
def test_activations_err_less_with_more_samples(text):
    sphere = Homogeneous(SO3(), SO2(), 5)
    smooth = [activation_error(sphere, text, "softplus", s) for s in (1, 2, 3)]
    assert smooth[0] > 1e-2 and smooth[1] < 1e-3 and smooth[2] < smooth[1] / 10
    sharp = [activation_error(sphere, text, "relu", s) for s in (1, 2, 3)]
    assert sharp[0] > 0.1 and sharp[2] < sharp[1] < sharp[0]
    if text == "1x1":  # the square of spin 1 has spins 0 and 2: nothing is left of it
        fields = sphere.fields(text)
        x = torch.ones(1, fields.type.size, dtype=torch.float64)
        assert float(snn.LiftActProject(fields, torch.square).double()(x).abs().max()) < 1e-12
        return
    square = [activation_error(sphere, text, torch.square, s) for s in (1, 1.5, 2)]
    assert square[0] > 1e-2 and max(square[1:]) < 1e-12  # exact for polynomials


def test_activations_of_finite_groups_are_exact():
    space = Homogeneous(A5, cyclic(A5, 5))
    for text in ("2 trivial", "1 regular", "1x1"):
        fields = space.fields(text)
        layer = snn.LiftActProject(fields, "relu").double()
        x = torch.randn(3, fields.type.size, dtype=torch.float64)
        for g in elements(A5):
            assert relative_error(layer(fields.type.transform(x, g)), fields.type.transform(layer(x), g)) < 1e-12
    with pytest.raises(ValueError, match="at least 1"):
        snn.LiftActProject(fields, "relu", 0.5)
    with pytest.raises(ValueError, match="more than"):
        snn.LiftActProject(Homogeneous(SO3(), SO2(), 2).fields(1 * SO2().irrep(1).direct_sum(SO2().irrep(1))))


def test_a_network_is_equivariant_bakes_and_pickles():
    sphere = Homogeneous(SO3(), SO2(), 3)
    scalars, hidden = sphere.fields("1x0"), sphere.fields("4 regular(1)")
    net = snn.Sequential(
        snn.HomLinear(scalars, hidden), snn.LiftActProject(hidden, torch.square), snn.HomLinear(hidden, scalars)
    ).double()
    x = torch.randn(2, scalars.type.size, dtype=torch.float64)
    y = net(x)
    for g in elements(SO3()):
        assert relative_error(net(scalars.type.transform(x, g)), scalars.type.transform(y, g)) < 1e-11
    assert relative_error(st.bake(net)(x), y) < 1e-12
    assert relative_error(pickle.loads(pickle.dumps(net))(x), y) == 0


def gradient(points, coefficients, band):
    """Values ``[B, q]`` of functions on the sphere, and their gradients ``[B, q, 3]`` by automatic differentiation."""
    p = points.clone().requires_grad_()
    values = (spherical_harmonics(p / p.norm(dim=-1, keepdim=True), range(band + 1)) @ coefficients.T).T
    return values.detach(), torch.stack([torch.autograd.grad(v.sum(), p, retain_graph=True)[0] for v in values])


def test_the_gradient_is_learned():
    """From scalars to spin 1: the layer finds ``k_l = sqrt(l (l + 1))`` from samples alone, and no curl."""
    band, group = 6, SO3()
    sphere = Homogeneous(group, SO2(), band)
    scalars, vectors = sphere.fields("1x0"), sphere.fields("1x1")
    analyse, layer, sample = (
        m.double()
        for m in (snn.HomAnalysis(scalars), snn.HomLinear(scalars, vectors, bias=False), snn.HomSynthesis(vectors))
    )
    points, frames = sphere.coset(sample.elements), group.action(sample.elements)
    torch.manual_seed(0)
    f, slope = gradient(points, torch.randn(20, (band + 1) ** 2, dtype=torch.float64), band)
    target = torch.einsum("qxi,bqx->biq", frames[..., :2], slope)  # along the axes of the frame
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        found = (sample(layer(analyse(f[:, None]))) - target).square().mean()
        found.backward()
        return found

    optimiser.step(loss)
    numbers = layer.coefficients()
    assert sorted(numbers) == [str(l) for l in range(1, band + 1)]
    for l in range(1, band + 1):
        k = numbers[str(l)].detach().flatten()
        exact = (l * (l + 1)) ** 0.5
        assert abs(float(k.norm()) - exact) < 1e-3 * exact
        assert float(k.abs().min()) < 1e-3 * exact  # the curl


def test_types_without_a_space_are_refused():
    with pytest.raises(TypeError, match=r"expected fields on a homogeneous space, .* or the .fields of an SHT"):
        snn.HomLinear(SO3().type("1x0"), SO3().type("1x0"))
