"""Parts of an image: turning the image permutes them, to the last bit."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.domains import PixelGrid
from steerable.nn import MaxoutDense, ViewpointExtractor


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("side", "cut"), [(21, None), (20, None), (31, 21)])
@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("views", [("0",), ("0", "45"), (0, 30, 45.0)])
def test_a_turned_image_permutes_the_parts(views, mirror, side, cut, dtype):
    extract = ViewpointExtractor(views, mirror, part=13, side=cut)
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0), dtype=dtype)
    parts, grid = extract(x), PixelGrid.of(x)
    assert parts.shape == (2, extract.count, 3, 13, 13) and extract.count == len(views) * (8 if mirror else 4)
    seen = set()
    for g in extract.group.elements:
        order = extract.permutation(g)
        assert sorted(order.tolist()) == list(range(extract.count))
        assert torch.equal(extract(grid.move(x, extract.group, g)), parts[:, order])
        seen.add(tuple(order.tolist()))
    assert len(seen) == extract.group.order


@pytest.mark.parametrize("mirror", [True, False])
def test_the_permutation_is_the_regular_field(mirror):
    """One number a part is a field of `type`: its matrices are the permutations."""
    extract = ViewpointExtractor(("0", "45"), mirror, part=5)
    numbers = torch.arange(extract.count, dtype=torch.float64)
    for g in extract.group.elements:
        moved = numbers[extract.permutation(g)]
        assert torch.allclose(extract.type.transform(numbers[None], g)[0], moved, atol=1e-12)


def test_a_wrong_order_is_seen():
    """The planted fault: the parts in the order of the inverses."""
    extract = ViewpointExtractor(("0",), part=13)
    x = torch.randn(1, 1, 21, 21)
    wrong = extract.group.inverse(extract.group.elements)
    moved = PixelGrid.of(x).move(x, extract.group, extract.group.elements[1])
    assert not torch.equal(extract(moved)[:, wrong], extract(x)[:, wrong][:, extract.permutation(1)])


def test_parts_are_corners_with_the_centre_in_one_corner():
    x = torch.zeros(1, 1, 9, 9)
    x[..., 4, 4] = 1
    parts = ViewpointExtractor(("0", "45"), part=6)(x)[0, :, 0]
    assert (parts[:, 4, 4] - 1).abs().max() < 1e-6
    assert (parts[:8].sum((1, 2)) == 1).all()
    x = torch.arange(81.0).view(1, 1, 9, 9)
    first = ViewpointExtractor(("0",), part=6)(x)[0, :, 0]
    assert torch.equal(first[0], x[0, 0, :6, :6])
    assert torch.equal(first[1], torch.rot90(x, -1, (-2, -1))[0, 0, :6, :6])


def test_the_second_view_is_turned_counter_clockwise():
    rows = torch.arange(41, dtype=torch.float64) - 20
    right, up = rows[None, :], -rows[:, None]
    x = torch.exp(-0.5 * ((right - 10) ** 2 + up**2) / 4)[None, None]
    part = ViewpointExtractor((45,), part=41)(x)[0, 0, 0]
    where = 10 / 2**0.5
    expected = torch.exp(-0.5 * ((right - where) ** 2 + (up - where) ** 2) / 4)
    assert (part - expected).abs().max() < 0.1
    assert torch.equal(ViewpointExtractor((360,), part=7)(x), ViewpointExtractor((0,), part=7)(x))


def test_a_larger_image_fills_the_corners_of_the_turned_view():
    x = torch.ones(1, 1, 31, 31)
    assert (ViewpointExtractor(("45",), part=13)(x)[..., 0, 0] == 0).all()
    assert torch.allclose(ViewpointExtractor(("45",), part=13, side=21)(x), torch.ones(1))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [({"views": ()}, "at least one"), ({"views": ("a",)}, "angles in degrees"), ({"part": 0}, "part=0"),
     ({"part": 46, "side": 45}, "1 <= part <= side"), ({"views": (float("nan"),)}, "degrees")],
)  # fmt: skip
def test_bad_arguments(arguments, text):
    with pytest.raises(ValueError, match=text):
        ViewpointExtractor(**arguments)


@pytest.mark.parametrize("shape", [(1, 1, 8, 9), (1, 1, 4, 4), (1, 8, 8)])
def test_bad_images(shape):
    with pytest.raises(ValueError, match="ViewpointExtractor: images of shape"):
        ViewpointExtractor(part=6)(torch.zeros(shape))


def test_maxout_dense_is_the_largest_of_its_pieces():
    torch.manual_seed(0)
    layer = MaxoutDense(5, 4, pieces=3)
    x = torch.randn(7, 5)
    all_of_them = layer.linear(x)
    expected = torch.stack([all_of_them[:, k::4].amax(1) for k in range(4)], 1)
    assert torch.equal(layer(x), expected)
    with pytest.raises(ValueError, match="pieces=1"):
        MaxoutDense(5, 4, 1)


def test_maxout_refuses_what_the_group_does_not_permute():
    group = st.D(4)
    with pytest.raises(TypeError, match="NormAct"):
        st.nn.Maxout(2 * group.irrep("1"))
    with pytest.raises(ValueError, match="pieces=1"):
        st.nn.Maxout(group.type("2 regular"), 1)
