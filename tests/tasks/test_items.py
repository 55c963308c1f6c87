"""Items painted on the sphere: where they lie, that they turn, and that a sampling holds what is painted on it."""

from __future__ import annotations

import math

import pytest
import torch

import steerable as st
from steerable.domains.spectral import rotate_coefficients
from steerable.groups import SO3
from steerable.nn import SHT
from steerable.tasks.sky import paint, poses, smoothed, spherical_items


def strokes(count=3, seed=0):
    """Pictures ``[count, 28, 28]`` of some thin bars with a margin."""
    g = torch.Generator().manual_seed(seed)
    x = torch.zeros(count, 28, 28)
    for one in x:
        for k in range(4):
            a, b = (int(v) for v in torch.randint(6, 20, (2,), generator=g))
            if k % 2:
                one[a : a + 2, 6:22] = 1
            else:
                one[6:22, b : b + 2] = 1
    return x


def test_upright_items_are_seen_from_outside():
    """The upper edge is in the north, the right edge in the east; the middle is on the equator."""
    sphere = st.Sphere.gauss(24)
    place = poses(1, 1, False, torch.Generator())
    found = {}
    for name, rows, columns in (("top", slice(0, 8), slice(10, 18)), ("right", slice(10, 18), slice(20, 28))):
        picture = torch.zeros(1, 1, 28, 28)
        picture[0, 0, rows, columns] = 1
        value = paint(picture, place, sphere, math.radians(120))[0, 0]
        points = sphere.points().to(value)
        found[name] = (value[..., None] * points).sum((0, 1)) / value.sum()
    assert found["top"][2] > 0.5 and abs(found["top"][1]) < 0.05
    assert found["right"][1] > 0.5 and abs(found["right"][2]) < 0.05


def test_turned_items_are_turned_fields():
    group, sphere = SO3(), st.Sphere.fibonacci(300)
    g = group.sample(1, torch.Generator().manual_seed(0))[0]
    place = poses(3, 1, False, torch.Generator())
    pictures = strokes()[:, None]
    turned = paint(pictures, group.compose(g.expand_as(place), place), sphere)
    back = st.Sphere.scattered(sphere.points() @ group.action(g))  # the points g^-1 p
    assert torch.allclose(turned, paint(pictures, place, back), atol=1e-5)


@pytest.mark.parametrize("strength", [0.75, 0.0])
def test_a_sampling_holds_what_is_smoothed(strength):
    """Coefficients of the turned field beside turned coefficients; without smoothing, the fault, they differ."""
    group, sphere, wide = SO3(), st.Sphere.gauss(24), math.radians(75)
    analysis = SHT(sphere, "1x0", 24).double()
    g = group.sample(3, torch.Generator().manual_seed(1))[:, None]
    pictures = smoothed(strokes()[:, None].double(), sphere, wide, strength)
    place = poses(3, 1, False, torch.Generator())
    upright, turned = (
        analysis(paint(pictures, p, sphere, wide).double()) for p in (place, group.compose(g.expand_as(place), place))
    )
    moved = rotate_coefficients(upright, analysis.out_type, g[:, 0])
    error = float((moved - turned).norm() / turned.norm())
    assert error < 0.05 if strength else error > 0.3
    if strength:
        assert torch.allclose(pictures.sum((2, 3)), strokes()[:, None].double().sum((2, 3)), rtol=0.02)  # light stays


def test_several_items_copies_and_regions():
    x, y = strokes(6), torch.arange(6)
    sphere = st.Sphere.gauss(16)
    fields, first, regions = spherical_items(x, y, sphere, 2, True, 3, math.radians(100), seed=1)
    assert fields.shape == (18, 1, 16, 32) and regions.shape == (18, 16, 32)
    assert torch.equal(first, y.repeat(3))
    for k in range(18):
        seen = regions[k].unique().tolist()
        assert seen[0] == 0 and 1 + int(first[k]) in seen and len(seen) <= 3
    assert torch.equal(regions > 0, fields[:, 0] > 0.3)
    again = spherical_items(x, y, sphere, 2, True, 3, math.radians(100), seed=1)
    assert torch.equal(fields, again[0])
    assert not torch.equal(fields[:6], fields[6:12])  # each copy has turns of its own
    with pytest.raises(ValueError, match="strength is -1"):
        spherical_items(x, y, sphere, smooth=-1)
