"""Sizes and back: what is padded, cut or scaled lies where it was."""

from __future__ import annotations

import pytest
import torch

from steerable.data import InputError, Recipe
from steerable.data.recipe import geometry
from steerable.data.resize import background, centre, crop, in_size, pad_or_cut


@pytest.mark.parametrize("size", [(9, 9), (8, 12), (5, 7), (12, 5), (6, 7, 8), (3, 9, 5)])
@pytest.mark.parametrize("net", [7, 8])
def test_answers_of_cropped_samples_lie_where_the_sample_does(size, net):
    rank = len(size)
    place = torch.arange(1, 1 + torch.Size(size).numel()).view(size)
    seen = crop(place, (net,) * rank)  # what the network is shown: 0 where nothing was
    back = in_size(seen.to(torch.int32), size, "crop")
    assert back.shape == place.shape
    assert bool(((back == place) | (back == -1)).all())
    kept = torch.Size([min(n, net) for n in size]).numel()
    assert int((back == place).sum()) == kept
    values = in_size(seen[None].double(), size, "crop")[0]
    assert int((values == place).sum()) == kept and bool((values.isnan() == (back == -1)).all())
    if min(size) < net:  # a shift by one is seen
        assert bool((in_size(seen.roll(1, 0).to(torch.int32), size, "crop") != back).any())


def test_classes_are_not_mixed_and_values_are():
    answer = torch.tensor([[0, 0, 5], [0, 5, 5], [5, 5, 5]], dtype=torch.uint8)
    back = in_size(answer, (6, 9), "scale")
    assert back.dtype == torch.uint8 and back.shape == (6, 9) and set(back.unique().tolist()) == {0, 5}
    assert torch.equal(back[::2, ::3], answer)
    values = in_size(answer[None].double(), (6, 9), "scale")
    assert values.shape == (1, 6, 9) and len(values.unique()) > 2
    assert torch.allclose(in_size(torch.ones(2, 3, 3, 3), (5, 4, 6), "scale"), torch.ones(2, 5, 4, 6))


@pytest.mark.parametrize("size", [(5, 5), (6, 6), (4, 7), (1, 3), (2, 2), (3, 3, 3), (4, 4, 4), (2, 3, 5)])
def test_the_background_is_the_median_of_the_outermost_pixels(size):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    outer = torch.ones(size, dtype=torch.bool)
    outer[tuple(slice(1, -1) for _ in size)] = False
    found = background(x, len(size))
    assert found.shape == (2, 3, *[1] * len(size))
    assert torch.equal(found.flatten(2)[..., 0], x[..., outer].median(-1).values)


@pytest.mark.parametrize("ground", [0.0, 0.9, -3.0])
@pytest.mark.parametrize("axes", [2, 3])
def test_what_is_padded_is_the_background(ground, axes):
    x = torch.full((1, 2, *[7] * axes), ground)
    x[0, 1] += 0.5  # each channel has its own
    thing = (0, slice(None), *[slice(0, 4)] * axes)
    y = x.clone()
    y[thing] += 1.0  # which touches the border
    found = pad_or_cut(y, [12] * axes)
    assert torch.equal(found, pad_or_cut(x, [12] * axes) + crop(y - x, [12] * axes))
    assert torch.equal(found[0, :, *[0] * axes], torch.tensor([ground, ground + 0.5]))
    assert torch.equal(pad_or_cut(y, [12] * axes, "zero"), crop(y, [12] * axes))
    assert torch.equal(pad_or_cut(y, [5] * axes), crop(y, [5] * axes))  # nothing is padded
    mixed = pad_or_cut(y, [12, *[5] * (axes - 1)])
    assert mixed.shape[2:] == (12, *[5] * (axes - 1)) and torch.equal(
        mixed[0, :, 0].flatten(1).amax(1), found[0, :, *[0] * axes]
    )


@pytest.mark.parametrize(("have", "want"), [(7, 11), (8, 12), (9, 5), (6, 6)])
def test_padding_commutes_with_turns_and_flips(have, want):
    for axes in (2, 3):
        x = torch.randn(2, 1, *[have] * axes)
        for move in (lambda v: torch.rot90(v, 1, (-2, -1)), lambda v: v.flip(-1), lambda v: v.transpose(-1, 2)):
            assert torch.equal(pad_or_cut(move(x), [want] * axes), move(pad_or_cut(x, [want] * axes)))
            assert torch.equal(centre(move(x), want, 1), move(centre(x, want, 1)))


def test_recipes_say_how_they_pad():
    x = torch.full((1, 1, 5, 5), 0.7)
    assert torch.equal(geometry(9, pad="border")(x), torch.full((1, 1, 9, 9), 0.7))
    assert geometry(9).to_json() == [{"step": "centre", "size": 9}]  # as recipes of older runs say it
    assert float(Recipe.from_json([{"step": "centre", "size": 9}])(x)[0, 0, 0, 0]) == 0
    with pytest.raises(
        InputError, match=r"data.options.pad is 'bord'; expected one of border, zero. Did you mean 'bor"
    ):
        geometry(9, pad="bord")
    with pytest.raises(InputError, match="expected one of border, zero"):
        pad_or_cut(x, (9, 9), "edge")
