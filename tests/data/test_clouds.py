"""Point sets of unlike size as one container: indexing, checks, baselines, splits, batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steerable.data import Clouds, InputError, Recipe, Regions, Samples, Splits, Target, bin_pixels, npz_folder
from steerable.run.loaders import loader

NAN = float("nan")


def clouds(sizes=(3, 1, 4), channels=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Clouds.of(
        [(torch.randn(n, channels, generator=generator), torch.randn(n, 3, generator=generator)) for n in sizes]
    )


def test_indexing_is_that_of_a_list():
    x = clouds()
    parts = list(x.split(1))
    assert (len(x), x.channels, x.dimension, x.shape) == (3, 2, 3, (3, 2))
    assert [len(p.positions) for p in parts] == [3, 1, 4]
    some = x[torch.tensor([2, 0, 2])]
    assert some.counts().tolist() == [4, 3, 4] and some.batch.tolist() == [0] * 4 + [1] * 3 + [2] * 4
    assert torch.equal(some.positions, torch.cat([parts[2].positions, parts[0].positions, parts[2].positions]))
    assert torch.equal(some.features[:4], parts[2].features)
    assert torch.equal(x[:2].positions, x.positions[:4]) and len(x[1:]) == 2
    features, positions, batch = x.inputs()
    assert len(features) == len(positions) == len(batch) == 8
    assert torch.allclose(x.totals()[2], parts[2].features.double().sum(0))
    assert x.to(torch.float64).positions.dtype == torch.float64 and x.to("meta").ptr.is_meta


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"positions": torch.zeros(8, 4)}, r"expected \[M, 2\] or \[M, 3\]"),
        ({"features": torch.zeros(7, 2)}, r"expected \[8, C\]"),
        ({"positions": torch.zeros(8, 3).double()}, "torch.float64; expected torch.float32"),
        ({"ptr": torch.tensor([0, 3, 4, 7])}, "from 0 to 8"),
        ({"ptr": torch.tensor([0, 3, 3, 8])}, "1 of 3 clouds have no point .first: cloud 1"),
        ({"positions": torch.tensor([[0.0, 0, 0]] * 7 + [[0, 0, NAN]])}, "1 of 8 points .* cloud 2"),
    ],
)
def test_bad_clouds(change, word):
    x = clouds()
    good = {"features": x.features, "positions": x.positions, "ptr": x.ptr}
    Clouds(**good)
    with pytest.raises(InputError, match=word) as e:
        Clouds(**{**good, **change})
    assert "\n" not in str(e.value)


def test_nothing_and_unlike_clouds():
    with pytest.raises(InputError, match="expected at least one"):
        Clouds.of([])
    with pytest.raises(InputError, match="expected one kind"):
        Clouds.of([(torch.zeros(2, 1), torch.zeros(2, 3)), (torch.zeros(2, 2), torch.zeros(2, 3))])


def test_a_baseline_leaves_the_rest_and_only_once():
    x = clouds()
    target = Target("energy", "eV", baseline=(2.0, -1.0))
    y = torch.tensor([1.0, 2.0, 3.0])
    data = Samples(x, y, target)
    rest = data.rest()
    assert torch.allclose(rest.y, y - (x.totals() @ torch.tensor([2.0, -1.0]).double()).float())
    assert torch.equal(rest.rest().y, rest.y)
    assert target == Target("energy", "eV")  # another baseline is the same quantity
    with pytest.raises(InputError, match="baseline of 1 numbers"):
        Samples(x, y, Target("energy", baseline=(1.0,)))
    with pytest.raises(InputError, match="0 features of points"):
        Samples(torch.zeros(3, 1, 4, 4), y, target)


def test_parts_and_batches():
    data = Samples(clouds((2,) * 12), torch.arange(12) % 3, ("a", "b", "c"))
    parts = Splits(data, data, data)
    assert parts.prepare(Recipe()) is parts and parts.train.size == () and parts.train.domain == "points"
    with pytest.raises(InputError, match="which have no pixels"):
        parts.prepare(Recipe(), "peak")
    assert parts.limit(per_class=2).train.counts() == [2, 2, 2]
    batches = list(loader(data, 5, seed=1))
    assert [len(x) for x, _ in batches] == [4, 4, 4] and sorted(torch.cat([y for _, y in batches]).tolist())
    volume = Samples(torch.zeros(12, 1, 4, 4, 4), torch.arange(12) % 3, ("a", "b", "c"))
    assert (volume.domain, volume.size) == ("volume", (4, 4, 4))
    with pytest.raises(InputError, match="domain"):
        Splits(data, volume, data)


def test_labels_of_regions():
    x = torch.zeros(2, 1, 3, 4, 5)
    y = torch.zeros(2, 3, 4, 5, dtype=torch.int64)
    data = Samples(x, y, Regions(("out", "in")))
    assert data.regions and data.outputs == 2 and data.classes == ("out", "in") and data.counts() == [2]
    assert data.subset([1]).y.shape == (1, 3, 4, 5)
    for wrong, word in [(y[:, 0], "one for each place"), (y + 2, "labels run from 2 to 2"), (y.int(), "int32")]:
        with pytest.raises(InputError, match=word):
            Samples(x, wrong, Regions(("out", "in")))
    with pytest.raises(InputError, match=r"expected \[N, C, H, W\], or"):
        Samples(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64), ("a",))
    for names in (("a",), ("a", "a")):
        with pytest.raises(ValueError, match="two different"):
            Regions(names)


def test_volumes_of_a_folder(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 2, 5, 6, 7)).astype(np.float32)
    np.savez(tmp_path / "all.npz", x=x, y=np.arange(20) % 2)
    s = npz_folder(tmp_path, scale="peak", size=5)
    assert s.train.size == (5, 5, 5) and s.raw_size == (5, 6, 7) and s.train.domain == "volume"
    assert torch.allclose(npz_folder(tmp_path, scale="peak").val.x.abs().amax((1, 2, 3, 4)), torch.ones(len(s.val)))
    with pytest.raises(InputError, match="expected images"):
        npz_folder(tmp_path, scale="noise")
    with pytest.raises(InputError, match="Set bins to 1"):
        bin_pixels(torch.zeros(1, 1, 4, 4, 4), 2)
    y = rng.integers(0, 3, (20, 5, 6, 7))
    np.savez(tmp_path / "all.npz", x=x, y=y, classes=np.array(["a", "b", "c"]))
    s = npz_folder(tmp_path)
    assert s.train.regions and s.classes == ("a", "b", "c") and len(s.train) + len(s.val) + len(s.test) == 20
    image = rng.standard_normal((20, 1, 6, 7)).astype(np.float32)
    np.savez(tmp_path / "all.npz", x=image, y=(image[:, 0] > 0).astype(np.int64))
    assert npz_folder(tmp_path).train.regions  # images can be segmented, too
    np.savez(tmp_path / "all.npz", x=x, y=y[:, 0])
    with pytest.raises(InputError, match="one for each place"):
        npz_folder(tmp_path)
