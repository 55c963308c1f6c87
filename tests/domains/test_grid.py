"""The pixel grid: conventions, exact moves, a group action, interpolation of known order."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from tests.catalogue import elements

from steerable.domains import PixelGrid
from steerable.groups import O2, SO2, C, D


def test_rot90_is_a_quarter_turn_counter_clockwise():
    x = torch.randn(2, 3, 7, 7, dtype=torch.float64)
    grid = PixelGrid.of(x)
    assert torch.equal(grid.move(x, C(4), torch.tensor(1)), torch.rot90(x, 1, (-2, -1)))
    assert torch.equal(grid.move(x, D(4), torch.tensor(4)), torch.flip(x, (-2,)))  # x2 -> -x2 turns the rows round
    assert torch.equal(grid.move(x, D(4), torch.tensor(5)), torch.rot90(torch.flip(x, (-2,)), 1, (-2, -1)))
    assert torch.equal(grid.move(x, SO2(), torch.tensor(math.pi / 2, dtype=torch.float64)), torch.rot90(x, 1, (-2, -1)))


def test_axes():
    p = PixelGrid(3, 5).points()
    assert p[0, 0].tolist() == [-2.0, 1.0] and p[2, 4].tolist() == [2.0, -1.0] and p.shape == (3, 5, 2)


@pytest.mark.parametrize("side", [6, 7])
def test_moves_are_an_action_and_follow_the_points(side):
    group = D(4)
    grid = PixelGrid(side, side)
    p = grid.points().permute(2, 0, 1)[None]  # the field f(p) = p
    for g in group.elements:
        back = group.plane(group.inverse(g))
        assert (grid.move(p, group, g) - torch.einsum("ij,bjhw->bihw", back, p)).abs().max() < 1e-12
        for h in group.elements:
            x = torch.randn(1, 2, side, side, dtype=torch.float64)
            assert torch.equal(grid.move(grid.move(x, group, h), group, g), grid.move(x, group, group.compose(g, h)))


@pytest.mark.parametrize("group", [D(4), D(3), SO2(), O2(), C(8)], ids=str)
def test_transform_of_fields_is_an_action(group):
    grid = PixelGrid(5, 5)
    type = 2 * group.irreps(2)[-1] + group.trivial
    x = grid.sample(2, type.size, generator=torch.Generator().manual_seed(0))
    exact = [g for g in group.grid(8) if grid.is_exact(group, g)]
    assert exact
    for g in exact:
        for h in exact:
            twice = grid.transform(grid.transform(x, type, h), type, g)
            assert (twice - grid.transform(x, type, group.compose(g, h))).abs().max() < 1e-12


def test_what_is_exact():
    square, oblong = PixelGrid(4, 4), PixelGrid(4, 6)
    assert [square.is_exact(C(8), g) for g in C(8).elements] == [True, False] * 4
    assert [oblong.is_exact(C(4), g) for g in C(4).elements] == [True, False, True, False]
    assert [square.is_exact(D(3), g) for g in D(3).elements] == [True, False, False, True, False, False]
    x = torch.randn(1, 1, 4, 6, dtype=torch.float64)
    assert torch.equal(oblong.move(x, C(4), torch.tensor(2)), torch.rot90(x, 2, (-2, -1)))


def smooth(points):
    """A smooth function of the plane without symmetry."""
    x, y = points[..., 0], points[..., 1]
    return torch.exp(-((x - 3) ** 2 + (y + 2) ** 2) / 18) - 0.7 * torch.exp(-((x + 4) ** 2 + (y - 1) ** 2) / 12)


def test_resampling_turns_the_right_way_and_converges_at_second_order():
    angle = torch.tensor(0.6, dtype=torch.float64)
    matrix = SO2().plane(angle)
    errors = []
    for refine in (1, 2, 4):
        grid = PixelGrid(16 * refine + 1, 16 * refine + 1)
        p = grid.points() / refine
        turned = grid.resample(smooth(p)[None, None], matrix)[0, 0]
        error = (turned - smooth(p @ matrix)) * grid.disc(2.0)  # f(g^-1 p): rows of p times g
        errors.append(float(error.norm() / smooth(p).norm()))
    order = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert errors[0] < 0.02 and min(order) > 1.8, (errors, order)
    wrong = PixelGrid(17, 17)
    p = wrong.points()
    back = wrong.resample(smooth(p)[None, None], matrix.T)[0, 0]
    assert ((back - smooth(p @ matrix)) * wrong.disc(2.0)).norm() / smooth(p).norm() > 0.1  # the planted fault


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 4)])
def test_one_pixel_wide_pictures_can_be_turned(shape):
    x = torch.randn(1, 2, *shape, dtype=torch.float64)
    turned = PixelGrid.of(x).move(x, C(8), torch.tensor(1))
    assert not turned.isnan().any()
    if shape == (1, 1):
        torch.testing.assert_close(turned, x)


def test_disc_is_symmetric():
    grid = PixelGrid(9, 9)
    mask = grid.disc(1.0)[None, None].double()
    for g in D(4).elements:
        assert torch.equal(grid.move(mask, D(4), g), mask)


def test_bad_elements():
    grid = PixelGrid(5, 5)
    with pytest.raises(ValueError, match="one element at a time"):
        grid.move(torch.zeros(1, 1, 5, 5), C(4), torch.tensor([0, 1]))


def test_values_compare_and_elements_are_random():
    assert PixelGrid(3, 4) == PixelGrid(3, 4) and len({PixelGrid(3, 4), PixelGrid(3, 4)}) == 1
    assert elements(O2(), 3).shape == (4, 2)
