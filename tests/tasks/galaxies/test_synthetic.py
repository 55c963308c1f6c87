"""Made-up galaxies: they turn with the sky, depend on their number alone, and have the arms and votes they claim."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from steerable.data import InputError
from steerable.tasks.galaxies import (
    KINDS,
    ODDITIES,
    GalaxyZooTree,
    answer_probabilities,
    cast_votes,
    draw_galaxies,
    galaxies_synthetic,
    render_galaxies,
    simulate_galaxies,
)


@pytest.fixture(scope="module")
def galaxies():
    return draw_galaxies(range(300))


@pytest.mark.parametrize("side", [40, 41])
@pytest.mark.parametrize("flip", [False, True])
def test_a_turned_galaxy_renders_to_the_turned_image(galaxies, side, flip):
    some = galaxies[:120]
    image = render_galaxies(some, side)
    assert {int(k) for k in some.odd} == {-1, *range(len(ODDITIES))}
    for quarter in range(4):
        turned = render_galaxies(some.turned(quarter * math.pi / 2, flip), side)
        expected = torch.rot90(image.flip(-2) if flip else image, quarter, (-2, -1))
        assert (turned - expected).abs().max() < 1e-10
    other = render_galaxies(some.turned(math.pi / 2, not flip), side)
    assert (other - torch.rot90(image.flip(-2) if flip else image, 1, (-2, -1))).abs().max() > 1e-2


def test_the_answers_do_not_turn(galaxies):
    p = answer_probabilities(galaxies)
    assert torch.equal(p, answer_probabilities(galaxies.turned(0.7, flip=True)))
    tree = GalaxyZooTree()
    assert p.shape == (300, 37) and (p >= 0).all()
    for q in tree.questions:
        assert (p[:, q.slice].sum(1) - 1).abs().max() < 1e-12, q.name


def test_a_galaxy_depends_on_its_number_alone(galaxies):
    few = draw_galaxies([7, 290])
    for field in dataclasses.fields(few):
        assert torch.equal(getattr(few, field.name), getattr(galaxies, field.name)[[7, 290]]), field.name
    small, large = simulate_galaxies(3, pixels=24), simulate_galaxies(70, pixels=24)
    assert torch.equal(small.images, large.images[:3]) and torch.equal(small.labels, large.labels[:3])
    assert torch.equal(small.labels, simulate_galaxies(3, pixels=16).labels)
    for other in ({"seed": 1}, {"split": "test"}):
        assert not torch.equal(simulate_galaxies(3, pixels=24, **other).images, small.images)


def test_the_mix_of_kinds():
    g = draw_galaxies(range(2000))
    share = torch.bincount(g.kind, minlength=3).double() / 2000
    assert (share - torch.tensor([0.36, 0.59, 0.05])).abs().max() < 0.04
    assert len(KINDS) == 3
    assert 0.15 < float((g.odd >= 0).double().mean()) < 0.27
    assert torch.bincount(g.arms[g.arm_strength > 0], minlength=7)[1:7].min() > 10
    assert (torch.bincount(g.odd[g.odd >= 0], minlength=7) > 20).all()
    assert abs(float(g.mirror.mean())) < 0.1


def spiral(arms, pitch, mirror=1.0, cosine=1.0):
    """One bare disc with arms."""
    g = draw_galaxies([0])
    one = torch.ones(1, dtype=torch.float64)
    return dataclasses.replace(
        g, kind=torch.tensor([1]), odd=torch.tensor([-1]), clumps=g.clumps * torch.tensor([1, 1, 1, 0]), bar=0 * one,
        clump_kind=torch.zeros_like(g.clump_kind), bulge=0.05 * one, arms=torch.tensor([arms]), pitch=pitch * one,
        arm_strength=one, mirror=mirror * one, cos_inclination=cosine * one, offset=torch.zeros_like(g.offset),
        size=0.2 * one,
    )  # fmt: skip


def azimuthal(image, angle, side):
    """Complex Fourier amplitudes of a face-on image in angle, for each radius: [radii, orders]."""
    radius = torch.linspace(0.3, 0.6, 13, dtype=torch.float64)
    theta = torch.arange(256, dtype=torch.float64) * 2 * math.pi / 256
    x, y = radius[:, None] * (theta + angle).cos(), radius[:, None] * (theta + angle).sin()
    scale = (side / 2) / ((side - 1) / 2)
    grid = torch.stack((x, -y), -1)[None] * scale
    ring = torch.nn.functional.grid_sample(image[None, None], grid, align_corners=True)[0, 0]
    return radius, torch.fft.fft(ring, dim=-1)


@pytest.mark.parametrize("arms", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_number_and_winding_of_the_arms_are_in_the_image(arms, mirror):
    side, pitch = 129, math.radians(25)
    g = spiral(arms, pitch, mirror)
    radius, spectrum = azimuthal(render_galaxies(g, side)[0].sum(0), 0.0, side)
    power = spectrum.abs()[:, 1:10].mean(0)
    assert int(power.argmax()) + 1 == arms
    # the phase of the m-th order grows as m / tan(pitch) with log r
    phase = torch.angle(spectrum[1:, arms] * spectrum[:-1, arms].conj()).cumsum(0)
    slope = float((phase[-1] - phase[0]) / (radius[-1].log() - radius[1].log()))
    found = math.degrees(math.atan(arms / abs(slope)))
    assert found == pytest.approx(25, abs=3)
    assert (slope < 0) == (mirror > 0)


def test_an_inclined_disc_is_as_flat_as_its_inclination():
    rows = torch.arange(129, dtype=torch.float64) - 64
    for cosine in (1.0, 0.7, 0.5):
        none = torch.zeros(1, dtype=torch.float64)
        g = dataclasses.replace(spiral(2, 0.4, cosine=cosine), angle=none, arm_strength=none, bulge=none)
        light = render_galaxies(g, 129)[0].sum(0)
        wide, high = (light * rows[None, :] ** 2).sum(), (light * rows[:, None] ** 2).sum()
        assert float((high / wide).sqrt()) == pytest.approx(math.sqrt(cosine**2 * (1 - 0.13**2) + 0.13**2), abs=0.03)


def test_images_are_pictures():
    found = simulate_galaxies(20, pixels=32)
    assert found.images.dtype == torch.float32 and found.images.shape == (20, 3, 32, 32)
    assert found.images.min() >= 0 and found.images.max() <= 1
    assert (found.images.amax((1, 2, 3)) > 0.3).all() and (found.images.median() < 0.1)
    data = found.data()
    assert data.target.columns == GalaxyZooTree.columns and data.target.head == "galaxy_zoo" and data.outputs == 37


@pytest.mark.parametrize("published", [True, False])
def test_votes_obey_the_tree_and_approach_the_probabilities(published):
    tree, p = GalaxyZooTree(published), answer_probabilities(draw_galaxies(range(20)))
    u = torch.rand(20, 4000, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = cast_votes(p, tree, 4000, u)
    tree.check(labels, tolerance=1e-9)
    assert (labels - tree.weights(p)).abs().max() < 0.04
    assert (labels * 4000 - (labels * 4000).round()).abs().max() < 1e-9
    exact = simulate_galaxies(20, pixels=8, voters=0, published=published)
    assert (exact.labels - tree.weights(p)).abs().max() < 1e-12
    with pytest.raises(ValueError, match="at least one voter"):
        cast_votes(p, tree, 3, u)


def test_the_reader_makes_three_parts_that_share_nothing():
    parts = galaxies_synthetic(train=12, validation=5, test=6, size=16)
    assert [len(p) for p in (parts.train, parts.val, parts.test)] == [12, 5, 6]
    assert not torch.equal(parts.train.x[:5], parts.val.x)
    assert parts.target.size == 37
    with pytest.raises(InputError, match="expected at least one galaxy"):
        galaxies_synthetic(train=0)
    with pytest.raises(ValueError, match="got no indices"):
        draw_galaxies([])
