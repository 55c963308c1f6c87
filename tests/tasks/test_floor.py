"""The linear floor: against closed forms and another library, blind to position, and high where it can be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steerable.tasks.floor import LinearFloor, best_floor, image_statistics


def blobs(n, seed=0, channels=1, side=16):
    """Noise with one Gaussian blob each; returns images, its brightness and its width."""
    g = torch.Generator().manual_seed(seed)
    bright, width = 1 + 4 * torch.rand(n, generator=g), 1 + 2 * torch.rand(n, generator=g)
    place = 2 * torch.rand(n, 2, generator=g) - 1
    grid = torch.arange(side) - (side - 1) / 2
    d = (grid[None, :, None] - place[:, :1, None]) ** 2 + (grid[None, None] - place[:, 1:, None]) ** 2
    x = bright[:, None, None] * torch.exp(-d / 2 / width[:, None, None] ** 2)
    x = x[:, None] + 0.01 * torch.randn(n, channels, side, side, generator=g)
    return x, bright, width


def test_statistics_are_blind_to_turns_and_flips():
    x, *_ = blobs(5, channels=3)
    s = image_statistics(x)
    assert s.shape == (5, 48)
    assert s.dtype == torch.float64
    for moved in (torch.rot90(x, 1, (-2, -1)), torch.rot90(x, 2, (-2, -1)), x.flip(-1)):
        assert torch.allclose(image_statistics(moved), s, rtol=1e-9, atol=1e-9)
    assert torch.equal(image_statistics(x[:, 0]), image_statistics(x[:, :1]))


def test_statistics_of_a_known_image():
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 0, 2] = 3  # two pixels above the centre
    x[0, 0, 2, 2] = 1
    s = image_statistics(x)[0].tolist()
    assert s[:3] == [4, 3, 0]
    assert s[3] == pytest.approx(np.log(10 / 25), abs=1e-9)
    assert s[4] == pytest.approx(np.log(82 / 25), abs=1e-9)
    assert s[5] == pytest.approx(np.std([3, 1] + [0] * 23))
    assert s[6:9] == pytest.approx([1.5, 3**0.5, 1.5])
    assert s[9:] == pytest.approx(np.quantile([3, 1] + [0] * 23, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]))


def test_many_images_in_pieces(monkeypatch):
    x, *_ = blobs(9)
    whole = image_statistics(x)
    monkeypatch.setattr("steerable.tasks.floor.PIXELS", 300)
    assert torch.allclose(image_statistics(x), whole, rtol=1e-12, atol=1e-12)
    assert torch.isfinite(image_statistics(torch.zeros(2, 1, 4, 4))).all()


def test_ridge_is_the_closed_form():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(50, 4, generator=g, dtype=torch.float64)
    y = x @ torch.tensor([1.0, -2, 0, 3], dtype=torch.float64) + 5
    floor = LinearFloor(lambda t: t, penalty=1e-12).fit(x, y)
    assert torch.allclose(floor(x), y, atol=1e-9)
    strong = LinearFloor(lambda t: t, penalty=1e6).fit(x, y)
    assert torch.allclose(strong(x), y.mean().expand(50), atol=1e-4)


def test_logistic_regression_agrees_with_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    g = torch.Generator().manual_seed(0)
    x = torch.randn(80, 3, generator=g, dtype=torch.float64)
    y = (x[:, 0] + 0.5 * torch.randn(80, generator=g) > 0).long() + (x[:, 1] > 1).long()
    floor = LinearFloor(lambda t: t, penalty=0.01).fit(x, y)
    z = ((x - x.mean(0)) / x.std(0)).numpy()
    # its penalty is |w|^2 / (2 C) against a sum over the samples
    peer = linear.LogisticRegression(C=1 / (2 * 0.01 * 80), tol=1e-10, max_iter=10000).fit(z, y.numpy())
    assert np.allclose(floor(x).softmax(1).numpy(), peer.predict_proba(z), atol=1e-4)


def test_the_floor_finds_what_global_numbers_tell():
    x, bright, width = blobs(300)
    held, held_bright, held_width = blobs(100, seed=1)
    for y, truth in ((bright, held_bright), (width, held_width)):
        floor = best_floor((x, y), (held, truth))
        constant = float((truth - y.median()).abs().mean())
        assert float((floor(held) - truth).abs().mean()) < 0.2 * constant
    label = (bright > 3).long()
    floor = best_floor((x, label), (held, (held_bright > 3).long()))
    assert float((floor(held).argmax(1) == (held_bright > 3)).double().mean()) > 0.95


def test_the_floor_sees_no_orientation():
    """Bars that lie or stand have the same statistics: the floor must stay at chance."""
    g = torch.Generator().manual_seed(0)
    x = 0.1 * torch.randn(400, 1, 9, 9, generator=g)
    y = torch.arange(400) % 2
    x[y == 0, :, 4, 1:-1] += 1
    x[y == 1, :, 1:-1, 4] += 1
    floor = best_floor((x[:200], y[:200]), (x[200:300], y[200:300]))
    assert abs(float((floor(x[300:]).argmax(1) == y[300:]).double().mean()) - 0.5) < 0.15


def test_validation_chooses_the_penalty():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(30, 25, generator=g).double(), torch.randn(30, generator=g)  # nothing to learn
    held = torch.randn(200, 25, generator=g).double(), torch.randn(200, generator=g)
    assert best_floor((x, y), held, lambda t: t).penalty == 10.0
    with pytest.raises(ValueError, match="expected at least one"):
        best_floor((x, y), held, lambda t: t, penalties=())


def test_squares_and_clipping():
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)[:, None]
    y = x[:, 0] ** 2
    assert float((LinearFloor(lambda t: t, 1e-9).fit(x, y)(x) - y).abs().mean()) > 0.5
    curved = LinearFloor(lambda t: t, 1e-9, squares=True).fit(x, y)
    assert torch.allclose(curved(x), y, atol=1e-6)
    far = torch.tensor([[1e6]], dtype=torch.float64)
    kept = LinearFloor(lambda t: t, 1e-9, clip=1.5).fit(x, x[:, 0])
    assert float(kept(far)) == pytest.approx(float(kept(far / 1e3)))
    assert float(kept(far)) < 3


def test_a_class_that_training_lacks():
    x, *_ = blobs(20)
    y = torch.arange(20) % 2
    best_floor((x, y), (x, torch.full((20,), 2)))  # no loss can be told: any floor
    assert LinearFloor().fit(x, y)(x).shape == (20, 2)


def test_to_json_and_back():
    x, bright, _ = blobs(20)
    for y, options in ((bright, {}), ((bright > 3).long(), {"squares": True, "clip": 2.0})):
        floor = LinearFloor(**options).fit(x, y)
        assert torch.equal(LinearFloor.from_json(floor.to_json())(x), floor(x))


def test_refuses():
    x, bright, _ = blobs(4)
    with pytest.raises(RuntimeError, match="before fit"):
        LinearFloor()(x)
    with pytest.raises(ValueError, match=r"expected \[4\]"):
        LinearFloor().fit(x, bright[:, None])  # would broadcast


def test_the_lensing_floor_keeps_its_numbers():
    """Golden: five statistics of a residual, standardised, penalty 1e-3, as before the floor was made general."""
    pytest.importorskip("astropy")
    from steerable.tasks.lensing import LinearFloor as LensFloor

    g = torch.Generator().manual_seed(0)
    y = torch.arange(30) % 3
    r = torch.randn(30, 8, 8, generator=g) * (1 + 0.3 * y[:, None, None])
    floor = LensFloor().fit(r, y)
    assert isinstance(floor, LinearFloor)
    assert floor.weight.shape == (5, 3)
    assert floor(r)[0].tolist() == pytest.approx(GOLDEN, rel=1e-5)


# of the floor that this one replaced
GOLDEN = [2.9142346672590578, -0.07338789074390717, -2.8408467765151437]
