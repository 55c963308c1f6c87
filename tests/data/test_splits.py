"""Splits and sizes: the properties that honest figures rest on."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as hs

from steerable.data import InputError, bin_pixels, centre, stratified_split


@settings(deadline=None, derandomize=True)
@given(
    counts=hs.lists(hs.integers(20, 60), min_size=1, max_size=4),
    seed=hs.integers(0, 5),
    cut=hs.sampled_from([(0.5, 0.5), (0.6, 0.15, 0.25), (0.8, 0.2)]),
)
def test_partition_is_stratified(counts, seed, cut):
    y = torch.cat([torch.full((n,), k) for k, n in enumerate(counts)])
    parts = stratified_split(y, cut, seed)
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(len(y)))
    for part, share in zip(parts, cut, strict=True):
        for k, n in enumerate(counts):
            assert abs(int((y[part] == k).sum()) - share * n) <= 1


def test_same_key_same_part():
    y = torch.zeros(100, dtype=torch.int64)
    keys = [str(i // 4) for i in range(100)]
    for seed in range(10):
        for part in stratified_split(y, (0.7, 0.3), seed, keys):
            assert len({keys[i] for i in part.tolist()}) * 4 == len(part)


def test_golden_split():
    # made by this very call: the split of a published table must never move
    a, b = stratified_split(torch.zeros(12, dtype=torch.int64), (0.5, 0.5), 0)
    assert (a.tolist(), b.tolist()) == ([1, 4, 7, 9, 10, 11], [0, 2, 3, 5, 6, 8])


def test_split_refuses():
    y = torch.zeros(2, dtype=torch.int64)
    for cut in ((0.5, 0.6), (1.0, 0.0), (0.4, 0.3, 0.3)):
        with pytest.raises(InputError):
            stratified_split(y, cut, 0)


@pytest.mark.parametrize(("side", "size"), [(28, 30), (28, 20), (9, 5), (9, 13)])
def test_centre_commutes_with_turns(side, size):
    x = torch.randn(2, 3, side, side)
    turned = torch.rot90(x, 1, (-2, -1))
    assert torch.equal(centre(turned, size), torch.rot90(centre(x, size), 1, (-2, -1)))
    assert torch.equal(centre(x.flip(-1), size), centre(x, size).flip(-1))


def test_centre_of_other_parity_and_oblong():
    x = torch.ones(1, 1, 4, 6)
    y = centre(x, 5)
    assert y.shape == (1, 1, 5, 5)
    assert float(y.sum()) == 20
    with pytest.raises(InputError):
        centre(x, 0)


def test_bins_commute_with_turns():
    x = torch.randn(1, 1, 12, 12, dtype=torch.float64)
    turned = torch.rot90(x, 1, (-2, -1))
    assert torch.allclose(bin_pixels(turned, 3), torch.rot90(bin_pixels(x, 3), 1, (-2, -1)), atol=1e-14)
    for factor in (0, 5):
        with pytest.raises(InputError):
            bin_pixels(x, factor)
