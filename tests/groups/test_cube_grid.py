"""Samples that the rotations of the cube permute, and what that makes exact on voxels."""

from __future__ import annotations

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.groups import parse_group
from steerable.groups.sampling import sample_points

SO3, O3 = st.SO3(), st.O3()
CUBE = parse_group("O").action(parse_group("O").elements)


def turns(group):
    return group.from_action(torch.cat([CUBE, -CUBE]) if group == O3 else CUBE)


def fields(group, on_sphere):
    return 2 * (
        group.spectral_quotient({SO3: st.SO2(), O3: st.O2()}[group], 2) if on_sphere else group.spectral_regular(1)
    )


@pytest.mark.parametrize("on_sphere", [False, True])
@pytest.mark.parametrize("group", [SO3, O3], ids=str)
def test_the_cube_permutes_the_samples(group, on_sphere):
    domain = group.subgroup({SO3: st.SO2(), O3: st.O2()}[group]) if on_sphere else None
    points, weights = sample_points(group, domain, "cube", 50, 2)
    whole = 96 if group == O3 else 72
    assert len(points) == whole and weights.sub(1 / whole).abs().max() < 1e-15
    seen = group.action(points)[..., 2] if on_sphere else group.action(points)
    for g in group.action(turns(group)):
        moved = torch.einsum("xy,ny...->nx...", g, seen)
        distance = (moved[:, None] - seen[None]).flatten(2).norm(dim=-1)
        assert distance.min(1).values.max() < 1e-7 and len(distance.argmin(1).unique()) == whole


@pytest.mark.parametrize("on_sphere", [False, True])
@pytest.mark.parametrize("group", [SO3, O3], ids=str)
def test_activations_are_exact_for_the_cube(group, on_sphere):
    t = fields(group, on_sphere)
    x = torch.randn(6, t.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for layer in (snn.FourierAct, snn.SampledMLP):
        torch.manual_seed(0)
        act, other = (layer(t, function="elu", samples=96, grid=grid).double() for grid in ("cube", "spread"))
        assert laws.equivariance_error(act, x, elements=turns(group)).max() < 1e-10
        assert laws.equivariance_error(other, x, elements=turns(group)).max() > 1e-3  # the fault: a spiral
        generic = group.sample(4, torch.Generator().manual_seed(1))
        assert laws.equivariance_error(act, x, elements=generic).max() < 0.15


def test_voxels_turned_by_the_cube():
    torch.manual_seed(0)
    wide = 1 * SO3.spectral_regular(1)
    net = snn.Sequential(
        snn.Conv3d(1 * SO3.trivial, wide, 3, padding=1),
        snn.FourierAct(wide, "elu", 72, "cube"),
        snn.Conv3d(wide, wide, 3),
    ).double()
    x = torch.randn(1, 1, 5, 5, 5, dtype=torch.float64)
    laws.assert_equivariant(net, x, atol=1e-10)
    net[1] = snn.FourierAct(wide, "elu", 72, "spread").double()
    with pytest.raises(AssertionError):
        laws.assert_equivariant(net, x, atol=1e-4)


def test_better_spread_than_the_spiral():
    t, g = 4 * SO3.spectral_regular(2), SO3.sample(6, torch.Generator().manual_seed(2))
    x = torch.randn(16, t.size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    errors = [
        float(laws.equivariance_error(snn.FourierAct(t, "elu", 96, grid).double(), x, elements=g).max())
        for grid in ("cube", "spread")
    ]
    assert errors[0] < errors[1]


def test_bad_input():
    with pytest.raises(ValueError, match="'cube' is one of SO3 and O3"):
        snn.FourierAct(1 * st.SO2().spectral_regular(2), grid="cube")
    with pytest.raises(ValueError, match="cannot hold the 35 coefficients"):
        snn.FourierAct(1 * SO3.spectral_regular(2), samples=48, grid="cube")
