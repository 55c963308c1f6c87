"""Band-limit policies and the rings they rule."""

from __future__ import annotations

import numpy as np
import pytest
from tests.catalogue import PLANAR, elements

from steerable.groups import C, harmonic_representation
from steerable.groups.harmonics import circular_harmonics
from steerable.kernels import GaussianRings
from steerable.kernels.bandlimit import frequencies


@pytest.mark.parametrize(
    ("size", "default", "strict"),
    [
        (1, (0,), (0,)),
        (3, (0, 2), (0, 1)),
        (5, (0, 2, 2), (0, 2, 1)),
        (7, (0, 2, 3, 2), (0, 2, 2, 1)),
        (9, (0, 2, 3, 6, 2), (0, 2, 2, 2, 1)),
    ],
)
def test_policies(size, default, strict):
    radii = GaussianRings.for_size(size).radii
    assert frequencies("default", radii) == default
    assert frequencies("strict", radii) == strict
    assert frequencies(3.0, radii) == tuple(3 * r for r in range(len(radii)))


def test_lists_and_errors():
    assert frequencies((0, 1, 5), (0.0, 1.0, 2.0)) == (0, 1, 5)
    with pytest.raises(ValueError, match="each of 3 rings"):
        frequencies((0, 1), (0.0, 1.0, 2.0))
    with pytest.raises(ValueError, match="unknown bandlimit"):
        frequencies("nyquist", (0.0, 1.0))


def test_rings_by_kernel_size():
    rings = GaussianRings.for_size(7)
    assert rings.radii == (0.0, 1.0, 2.0, 3.0) and rings.widths == (0.005, 0.6, 0.6, 0.4)
    assert GaussianRings.for_size(1).widths == (0.005,)
    assert len(rings.functions(np.zeros((2, 2)))) == 1 + 5 + 7 + 5


@pytest.mark.parametrize("name", sorted(PLANAR))
def test_harmonics_move_by_their_representation(name):
    group = PLANAR[name]
    phi = np.linspace(0, 6, 11)
    x = np.stack([np.cos(phi), np.sin(phi)], -1)
    for mu in range(5):
        for g in elements(group, 5):
            moved = x @ group.plane(g).numpy().T
            there = circular_harmonics(np.arctan2(moved[:, 1], moved[:, 0]), mu)
            expected = circular_harmonics(phi, mu) @ harmonic_representation(group, mu)(g).numpy().T
            assert np.abs(there - expected).max() < 1e-12


def test_harmonics_are_orthonormal():
    phi = 2 * np.pi * np.arange(64) / 64
    y = np.concatenate([circular_harmonics(phi, mu) for mu in range(6)], -1)
    assert np.abs(y.T @ y * (2 * np.pi / 64) - np.eye(11)).max() < 1e-12


def test_a_planted_missing_root_two_is_caught():
    phi = np.linspace(0, 6, 11)
    y = circular_harmonics(phi, 1) * np.array([1.0, 2**0.5])
    moved = circular_harmonics(phi + 2 * np.pi / 5, 1) * np.array([1.0, 2**0.5])
    assert np.abs(moved - y @ harmonic_representation(C(5), 1)(C(5).elements[1]).numpy().T).max() > 0.1
