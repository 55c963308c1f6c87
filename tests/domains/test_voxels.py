"""The voxel grid: conventions, the 48 exact moves, a group action, interpolation of known order."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from steerable.domains import VoxelGrid
from steerable.groups import C, D, FiniteGroup


def octahedral():
    """All 48 signed permutations of space."""
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    third = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=torch.float64)
    return FiniteGroup.from_matrices([quarter.numpy(), third.numpy(), -torch.eye(3, dtype=torch.float64).numpy()])


def test_axes():
    p = VoxelGrid(3, 5, 7).points()
    assert p.shape == (3, 5, 7, 3)
    assert p[0, 0, 0].tolist() == [-3.0, 2.0, -1.0] and p[2, 4, 6].tolist() == [3.0, -2.0, 1.0]


def test_a_quarter_turn_about_the_third_axis_is_rot90_of_every_slice():
    x = torch.randn(2, 3, 5, 5, 5, dtype=torch.float64)
    grid = VoxelGrid.of(x)
    assert torch.equal(grid.move(x, C(4), torch.tensor(1)), torch.rot90(x, 1, (-2, -1)))
    assert torch.equal(grid.move(x, D(4), torch.tensor(4)), x.flip(-2))


@pytest.mark.parametrize("side", [4, 5])
def test_all_48_moves_follow_the_points_and_are_an_action(side):
    group = octahedral()
    assert group.order == 48
    grid = VoxelGrid(side, side, side)
    p = grid.points().movedim(-1, 0)[None]  # the field f(p) = p
    x = torch.randn(1, 2, side, side, side, dtype=torch.float64)
    for g in group.elements:
        assert grid.is_exact(group, g)
        back = group.action(group.inverse(g), 3)
        assert (grid.move(p, group, g) - torch.einsum("ij,bjdhw->bidhw", back, p)).abs().max() < 1e-12
        for h in group.elements[::7]:
            twice = grid.move(grid.move(x, group, h), group, g)
            assert torch.equal(twice, grid.move(x, group, group.compose(g, h)))
    wrong = torch.einsum("ij,bjdhw->bidhw", group.action(group.generators[1], 3), p)
    assert (grid.move(p, group, group.generators[1]) - wrong).abs().max() > 1  # the planted fault: g in place of g^-1


def test_what_is_exact():
    group = octahedral()
    box = VoxelGrid(4, 6, 6)
    exact = [g for g in group.elements if box.is_exact(group, g)]
    assert len(exact) == 16  # the symmetries of a square prism
    x = torch.randn(1, 1, 4, 6, 6, dtype=torch.float64)
    assert all(box.move(x, group, g).shape == x.shape for g in exact)
    assert [VoxelGrid(4, 4, 4).is_exact(C(8), g) for g in C(8).elements] == [True, False] * 4
    with pytest.raises(TypeError, match="abstract"):
        box.is_exact(FiniteGroup.from_permutations([(1, 2, 0)]), torch.tensor(1))


def test_transform_of_fields():
    group = octahedral()
    grid = VoxelGrid(3, 3, 3)
    type = 1 * group.irreps()[-1] + 2 * group.trivial
    x = grid.sample(2, type.size, generator=torch.Generator().manual_seed(0))
    for g, h in itertools.product(group.elements[::11], group.elements[::13]):
        twice = grid.transform(grid.transform(x, type, h), type, g)
        assert (twice - grid.transform(x, type, group.compose(g, h))).abs().max() < 1e-12


def smooth(p):
    """A smooth function of space without symmetry."""
    a = torch.tensor([1.5, -1.0, 0.5], dtype=p.dtype)
    return torch.exp(-((p - a) ** 2).sum(-1) / 5) - 0.7 * torch.exp(-((p + 1.3 * a.flip(0)) ** 2).sum(-1) / 4)


def test_resampling_turns_the_right_way_and_converges_at_second_order():
    c, s = math.cos(0.7), math.sin(0.7)
    m = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
    m = m @ torch.tensor([[1, 0, 0], [0, c, -s], [0, s, c]], dtype=torch.float64)
    errors = []
    for refine in (1, 2, 4):
        grid = VoxelGrid(*[8 * refine + 1] * 3)
        p = grid.points() / refine
        turned = grid.resample(smooth(p)[None, None], m)[0, 0]
        errors.append(float(((turned - smooth(p @ m)) * grid.ball(1.0)).norm() / smooth(p).norm()))
    order = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert errors[-1] < 0.02 and min(order) > 1.7, (errors, order)
    wrong = grid.resample(smooth(p)[None, None], m.T)[0, 0]
    assert ((wrong - smooth(p @ m)) * grid.ball(1.0)).norm() / smooth(p).norm() > 0.1  # the planted fault


def test_ball_is_symmetric():
    group, grid = octahedral(), VoxelGrid(7, 7, 7)
    mask = grid.ball(0.5)[None, None].double()
    assert 0 < mask.sum() < 7**3
    assert all(torch.equal(grid.move(mask, group, g), mask) for g in group.elements)


def test_one_element_at_a_time():
    with pytest.raises(ValueError, match="one element at a time"):
        VoxelGrid(5, 5, 5).move(torch.zeros(1, 1, 5, 5, 5), C(4), torch.tensor([0, 1]))
    assert len({VoxelGrid(3, 4, 5), VoxelGrid(3, 4, 5)}) == 1


def test_a_batch_of_images_is_no_volume():
    with pytest.raises(ValueError, match=r"\(1, 1, 5, 5\); expected \[B, C, D, H, W\]"):
        VoxelGrid.of(torch.zeros(1, 1, 5, 5))
