"""Augmentation: the turns are those of the library's conventions, and every element is drawn."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from steerable.run.config import Augment
from steerable.run.domains.turns import augment, principal_colour, turn, turn_d4, turn_fourier, warp
from steerable.run.scenes import random_scenes


def test_d4_moves_by_rot90_and_flips():
    x = torch.randn(8, 2, 5, 5)
    y = turn_d4(x, torch.arange(8))
    for k in range(8):
        flipped = x[k].flip(-2) if k >= 4 else x[k]
        assert torch.equal(y[k], torch.rot90(flipped, k % 4, (-2, -1)))


@pytest.mark.parametrize("side", [8, 9])
def test_any_angle_agrees_with_quarter_turns(side):
    x = torch.randn(8, 2, side, side, dtype=torch.float64)
    angle = torch.arange(8, dtype=torch.float64) % 4 * math.pi / 2
    flip = torch.arange(8) >= 4
    assert torch.allclose(turn(x, angle, flip), turn_d4(x, torch.arange(8)), atol=1e-12)


def test_any_angle_turns_counter_clockwise():
    size, degrees = 65, 30.0
    upright, turned = random_scenes(2, 1, size, 0.0, sigma=4), random_scenes(2, 1, size, degrees, sigma=4)
    angle = torch.full((2,), math.radians(degrees), dtype=torch.float64)
    still = torch.zeros(2, dtype=torch.bool)
    wrong = (turn(upright, -angle, still) - turned).norm() / turned.norm()
    right = (turn(upright, angle, still) - turned).norm() / turned.norm()
    assert right < 0.05  # what bilinear resampling costs
    assert wrong > 0.5


@pytest.mark.parametrize("side", [64, 65])
def test_fourier_turns_are_those_of_the_scene(side):
    x = torch.randn(8, 2, side, side, dtype=torch.float64)
    angle = torch.arange(8, dtype=torch.float64) % 4 * math.pi / 2
    assert torch.allclose(turn_fourier(x, angle, torch.arange(8) >= 4), turn_d4(x, torch.arange(8)), atol=1e-12)
    for degrees in (30.0, -100.0, 44.0):
        upright, turned = random_scenes(2, 1, side, 0.0, sigma=4), random_scenes(2, 1, side, degrees, sigma=4)
        angle = torch.full((2,), math.radians(degrees), dtype=torch.float64)
        moved = turn_fourier(upright, angle, torch.zeros(2, dtype=torch.bool))
        assert (moved - turned).norm() / turned.norm() < 1e-3  # bilinear turning costs up to 0.05
        back = turn_fourier(moved, -angle, torch.zeros(2, dtype=torch.bool))
        assert (back - upright).norm() / upright.norm() < 1e-3


def test_fourier_turns_leave_noise_white_and_bilinear_ones_do_not():
    noise = torch.randn(64, 1, 65, 65, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    angle = torch.linspace(0.1, 3, 64, dtype=torch.float64)
    still = torch.zeros(64, dtype=torch.bool)

    def inner(y):
        return y[..., 16:-16, 16:-16]

    def neighbours(y):
        y = inner(y)
        return float((y[..., 1:] * y[..., :-1]).mean() / y.square().mean())

    fourier, bilinear = turn_fourier(noise, angle, still), turn(noise, angle, still)
    assert inner(fourier).std() == pytest.approx(1, abs=0.01)
    assert abs(neighbours(fourier)) < 0.02
    assert inner(bilinear).std() < 0.8  # the planted fault: noise that was smoothed
    assert neighbours(bilinear) > 0.1


@pytest.mark.parametrize(
    "how", [how for how in get_args(Augment) if how not in ("none", "upright", "cube", "cube_flips")]
)
def test_draws_depend_on_the_generator_alone(how):
    x = torch.randn(16, 1, 7, 7)
    a, b, c = (augment(x, how, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert not torch.equal(a, x)


def test_d4_draws_all_elements():
    x = torch.arange(9.0).view(1, 1, 3, 3).expand(200, 1, 3, 3)
    seen = {tuple(v.flatten().tolist()) for v in augment(x, "d4", torch.Generator().manual_seed(0))}
    assert len(seen) == 8


def test_a_mirror_and_a_shift_move_pixels_and_nothing_else():
    x = torch.randn(1, 2, 16, 16).expand(300, 2, 16, 16)
    y = augment(x, "mirror_shift", torch.Generator().manual_seed(0))
    seen = set()
    for one in y:
        found = [
            (flip, right, up)
            for flip in (False, True)
            for right in (-2, -1, 0, 1, 2)
            for up in (-2, -1, 0, 1, 2)
            if torch.equal(one, moved(x[0].flip(-1) if flip else x[0], right, up))
        ]
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) == 50  # all of them, and no other


def moved(x, right, up):
    """Rolled, with zeros in place of what came round."""
    y = torch.roll(x, (-up, right), (-2, -1)).clone()
    if right:
        y[..., :right] = 0 if right > 0 else y[..., :right]
        y[..., right:] = 0 if right < 0 else y[..., right:]
    if up > 0:
        y[..., -up:, :] = 0
    elif up:
        y[..., :-up, :] = 0
    return y


def test_none_and_unknown():
    x = torch.randn(2, 1, 3, 3)
    assert augment(x, "none", torch.Generator()) is x
    with pytest.raises(ValueError, match="expected one of none, d4, turn, rotate, turn_fourier"):
        augment(x, "mirror", torch.Generator())


def test_blobs_turn_exactly():
    for size in (16, 17):
        a, b = random_scenes(2, 2, size, 0.0), random_scenes(2, 2, size, 90.0)
        assert torch.allclose(torch.rot90(a, 1, (-2, -1)), b, atol=1e-12)


def test_turn_never_flips():
    x = random_scenes(1, 1, 33, 0.0).expand(50, 1, 33, 33)
    signs = set()
    for how in ("turn", "rotate", "turn_fourier", "rotate_fourier"):
        y = augment(x, how, torch.Generator().manual_seed(0))
        # the orientation of three landmarks: brightest pixel, darkest pixel, centre
        c = 16
        hi, lo = y.flatten(1).argmax(1), y.flatten(1).argmin(1)
        a, b = (
            torch.stack([hi % 33 - c, c - hi // 33], 1).double(),
            torch.stack([lo % 33 - c, c - lo // 33], 1).double(),
        )
        cross = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
        signs.add((how, len(cross.sign().unique())))
    assert signs == {("turn", 1), ("rotate", 2), ("turn_fourier", 1), ("rotate_fourier", 2)}


def test_one_warp_is_shift_after_zoom_after_turn():
    """A blob at a known place lands where flip, turn, zoom and shift, in this order, send it."""
    side, n = 65, 40
    rows = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    point = torch.tensor([9.0, 4.0], dtype=torch.float64)  # right, up

    def blob(p):
        return torch.exp(-0.5 * ((rows[None, :] - p[0]) ** 2 + (-rows[:, None] - p[1]) ** 2) / 4)

    u = torch.rand(n, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    angle, zoom, shift, flip = 6.28 * u[:, 0], 0.8 + 0.4 * u[:, 1], 8 * u[:, 2:] - 4, torch.arange(n) % 2 == 1
    out = warp(blob(point).expand(n, 1, side, side), angle, flip, zoom, shift)[:, 0]
    for i in range(n):
        x, y = point[0], -point[1] if flip[i] else point[1]
        c, s = angle[i].cos(), angle[i].sin()
        expected = zoom[i] * torch.stack((c * x - s * y, s * x + c * y)) + shift[i]
        light = out[i] / out[i].sum()
        found = torch.stack(((light * rows[None, :]).sum(), (light * -rows[:, None]).sum()))
        assert (found - expected).abs().max() < 0.02


def test_the_colour_moves_along_the_first_component():
    generator = torch.Generator().manual_seed(0)
    direction = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    x = torch.randn(4, 1, 30, 30, generator=generator, dtype=torch.float64) * direction[:, None, None]
    assert torch.allclose(principal_colour(x), direction * x.square().sum(1).mean(), atol=2e-2)
    flat = torch.ones(3, 3, 9, 9)
    assert torch.equal(principal_colour(flat), torch.zeros(3))
    grey = augment(torch.rand(2, 1, 9, 9), "affine_colour", generator)
    assert grey.shape == (2, 1, 9, 9) and grey.isfinite().all()
