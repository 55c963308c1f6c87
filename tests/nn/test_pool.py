"""Pooling: exact on the lattice where the size rule holds, and shown to break where it does not."""

from __future__ import annotations

import importlib.util
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import steerable as st
from steerable.nn.adaptive_pool import AdaptiveAvgPool2d, AdaptiveMaxPool2d
from steerable.nn.blur import BlurPool2d
from steerable.nn.exactness import ExactnessWarning, check_stride, is_exact_stride, strict
from steerable.nn.global_pool import GlobalAvgPool2d, GlobalMaxPool2d
from steerable.nn.norm_max_pool import NormMaxPool2d
from steerable.nn.pool import AvgPool2d, MaxPool2d

spec = importlib.util.spec_from_file_location("layer_checks", Path(__file__).with_name("layer_checks.py"))
checks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checks)
C4, PLANAR, PLANAR_PERMUTATIONS = checks.C4, checks.PLANAR, checks.PLANAR_PERMUTATIONS
channel_error, draw, lattice_error, tooling = checks.channel_error, checks.draw, checks.lattice_error, checks.tooling

#: layer, and a side at which it is exact
PERMUTATION_LAYERS = {
    "max 2": (lambda t: MaxPool2d(t, 2), 8),
    "max 3 2 1": (lambda t: MaxPool2d(t, 3, 2, 1), 9),
    "adaptive max": (lambda t: AdaptiveMaxPool2d(t, 3), 8),
    "global max": (GlobalMaxPool2d, 8),
}
ANY_LAYERS = {
    "avg 2": (lambda t: AvgPool2d(t, 2), 8),
    "avg 3 2 1": (lambda t: AvgPool2d(t, 3, 2, 1, count_include_pad=False), 9),
    "blur odd": (BlurPool2d, 9),
    "blur even": (BlurPool2d, 8),
    "blur stride 3": (lambda t: BlurPool2d(t, stride=3, sigma=1.0), 10),
    "blur fixed": (lambda t: BlurPool2d(t, kernel_size=3), 9),
    "norm max 2": (lambda t: NormMaxPool2d(t, 2), 8),
    "norm max 3 2 1": (lambda t: NormMaxPool2d(t, 3, 2, 1), 9),
    "adaptive avg": (lambda t: AdaptiveAvgPool2d(t, 3), 8),
    "global avg": (GlobalAvgPool2d, 7),
}
CASES = [(k, n, v, t) for k, v in PERMUTATION_LAYERS.items() for n, t in PLANAR_PERMUTATIONS.items()]
CASES += [(k, n, v, t) for k, v in ANY_LAYERS.items() for n, t in {**PLANAR, "perm": PLANAR_PERMUTATIONS["D4"]}.items()]


@pytest.mark.parametrize(
    ("make", "side", "type"), [(v[0], v[1], t) for _, _, v, t in CASES], ids=[f"{k}-{n}" for k, n, _, _ in CASES]
)
def test_exact_on_the_lattice(make, side, type) -> None:
    layer = make(type).double()
    assert lattice_error(layer, type, layer.out_type, draw(type, side, side)) < 1e-10


