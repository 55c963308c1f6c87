"""Every algebraic law on every layer of the catalogue, for every legal type, at tiny sizes."""

from __future__ import annotations

import copy
import itertools
import warnings

import pytest
import torch
from tests.catalogue import LAYERS, TYPES, assert_lawful, elements, make
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from steerable import laws
from steerable.groups import C
from steerable.laws.equivariance import relative_error
from steerable.laws.setting import meet
from steerable.nn import EquivariantModule, ExactnessWarning

NAMES = sorted(LAYERS)
#: types for the laws that cost most: regular and trivial, a complex type, an odd group with flips, continuous groups
FEW = (
    "O3 irreps",
    "C4 regular",
    "C5 mixed",
    "D3 mixed",
    "D3 regular",
    "SO2 irreps",
    "O2 irreps",
    "O2 induced",
    "D4 signs",
)
#: layers that look at several fields at once, or reorder them
NOT_FIELDWISE = ("ToFourier", "FromFourier", "Restrict", "Disentangle", "Gate", "BatchNorm plain", "Plain")


def cases(layer, types=tuple(TYPES)):
    """The layer on each legal type, in eval, with an input."""
    found = [t for t in types if LAYERS[layer].accepts(TYPES[t])]
    assert found, f"no type for {layer}"
    for t in found:
        module, x = make(layer, t)
        yield t, module.eval(), x


def check_channels(module, x):
    """Largest error of ``f(rho(g) x) = rho(g) f(x)``: the group acts on the channels alone, at all its elements."""
    in_type = meet(module.in_type, module.out_type)
    with torch.no_grad():
        y = module(x)
        return max(
            relative_error(module(in_type.transform(x, g)), module.out_type.transform(y, g))
            for g in elements(in_type.group, 5)
        )


def assert_on_the_lattice(module, x, **options):
    """The law, where there is something to test: no turn of C(3) or C(5) moves pixels onto pixels."""
    if x.dim() >= 4 and meet(module.in_type, module.out_type).group in (C(3), C(5)):
        with pytest.raises(ValueError, match="nothing is tested"):
            laws.assert_equivariant(module, x, **options)
    else:
        assert_lawful(module, x, **options)


@pytest.mark.parametrize("layer", NAMES)
def test_lattice_symmetries_are_exact(layer):
    for t, module, x in cases(layer):
        assert_on_the_lattice(module, x)
        assert module(x).shape[1] == module.out_type.size, t


@pytest.mark.parametrize("layer", NAMES)
def test_lattice_symmetries_are_exact_in_train(layer):
    for _, module, x in cases(layer, FEW):
        assert_on_the_lattice(module, x, training=True)


@pytest.mark.parametrize("layer", [n for n in NAMES if not LAYERS[n].mixes and not LAYERS[n].sampled])
def test_the_group_on_the_channels(layer):
    for t, module, x in cases(layer):
        assert check_channels(module, x) < 1e-10, t


@pytest.mark.parametrize("layer", [n for n in NAMES if LAYERS[n].local and not LAYERS[n].sampled])
def test_gauges_that_turn_from_point_to_point(layer):
    for _, module, x in cases(layer, FEW):
        laws.assert_gauge_equivariant(module, x)


@pytest.mark.parametrize("layer", NAMES)
def test_batches(layer):
    for _, module, x in cases(layer, FEW):
        x = torch.cat([x, x.flip(-1) + 1])
        laws.assert_batch_independent(module, x)
        laws.assert_permutation_equivariant(module, x)


@pytest.mark.parametrize("layer", NAMES)
def test_an_empty_batch_passes_and_leaves_statistics_alone(layer):
    for t, module, x in cases(layer, FEW):
        before = copy.deepcopy(module.state_dict())
        full = module(x)
        for mode in (True, False):
            y = module.train(mode)(x[:0])
            assert y.shape == (0, *full.shape[1:]), t
        assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items()), t


@pytest.mark.parametrize("layer", NAMES)
def test_baked_layers_are_equal(layer):
    for _, module, x in cases(layer):
        laws.assert_baked_equals(module, x)


@pytest.mark.parametrize("layer", NAMES)
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_first_and_second_derivatives(layer, training):
    legal = [t for t in FEW if LAYERS[layer].accepts(TYPES[t])]
    for t, module, x in cases(layer, legal[:3] if training else legal):  # three in training: modes differ in few layers
        module.train(training)
        x = x[..., :3, :3] if LAYERS[layer].local and x.dim() > 2 else x
        x = x.clone().requires_grad_()
        names, values = zip(*module.named_parameters(), strict=True) if list(module.parameters()) else ((), ())

        def call(x, *values, module=module, names=names):
            torch.manual_seed(0)  # dropout draws the same fields at every call
            return torch.func.functional_call(module, dict(zip(names, values, strict=True)), x)

        assert gradcheck(call, (x, *values), fast_mode=True), t
        assert gradgradcheck(call, (x, *values), fast_mode=True), t


@pytest.mark.parametrize("layer", NAMES)
def test_float32(layer):
    for t in FEW:
        if LAYERS[layer].accepts(TYPES[t]):
            module, x = make(layer, t, torch.float32)
            assert_on_the_lattice(module, x)
            double = copy.deepcopy(module).double().eval()
            with torch.no_grad():
                assert relative_error(module.eval()(x), double(x.double())) < 1e-5, t


