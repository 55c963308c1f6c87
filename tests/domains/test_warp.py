"""Canonical coordinates: they add, invert, and refuse groups that have none; each law catches a planted fault."""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass, replace

import pytest
import torch
from tests.warps import ELEVEN, WARPS, random_places, random_shift

from steerable.domains import Axis, Warp
from steerable.domains.warp.homography import FAR, move
from steerable.domains.warp.linear import AxisScale

NEAR = 1e-10


def turn(x, warp):
    """Differences along periodic axes, taken into (-half, half]."""
    found = []
    for part, axis in zip(x, warp.axes, strict=True):
        half = axis.length / 2
        found.append(torch.remainder(part + half, axis.length) - half if axis.periodic else part)
    return found


def additivity(warp: Warp) -> float:
    """Largest of: T_a T_b - T_(a+b) on points; coordinates(T_a x) - coordinates(x) - a; a change of sheet."""
    u, v, sheet = random_places(warp)
    a, b = random_shift(warp), random_shift(warp, seed=2)
    x = warp.to_plane(u, v, sheet)
    twice = (warp.act(a, warp.act(b, x)) - warp.act(a + b, x)).abs().max()
    before, after = warp.from_plane(x), warp.from_plane(warp.act(a, x))
    da, db = warp.full(a)
    moved = turn((after[0] - before[0] - da, after[1] - before[1] - db), warp)
    return float(torch.stack((twice, *(m.abs().max() for m in moved), (after[2] - before[2]).abs().max())).max())


@pytest.mark.parametrize("name", WARPS)
def test_coordinates_add(name):
    assert additivity(WARPS[name]) < NEAR


@pytest.mark.parametrize("name", WARPS)
def test_round_trips(name):
    warp = WARPS[name]
    u, v, sheet = random_places(warp)
    x = warp.to_plane(u, v, sheet)
    assert (warp.to_plane(*warp.from_plane(x)) - x).abs().max() < NEAR
    if not isinstance(warp.u, Axis) or warp.name != "generated":  # a spiral passes a point more than once
        back = warp.from_plane(x)
        assert max(float(d.abs().max()) for d in turn((back[0] - u, back[1] - v), warp)) < 1e-8


@dataclass(frozen=True)
class WrongScaleY(AxisScale):
    """The published slip: the coordinates of one axis with the matrix of the other."""

    def to_plane(self, u, v, sheet):
        return AxisScale(0).to_plane(u, v, sheet)

    def from_plane(self, x):
        return AxisScale(0).from_plane(x)


def test_planted_scale_y_with_the_coordinates_of_scale_x():
    assert additivity(replace(Warp.scale_y(), chart=WrongScaleY(1))) > 1e-2
    x, y = Warp.scale_x(), Warp.scale_y()
    assert torch.equal(x.grid((8, 8)).flip(-1), y.grid((8, 8)))
    assert not torch.equal(x.grid((8, 8)), y.grid((8, 8)))


def test_matrices_are_those_of_the_table():
    a = torch.tensor([0.3], dtype=torch.float64)
    e, c, s = math.exp(0.3), math.cos(0.3), math.sin(0.3)
    table = {
        "rotation": [[c, -s, 0], [s, c, 0], [0, 0, 1]], "scale": [[e, 0, 0], [0, e, 0], [0, 0, 1]],
        "shear_x": [[1, 0.3, 0], [0, 1, 0], [0, 0, 1]], "shear_y": [[1, 0, 0], [0.3, 1, 0], [0, 0, 1]],
        "scale_x": [[e, 0, 0], [0, 1, 0], [0, 0, 1]], "scale_y": [[1, 0, 0], [0, e, 0], [0, 0, 1]],
        "hyperbolic_rotation": [[e, 0, 0], [0, 1 / e, 0], [0, 0, 1]],
        "perspective_x": [[1, 0, 0], [0, 1, 0], [0.3, 0, 1]], "perspective_y": [[1, 0, 0], [0, 1, 0], [0, 0.3, 1]],
    }  # fmt: skip
    for name, rows in table.items():
        assert (ELEVEN[name].matrix(a) - torch.tensor(rows, dtype=torch.float64)).abs().max() < 1e-15, name
    two = torch.tensor([0.3, 0.2], dtype=torch.float64)
    assert Warp.translation().matrix(two)[:2, 2].tolist() == [0.3, 0.2]
    expected = e * Warp.rotation().matrix(two[1:])[:2, :2]
    assert (Warp.rotation_scale().matrix(two)[:2, :2] - expected).abs().max() < 1e-15