@pytest.mark.parametrize(
    ("layer", "side"),
    [
        (MaxPool2d(PLANAR_PERMUTATIONS["C4"], 2), 9),
        (MaxPool2d(PLANAR_PERMUTATIONS["C4"], 3, 2, 1), 8),
        (AvgPool2d(PLANAR["C4"], 2), 9),
        (NormMaxPool2d(PLANAR["C4"], 3, 2, 1), 8),
        (BlurPool2d(PLANAR["C4"], kernel_size=5), 8),
    ],
    ids=lambda v: str(v)[:10],
)
def test_the_size_rule_is_needed_and_told_once(layer, side: int) -> None:
    type = layer.in_type
    layer = layer.double()
    x = draw(type, side, side)
    with pytest.warns(ExactnessWarning, match=rf"Use sides such as {side - 1} or {side + 1}"):
        layer(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lattice_error(layer, type, type, x) > 1e-2  # the planted fault: it breaks, and was told once
        torch.compile(layer, fullgraph=True, backend="aot_eager")(x)
    model = strict(nn.Sequential(layer))
    with pytest.raises(ValueError, match="expected 0"):
        model(x)
    with pytest.raises(ValueError, match="pad or crop"):
        pickle.loads(pickle.dumps(model))(x)
    strict(model, False)(x)


def test_size_rule_counts_what_is_left_over() -> None:
    for side in range(5, 12):
        for kernel, stride, padding, dilation in [(3, 2, 1, 1), (2, 2, 0, 1), (3, 3, 0, 1), (3, 2, 2, 2)]:
            padded = torch.arange(side + 2 * padding)
            reach = dilation * (kernel - 1) + 1
            last = padded.unfold(0, reach, stride)[-1, -1]
            assert is_exact_stride(side, kernel, stride, padding, dilation) == bool(last == padded[-1])
    check_stride(nn.Identity(), (8, 8), 3, 1, 1)


def test_max_pooling_refuses_fields_that_turn_because_it_would_break() -> None:
    type = PLANAR["C4"]
    assert lattice_error(nn.MaxPool2d(2), type, type, draw(type, 8, 8)) > 1e-2
    for make in (lambda t: MaxPool2d(t, 2), lambda t: AdaptiveMaxPool2d(t, 2), GlobalMaxPool2d):
        with pytest.raises(TypeError, match="got 2x1 in C4"):
            make(type)


def test_norm_max_pool_takes_the_longest_vector() -> None:
    type = PLANAR["C4"]
    x = draw(type, 4, 4)
    y = NormMaxPool2d(type, 4).double()(x)[..., 0, 0]
    b = type.blocks[1]
    v = x[:, b.start : b.stop].reshape(3, *b.shape, 16)
    best = v.square().sum(2).argmax(-1)
    torch.testing.assert_close(
        y[:, b.start : b.stop].reshape(3, *b.shape), torch.take_along_dim(v, best[:, :, None, None], 3)[..., 0]
    )


def test_blur_keeps_constants_and_halves_every_side() -> None:
    layer = BlurPool2d(3 * C4.trivial)
    for side, half in ((8, 4), (9, 5), (28, 14), (65, 33)):
        y = layer(torch.ones(1, 3, side, side))
        assert y.shape[-1] == half
        torch.testing.assert_close(y[..., 1:-1, 1:-1], torch.ones(1, 3, half - 2, half - 2))


def test_global_pooling_without_a_type_follows_trivial_fields_only() -> None:
    net = st.nn.Sequential(AvgPool2d(4 * C4.trivial, 2), GlobalAvgPool2d(), nn.Linear(4, 3))
    x = torch.randn(2, 4, 6, 6)
    assert net(x).shape == (2, 3) and net(x[:0]).shape == (0, 3)
    torch.testing.assert_close(st.nn.bake(net)(x), net(x))
    with pytest.raises(TypeError, match="break the symmetry"):
        st.nn.Sequential(AvgPool2d(C4.regular * 1, 2), GlobalMaxPool2d())
    with pytest.raises(ValueError, match="expected an image"):
        GlobalAvgPool2d()(torch.zeros(2, 3))


@pytest.mark.parametrize("name", [n for n in [*PERMUTATION_LAYERS, *ANY_LAYERS] if n[-3:] not in ("2 1", "odd")])
def test_tooling(name: str) -> None:
    make, side = {**PERMUTATION_LAYERS, **ANY_LAYERS}[name]
    type = C4.regular + C4.trivial if name in PERMUTATION_LAYERS else C4.regular + C4.irrep("1")
    tooling(make(type), draw(type, side - 4, side - 4, batch=2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: MaxPool2d(t, 0), "kernel_size"),
        (lambda t: AvgPool2d(t, (2, 3)), "square"),
        (lambda t: MaxPool2d(t, 3, padding=2), "half the kernel"),
        (lambda t: BlurPool2d(t, sigma=0), "sigma"),
        (lambda t: AdaptiveAvgPool2d(t, 0), "output_size"),
        (lambda t: AvgPool2d(t, 2)(torch.zeros(1, 2, 4, 4)), "expects 11"),
        (lambda t: AvgPool2d(t, 2)(torch.zeros(1, 11, 4)), r"\[B, C, H, W\]"),
    ],
)
def test_errors_name_what_was_given(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(PLANAR_PERMUTATIONS["C4"])
