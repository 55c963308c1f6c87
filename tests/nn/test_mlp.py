"""Equivariant networks of linear maps and nonlinearities, on every group of the catalogue."""

from __future__ import annotations

import pytest
import torch
from tests.catalogue import GROUPS, irreps
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

import steerable as st
from steerable import laws

EVERY = {**GROUPS, "SO3": st.SO3(), "O3": st.O3()}
ACTS = ("auto", "fourier", "product", "gate", "norm")


def ends(group: st.groups.Group) -> tuple[st.FieldType, st.FieldType]:
    """Types of different irreps: the input holds no two alike, the output none that is only in the input."""
    reps = irreps(group)[:6]
    return group.trivial + reps[min(1, len(reps) - 1)] + 1 * reps[-1], 2 * reps[len(reps) // 2] + 1 * group.trivial


def white(t: st.FieldType, *space: int, batch: int = 6) -> Tensor:
    return torch.randn(batch, t.size, *space, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def error(net: nn.Module, x: Tensor) -> float:
    y, group = net(x), net.in_type.group
    elements = torch.cat([group.generators, group.sample(3, torch.Generator().manual_seed(1))])
    found = [(net(net.in_type.transform(x, g)), net.out_type.transform(y, g)) for g in elements]
    return max(float((a - b).norm() / y.norm()) for a, b in found)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_group(name: str) -> None:
    group = EVERY[name]
    in_type, out_type = ends(group)
    torch.manual_seed(0)
    hidden = st.nn.hidden_type(group, 20)
    net = st.nn.mlp(in_type, [hidden, hidden], out_type).double()
    assert (net.in_type, net.out_type) == (in_type, out_type)
    for x in (white(in_type), white(in_type, 3), white(in_type, 2, 2, 2, batch=2)):
        assert net(x).shape == (len(x), out_type.size, *x.shape[2:])
        assert error(net, x) < 1e-10
    torch.testing.assert_close(st.bake(net)(x), net(x), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["C5", "D3", "D16", "SO2", "O2", "SO3", "O3", "Q8", "S5", "C4xD3", "SO2xC3"])
def test_derivatives(name: str) -> None:
    group = EVERY[name]
    in_type, out_type = ends(group)
    torch.manual_seed(0)
    net = st.nn.mlp(in_type, st.nn.hidden_type(group, 12, 1), out_type).double()
    x = white(in_type, batch=2).requires_grad_()
    assert gradcheck(net, (x,), fast_mode=True) and gradgradcheck(net, (x,), fast_mode=True)
    net(x).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("name", ["D3", "Q8", "A5"])
@pytest.mark.parametrize("norm", [False, True])
def test_every_act_on_finite_groups(name: str, act: str, norm: bool) -> None:
    group = EVERY[name]
    in_type, out_type = ends(group)
    net = st.nn.mlp(in_type, [group.regular + 1 * irreps(group)[-1]], out_type, act=act, norm=norm).double()
    assert error(net, white(in_type)) < 1e-10


@pytest.mark.parametrize("name", ["SO2", "O2", "SO3", "O3"])
def test_every_act_on_continuous_groups(name: str) -> None:
    group = EVERY[name]
    in_type, out_type = ends(group)
    in_type = in_type + 3 * group.irrep("1o" if name == "O3" else "1")
    hidden = 2 * st.nn.hidden_type(group, 9)
    torch.manual_seed(0)
    for act in ("product", "gate", "norm", "adaptive", lambda t: st.nn.FourierAct(t, "elu", grid="adaptive")):
        assert error(st.nn.mlp(in_type, hidden, out_type, act=act).double(), white(in_type)) < 1e-10
    sampled = st.nn.mlp(in_type, hidden, out_type, act="fourier").double()
    assert error(sampled, white(in_type)) > 1e-6, "planted fault: samples on a fixed grid must fail the law"


def test_a_broken_act_is_caught() -> None:
    """Planted fault: behind the checks, a function of the components of a vector."""
    group = st.SO3()
    t = group.type("2x0 + 4x1")
    net = st.nn.mlp(t, t, t, act=lambda t: st.nn.Plain(nn.SiLU(), t, t)).double()
    assert error(net, white(t)) > 0.05
    with pytest.raises(AssertionError, match="not equivariant"):
        laws.assert_equivariant(net, white(t))


@pytest.mark.parametrize("name", ["C8", "D16", "SO2", "O2", "SO3", "O3", "Q8", "S5", "SO2xC3"])
def test_invariants_of_vectors_are_seen(name: str) -> None:
    """From one vector to scalars: the output must depend on its length, which linear maps alone cannot see."""
    group = EVERY[name]
    vector = max((r for r in irreps(group)[:6] if r.frequency <= 2), key=lambda r: r.size)
    in_type = 2 * vector
    torch.manual_seed(0)
    net = st.nn.mlp(in_type, 2 * [st.nn.hidden_type(group, 16)], 2 * group.trivial, norm=False).double()
    x = white(in_type)
    with torch.no_grad():
        assert float((net(2 * x) - net(x)).norm()) > 1e-3
        assert float((net(x)[0] - net(x)[1]).norm()) > 1e-4


def test_it_learns_an_invariant_and_a_covariant() -> None:
    """The angle between two vectors and their vector product, from few examples, seen from one side only."""
    group = st.SO3()
    in_type, out_type = group.type("2x1"), group.type("1x0 + 1x1")
    torch.manual_seed(0)
    net = st.nn.mlp(in_type, 2 * [st.nn.hidden_type(group, 36)], out_type)
    x = torch.randn(256, 6)
    a, b = x[:, :3], x[:, 3:]
    unit = nn.functional.normalize
    # degree 1 is ordered x2, x3, x1: a cyclic order, in which the vector product is the usual one
    wanted = torch.cat([(unit(a) * unit(b)).sum(1, keepdim=True), torch.linalg.cross(unit(a), unit(b))], 1)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(120):
        optimiser.zero_grad()
        loss = (net(x) - wanted).square().mean()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.15 * float(wanted.var())


def test_hidden_types() -> None:
    assert str(st.nn.hidden_type(st.C(8), 64)) == "8 regular"
    assert str(st.nn.hidden_type(st.SO3(), 64)) == "4 (0 + 1 + 1 + 2 + 2)"
    assert str(st.nn.hidden_type(st.SO2(), 9, 1)) == "3 (0 + 1)"
    for group in EVERY.values():
        for channels in (8, 64):
            t = st.nn.hidden_type(group, channels)
            assert t.group == group and (0 < t.size <= 3 * channels or t.num_fields == 1)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda t: st.nn.mlp(t, [], t), ValueError, "at least one hidden type"),
        (lambda t: st.nn.mlp(t, [0 * t], t), ValueError, "must have channels"),
        (lambda t: st.nn.mlp(t, [8], t), TypeError, "hidden must be a FieldType"),
        (lambda t: st.nn.mlp(t, [t], 8), TypeError, "out_type must be a FieldType"),
        (lambda t: st.nn.mlp(8, [t], t), TypeError, "in_type must be a FieldType"),
        (lambda t: st.nn.mlp(t, t, t, act="relu"), ValueError, "no act 'relu'; expected one of auto"),
        (lambda t: st.nn.mlp(t, t, t, act="pointwise", function="cube"), ValueError, "no function 'cube'"),
        (lambda t: st.nn.mlp(t, 4 * st.SO2().irrep(1), t), ValueError, "belongs to"),
        (lambda t: st.nn.mlp(4 * st.SO2().irrep(1), 4 * st.SO2().irrep(1), t, act="pointwise"), TypeError, "SiLU"),
        (lambda t: st.nn.hidden_type(t.group, 0), ValueError, "got 0"),
    ],
)
def test_errors_teach(make, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make(2 * st.C(4).regular)
