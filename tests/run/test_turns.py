"""Augmentation and the turn of evaluation, of volumes, regions and point sets: rotations, and the right ones."""

from __future__ import annotations

import itertools

import pytest
import torch

from steerable.data import Clouds, InputError, Regions, Samples, Target
from steerable.data.rotations import quaternion_matrix, random_rotations
from steerable.domains import VoxelGrid
from steerable.groups.naming import parse_group
from steerable.run.build import network_group
from steerable.run.config import FitConfig, ModelConfig
from steerable.run.domains import DOMAINS, augmented, check_augment, domain_of
from steerable.run.domains.volume import turn_cubes, turn_volumes
from steerable.run.domains.voxel_turns import TURNS, move_voxels
from steerable.run.twin import plain_twin


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def moved_by(x, y, how, generator):
    dense = isinstance(x, torch.Tensor) and y.shape[1:] == x.shape[2:]
    meaning = Regions(("a", "b", "c")) if dense else tuple("abcdef") if y.dtype == torch.int64 else Target("t")
    data = Samples(x if isinstance(x, Clouds) else x.float(), y, meaning)
    return augmented(x, y, how, generator, data)


def the_turn(x, group=None):
    data = Samples(x if isinstance(x, Clouds) else x.float(), torch.zeros(len(x), dtype=torch.int64), ("a",))
    return domain_of(data).turn(group, data), data


def turned(x, group=None):
    turn, data = the_turn(x, group)
    return turn.turned(data)


@pytest.mark.parametrize("dimension", [2, 3])
def test_rotations(dimension):
    m = random_rotations(2000, dimension, draws())
    assert (m @ m.mT - torch.eye(dimension)).abs().max() < 1e-12
    assert torch.allclose(torch.linalg.det(m), torch.ones(2000).double())
    assert m.mean(0).abs().max() < 0.06  # the mean of the invariant measure is 0
    assert (m.square().mean(0) - 1 / dimension).abs().max() < 0.03
    flipped = torch.linalg.det(random_rotations(2000, dimension, draws(), flips=True))
    assert abs(float(flipped.mean())) < 0.1
    assert torch.equal(m, random_rotations(2000, dimension, draws()))


def test_upright_rotations_and_quaternions():
    m = random_rotations(50, 3, draws(), upright=True)
    assert torch.equal(m[:, 2], torch.tensor([0.0, 0, 1]).double().expand(50, 3))
    half = 0.5**0.5
    quarter = quaternion_matrix(torch.tensor([half, 0, 0, half]).double())  # about x3
    assert torch.allclose(quarter @ torch.tensor([1.0, 0, 0]).double(), torch.tensor([0.0, 1, 0]).double())
    with pytest.raises(ValueError, match="expected 2 or 3"):
        random_rotations(1, 4, draws())


def test_the_48_moves_of_a_cube_are_the_48():
    p = VoxelGrid(3, 3, 3).points().movedim(-1, 0)  # the field f(p) = p: a move g makes it g^-1 p
    x = turn_cubes(p.expand(48, 3, 3, 3, 3), torch.arange(48))
    flat = p.flatten(1)
    back = x.flatten(2) @ flat.T @ torch.linalg.inv(flat @ flat.T)
    assert (back @ flat - x.flatten(2)).abs().max() < 1e-12  # each is linear
    det = torch.linalg.det(back)
    assert torch.equal(det.round(), torch.cat([torch.ones(24), -torch.ones(24)]).double())
    assert len({tuple(m.flatten().round().tolist()) for m in back}) == 48


@pytest.mark.parametrize("how", ["upright", "turn", "rotate", "turn_fourier", "rotate_fourier"])
def test_volumes_are_turned_as_their_points(how):
    n = 33
    p = VoxelGrid(n, n, n).points()

    def blob(p):
        a = torch.tensor([4.0, 1.0, -2.0]).double()
        far = torch.exp(-((p - a) ** 2).sum(-1) / 8) + 0.6 * torch.exp(-((p + a.flip(0)) ** 2).sum(-1) / 6)
        return far + 0.8 * torch.exp(-((p - torch.tensor([0.0, 5.0, 0.0]).double()) ** 2).sum(-1) / 6)

    x = blob(p)[None, None].repeat(4, 1, 1, 1, 1)
    found = turn_volumes(x, how, draws(3))
    determinants = []
    for k in range(4):
        # three bumps: where they went gives the matrix
        best, m = min(_fits(found[k, 0], blob, p, how, k), key=lambda pair: pair[0])
        assert best < (0.08 if "fourier" not in how else 0.02), (how, k, best)
        determinants.append(float(torch.linalg.det(m)))
    if not how.startswith("rotate"):
        assert min(determinants) > 0.9


