"""Nonlinear layers: each turns with its input, bakes to the same function, refuses what breaks the symmetry."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch import Tensor, nn

import steerable as st
from steerable.nn.norm_act import vectors

GROUPS = {
    g.name: g
    for g in (st.C(1), st.C(4), st.C(8), st.D(1), st.D(3), st.D(4), st.SO2(), st.O2(), st.product(st.C(3), st.C(3)))
}


def irreps(group: st.groups.Group) -> st.FieldType:
    """Two fields of every irrep (up to frequency 2): complex types, signs and real types as they come."""
    return sum((2 * rep for rep in group.irreps(None if group.is_finite else 2)), 0 * group.trivial)


def permuted(group: st.groups.Group) -> st.FieldType:
    """Permuted fields of different representations."""
    if not group.is_finite:
        return 3 * group.trivial
    t = 2 * group.regular + 3 * group.trivial
    return t + 2 * group.quotient(st.C(2)) if group.contains(st.C(2)) and group.order > 2 else t


def anything(group: st.groups.Group) -> st.FieldType:
    """Irreps, permuted fields, a sum of irreps in one field, an induced field."""
    some = group.irreps(None if group.is_finite else 2)
    t = irreps(group) + permuted(group) + 2 * some[-1].direct_sum(*some)
    if group == st.O2():
        t = t + 2 * group.induced(st.SO2(), st.SO2().irrep(1))
    if group == st.D(3):
        t = t + 2 * group.induced(st.C(3), st.C(3).irrep(1))
    return t


def signs(group: st.groups.Group) -> st.FieldType:
    """One-dimensional irreps and permuted fields."""
    some = [r for r in group.irreps(None if group.is_finite else 2) if r.size == 1]
    return sum((2 * r for r in some), 0 * group.trivial) + permuted(group)


LAYERS = {
    "ReLU": lambda g: st.nn.ReLU(permuted(g)),
    "ELU": lambda g: st.nn.ELU(permuted(g)),
    "LeakyReLU": lambda g: st.nn.LeakyReLU(permuted(g)),
    "SiLU": lambda g: st.nn.SiLU(permuted(g)),
    "GELU": lambda g: st.nn.GELU(permuted(g)),
    "Softplus": lambda g: st.nn.Softplus(permuted(g)),
    "Sigmoid": lambda g: st.nn.Sigmoid(permuted(g)),
    "Tanh": lambda g: st.nn.Tanh(signs(g)),
    "Hardtanh": lambda g: st.nn.Hardtanh(signs(g)),
    "NormAct": lambda g: st.nn.NormAct(anything(g)),
    "NormAct(squash)": lambda g: st.nn.NormAct(anything(g), "squash"),
    "NormAct(no bias)": lambda g: st.nn.NormAct(anything(g), "sigmoid", bias=False),
    "Gate": lambda g: st.nn.Gate(anything(g)),
    "CReLU": lambda g: st.nn.CReLU(signs(g)),
    "TensorProduct": lambda g: st.nn.TensorProduct(irreps(g) + permuted(g)),
    "TensorProduct(sums)": lambda g: st.nn.TensorProduct(2 * g.irreps(2)[-1].direct_sum(*g.irreps(2)) + irreps(g), 2),
    "GroupPool": lambda g: st.nn.GroupPool(permuted(g)),
    "GroupPool(mean)": lambda g: st.nn.GroupPool(permuted(g), "mean"),
    "NormPool": lambda g: st.nn.NormPool(anything(g)),
}
FINITE_ONLY = {
    "FourierAct": lambda g: st.nn.FourierAct(permuted(g) + 2 * g.spectral_regular(9) + 2 * g.irreps()[-1], "elu"),
    "VectorField": lambda g: st.nn.VectorField(2 * g.regular + 3 * g.trivial, g.irreps()[-1]),
}
CASES = [(n, make, g) for n, make in LAYERS.items() for g in GROUPS.values()]
CASES += [(n, make, g) for n, make in FINITE_ONLY.items() for g in GROUPS.values() if g.is_finite]
QUICK = [(n, make, g) for n, make, g in CASES if g in (st.D(3), st.SO2()) or (g == st.C(8) and n in FINITE_ONLY)]


def named(cases: list) -> dict:
    return {"argvalues": cases, "ids": [f"{n}-{g.name}" for n, _, g in cases]}


def build(make, group: st.groups.Group) -> st.nn.EquivariantModule:
    torch.manual_seed(0)
    layer = make(group).double()
    for p in layer.parameters():
        nn.init.uniform_(p, -0.8, 0.3)
    return layer


def fields(layer: st.nn.EquivariantModule, *space: int, batch: int = 2) -> Tensor:
    return torch.randn(
        batch, layer.in_type.size, *space, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


def law_error(layer: st.nn.EquivariantModule, x: Tensor, elements: Tensor | None = None) -> float:
    """The largest difference between acting before and after, relative to the output."""
    group = layer.in_type.group
    elements = group.sample(6, torch.Generator().manual_seed(2)) if elements is None else elements
    y = layer(x)
    errors = [(layer(layer.in_type.transform(x, g)) - layer.out_type.transform(y, g)).abs().max() for g in elements]
    return (torch.stack(errors).max() / y.abs().max()).item()


@pytest.mark.parametrize(("name", "make", "group"), **named(CASES))
def test_turns_with_its_input(name: str, make, group: st.groups.Group) -> None:
    layer = build(make, group)
    for space in ((), (3, 2)):
        x = fields(layer, *space)
        assert layer(x).shape == (2, layer.out_type.size, *space)
        assert law_error(layer, x) < 1e-10
    if not group.is_finite:
        assert law_error(layer, x, group.generators) < 1e-10


@pytest.mark.parametrize(("name", "make", "group"), **named(CASES))
def test_bakes_copies_and_pickles(name: str, make, group: st.groups.Group) -> None:
    layer = build(make, group)
    x = fields(layer, 3, 2)
    baked = st.bake(layer)
    for other in (baked, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), pickle.loads(pickle.dumps(baked))):
        torch.testing.assert_close(other(x), layer(x), rtol=0, atol=1e-10)
    assert not any(isinstance(m, st.nn.EquivariantModule) for m in baked.modules())
    assert set(layer.state_dict()) == {n for n, _ in layer.named_parameters()}
    torch.testing.assert_close(layer.float()(x.float()).double(), baked(x), rtol=1e-3, atol=1e-4)
    assert repr(layer)


def once(cases: list) -> list:
    """As parameters, those of D(3) slow where there is another group for the layer."""
    slow = {True: [pytest.mark.slow], False: []}
    return [pytest.param(n, m, g, id=f"{n}-{g.name}", marks=slow[g == st.D(3) and n in LAYERS]) for n, m, g in cases]


@pytest.mark.parametrize(("name", "make", "group"), once(QUICK))
def test_tools(name: str, make, group: st.groups.Group) -> None:
    torch._dynamo.reset()  # one class compiled for many functions meets the limit of recompilations
    layer = build(make, group)
    x = fields(layer, 2, 2).requires_grad_()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), layer(x))
    a, b = (torch.autograd.grad(f(x).square().sum(), x)[0] for f in (compiled, layer))
    torch.testing.assert_close(a, b)
    program = torch.export.export(layer, (x.detach(),), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    bigger = fields(layer, 2, 2, batch=5)
    torch.testing.assert_close(program.module()(bigger), layer(bigger))
    torch.testing.assert_close(torch.vmap(lambda v: layer(v[None])[0])(bigger), layer(bigger))
    empty = x[:0].detach().requires_grad_()
    layer(empty).sum().backward()
    assert layer(empty).shape[0] == 0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer.float()(x.detach().bfloat16()).isfinite().all()


@pytest.mark.parametrize(("name", "make", "group"), **named([c for c in QUICK if c[2] != st.C(8)]))
def test_second_derivatives(name: str, make, group: st.groups.Group) -> None:
    layer = build(make, group)
    x = fields(layer, batch=1).requires_grad_()
    f = lambda x: layer(x).square().sum()  # noqa: E731
    first = torch.autograd.grad(f(x), x, create_graph=True)[0]
    direction = fields(layer, batch=1).cos()
    second = torch.autograd.grad((first * direction).sum(), x)[0]
    h = 1e-6
    ahead, behind = (x.detach() + s * h * direction for s in (1, -1))
    slopes = [torch.autograd.grad(f(p), p)[0] for p in (ahead.requires_grad_(), behind.requires_grad_())]
    torch.testing.assert_close(second, (slopes[0] - slopes[1]) / (2 * h), rtol=1e-5, atol=1e-5)


def test_a_function_of_channels_breaks_irreps() -> None:
    """Planted fault: behind the check, ReLU on an irrep must fail the law."""
    group = st.SO2()
    layer = st.nn.ReLU(2 * group.trivial + 0 * group.irrep(1))
    layer.in_type = layer.out_type = 2 * group.irrep(1)
    assert law_error(layer.double(), fields(layer, 3)) > 0.1


@pytest.mark.parametrize(
    ("group", "make", "function"),
    [(st.SO2(), lambda: st.SO2().spectral_regular(3), f) for f in ("relu", "elu", "silu")]
    + [(st.O2(), lambda: st.O2().spectral_regular(2), "relu"), (st.O2(), lambda: st.O2().spectral_regular(2), "elu")],
    ids=lambda v: v if isinstance(v, str) else getattr(v, "name", ""),
)
def test_fourier_error_falls_with_the_samples(group: st.groups.Group, make, function: str) -> None:
    """Exact for quarter turns and flips, convergent for every other element; three blocks of different kinds."""
    rep = make()
    t = 3 * rep + 2 * group.trivial + 2 * group.irreps(1)[-1]
    default = st.nn.FourierAct(t, function).double()
    x = fields(default, 4, 4)
    quarters = st.D(4).plane(st.D(4).elements[: 8 if group == st.O2() else 4])
    assert law_error(default, x, group.from_plane(quarters)) < 1e-12
    elements = group.sample(12, torch.Generator().manual_seed(3))
    count = len(default.sample_0)
    errors = [
        law_error(st.nn.FourierAct(t, function, samples=n).double(), x, elements) for n in (count, 2 * count, 4 * count)
    ]
    assert 1e-9 < errors[0] < 0.06, "white fields, relative to the largest value"
    assert errors[1] < errors[0] / 2 and errors[2] < errors[1] / 2
    critical = 2 * rep.frequency + 1
    planted = st.nn.FourierAct(3 * rep, function, samples=critical if group == st.SO2() else 2 * critical).double()
    assert law_error(planted, fields(planted, 4, 4), elements) > 0.1, "the critical rate must fail the law"


def test_fourier_on_a_finite_group_is_the_pointwise_function() -> None:
    """Coefficients of the regular field of D(3): sampled at all elements, exactly ELU of the regular field."""
    group = st.D(3)
    spectral = st.nn.FourierAct(2 * group.spectral_regular(3), "elu").double()
    x = fields(spectral, 3)
    sample = spectral.sample_0  # sqrt(order) times an orthogonal matrix
    values = torch.einsum("nd,bmdp->bmnp", sample, x.unflatten(1, (2, 6)))
    wanted = torch.einsum("nd,bmnp->bmdp", sample, nn.functional.elu(values)) / 6
    torch.testing.assert_close(spectral(x), wanted.flatten(1, 2))


def test_vectors_of_a_field() -> None:
    so2, o2 = st.SO2(), st.O2()
    assert vectors(so2.spectral_regular(3)) == ((1, 2, 2, 2), (0, 1, 2, 3))
    assert vectors(o2.induced(so2, so2.irrep(1))) == ((2, 2), (0, 0))
    assert vectors(st.C(4).regular) == ((1, 1, 1, 1), (0, 0, 0, 0))
    assert vectors(st.C(4).irrep(1)) == ((2,), (0,))
    assert vectors(st.D(3).induced(st.C(3), st.C(3).irrep(1))) == ((2, 2), (0, 0))
    assert vectors(st.D(3).irrep(1).tensor(st.D(3).irrep(1)))[0] == (4,)


def test_norm_act_shares_biases_and_starts_below_zero() -> None:
    group = st.O2()
    layer = st.nn.NormAct(3 * group.induced(st.SO2(), st.SO2().irrep(1)) + 2 * group.spectral_regular(1))
    assert layer.bias.shape == (3 + 2 * 4,) and (layer.bias == -0.1).all()
    assert st.nn.NormAct(3 * group.irrep(1), "elu").bias.abs().max() == 0
    assert st.nn.NormAct(3 * group.irrep(1), bias=False).bias is None


def test_gated_type() -> None:
    group = st.SO2()
    t = group.type("3x0 + 2x1 + 4x2")
    assert st.nn.Gate.gated_type(t) == 6 * group.trivial + t, "no gate for the three trivial fields"
    layer = st.nn.Gate(t)
    assert layer.in_type == st.nn.Gate.gated_type(t) and layer.out_type == t
    shut = torch.cat([torch.full((1, 6), -1e3), torch.ones(1, t.size)], 1)
    assert layer(shut)[:, 3:].abs().max() == 0
    torch.testing.assert_close(layer(-shut)[:, 3:], -torch.ones(1, 12))


def test_vector_field_points_to_the_strongest() -> None:
    group = st.C(8)
    layer = st.nn.VectorField(1 * group.regular).double()
    x = torch.zeros(1, 8, dtype=torch.float64)
    x[0, 3] = 2
    wanted = 2 * torch.tensor([[math.cos(3 * math.pi / 4), math.sin(3 * math.pi / 4)]], dtype=torch.float64)
    torch.testing.assert_close(layer(x), wanted)
    assert layer(torch.ones(1, 8, dtype=torch.float64)).abs().max() < 1e-15, "no orientation: no arrow"
    assert layer(-x).abs().max() < 1e-15


@pytest.mark.parametrize(
    "group",
    [st.C(2), st.C(3), st.C(4), st.D(1), st.D(2), st.D(3), st.D(4), st.D(6).subgroup_from([7, 9]).small],
    ids=str,
)
def test_vector_fields_are_vectors_of_the_plane(group: st.groups.Group) -> None:
    layer = st.nn.VectorField(1 * group.regular).double()
    torch.testing.assert_close(layer.out_type.matrix(group.elements), group.plane(group.elements))
    x = torch.eye(group.order, dtype=torch.float64)
    torch.testing.assert_close(layer(x), group.plane(group.elements)[:, :, 0])


def test_crelu_gives_permuted_fields() -> None:
    group = st.D(3)
    layer = st.nn.CReLU(2 * group.irrep("0o") + 1 * group.regular + 1 * group.trivial)
    assert layer.out_type.is_permutation and layer.out_type.size == 2 * layer.in_type.size
    assert layer.out_type.blocks[0].rep == group.quotient(st.C(3))
    st.nn.Sequential(layer, st.nn.ELU(layer.out_type))
    signed = st.nn.CReLU(2 * st.C(4).irrep(1)).double()  # quarter turns permute its channels up to signs
    assert signed.out_type.is_permutation and law_error(signed, fields(signed, 3), st.C(4).elements) < 1e-12


def test_tensor_product_keeps_the_length() -> None:
    for group in (st.D(3), st.SO2()):
        t = 2 * group.irreps(1)[-1].direct_sum(group.irreps(1)[0])
        layer = st.nn.TensorProduct(t).double()
        x = fields(layer)
        before, after = x.unflatten(1, (2, -1)).square().sum(2), layer(x).unflatten(1, (2, -1)).square().sum(2)
        torch.testing.assert_close(after, before.square())
    assert str(st.nn.TensorProduct(3 * st.SO2().irrep(1)).out_type) == "3 (0 + 2)"
    assert str(st.nn.TensorProduct(3 * st.SO2().irrep(1), max_frequency=0).out_type) == "3x0"


def test_group_pool_and_norm_pool_are_invariant() -> None:
    group = st.D(3)
    t = 2 * group.regular + 3 * group.trivial
    assert st.nn.GroupPool(t).out_type == 5 * group.trivial
    pool = st.nn.NormPool(2 * group.irrep(1) + 1 * group.trivial).double()
    x = torch.tensor([[3.0, 4.0, 0.0, 2.0, -7.0]], dtype=torch.float64)
    torch.testing.assert_close(pool(x), torch.tensor([[5.0, 2.0, -7.0]], dtype=torch.float64), rtol=0, atol=1e-7)


SO2, D3 = st.SO2(), st.D(3)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: st.nn.ReLU(4 * SO2.irrep(1)),
            TypeError,
            r"ReLU: .*got 4x1 in SO2: 4x1; use NormAct, Gate or FourierAct",
        ),
        (lambda: st.nn.Tanh(4 * SO2.irrep(1)), TypeError, "and signs, got 4x1"),
        (lambda: st.nn.ELU(4), TypeError, "in_type must be a FieldType"),
        (lambda: st.nn.NormAct(4 * SO2.irrep(1), "gelu"), ValueError, "'gelu'; choose one of elu, relu"),
        (lambda: st.nn.Gate(0 * SO2.irrep(1)), ValueError, "must have channels"),
        (lambda: st.nn.NormAct(0 * SO2.irrep(1)), ValueError, "must have channels"),
        (lambda: st.nn.FourierAct(SO2.type("4x0 + 4x1"), samples=2), ValueError, "2 samples cannot hold"),
        (lambda: st.nn.FourierAct(4 * SO2.irrep(1).direct_sum(SO2.irrep(1))), ValueError, "spectral_regular"),
        (lambda: st.nn.FourierAct(4 * SO2.irrep(1), "swish"), ValueError, "silu"),
        (lambda: st.nn.VectorField(4 * SO2.irrep(1)), TypeError, "got 4x1 in SO2: 4x1; use NormAct"),
        (
            lambda: st.nn.VectorField(4 * st.groups.product(st.C(4), st.C(4)).regular),
            ValueError,
            "does not act on the plane",
        ),
        (lambda: st.nn.VectorField(4 * D3.regular, SO2.irrep(1)), ValueError, r"SO2, expected one of D3"),
        (lambda: st.nn.CReLU(4 * SO2.irrep(1)), TypeError, "permuted up to signs, got 4x1"),
        (lambda: st.nn.TensorProduct(4 * SO2.irrep(1), -1), ValueError, "max_frequency=-1"),
        (lambda: st.nn.GroupPool(4 * SO2.irrep(1)), TypeError, "use NormPool"),
        (lambda: st.nn.GroupPool(4 * D3.regular, "median"), ValueError, "'median'"),
        (lambda: st.nn.NormAct(4 * SO2.irrep(1))(torch.zeros(2, 3)), ValueError, "3 channels; this layer expects 8"),
    ],
)
def test_errors_teach(make, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
