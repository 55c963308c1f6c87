"""Fourier activations on groups and quotients: grids and their errors, frames, degenerate inputs, gradients."""

from __future__ import annotations

import math

import pytest
import torch
from tests.catalogue import TYPES
from tests.legal import framed, functions, square
from torch import Tensor

import steerable as st
from steerable import laws
from steerable.groups.sampling import GRIDS, reading_vector
from steerable.nn.functional.frames import DIMENSIONS

SO2, O2, SO3, O3 = st.SO2(), st.O2(), st.SO3(), st.O3()
SPHERE = SO3.spectral_quotient(SO2, 2)
FRAMED = [t for t in TYPES if framed(TYPES[t]) and functions(TYPES[t])]


def white(t: st.FieldType, batch: int = 16, *space: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, t.size, *space, dtype=torch.float64, generator=generator).to(dtype)


@torch.no_grad()
def error(layer: st.nn.EquivariantModule, x: Tensor) -> float:
    """Largest relative error; elements act on the channels alone, wherever they stand."""
    y = layer(x)
    elements = layer.in_type.group.sample(6, torch.Generator().manual_seed(2))
    found = [(layer(layer.in_type.transform(x, g)), layer.out_type.transform(y, g)) for g in elements]
    return max(float((a - b).norm() / b.norm().clamp_min(1e-300)) for a, b in found)


# ---- the table of general methods: a fixed grid against one that moves ----------------------------------------------


@pytest.mark.filterwarnings("ignore:35 samples hold the 35 coefficients:UserWarning")
@pytest.mark.parametrize("samples", [35, 52, 70, 96, 140])
def test_adaptive_is_exact_where_fixed_is_not(samples: int) -> None:
    """ELU, L = 2 on SO(3), 35 coefficients: the same samples, held and moved."""
    t = 4 * SO3.spectral_regular(2)
    x = white(t)
    torch.manual_seed(0)
    moved = st.nn.FourierAct(t, "elu", samples, "adaptive")
    assert error(moved.double(), x) < 1e-10
    assert error(moved.float(), x.float()) < 1e-5
    for grid in ("spread", "random"):
        assert error(st.nn.FourierAct(t, "elu", samples, grid).double(), x) > 0.1


def test_samples_that_hold_the_band_badly_are_named() -> None:
    """With 35 of them noise grows a thousand times: the study of nonlinearities found networks at chance."""
    t = 1 * SO3.spectral_regular(2)
    with pytest.warns(UserWarning, match=r"35 samples hold the 35 coefficients.*grows up to 17\d\d times.* such as 96"):
        st.nn.FourierAct(t, "elu", 35)
    st.nn.FourierAct(t, "elu", 48)  # no warning, which would be an error here
    big = st.C(128)
    st.nn.SampledMLP(1 * big.regular, 1 * big.regular, [2])  # permuted channels are their own samples


def test_fixed_grids_converge() -> None:
    t = 4 * SO3.spectral_regular(2)
    x = white(t)
    for grid in GRIDS:
        counts = (96, 280, 560) if grid != "quadrature" else (98, 294, 648)
        errors = [error(st.nn.FourierAct(t, "elu", n, grid).double(), x) for n in counts]
        assert errors[0] > errors[1] > errors[2], grid
        assert errors[2] < (0.15 if grid == "random" else 0.03), grid


@pytest.mark.parametrize("name", FRAMED)
@pytest.mark.parametrize("function", ["relu", "elu"])
def test_adaptive_at_the_least_number_of_samples(name: str, function: str) -> None:
    t = TYPES[name]
    most = max(b.rep.size for b in t.blocks)
    samples = 2 * most + 2  # the coefficients of every block, and even, for O(2) and O(3)
    torch.manual_seed(0)
    for frame in (st.nn.Frame(t), st.nn.Frame(t, share="sample"), st.nn.Frame(t, detach=True, softness=0.1)):
        for layer in (st.nn.FourierAct(t, function, samples, frame=frame).double(),):
            for x in (white(t), white(t, 2, 3), white(t, 2, 2, 3)):
                assert error(layer, x) < 1e-10


# ---- quotients ------------------------------------------------------------------------------------------------------