def _fits(volume, blob, p, how, k):
    """Error against the volume drawn with the matrix of the draw, and that matrix; or its mirror image."""
    generator = draws(3)
    if how == "upright":
        angle = 2 * torch.pi * torch.rand(4, generator=generator, dtype=torch.float64)
        m = _about3(angle[k])
        flips = torch.tensor([False] * 4)
    else:
        flips = torch.rand(4, generator=generator) < (0.5 if how.startswith("rotate") else 0.0)
        if how.endswith("fourier"):
            u = torch.rand(4, 3, generator=generator, dtype=torch.float64)
            tilt = (1 - 2 * u[k, 2]).acos()
            c, s = tilt.cos(), tilt.sin()
            # slices (H, D) turned with D as columns: x3 takes the part of x1
            one, nil = torch.tensor(1.0).double(), torch.tensor(0.0).double()
            about1 = torch.stack([torch.stack([one, nil, nil]), torch.stack([nil, c, s]), torch.stack([nil, -s, c])])
            m = _about3(2 * torch.pi * u[k, 1]) @ about1 @ _about3(2 * torch.pi * u[k, 0])
            if flips[k]:
                m = m @ torch.diag(torch.tensor([1.0, -1.0, 1.0]).double())
        else:
            m = random_rotations(4, 3, generator)[k] * (-1 if flips[k] else 1)
    for q in (m,):
        expected = blob(p @ q)
        mask = VoxelGrid.of(volume).ball(2.0)
        yield float(((volume - expected) * mask).norm() / expected.norm()), q


def _about3(a):
    c, s = a.cos(), a.sin()
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)


@pytest.mark.parametrize("how", ["cube", "cube_flips", "turn", "turn_fourier"])
def test_labels_go_with_their_volume(how):
    p = VoxelGrid(15, 15, 15).points()
    y = (p[..., 0] > 1).long() + 2 * ((p - torch.tensor([-3.0, 3, 0])).norm(dim=-1) < 3)
    y = y.clamp(max=2)[None].repeat(6, 1, 1, 1)
    x = y[:, None].float()
    moved, label = moved_by(x, y, how, draws())
    assert label.dtype == torch.int64 and not torch.equal(label, y)
    ball = VoxelGrid(15, 15, 15).ball(1.0)
    same = (moved[:, 0].round() == label)[:, ball].double().mean()
    assert same == 1 if how.startswith("cube") else same > 0.9
    assert torch.equal(moved_by(x, torch.arange(6), how, draws())[1], torch.arange(6))  # classes stay


def test_images_have_their_regions_turned_too():
    y = torch.randint(3, (4, 9, 9), generator=draws())
    moved, label = moved_by(y[:, None].float(), y, "d4", draws())
    assert torch.equal(moved[:, 0].long(), label)
    assert moved_by(y[:, None].float(), y, "none", draws())[1] is y


@pytest.mark.parametrize("how", ["upright", "turn", "rotate"])
def test_point_sets_turn_about_their_means(how):
    generator = draws(1)
    x = Clouds.of([(torch.ones(5, 1), torch.randn(5, 3, generator=generator) + 100) for _ in range(40)])
    found, _ = moved_by(x, torch.zeros(40), how, draws())
    signs = []
    for a, b in zip(x.split(1), found.split(1), strict=True):
        assert torch.allclose(a.positions.mean(0), b.positions.mean(0), atol=1e-3)
        assert torch.allclose(torch.pdist(a.positions), torch.pdist(b.positions), atol=1e-3)
        if how == "upright":
            assert torch.allclose(a.positions[:, 2], b.positions[:, 2], atol=1e-3)
        volume = [torch.linalg.det((c.positions[1:4] - c.positions[:1]).double()) for c in (a, b)]
        signs.append(float(volume[0] * volume[1]) > 0)
    assert all(signs) if how != "rotate" else 8 < sum(signs) < 32
    assert not torch.allclose(x.positions, found.positions, atol=0.1)


def test_the_turn_of_evaluation():
    x = torch.randn(2, 1, 5, 5, 5)
    assert not torch.equal(turned(x), x)
    assert torch.equal(turned(turned(turned(x))), x)  # a third of a turn
    turn, data = the_turn(x)
    assert turn.words == "turned by 120 deg about a diagonal"
    assert torch.equal(turn.back(turned(x), data), x)
    assert torch.equal(turn.back(turned(x)[:, 0], data), x[:, 0])
    image = torch.randn(2, 1, 5, 6)
    assert torch.equal(turned(image), torch.rot90(image, 1, (-2, -1)))
    turn, data = the_turn(image)
    assert turn.words == "turned by 90 deg" and torch.equal(turn.back(turned(image), data), image)
    for n in (2, 3):
        cloud = Clouds.of([(torch.ones(4, 1), torch.randn(4, n))])
        assert torch.allclose(torch.pdist(turned(cloud).positions), torch.pdist(cloud.positions), atol=1e-5)
        assert not torch.allclose(turned(cloud).positions, cloud.positions, atol=0.05)