def test_positive_angles_turn_counter_clockwise():
    right = torch.tensor([1.0, 0.0], dtype=torch.float64)
    up = Warp.rotation().act(torch.tensor([math.pi / 2], dtype=torch.float64), right)
    assert (up - torch.tensor([0.0, 1.0])).abs().max() < 1e-15  # x2 is up


def test_periodic_axes_have_no_end():
    axis = Axis(-math.pi, math.pi, True, True)
    angles = axis.samples(8)
    assert (angles.diff() - math.pi / 4).abs().max() < 1e-15
    assert torch.remainder(angles[0] - angles[-1], 2 * math.pi) == pytest.approx(math.pi / 4)
    duplicated = torch.linspace(-math.pi, math.pi, 8, dtype=torch.float64)  # the planted fault: both ends are samples
    assert torch.remainder(duplicated[0] - duplicated[-1], 2 * math.pi) == pytest.approx(0, abs=1e-12)


def test_sheets_cover_both_sides_and_shift_alike():
    for name in ("scale_x", "scale_y", "hyperbolic_rotation", "perspective_x", "perspective_y"):
        warp = WARPS[name]
        axis = {"scale_x": 0, "scale_y": 1, "perspective_x": 0, "perspective_y": 1}.get(name)
        parts = warp.grid((12, 12)).chunk(2, warp.stacked)
        if axis is not None:
            assert bool((parts[0][..., axis] > 0).all()) and bool((parts[1][..., axis] < 0).all())
        step = torch.tensor([warp.steps((12, 12))[warp.shifts[0]]], dtype=torch.float64)
        for part in parts:
            moved, d = warp.act(step, part), warp.shifts[0]
            inside = moved.abs().amax(-1) < FAR
            error = (moved.narrow(d, 0, part.shape[d] - 1) - part.narrow(d, 1, part.shape[d] - 1)).abs().amax(-1)
            assert error[inside.narrow(d, 0, part.shape[d] - 1)].max() < NEAR, name


def test_yaw_is_a_turn_of_the_sphere():
    warp = WARPS["sphere"]
    u, v, _ = random_places(warp)
    yaw = 0.2
    q = warp.chart.lift(u, v)
    centred = q - torch.tensor([0.0, 0.0, 3.0], dtype=torch.float64)
    c, s = math.cos(yaw), math.sin(yaw)
    vertical = torch.tensor([[c, 0, -s], [0, 1, 0], [s, 0, c]], dtype=torch.float64)
    turned = centred @ vertical.T + torch.tensor([0.0, 0.0, 3.0], dtype=torch.float64)
    seen = 1.5 * turned[:, :2] / turned[:, 2:]
    a = torch.tensor([yaw, 0.0], dtype=torch.float64)
    assert (warp.act(a, warp.to_plane(u, v)) - seen).abs().max() < NEAR
    assert bool(warp.from_plane(torch.tensor([5.0, 5.0], dtype=torch.float64))[0].isnan())  # beside the outline
    with pytest.raises(ValueError, match="Use act"):
        warp.matrix(a)


def test_generators_give_the_known_groups():
    a = random_shift(Warp.log_polar())
    identity, quarter = [[1, 0], [0, 1]], [[0, -1], [1, 0]]
    polar = Warp.from_generators(
        identity, quarter, (1, 0), (math.log(0.1), 0), (-math.pi, math.pi), periodic=(False, True)
    )
    assert (polar.matrix(a) - Warp.log_polar().matrix(a)).abs().max() < 1e-12
    assert (polar.grid((8, 16)) - Warp.log_polar().grid((8, 16))).abs().max() < 1e-12
    assert polar.periodic == Warp.log_polar().periodic
    aspect = Warp.from_generators([[1, 0], [0, 0]], [[0, 0], [0, 1]], (1, 1), (-2, 0), (-2, 0))
    assert (aspect.grid((8, 8)) - Warp.scale_aspect(math.exp(-2)).grid((8, 8))).abs().max() < 1e-12
    shift = Warp.from_generators([[0, 0, 1], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1], [0, 0, 0]], (0, 0))
    assert (shift.grid((8, 8)) - Warp.translation().grid((8, 8))).abs().max() < 1e-12