def test_the_domain_is_found() -> None:
    """One of each degree is a function on the sphere; sampling it is evaluating spherical harmonics."""
    assert SO3.irrep(0).direct_sum(SO3.irrep(1), SO3.irrep(2)) == SPHERE
    layer = st.nn.FourierAct(2 * SPHERE, "elu").double()
    points, _ = st.groups.sample_points(SO3, SO3.subgroup(SO2), "spread", 36, 2)
    xyz = SO3.action(points)[:, :, 2]
    wanted = math.sqrt(4 * math.pi) * st.groups.spherical_harmonics(xyz, (0, 1, 2))
    torch.testing.assert_close(layer.sample_0, wanted)
    assert st.nn.FourierAct(2 * SO3.spectral_regular(1)).sample_0.shape == (28, 10)
    on_group = st.nn.FourierAct(2 * SPHERE, "elu", domain=st.C(1)).double()
    assert on_group.sample_0.shape == (96, 9) and error(on_group, white(2 * SPHERE)) < 1
    ball = O3.spectral_quotient(O2, 2)
    assert ball.irreps == ("0e", "1o", "2e") and st.nn.FourierAct(2 * ball).sample_0.shape == (36, 9)


def test_sphere_errors_fall_with_the_samples() -> None:
    t = 4 * SPHERE
    x = white(t)
    errors = [error(st.nn.FourierAct(t, "elu", n).double(), x) for n in (12, 36, 144)]
    assert 0.1 < errors[0] < 0.6 and errors[1] < errors[0] / 3 and errors[2] < errors[1] / 3
    assert error(st.nn.FourierAct(t, "elu", 12, "adaptive").double(), x) < 1e-10


@pytest.mark.parametrize(
    ("group", "small"),
    [(SO3, SO2), (O3, O2), (O2, st.D(1)), (SO3, st.C(3)), (st.D(4), st.C(2)), (st.D(6), st.D(1)), (SO2, st.C(2))],
    ids=str,
)
def test_functions_on_quotients(group: st.groups.Group, small: st.groups.Group) -> None:
    """What the vector reads off is unchanged by H from the right, moves by G from the left, and is orthonormal."""
    domain = group.subgroup(small)
    rep = group.spectral_quotient(small, 3)
    v = torch.from_numpy(reading_vector(rep, domain).copy())
    g, h = group.sample(5), domain.map(small.sample(5))
    torch.testing.assert_close(rep(group.compose(g, h)) @ v, rep(g) @ v)
    elements, weights = group.haar(6)
    values = rep(elements) @ v
    torch.testing.assert_close(values.T @ (weights[:, None] * values), torch.eye(rep.size, dtype=torch.float64))
    with pytest.raises(ValueError, match=f"no functions on {group.name}"):
        reading_vector(rep.direct_sum(rep), domain)


# ---- quadratures, turned grids --------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [SO2, O2, SO3, O3], ids=str)
def test_squares_are_exact_on_quadratures(group: st.groups.Group) -> None:
    t = 2 * group.spectral_regular(2 if group != O3 else 1) + 1 * group.irreps(1)[-1]
    exact = st.nn.FourierAct(t, square, grid="quadrature").double()
    assert error(exact, white(t)) < 1e-10
    if group == SO3:
        few = st.nn.FourierAct(t, square, samples=len(exact.sample_0) - 1, grid="quadrature").double()
        assert error(few, white(t)) > 1e-3, "planted fault: one degree less must fail the law"


def test_grids_that_turn_in_training() -> None:
    """The mean over calls is closer to an equivariant one than a call; in eval nothing is random."""
    t = 4 * SPHERE
    x, g = white(t), SO3.sample(1, torch.Generator().manual_seed(7))[0]
    layer = st.nn.FourierAct(t, "relu", 12, "random", turn=True).double()
    assert torch.equal(layer.eval()(x), layer(x))
    assert not torch.equal(layer.train()(x), layer(x))
    torch.manual_seed(0)

    def gap(calls: int) -> float:
        with torch.no_grad():
            left = sum(layer(t.transform(x, g)) for _ in range(calls)) / calls
            right = sum(layer(x) for _ in range(calls)) / calls
        return float((left - t.transform(right, g)).norm() / right.norm())

    assert gap(400) < gap(4) / 4
    mlp = st.nn.SampledMLP(t, turn=True, samples=12).double()
    assert not torch.equal(mlp.train()(x), mlp(x)) and torch.equal(mlp.eval()(x), mlp(x))


