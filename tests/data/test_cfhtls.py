"""The CFHTLS candidates: thresholds, and a split that shares no piece of sky."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from steerable.data import InputError, Target, cfhtls
from steerable.data.cfhtls import FILE, overlapping

real = pytest.mark.skipif("STEERABLE_DATA" not in os.environ, reason="STEERABLE_DATA is not set")


def fake(root, n=180):
    """A catalogue of `n` noise images with grades 0.3 to 3, every third one beside the one before."""
    rng = np.random.default_rng(0)
    grade = np.resize(np.array([0.3, 0.7, 1.0, 1.3, 1.7, 2.0, 3.0], dtype=np.float32), n)
    dec = np.linspace(-15, 15, n)
    dec[2::3] = dec[1::3][: len(dec[2::3])] + 10 / 3600
    (root / FILE.parent).mkdir(parents=True)
    np.savez(root / FILE, x=rng.integers(0, 255, (n, 20, 20, 3)).astype(np.uint8), grade=grade,
             ra_deg=np.full(n, 30.0), dec_deg=dec, arcsec_per_pixel=np.float32(1.0))  # fmt: skip
    return grade


def test_finder_and_grade(tmp_path):
    grade = fake(tmp_path)
    s = cfhtls(tmp_path, size=16, scale="none")
    assert s.classes == ("not", "lens")
    total = np.sum([p.counts() for p in (s.train, s.val, s.test)], 0)
    assert total.tolist() == [int((grade <= 0.71).sum()), int((grade >= 1.69).sum())]
    assert s.train.x.shape[1:] == (3, 16, 16)
    strict = cfhtls(tmp_path, size=16, lens_from=2.5, not_until=0.3)
    assert sum(p.counts()[1] for p in (strict.train, strict.val, strict.test)) == int((grade >= 2.5).sum())
    g = cfhtls(tmp_path, target="grade", size=16)
    assert g.target == Target("grade")
    assert sum(map(len, (g.train, g.val, g.test))) == 180
    assert sorted(torch.cat([p.y for p in (g.train, g.val, g.test)]).tolist()) == sorted(grade.tolist())


def test_neighbours_stay_together(tmp_path):
    fake(tmp_path)
    with np.load(tmp_path / FILE) as z:
        x = torch.from_numpy(np.moveaxis(z["x"], -1, 1).astype(np.float32) / 255)
        patch = overlapping(z["ra_deg"], z["dec_deg"], 20.0)
    assert len(patch.unique()) == 120
    for target in (None, "grade"):
        for seed in range(5):
            s = cfhtls(tmp_path, target=target, scale="none", size=20, split_seed=seed)
            seen = []
            for part in (s.train, s.val, s.test):
                where = [int((x == image).all(-1).all(-1).all(-1).nonzero()[0]) for image in part.x]
                seen.append({int(patch[i]) for i in where})
            assert not seen[0] & seen[1]
            assert not seen[0] & seen[2]
            assert not seen[1] & seen[2]


def test_patches_are_chains():
    ra, dec = np.array([10.0, 10.0, 10.0, 10.0, 10.02]), np.array([0.0, 15.0, 30.0, 100.0, 0.0]) / 3600
    assert overlapping(ra, dec, 20.0).tolist() == [0, 0, 0, 3, 4]
    assert overlapping(ra, np.full(5, 80.0), 20.0).tolist() == [0] * 5  # right ascension shrinks with declination


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"target": "mag_i"}, "expected grade"),
        ({"lens_from": 0.5}, "expected the first to be lower"),
        ({"lens_from": 5.0}, "expected both of"),
        ({"not_until": 0.1}, "expected both of"),
    ],
)
def test_refuses(tmp_path, options, word):
    fake(tmp_path)
    with pytest.raises(InputError) as e:
        cfhtls(tmp_path, **options)
    assert word in str(e.value)
    assert "\n" not in str(e.value)


@real
def test_the_real_candidates():
    s = cfhtls()
    assert np.sum([p.counts() for p in (s.train, s.val, s.test)], 0).tolist() == [184, 82]
    assert s.test.counts()[1] >= 25
    assert s.train.x.shape[1:] == (3, 112, 112)
    assert s.raw_size == (120, 120)
    g = cfhtls(target="grade")
    assert sum(map(len, (g.train, g.val, g.test))) == 308
    means = [float(p.y.mean()) for p in (g.train, g.val, g.test)]
    assert max(means) - min(means) < 0.1
