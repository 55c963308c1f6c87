"""The exact law of the sphere holds on every sampling, and catches what is planted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

import steerable.nn as snn
import steerable.nn.sphere.contraction as contraction
from steerable import laws
from steerable.domains import Sphere
from steerable.groups import O2, O3, SO2, C

SPIN = SO2().type("2x0 + 1x1 + 1x2"), SO2().type("1x0 + 1x1 + 1x3")
PARITY = O2().type("1x0e + 1x0o + 2x1 + 1x2"), O2().type("1x0e + 1x0o + 1x3")
NORTH = C(1).type("3 trivial"), C(1).type("2 trivial")
SPHERES = [
    Sphere.icosahedral(1),
    Sphere.gauss(4),
    Sphere.gauss(4, 7),
    Sphere.equiangular(4, "cc"),
    Sphere.equiangular(4, "mw"),
    Sphere.equiangular(4, "mwss", shift=0.5),
    Sphere.healpix(2),
    Sphere.healpix(2, nested=True),
]


def layer(types, sphere, targets=None):
    torch.manual_seed(0)
    conv = snn.SphereConv(*types, sphere, max(1.3, 1.01 * sphere.spacing), targets).double()
    return conv, torch.randn(2, types[0].size, *sphere.shape, dtype=torch.float64)


@pytest.mark.parametrize("types", [SPIN, PARITY, NORTH], ids=["spin", "parity", "north"])
@pytest.mark.parametrize("sphere", SPHERES, ids=repr)
def test_convolutions_obey_it_with_poles_odd_longitudes_and_white_noise(sphere, types):
    conv, x = layer(types, sphere)
    if types == NORTH and sphere == Sphere.icosahedral(1):
        with pytest.raises(ValueError, match="nothing but the identity permutes"):
            laws.exact_sphere_errors(conv, x)
        return
    assert laws.exact_sphere_errors(conv, x).max() < 1e-13


@pytest.mark.parametrize(("n", "m"), [(4, 2), (2, 4)])
def test_between_samplings(n, m):
    conv, x = layer(PARITY, Sphere.gauss(n), Sphere.gauss(m))
    assert laws.exact_sphere_errors(conv, x).max() < 1e-13
    assert laws.exact_sphere_errors(*layer(SPIN, Sphere.icosahedral(1), Sphere.icosahedral(0))).max() < 1e-13


def test_a_group_acts():
    sphere, t = Sphere.icosahedral(1), PARITY[0]
    x = torch.randn(2, t.size, *sphere.shape, dtype=torch.float64)
    found = laws.sphere_symmetries(t, sphere)
    assert len(found) > len(laws.sphere_symmetries(SPIN[0], sphere)) > 5
    for g, h in zip(found, found.flip(0), strict=True):
        both = laws.turn_samples(laws.turn_samples(x, t, sphere, h), t, sphere, g)
        assert (laws.turn_samples(x, t, sphere, O3().compose(g, h)) - both).abs().max() < 1e-12


FAULTS = {
    "sign of the transport": lambda p: replace(p, transport=-p.transport),
    "half the transport": lambda p: replace(p, transport=p.transport / 2),
    "no transport": lambda p: replace(p, transport=0 * p.transport),
    "axes exchanged": lambda p: replace(p, offset=p.offset.flip(-1)),
    "east is west": lambda p: replace(p, offset=p.offset * torch.tensor([1.0, -1.0])),
    "south counts twice": lambda p: replace(p, offset=p.offset * torch.tensor([1.2, 1.0])),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("sphere", [Sphere.icosahedral(1), Sphere.gauss(4), Sphere.equiangular(4, "mw")], ids=repr)
def test_planted_faults_are_caught(sphere, fault, monkeypatch):
    """Turns about the axis carry frames along: they see no transport. Elements that tilt the axis do."""
    pairs, near = contraction.meridian_pairs, type(sphere).neighbours
    monkeypatch.setattr(contraction, "meridian_pairs", lambda *a: FAULTS[fault](pairs(*a)))
    monkeypatch.setattr(type(sphere), "neighbours", lambda *a: FAULTS[fault](near(*a)))
    conv, x = layer(SPIN, sphere)
    if sphere.shape[0] == 42:
        assert laws.exact_sphere_errors(conv, x).max() > 0.05
        with pytest.raises(AssertionError, match="not equivariant under the symmetries of its samples"):
            laws.assert_exact_on_sphere(conv, x)
    else:  # what a mirror at the meridian changes
        seen = float(laws.exact_sphere_errors(*layer(PARITY, sphere)).max()) > 0.05
        assert seen == (fault == "axes exchanged")


class Spoilt(nn.Module):
    """A lawful layer and one fault behind it."""

    def __init__(self, inner, fault):
        super().__init__()
        self.inner, self.fault, self.in_type, self.out_type = inner, fault, inner.in_type, inner.out_type

    def forward(self, x):
        return self.fault(self.inner(x))


@pytest.mark.parametrize(
    "fault",
    [
        lambda y: y * torch.linspace(1, 2, y.shape[-1]).double(),
        lambda y: y * torch.linspace(1, 2, y.shape[1]).double()[:, None],
        lambda y: y.relu(),
        lambda y: y.roll(1, -1),
    ],
    ids=["ramp", "channels", "relu", "shift"],
)
def test_faults_behind_a_layer_are_caught(fault):
    conv, x = layer(SPIN, Sphere.icosahedral(1))
    assert laws.exact_sphere_errors(Spoilt(conv, fault), x).max() > 0.05


def test_bad_input():
    conv, x = layer(SPIN, Sphere.fibonacci(40))
    with pytest.raises(ValueError, match=r"nothing but the identity permutes FibonacciSphere\(40\)"):
        laws.exact_sphere_errors(conv, x)
    with pytest.raises(ValueError, match="Linear has no sampling"):
        laws.exact_sphere_errors(nn.Linear(3, 3), torch.zeros(1, 3))
    ico, g = Sphere.icosahedral(1), laws.sphere_symmetries(PARITY[0], Sphere.icosahedral(1))[3]
    with pytest.raises(ValueError, match="turns or reflects frames as SO2"):
        laws.turn_samples(torch.zeros(1, SPIN[0].size, 42), SPIN[0], ico, g)