# ---- frames ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FRAMED)
@pytest.mark.parametrize("share", ["point", "sample"])
def test_frames_move_with_the_field(name: str, share: str) -> None:
    t = TYPES[name]
    torch.manual_seed(0)
    frame = st.nn.Frame(t, share=share).double()
    x = white(t, 8, 3)
    q = frame(x)
    shape = (8,) if share == "sample" else (8, 3)
    assert q.weight.shape == shape and q.elements.shape == (*shape, *t.group.element_shape)
    for g in t.group.sample(4, torch.Generator().manual_seed(3)):
        moved = frame(t.transform(x, g))
        sure = q.weight > 1e-6
        assert bool(t.group.equal(moved.elements, t.group.compose(g, q.elements))[sure].all())
        torch.testing.assert_close(moved.weight, q.weight)
    assert float(q.weight.detach().median()) > 0.9 and bool((q.weight <= 1).all())
    assert not frame(x).elements.requires_grad or frame.linear.weight.requires_grad
    assert not st.nn.Frame(t, detach=True)(x.float()).elements.requires_grad


def test_a_frame_that_does_not_move_is_caught() -> None:
    """Planted faults: the axes of the room, a frame that moves the wrong way, one of another field."""
    t = 4 * SO3.spectral_regular(1)
    layer = st.nn.FourierAct(t, "elu", 20, frame="given").double()
    frame = st.nn.Frame(t).double()

    class With(st.nn.EquivariantModule):
        def __init__(self, fault) -> None:
            super().__init__(t, t)
            self.fault = fault

        def forward(self, x: Tensor) -> Tensor:
            return layer(x, self.fault(x))

    x = white(t)
    assert error(With(frame), x) < 1e-10
    room = lambda x: SO3.identity.expand(len(x), 4)  # noqa: E731
    backwards = lambda x: SO3.inverse(frame(x).elements)  # noqa: E731
    components = lambda x: st.nn.Frames(SO3.element(x[:, :4]))  # noqa: E731
    for fault in (room, backwards, components):
        assert error(With(fault), x) > 0.05
        with pytest.raises(AssertionError, match="not equivariant"):
            laws.assert_equivariant(With(fault), x)


def test_frames_that_are_given() -> None:
    """From other channels, one a graph, and as bare elements."""
    t, vectors = 3 * SPHERE, 3 * SO3.irrep(1)
    frame = st.nn.Frame(vectors).double()
    layer = st.nn.FourierAct(t, "elu", 20, frame="given").double()
    x, v, graph = white(t, 12), white(vectors, 12), torch.arange(12) % 3
    g = SO3.sample(1, torch.Generator().manual_seed(4))[0]
    frames = frame(v, graph, 3)
    assert torch.equal(frames.elements[0], frames.elements[3])
    for q, moved in (
        (frames, frame(vectors.transform(v, g), graph, 3)),
        (frames.elements.detach(), SO3.compose(g, frames.elements.detach())),
    ):
        y, z = layer(x, q), layer(t.transform(x, g), moved)
        torch.testing.assert_close(z, t.transform(y, g), rtol=0, atol=1e-10)
    torch.testing.assert_close(st.bake(layer)(x, frames), layer(x, frames))
    alone = frame(torch.stack([v[graph == k].mean(0) for k in range(3)]))
    torch.testing.assert_close(alone.of(graph).elements, frames.elements)
    with pytest.raises(ValueError, match="second argument"):
        layer(x)
    with pytest.raises(ValueError, match="do not fit x"):
        layer(x, frames.elements[:5])