def test_generators_without_eigenvectors_add_too():
    """Scaling and a shear commute, and the shear cannot be diagonalised: a Jordan block."""
    warp = Warp.from_generators([[1, 0], [0, 1]], [[0, 1], [0, 0]], (1, 1))
    u, v = torch.rand(2, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.5
    moved = warp.act(torch.tensor([0.2, -0.3], dtype=torch.float64), warp.to_plane(u, v))
    assert (moved - warp.to_plane(u + 0.2, v - 0.3)).abs().max() < 1e-12
    back = warp.from_plane(moved)
    assert torch.stack((back[0] - u - 0.2, back[1] - v + 0.3)).abs().max() < 1e-10


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e3])
def test_whether_generators_commute_does_not_depend_on_their_unit(size):
    shear = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    rotation = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="do not commute"):
        Warp.from_generators(size * rotation, size * shear, (1, 0.5), (-1 / size, 1 / size), (-1 / size, 1 / size))
    Warp.from_generators(size * torch.eye(2), size * shear, (1, 0.5), (-1 / size, 1 / size), (-1 / size, 1 / size))


def test_generators_that_have_no_coordinates_are_refused():
    rotation, shear, scale = [[0, -1], [1, 0]], [[0, 1], [0, 0]], [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match=r"do not commute, \|A1 A2 - A2 A1\| = 1.41; expected 0.*TransformerSequence"):
        Warp.from_generators(rotation, shear, (1, 0))
    with pytest.raises(ValueError, match=r"pivot x0 = \[0.0, 0.0\].*parallel or vanish"):
        Warp.from_generators(scale, rotation, (0, 0))
    with pytest.raises(ValueError, match="parallel or vanish"):
        Warp.from_generators(rotation, [[0, -2], [2, 0]], (1, 0))
    with pytest.raises(ValueError, match="is no period"):
        Warp.from_generators(scale, rotation, (1, 0), (-1, 0), (-3, 3), periodic=(False, True))
    with pytest.raises(ValueError, match=r"A2 is \[\[1.0\]\]"):
        Warp.from_generators(scale, [[1]], (1, 0))
    with pytest.raises(ValueError, match="two numbers"):
        Warp.from_generators(scale, rotation, (1, 0, 0))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="lower first"):
        Axis(1.0, 0.0)
    with pytest.raises(ValueError, match="0 < lower < upper"):
        Warp.scale(0.5, 0.2)
    with pytest.raises(ValueError, match="0 < lower < upper"):
        Warp.perspective_x(-1.0)
    with pytest.raises(ValueError, match="quadrants=2"):
        Warp.scale_aspect(quadrants=2)
    with pytest.raises(ValueError, match="radius < distance"):
        Warp.sphere(1.0, 2.0, 1.0)
    with pytest.raises(ValueError, match=r"less than 0\.955"):
        Warp.sphere(1.0, 1.0, 3.0, reach=1.2)
    with pytest.raises(ValueError, match="columns divisible by its 2 sheets"):
        Warp.scale_x().grid((8, 7))
    with pytest.raises(ValueError, match=r"expected \[..., 2\]"):
        Warp.translation().matrix(torch.zeros(3))


def test_behind_the_horizon_is_far_away_without_gradient():
    p = torch.tensor([2.0], requires_grad=True)
    x = torch.tensor([[0.4, 0.1], [-0.6, 0.2]])
    y = move(Warp.perspective_x().matrix(p), x)
    assert y[1].tolist() == [FAR, FAR]
    y.sum().backward()
    assert p.grad is not None and bool(p.grad.isfinite().all())


@pytest.mark.parametrize("name", WARPS)
def test_values_compare_and_pickle(name):
    warp = WARPS[name]
    again = pickle.loads(pickle.dumps(warp))
    assert again == warp and hash(again) == hash(warp)
    assert torch.equal(again.grid((8, 8)), warp.grid((8, 8)))


def test_oversampling_follows_the_picture():
    warp = Warp.log_polar(0.05)
    coarse, fine = warp.oversampling((32, 64), 128), warp.oversampling((64, 256), 28)
    assert coarse == (4, 4) and fine == (1, 1)
    assert warp.oversampling((32, 64), 64, most=2) == (2, 2)