@pytest.mark.parametrize("layer", NAMES)
def test_memory_formats(layer):
    for t, module, x in cases(layer, FEW):
        with torch.no_grad():
            y = module(x)
            strided = torch.stack([x, x], -1)[..., 0]
            if x.dim() > 3:
                last = torch.channels_last if x.dim() == 4 else torch.channels_last_3d
                assert relative_error(module(x.contiguous(memory_format=last)), y) < 1e-12, t
            assert relative_error(module(strided), y) < 1e-12, t


@pytest.mark.parametrize("layer", [n for n in NAMES if not LAYERS[n].mixes and n not in NOT_FIELDWISE])
def test_channels_side_by_side(layer):
    """A layer without parameters that treats each field alone has ``f(x | y) = f(x) | f(y)``, and so have its types."""
    for t, module, x in cases(layer, FEW):
        if any(True for _ in module.parameters()) or TYPES[t] != module.in_type:
            continue
        build, other = LAYERS[layer].build, 2 * TYPES[t]
        both = build(module.in_type + other).double().eval()
        z = LAYERS[layer].input(other, seed=3)
        with torch.no_grad():
            expected = torch.cat([module(x), build(other).double().eval()(z)], 1)
            assert relative_error(both(torch.cat([x, z], 1)), expected) < 1e-12, t
        assert both.out_type == module.out_type + build(other).out_type, t


@pytest.mark.parametrize("layer", NAMES)
def test_wrong_channels_are_refused_in_words(layer):
    for _, module, x in itertools.islice(cases(layer, FEW), 3):
        if layer in ("Sequential", "Residual", "Branches", "mlp", "mlp volumes"):
            continue
        with pytest.raises(ValueError, match=rf"{type(module).__name__}: input has \d+ channels; this layer expects"):
            module(torch.cat([x, x[:, :1]], 1))


# ---- the laws catch what is planted --------------------------------------------------------------------------------


class Faulty(EquivariantModule):
    """A lawful layer with one fault behind it."""

    def __init__(self, inner, fault):
        super().__init__(inner.in_type, inner.out_type)
        self.inner, self.fault = inner, fault

    def forward(self, x):
        return self.fault(self.inner(x))

    def bake(self):
        return nn.Identity()


FAULTS = {
    "ramp over the image": lambda y: y * torch.linspace(1, 2, y.shape[-1], dtype=y.dtype),
    "channels of different volume": lambda y: y * torch.linspace(1, 2, y.shape[1], dtype=y.dtype)[:, None, None],
    "channels exchanged": lambda y: y.flip(1),
    "bias on every channel": lambda y: y + torch.arange(y.shape[1], dtype=y.dtype)[:, None, None],
    "shift by a pixel": lambda y: y.roll(1, -1),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("layer", ["Conv2d padded", "BatchNorm", "AvgPool2d", "Upsample2d"])
def test_planted_faults_are_caught_on_the_lattice(layer, fault):
    for t in ("C4 regular", "D4 irreps", "SO2 irreps", "O2 irreps"):
        module, x = make(layer, t)
        with pytest.raises(AssertionError, match="not equivariant"):
            laws.assert_equivariant(Faulty(module.eval(), FAULTS[fault]), x)


@pytest.mark.parametrize("t", ["C5 mixed", "D3 mixed", "Q8", "C3xC3"])
def test_planted_faults_are_caught_on_the_channels(t):
    module, x = make("Linear", t)
    assert check_channels(Faulty(module, FAULTS["channels of different volume"]), x) > 1e-3
    assert check_channels(Faulty(module, lambda y: y.relu()), x) > 1e-3 or module.out_type.is_permutation
    with pytest.raises(AssertionError, match="gauge"):
        laws.assert_gauge_equivariant(Faulty(module, FAULTS["channels of different volume"]), x)


def test_planted_faults_in_batches_and_baked_layers_are_caught():
    module, x = make("Linear", "C8 irreps")
    with pytest.raises(AssertionError, match="alone"):
        laws.assert_batch_independent(Faulty(module, lambda y: y - y.mean(0)), x)
    with pytest.raises(AssertionError, match="baked"):
        laws.assert_baked_equals(Faulty(module, lambda y: y), x)


def test_planted_faults_in_derivatives_are_caught():
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x**2

        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradcheck(Wrong.apply, torch.ones(3, dtype=torch.float64, requires_grad=True), fast_mode=True)


@pytest.mark.parametrize(
    ("layer", "side"),
    [("Conv2d strided", 6), ("MaxPool2d", 7), ("AvgPool2d", 5), ("AvgPool2d 3", 6), ("NormMaxPool2d", 7)],
)
def test_wrong_sizes_break_the_law_and_are_told(layer, side):
    module, _ = make(layer, "D4 regular")
    x = torch.randn(2, module.in_type.size, side, side, dtype=torch.float64)
    with pytest.warns(ExactnessWarning, match=r"not exact for stride 2(.|\n)*Use sides such as"):
        module.eval()(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module(x)  # told once
    with pytest.raises(AssertionError, match="not equivariant"):
        laws.assert_equivariant(module, x)
    module.strict = True
    with pytest.raises(ValueError, match="not exact"):
        module(x)