@pytest.mark.parametrize("kind", sorted(DIMENSIONS))
def test_degenerate_inputs(kind: str) -> None:
    """Nothing, no vectors, parallel vectors, nearly so, tiny, huge: equivariant, finite, with finite gradients."""
    group = {"SO2": SO2, "O2": O2, "SO3": SO3, "O3": O3}[kind]
    vector, sign = ("1o", "0o") if kind == "O3" else ("1", "0o")
    field = (group.irreps(2)[0]).direct_sum(group.irrep(vector), group.irrep("2e" if kind == "O3" else "2"))
    t = 3 * field + (1 * group.irrep(sign) if kind[0] == "O" else 0 * group.trivial)
    torch.manual_seed(0)
    layer = st.nn.FourierAct(t, "elu", 24, "adaptive").double()
    x, n = white(t, 4), DIMENSIONS[kind]
    rows = torch.arange(t.size)
    is_vector = (rows < 3 * field.size) & (rows % field.size >= 1) & (rows % field.size < 1 + n)
    parallel = x.clone()
    first = x[:, 1 : 1 + n]
    for k in range(3):
        parallel[:, k * field.size + 1 : k * field.size + 1 + n] = (k - 0.7) * first
    parallel[:, 3 * field.size :] = 0
    cases = {
        "nothing": 0 * x,
        "no vectors": torch.where(is_vector, 0.0, x),
        "parallel": parallel,
        "nearly parallel": parallel + 1e-9 * x,
        "tiny": 1e-30 * x,
        "tiny vectors": torch.where(is_vector, 1e-30 * x, x),
        "huge": 1e30 * x,
    }
    for name, case in cases.items():
        assert error(layer, case) < 1e-9, name
        leaf = case.clone().requires_grad_()
        y = layer(leaf)
        grads = torch.autograd.grad(y.sum(), [leaf, *layer.parameters()], create_graph=True)
        assert bool(y.isfinite().all()) and all(bool(g.isfinite().all()) for g in grads), name
        narrow = layer.float()(case.clamp(-1e15, 1e15).float().requires_grad_())
        assert bool(narrow.isfinite().all()), name
        layer.double()
    if kind == "SO3":
        assert float(layer.frame(parallel).weight.detach().max()) == 0


def test_smooth_on_the_way_to_a_degenerate_input() -> None:
    """Vectors that shrink to nothing: no jump anywhere on the way, as there is with a hard frame."""
    t = 2 * SPHERE
    torch.manual_seed(0)
    soft = st.nn.FourierAct(t, "elu", 12, "adaptive").double()
    hard = st.nn.FourierAct(t, "elu", 12, frame=st.nn.Frame(t, softness=1e-12)).double()
    hard.load_state_dict(soft.state_dict())
    x = white(t, 1).repeat(20001, 1)
    x[:, [1, 2, 3, 10, 11, 12]] *= torch.linspace(-1, 1, 20001, dtype=torch.float64)[:, None]
    with torch.no_grad():
        jumps = [float(layer(x).diff(dim=0).norm(dim=1).max()) for layer in (soft, hard)]
    assert jumps[0] < 0.02 < 0.1 < jumps[1]


def test_gradients_through_the_frame() -> None:
    t = 2 * SO3.spectral_regular(1)
    torch.manual_seed(0)
    layer = st.nn.FourierAct(t, "elu", 20, "adaptive").double()
    x = white(t, 2).requires_grad_()
    assert torch.autograd.gradcheck(layer, (x,))
    layer(x).square().sum().backward()
    assert float(layer.frame.linear.weight.grad.abs().max()) > 1e-4
    fixed = st.nn.FourierAct(t, "elu", 20, frame=st.nn.Frame(t, detach=True)).double()
    fixed.load_state_dict(layer.state_dict())
    torch.testing.assert_close(fixed(x), layer(x))
    own, held = (torch.autograd.grad(f(x).square().sum(), x)[0] for f in (layer, fixed))
    assert float((own - held).norm() / own.norm()) > 1e-3


# ---- what equivariance does not see ---------------------------------------------------------------------------------


