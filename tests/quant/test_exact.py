"""An integer network has the symmetry of its model to the last bit, and an unshared quantiser has not."""

from __future__ import annotations

import pytest
import torch
from tests.quant.nets import NETS, build, images, lattice, photographs, turn, turn_field

from steerable.quant import QuantizedModel, quantize
from steerable.quant import weights as weights_module
from steerable.quant.sums import IntConv


def mismatches(q: QuantizedModel, x: torch.Tensor, group_name: str) -> tuple[int, int, int]:
    """Integers that differ from the turned ones, integers compared, and logits that differ; over the whole lattice."""
    group, elements = lattice(group_name)
    before, logits = q.maps(x), q.integers(x)
    last = max(i for i, s in enumerate(q.steps) if isinstance(s, IntConv) and before[q.names[i]].dim() == 4)
    typed = [n for i, n in enumerate(q.names) if i <= last and n != "input" and before[n].dim() == 4]
    typed = [n for n in typed if before[n].shape[1] % group.order == 0 and before[n].shape[2] > 1]
    assert len(typed) > 3
    moved, wrong = 0, {name: [0, 0] for name in typed}
    for g in elements:
        after = q.maps(turn(x, group, g))
        for name in typed:  # regular fields, or (the last of a wide resnet) trivial ones: one of them for all elements
            wrong[name][0] += int((after[name] != turn_field(before[name], group, g)).sum())
            wrong[name][1] += int((after[name] != turn(before[name], group, g)).sum())
        moved += int((q.integers(turn(x, group, g)) != logits).sum())
    return sum(min(both) for both in wrong.values()), sum(before[n].numel() for n in typed) * len(elements), moved


@pytest.mark.parametrize("name", NETS)
def test_every_map_and_the_logits_are_exact_on_natural_images(name):
    _, group, _, side, channels = NETS[name]
    q = quantize(build(name), images(16, channels, side))
    x = images(3, channels, side, seed=7)
    if channels == 3 and (photos := photographs(3, side)) is not None and side == 33:
        x = torch.cat([x, photos])
    wrong, compared, moved = mismatches(q, x, group)
    assert (wrong, moved) == (0, 0)
    assert compared > 1000


@pytest.mark.parametrize("name", ["mobilenet D4", "mobilenet D8", "mobilenet C8", "lens D8"])
def test_extreme_values_saturate_and_stay_exact(name):
    _, group, _, side, channels = NETS[name]
    q = quantize(build(name), images(16, channels, side))
    x = images(4, channels, side) - 0.5
    x = torch.cat([1e6 * x[:2], -3e38 * x[2:3].sign(), 40 * x[3:]])
    assert (torch.isin(q.maps(x)["input"], torch.tensor([0, 255], dtype=torch.uint8))).float().mean() > 0.5
    wrong, _, moved = mismatches(q, x, group)
    assert (wrong, moved) == (0, 0)


@pytest.mark.parametrize("name", ["mobilenet D4", "mobilenet D8", "mobilenet C8"])
def test_a_path_that_does_not_saturate(name):
    """Linear bottlenecks calibrated on the very images: no sum is cut, so exactness owes nothing to saturation."""
    _, group, _, side, channels = NETS[name]
    x = images(6, channels, side)
    net = build(name)
    q = quantize(net, x)
    maps = q.maps(x)
    seen = 0
    for i, step in enumerate(q.steps):
        if isinstance(step, IntConv) and step.out_zero > 0:  # no ReLU: both ends are real
            source = maps[q.sources[i][0]]
            raw = torch.round(step.sums(source).float() * step.factor.view(-1, 1, 1)) + step.out_zero
            assert (raw.clamp(0, 255) != raw).float().mean() < 1e-3
            assert maps[q.names[i]].min() > 0 or maps[q.names[i]].max() < 255 or raw.unique().numel() > 100
            seen += 1
    assert seen >= 5
    assert mismatches(q, x, group)[::2] == (0, 0)


