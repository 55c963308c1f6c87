"""Rotation of coefficients and of fields, up to large degrees."""

from __future__ import annotations

import math

import pytest
import torch

import steerable as st
from steerable.domains import Homogeneous
from steerable.domains.spectral import rotate_coefficients, rotation
from steerable.groups import SO2, SO3, mackey
from steerable.groups.mackey import mackey_maps
from steerable.groups.subgroup import as_inclusion
from steerable.groups.wigner import wigner_d

GROUP = SO3()
SPECIAL = torch.eye(4, dtype=torch.float64)[[0, 1, 2, 3, 0]]
SPECIAL[4] = SPECIAL[[0, 2]].sum(0) / math.sqrt(2)


def turns(count=4, seed=0):
    return GROUP.sample(count, torch.Generator().manual_seed(seed))


def error(a, b):
    return float((a - b).abs().max())


@pytest.mark.parametrize("text", ["2x0 + 1x3 + 2x1 + 1x2", "spin", "regular"])
def test_equal_to_the_representation(text):
    types = {
        "spin": Homogeneous(GROUP, SO2(), 8).fields("1x0 + 1x2").type,
        "regular": 2 * GROUP.spectral_regular(3),
    }
    type = types.get(text) or GROUP.type(text)
    c = torch.randn(5, type.size, dtype=torch.float64)
    for g in [*turns(), *SPECIAL]:
        assert error(rotate_coefficients(c, type, g), type.transform(c, g)) < 1e-12
    each = turns(5)
    expected = torch.cat([type.transform(c[i : i + 1], each[i]) for i in range(5)])
    assert error(rotate_coefficients(c, type, each), expected) < 1e-12
    assert rotate_coefficients(c[:0], type, each[0]).shape == (0, type.size)
    assert rotate_coefficients(c.float(), type, each[0]).dtype == torch.float32


@pytest.mark.parametrize("band", [64, 192])
def test_large_degrees_compose(band):
    type = Homogeneous(GROUP, SO2(), band - 1).fields("1x0").type
    c = torch.randn(1, type.size, dtype=torch.float64)
    g, h = turns(2)
    twice = rotate_coefficients(rotate_coefficients(c, type, g), type, h)
    assert error(twice, rotate_coefficients(c, type, GROUP.compose(h, g))) < 5e-12
    back = rotate_coefficients(rotate_coefficients(c, type, g), type, GROUP.inverse(g))
    assert error(back, c) < 5e-12
    flip = rotate_coefficients(c, type, SPECIAL[2])  # half a turn about x2: (-1)^l on cosines, its opposite on sines
    sign = torch.cat([torch.tensor([(-1.0) ** (l + (m < 0)) for m in range(-l, l + 1)]) for l in range(band)])
    assert error(flip.abs(), c.abs()) < 5e-12 and error(flip, sign * c) < 5e-12


def test_quarter_tilts_are_wigner_matrices():
    for l, (even, odd) in enumerate(rotation.quarter_tilts(12)):
        matrix = wigner_d(SPECIAL[4], l)[0]
        assert error(torch.from_numpy(even), matrix[l:, l:]) < 1e-13
        assert error(torch.from_numpy(odd), matrix[:l, :l].flip(0, 1)) < 1e-13 if l else True
    even, odd = (torch.from_numpy(v) for v in rotation.quarter_tilts(256)[256])
    assert error(even @ even.T, torch.eye(257).double()) < 1e-12 and error(odd @ odd.T, torch.eye(256).double()) < 1e-12


def test_derivatives():
    type = GROUP.type("1x0 + 2x2 + 1x3")
    c = torch.randn(2, type.size, dtype=torch.float64, requires_grad=True)
    g = turns(1)[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda a, q: rotate_coefficients(a, type, q), (c, g))