def test_grid_invariance_error() -> None:
    """Exact equivariance is not absence of aliasing: the law tells them apart, and finds none in a quadrature."""
    t = 4 * SO3.spectral_regular(1)
    x = white(t)
    torch.manual_seed(0)
    errors = []
    for n in (20, 80, 320):
        layer = st.nn.FourierAct(t, "elu", n, "adaptive").double()
        assert error(layer, x) < 1e-10
        errors.append(float(laws.grid_invariance_error(layer, x).max()))
    assert errors[0] > 0.1 and errors[1] < errors[0] / 2 and errors[2] < errors[1] / 2
    fixed = st.nn.FourierAct(t, "elu", 20).double()
    elements = SO3.sample(6, torch.Generator().manual_seed(2))
    assert float(laws.grid_invariance_error(fixed, x, elements).max()) == pytest.approx(error(fixed, x), rel=0.5)
    exact = st.nn.FourierAct(t, square, grid="quadrature", frame=st.nn.Frame(t)).double()
    assert float(laws.grid_invariance_error(exact, x).max()) < 1e-10


# ---- the network at every sample ------------------------------------------------------------------------------------


def test_sampled_networks() -> None:
    """Squares exact on a quadrature; the error of ReLU falls at every step; exact on finite groups."""
    t, out = 3 * SO3.spectral_regular(2), 2 * SO3.spectral_regular(2) + 2 * SO3.trivial
    x = white(t, 4, 2)
    torch.manual_seed(0)
    exact = st.nn.SampledMLP(t, out, [5], square, grid="quadrature").double()
    assert exact(x).shape == (4, out.size, 2) and error(exact, x) < 1e-10
    errors = []
    for n in (48, 96, 200, 500):
        layer = st.nn.SampledMLP(t, out, [5], "relu", samples=n).double()
        layer.layers.load_state_dict(exact.layers.state_dict())
        errors.append(error(layer, x))
    assert errors == sorted(errors, reverse=True) and errors[0] > 0.1 and errors[-1] < 0.1
    for group in (st.D(3), st.C(5)):
        kinds = group.regular + 1 * group.spectral_regular(2) + 2 * group.trivial
        layer = st.nn.SampledMLP(kinds, 2 * group.regular).double()
        assert error(layer, white(kinds)) < 1e-12
    linear = st.nn.SampledMLP(t, out, [], bias=False).double()
    torch.testing.assert_close(linear(2 * x), 2 * linear(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: st.nn.FourierAct(4 * SPHERE, grid="thomson"), "kind is one of .* got 'thomson'"),
        (lambda: st.nn.FourierAct(4 * SPHERE, samples=8), "8 samples cannot hold the 9"),
        (
            lambda: st.nn.FourierAct(4 * SPHERE, samples=10, grid="quadrature"),
            "has 15 samples, got samples=10",
        ),
        (lambda: st.nn.FourierAct(4 * SO3.irrep(2), grid="adaptive"), r"2 independent vectors \(irrep 1\), got 0"),
        (lambda: st.nn.FourierAct(1 * SPHERE, grid="adaptive"), "got 1 in"),
        (lambda: st.nn.FourierAct(1 * O3.irrep("1o"), grid="adaptive"), "or one fewer and a field 0o"),
        (lambda: st.nn.FourierAct(4 * st.C(4).irrep(1), grid="adaptive"), "got C4; leave the frame out"),
        (lambda: st.nn.FourierAct(4 * SPHERE, frame=st.nn.Frame(3 * SPHERE)), "the frame takes"),
        (lambda: st.nn.FourierAct(4 * SPHERE, frame="mine"), "got 'mine'"),
        (lambda: st.nn.Frame(4 * SPHERE, share="batch"), "got 'batch'"),
        (lambda: st.nn.Frame(4 * SPHERE, softness=0.0), "must be positive, got 0.0"),
        (lambda: st.nn.FourierAct(4 * SPHERE)(torch.zeros(2, 36), torch.zeros(2, 4)), "build it with frame='given'"),
        (lambda: st.nn.FourierAct(4 * SPHERE.direct_sum(SPHERE)), "more than"),
        (lambda: st.nn.SampledMLP(4 * SPHERE, samples=5), "SampledMLP: 5 samples cannot hold"),
        (lambda: st.nn.SampledMLP(4 * SPHERE, 4 * SO2.irrep(1)), "in_type belongs to SO3"),
        (lambda: st.nn.SampledMLP(4 * SPHERE, 0 * SPHERE), "must have channels"),
    ],
)
def test_errors_teach(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