@pytest.mark.parametrize("name", ["mobilenet D4", "mobilenet D8", "mobilenet C8"])
def test_planted_fault_scales_that_differ_by_two_percent_between_orientations(name, monkeypatch):
    _, group_name, _, side, channels = NETS[name]
    group, _ = lattice(group_name)
    shared = weights_module.shared_scales

    def unshared(weight, index, top):
        turn = torch.arange(len(index)) % group.order
        return shared(weight, index, top) * (1 + 0.02 * (turn % 4) * (index.bincount().max() > 1))

    monkeypatch.setattr(weights_module, "shared_scales", unshared)
    q = quantize(build(name), images(16, channels, side))
    wrong, compared, moved = mismatches(q, images(3, channels, side, seed=7), group_name)
    assert wrong > 0.01 * compared
    assert moved > 0


def test_planted_fault_ordinary_rounding_parts_what_symmetry_makes_equal():
    values = torch.tensor([3.5, 3.5 + 1e-12, 3.5 - 1e-12, -3.5 - 1e-12, -3.5, 0.2, 7.0], dtype=torch.float64)
    ours = weights_module.tie_proof_round(values, 1e-9)
    assert len(ours[:5].abs().unique()) == 1
    assert (ours - values).abs().max() <= 0.5 + 1e-9
    assert len(torch.round(values)[:5].abs().unique()) == 2


def test_rounding_stays_within_half_a_step_however_many_weights_there_are():
    """A wide layer has neighbours closer than the tolerance everywhere: they may not drag each other away."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(2_000_000, generator=generator).double()
    values = base / base.abs().max() * 127
    tolerance = weights_module.noise(torch.float32, 127.0)
    error = (weights_module.tie_proof_round(values, tolerance) - values).abs().max()
    assert error <= 0.5 + tolerance
    # copies of entries that symmetry makes equal, apart by what float32 makes of them, many at a half
    few = torch.cat((torch.arange(100).double() + 0.5, values[:1000]))
    copies = few * (1 + 2.0**-23 * torch.randint(-2, 3, (16, len(few)), generator=generator))
    signs = torch.randint(0, 2, (16, 1), generator=generator).double() * 2 - 1
    rounded = weights_module.tie_proof_round(signs * copies, tolerance)
    assert (signs * rounded == (signs * rounded)[:1]).all()
    assert (rounded - signs * copies).abs().max() <= 0.5 + tolerance
    assert not (torch.round(copies) == torch.round(copies)[:1]).all()


@pytest.mark.parametrize("shape", [(512, 512, 3, 3), (1280, 320, 1, 1)])
def test_wide_layers_keep_their_weights(shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = weights_module.integer_weights(weight, None, torch.arange(shape[0]), 0.02, 8, weight.dtype)
    steps = weight / found.scale.view(-1, 1, 1, 1)
    assert (found.weight - steps).abs().max() <= 0.501


def test_sums_are_exact_without_the_library_that_adds_plain_products():
    """Without oneDNN a batch of 16 goes to NNPACK, whose fast transforms are not exact in float32."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randint(-127, 128, (32, 16, 3, 3), generator=generator, dtype=torch.int8)
    scale, bias = torch.full((32,), 0.01), torch.zeros(32, dtype=torch.int32)
    conv = IntConv(weight, bias, scale, 0.02, 3, 0.5, 7, [1, 1], [1, 1], [1, 1], 1)
    q = torch.randint(0, 256, (32, 16, 33, 33), generator=generator, dtype=torch.uint8)
    wanted = torch.nn.functional.conv2d(q.double() - 3, weight.double(), padding=1).long()
    assert torch.equal(conv.sums(q), wanted)
    torch._C._set_mkldnn_enabled(False)
    try:
        assert torch.equal(conv.sums(q), wanted)
    finally:
        torch._C._set_mkldnn_enabled(True)


def test_sharing_over_the_tensor_is_exact_too():
    name = "mobilenet D4"
    q = quantize(build(name), images(16, 3, 33), share="tensor")
    assert mismatches(q, images(2, 3, 33, seed=7), "D4")[::2] == (0, 0)
    scales = [s.scale for s in q.steps if isinstance(s, IntConv)]
    assert all(len(s.unique()) == 1 for s in scales)


def test_scales_are_shared_within_fields():
    q = quantize(build("mobilenet C8"), images(16, 3, 33))
    convolutions = [s for s in q.steps if isinstance(s, IntConv)]
    for s in convolutions:
        for held in (s.scale, s.factor, s.bias):
            assert (held.view(-1, 8) == held.view(-1, 8)[:, :1]).all()
    assert any(len(s.scale.unique()) > 1 for s in convolutions)