@pytest.mark.parametrize(("words", "rows"), TURNS)
def test_voxels_move_as_the_matrix_says(words, rows):
    matrix = torch.tensor(rows, dtype=torch.float64)
    p = VoxelGrid(3, 3, 3).points()
    moved = move_voxels(p.movedim(-1, 0), matrix).movedim(0, -1)
    assert torch.equal(moved, p @ matrix)  # (g f)(p) = f(g^-1 p)
    order = 3 if "120" in words else 4 if "90" in words else 2
    assert torch.equal(torch.linalg.matrix_power(matrix, order), torch.eye(3).double())
    assert float(torch.linalg.det(matrix)) == pytest.approx(-1 if "mirrored" in words else 1)
    if words.endswith(("x1", "x2", "x3")):
        axis = matrix[int(words[-1]) - 1, int(words[-1]) - 1]
        assert float(axis) == (-1 if "mirrored" in words else 1)


@pytest.mark.parametrize(
    ("group", "size", "words"),
    [
        (None, (5, 5, 5), "turned by 120 deg about a diagonal"),
        (None, (4, 5, 6), "turned by 180 deg about x3"),
        ("SO3", (5, 5, 5), "turned by 120 deg about a diagonal"),
        ("O", (4, 5, 5), "turned by 90 deg about x3"),
        ("O", (4, 5, 6), "turned by 180 deg about x3"),
        ("Oh", (5, 5, 5), "turned by 120 deg about a diagonal"),
        ("T", (4, 5, 5), "turned by 180 deg about x3"),
        ("D4", (5, 5, 5), "turned by 90 deg about x3"),
        ("D4h", (5, 5, 5), "turned by 90 deg about x3"),
        ("C4", (4, 5, 5), "turned by 90 deg about x3"),
        ("SO2", (5, 5, 5), "turned by 90 deg about x3"),
        ("C2", (5, 5, 5), "turned by 180 deg about x3"),
        ("D1", (5, 5, 5), "mirrored in x2"),
        ("Ci", (5, 5, 5), "mirrored in all axes"),
        ("C3", (5, 5, 5), "turned by 90 deg about x3, which C3 does not hold"),
    ],
)
def test_volumes_are_turned_by_what_the_group_of_the_network_holds(group, size, words):
    group = None if group is None else parse_group(group)
    x = torch.randn(1, 1, *size)
    turn, data = the_turn(x, group)
    assert turn.words == words
    moved = turn.turned(data)
    assert moved.shape == x.shape and not torch.equal(moved, x) and torch.equal(turn.back(moved, data), x)
    if group is not None and len(set(size)) == 1 and "does not" not in words:
        matrix = torch.tensor(dict(TURNS)[words], dtype=torch.float64)
        grid, g = VoxelGrid.of(x), group.from_action(matrix)
        assert torch.allclose(grid.move(x.double(), group, g), moved.double())


@pytest.mark.parametrize("name", ["volume_cnn", "volume_unet"])
def test_a_plain_twin_is_turned_as_its_network(name):
    config = FitConfig(model=ModelConfig(name, "D4"))
    twin = plain_twin(config, "plain")
    assert twin.model.group is None
    assert network_group(twin.model) == network_group(config.model) == parse_group("D4")
    assert network_group(ModelConfig(name)) == parse_group("SO3")  # the default of the model
    assert network_group(ModelConfig("unknown")) is None


def test_each_kind_has_its_own_names():
    box = Samples(torch.zeros(2, 1, 3, 4, 5), torch.zeros(2, dtype=torch.int64), ("a",))
    cube = Samples(torch.zeros(2, 1, 4, 4, 4), torch.zeros(2, dtype=torch.int64), ("a",))
    for how in itertools.chain(*(d.augmentations for d in DOMAINS.values())):
        if how in DOMAINS["volume"].augmentations:
            check_augment(cube, how)
        else:
            with pytest.raises(InputError, match="has volume data; expected one of"):
                check_augment(cube, how)
    with pytest.raises(InputError, match="expected cubes"):
        check_augment(box, "turn")
    check_augment(box, "none")
