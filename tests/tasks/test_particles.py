"""Trajectories: conserved quantities, symmetries of the worlds, orders of the steps, and known errors of prediction."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.data import InputError
from steerable.tasks.particles import forces, simulate
from steerable.tasks.particles.simulate import _World

SO3 = st.SO3()


def drift(t):
    return float(((t.energy - t.energy[:, :1]).abs() / t.energy[:, :1].abs().clamp_min(0.1)).median(0).values.max())


@pytest.mark.parametrize(
    ("kind", "bodies", "most"), [("charged", 5, 0.01), ("springs", 5, 0.01), ("gravity", 20, 0.001)]
)
def test_energy_and_momentum_are_kept(kind, bodies, most):
    t = simulate(kind, 20, bodies, frames=6)
    assert drift(t) < most
    mass = t.charges[..., None] if kind == "gravity" else torch.ones(20, bodies, 1)
    total = (mass[:, None] * t.velocities).sum(2)
    assert (total - total[:, :1]).abs().max() < 1e-11
    assert t.velocities[:, 0].norm(dim=-1).sub(0.5).abs().max() < 1e-14
    again = simulate(kind, 20, bodies, frames=6)
    assert torch.equal(again.positions, t.positions)
    assert not torch.equal(simulate(kind, 20, bodies, frames=2, seed=1).positions, t.positions[:, :2])


def test_a_field_is_an_energy_and_moves_charges():
    still, field = simulate(count=20, frames=4), (0.0, 0.0, 0.5)
    t = simulate(count=20, frames=4, field=field)
    assert drift(t) < 0.01
    total = (t.velocities - still.velocities).sum(2)
    want = t.charges.sum(1)[:, None, None] * torch.tensor(field) * t.step * torch.arange(4)[:, None]
    assert torch.allclose(total, want.double(), atol=1e-10)  # the forces between them cancel


def moved(turn, field, each):
    t = simulate(count=30, frames=1, seed=3)
    x, v = t.positions[:, 0] / 6, t.velocities[:, 0]  # near enough for the clamp to act
    outside = t.charges[..., None] * torch.tensor(field, dtype=torch.float64)
    world = _World(forces.charged, t.pairs, torch.ones(30, 5, 1, dtype=torch.float64), outside, 100.0, each)
    (a, _), (b, _) = world.euler(x, v, 20, 1e-3), world.euler(x @ turn.T, v @ turn.T, 20, 1e-3)
    return float((a @ turn.T - b).abs().max())


def test_symmetries_of_the_world():
    turn = SO3.action(SO3.sample(1, torch.Generator().manual_seed(0))[0])
    about = st.O2().action(st.O2().sample(1, torch.Generator().manual_seed(1))[0], 3)
    nothing, up = (0.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    assert moved(turn, nothing, False) < 1e-9 and moved(about, up, False) < 1e-9
    assert moved(turn, up, False) > 1e-5  # a field leaves the rotations about it
    assert moved(turn, nothing, True) > 1e-5  # the published clamp commutes with none


@pytest.mark.parametrize(("kind", "order"), [("springs", 1), ("gravity", 2)])
def test_order_of_the_steps(kind, order):
    fine = simulate(kind, 8, frames=2, every=1280, dt=0.5 / 1280).positions
    errors = [float((simulate(kind, 8, frames=2, every=n, dt=0.5 / n).positions - fine).norm()) for n in (20, 40)]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.15)


def test_known_errors_of_simple_predictions():
    """An answer that stays, or goes straight on, from frame 30 to 40: errors measured for the published data."""
    t = simulate(count=250, frames=41)
    x, v, y = t.positions[:, 30], t.velocities[:, 30], t.positions[:, 40]
    stays, straight = float((x - y).square().mean()), float((x + v * 10 * t.step - y).square().mean())
    assert stays == pytest.approx(0.269, rel=0.2) and straight == pytest.approx(0.112, rel=0.45)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"kind": "magnets"}, "charged, springs, gravity"),
        ({"bodies": 1}, "bodies 1"),
        ({"dimension": 4}, "dimension 4"),
        ({"field": (0.0, 1.0)}, "expected 3 components"),
        ({"dt": 0.0}, "dt 0.0"),
    ],
)
def test_bad_input(options, word):
    with pytest.raises(InputError, match=word):
        simulate(**options)
