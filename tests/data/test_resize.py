"""Sizes and back: what is padded, cut or scaled lies where it was."""

from __future__ import annotations

import pytest
import torch

from steerable.data.resize import crop, in_size


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
