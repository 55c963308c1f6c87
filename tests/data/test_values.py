"""Images with values instead of labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steerable.data import InputError, Samples, Splits, Target, npz_folder
from steerable.data.splits import value_bins

GRADE = Target("grade", "points")


def data(n=10, **change):
    given = {"x": torch.zeros(n, 1, 3, 3), "y": torch.arange(n, dtype=torch.float32), "meaning": GRADE, **change}
    return Samples(**given)


def test_values():
    d = data()
    assert (d.classes, d.target, d.outputs, d.counts()) == ((), GRADE, 1, [10])
    assert d.subset([3, 1]).y.tolist() == [3, 1]
    assert str(GRADE) == "grade [points]"
    assert str(Target("n")) == "n"


@pytest.mark.parametrize(
    ("y", "word"),
    [
        (torch.zeros(10, 1), "[10, 1]"),  # would broadcast against [10]
        (torch.zeros(9), "[9]"),
        (torch.zeros(10, dtype=torch.int64), "int64"),
        (torch.zeros(10, dtype=torch.float64), "float64"),
        (torch.full((10,), torch.nan), "10 of 10 values"),
    ],
)
def test_values_that_are_refused(y, word):
    with pytest.raises(InputError) as e:
        data(y=y)
    assert word in str(e.value)
    assert "expected" in str(e.value)


def test_samples_are_nested_and_spread():
    d = data(100)
    small, large = d.sample(10), d.sample(40)
    assert len(small) == 10
    assert set(small.y.tolist()) < set(large.y.tolist())
    assert small.y.tolist() != list(range(10))  # a set is often sorted
    for k in (0, 101):
        with pytest.raises(InputError):
            d.sample(k)


def test_limits_of_the_other_kind_are_refused():
    s = Splits(data(), data(), data())
    assert len(s.limit(images=4).train) == 4
    assert len(s.limit(images=4).test) == 10
    with pytest.raises(InputError, match=r"data.images instead of data.per_class"):
        s.limit(per_class=2)
    labels = Samples(torch.zeros(2, 1, 3, 3), torch.tensor([0, 1]), ("a", "b"))
    with pytest.raises(InputError, match=r"Set data.per_class"):
        Splits(labels, labels, labels).limit(images=1)


def test_parts_must_mean_the_same():
    with pytest.raises(InputError, match="target"):
        Splits(data(), data(), data(meaning=Target("mass")))
    labels = Samples(torch.zeros(2, 1, 3, 3), torch.tensor([0, 1]), ("a", "b"))
    with pytest.raises(InputError, match="classes"):
        Splits(data(), labels, data())


def test_bins_of_a_value():
    assert value_bins(torch.arange(40.0)).bincount().tolist() == [10, 10, 10, 10]
    ties = torch.tensor([0.3] * 30 + [0.7] * 20 + [1.0] * 9)
    bins = value_bins(ties)
    assert all(len(set(bins[ties == v].tolist())) == 1 for v in ties.unique())
    assert value_bins(torch.arange(6.0)).tolist() == [0] * 6
    lonely = torch.tensor([-5.0] * 3 + [0.0] * 30 + [1.0] * 30)
    assert all(n >= 8 for n in value_bins(lonely).bincount().tolist() if n)


def test_npz_with_a_target(tmp_path):
    rng = np.random.default_rng(0)
    x, mass = rng.random((80, 6, 6)), rng.random(80)
    np.savez(tmp_path / "a.npz", x=x, mass=mass)
    s = npz_folder(tmp_path, target="mass", unit="dex", fractions=(0.5, 0.25, 0.25))
    assert s.target == Target("mass", "dex")
    assert [len(p) for p in (s.train, s.val, s.test)] == [40, 20, 20]
    assert abs(float(s.train.y.mean() - s.test.y.mean())) < 0.1  # stratified
    for part in (s.train, s.test):  # each image kept its own value
        where = [int((np.abs(mass - float(v)) < 1e-6).argmax()) for v in part.y]
        assert torch.allclose(part.x[:, 0], torch.from_numpy(x[where]).float())
    with pytest.raises(InputError, match="'flux'"):
        npz_folder(tmp_path, target="flux")
    np.savez(tmp_path / "a.npz", x=x, mass=np.full(80, "heavy"))
    with pytest.raises(InputError, match="expected numbers"):
        npz_folder(tmp_path, target="mass")