def test_bad_input_is_named():
    type = GROUP.type("1x1")
    with pytest.raises(ValueError, match="expected a type of SO3"):
        rotate_coefficients(torch.zeros(1, 3), SO2().type("1x1 + 1x0"), SPECIAL[0])
    with pytest.raises(ValueError, match="expected \\[B, 3\\]"):
        rotate_coefficients(torch.zeros(1, 4), type, SPECIAL[0])
    with pytest.raises(ValueError, match="\\[4\\] or \\[B, 4\\]"):
        rotate_coefficients(torch.zeros(2, 3), type, SPECIAL[:3])


def test_planted_transposed_tilt_is_caught(monkeypatch):
    type = GROUP.type("1x4")
    c = torch.randn(1, 9, dtype=torch.float64)
    tilts = rotation.quarter_tilts(4)
    monkeypatch.setattr(rotation, "quarter_tilts", lambda top: tuple((a.T, b.T) for a, b in tilts))
    assert error(rotate_coefficients(c, type, turns(1)[0]), type.transform(c, turns(1)[0])) > 1e-2


def test_intertwiners_of_large_degrees_are_those_of_the_definition(monkeypatch):
    circle = SO2()
    inclusion = as_inclusion(GROUP, circle)
    reps = [circle.irrep(n) for n in range(4)]
    reps += [
        circle.spectral_regular(2),
        circle.irrep(2).direct_sum(circle.irrep(0)),
        circle.irrep(1).tensor(circle.irrep(2)),
    ]
    degrees = range(8)
    fast = [[mackey_maps.__wrapped__(GROUP, str(l), inclusion, r) for l in degrees] for r in reps]
    with monkeypatch.context() as patch:
        patch.setattr(mackey, "_about_axis", lambda group, inclusion: False)
        slow = [[mackey_maps.__wrapped__(GROUP, str(l), inclusion, r) for l in degrees] for r in reps]
    assert (
        max(abs(a - b).max(initial=0) for f, s in zip(fast, slow, strict=True) for a, b in zip(f, s, strict=True))
        < 1e-13
    )
    assert Homogeneous(GROUP, circle, 255).fields("1x2").type.size == 2 * (256**2 - 4)


@pytest.mark.parametrize(
    ("sphere", "bound"),
    [
        (st.Sphere.gauss(12), 1e-12),
        (st.Sphere.equiangular(8, "dh"), 1e-12),
        (st.Sphere.equiangular(8, "mw"), 1e-12),
        (st.Sphere.icosahedral(2), 1e-12),
        (st.Sphere.fibonacci(150), 1e-12),
        (st.Sphere.healpix(4), 1e-3),
    ],
    ids=str,
)
def test_fields_turn_on_every_sampling(sphere, bound):
    """Coefficients of a random band-limited field are turned, and the samples of both compared."""
    type, band = SO2().type("1x0 + 1x2"), sphere.usual_band
    matrix = dense(sphere, type, band)
    fields = Homogeneous(GROUP, SO2(), band - 1).fields(type)
    c = torch.randn(2, fields.type.size, dtype=torch.float64)
    g = turns(1)[0]
    before, after = (torch.einsum("ncd,bd->bcn", matrix, v) for v in (c, fields.type.transform(c, g)))
    found = sphere.transform(before.reshape(2, -1, *sphere.shape), type, g).flatten(2)
    assert float((found - after).norm() / after.norm()) < bound


def dense(sphere, type, band):
    """The synthesis ``[N, C, D]`` as a matrix."""
    fields = Homogeneous(GROUP, SO2(), band - 1).fields(type)
    theta, phi = sphere.angles().reshape(-1, 2).unbind(-1)
    from steerable.groups.sampling import frame_over

    return fields.evaluate(frame_over(GROUP, phi, theta))


def test_the_angles_are_those_of_the_rotation():
    q = torch.cat([turns(20), SPECIAL])
    a, b, c = rotation.euler_angles(q)
    zero = torch.zeros_like(a)
    about = lambda t, k: torch.stack([(t / 2).cos(), *[(t / 2).sin() if i == k else zero for i in range(3)]], -1)  # noqa: E731
    again = GROUP.compose(GROUP.compose(about(a, 2), about(b, 1)), about(c, 2))
    assert bool(GROUP.equal(again, q).all()) and bool(((b >= 0) & (b <= math.pi)).all())
