"""What torch does with any module it must do with these: compile, export, convert, map, copy, save, load, cast.

Every layer once on a regular and once on a mixed type; compilers and converters see one layer of a kind;
the full product of layers and types is marked slow. What fails is in one table, ``EXCEPTIONS``, with a reason each (see
docs/exceptions.md), and must fail: each is a strict xfail.
"""

from __future__ import annotations

import copy
import io
import pickle
import re

import pytest
import torch
from tests.catalogue import GROUPS, LAYERS, TYPES, assert_lawful, make
from tests.conftest import ROOT
from torch import nn

import steerable.nn as snn
from steerable import laws
from steerable.laws.equivariance import relative_error

#: a regular type and mixed ones of complex and real irreps, in the order of choice
REGULAR, MIXED, SIGNS = "C4 regular", "SO2 irreps", "D4 signs"
_COUNT = (
    "momentum=None on one block of permuted fields calls the library with a factor that is data, "
    "as torch.nn.BatchNorm2d does"
)
#: (tool, layer, type) -> reason; the type may be ``*``
EXCEPTIONS: dict[tuple[str, str, str], str] = {
    ("compile training", "BatchNorm plain", "C1"): _COUNT,
    ("bfloat16", "AvgPool3d", "*"): "torch has no avg_pool3d of bfloat16 on processors, for torch.nn.AvgPool3d neither",
    ("onnx", "AdaptiveMaxPool2d", "*"): "the converter has no adaptive maximum, for torch.nn.AdaptiveMaxPool2d neither",
}


def _pairs(types=None):
    """Every layer on a regular and on a mixed type, as far as they are legal."""
    for layer, entry in LAYERS.items():
        legal = [t for t in (types or (REGULAR, MIXED, SIGNS)) if entry.accepts(TYPES[t])]
        yield from ((layer, t) for t in (legal if types else legal[:2]))


PAIRS = list(_pairs())
#: one type a layer, the mixed one where it is legal: for what takes seconds
FIRST = [(layer, t) for layer, t in PAIRS if t != SIGNS and (t == MIXED or not LAYERS[layer].accepts(TYPES[MIXED]))]
#: one layer of each kind
KINDS = list({layer.split()[0]: (layer, t) for layer, t in reversed(FIRST)}.values())
#: layers whose backward pass is compiled by default
TRAINED = ("Conv2d", "BatchNorm", "BatchNorm plain", "NormAct relu", "FourierAct", "Gate", "Linear")
EVERYTHING = [p for p in _pairs(tuple(TYPES)) if p not in PAIRS]


def over(tool, default=PAIRS, slow=()):
    """Parametrise a test over layers and types, the exceptions of a tool as strict xfails."""

    def param(layer, t, marks=()):
        reason = EXCEPTIONS.get((tool, layer, t)) or EXCEPTIONS.get((tool, layer, "*"))
        marks = [*marks, pytest.mark.xfail(reason=reason, strict=True)] if reason else list(marks)
        return pytest.param(layer, t, id=f"{layer}-{t}", marks=marks)

    chosen = [param(*p) for p in default] + [param(*p, marks=[pytest.mark.slow]) for p in slow]
    return pytest.mark.parametrize(("layer", "t"), chosen)


def fresh(layer, t, dtype=torch.float32, training=False):
    """A layer in a mode, and an input; nothing is left in the compiler from the test before."""
    module, x = make(layer, t, dtype)
    return module.train(training), x


# ---- compilers and exporters ---------------------------------------------------------------------------------------


@pytest.fixture
def compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@over("compile", KINDS, [*(p for p in PAIRS if p not in KINDS), *EVERYTHING])
def test_compile_fullgraph(layer, t, compiler):
    module, x = fresh(layer, t)
    laws.assert_compiled_equals(module, x)


@over(
    "compile training",
    [
        *(p for p in FIRST if p[0] in TRAINED),
        *((layer, t) for tool, layer, t in EXCEPTIONS if tool == "compile training"),
    ],
    [p for p in EVERYTHING if ("compile training", *p) not in EXCEPTIONS],
)
def test_compile_fullgraph_with_gradients(layer, t, compiler):
    module, x = fresh(layer, t, training=layer != "FieldDropout")
    twin = copy.deepcopy(module)
    x.requires_grad_()
    found = torch.autograd.grad(torch.compile(module, backend="aot_eager", fullgraph=True)(x).pow(3).sum(), x)[0]
    expected = torch.autograd.grad(twin(x).pow(3).sum(), x)[0]
    assert relative_error(found, expected) < 1e-4


@over("export", KINDS, [*(p for p in PAIRS if p not in KINDS), *EVERYTHING])
def test_export(layer, t):
    module, x = fresh(layer, t)
    laws.assert_export_equals_eager(module, x, dynamic_batch=True)


def test_a_program_with_empty_constants_is_saved():
    vectors = 2 * GROUPS["SO2"].irreps(1)[1]  # without invariants, so that batch norm has no means
    for dtype in (torch.float32, torch.float64):
        program = torch.export.export(snn.BatchNorm(vectors).to(dtype).eval(), (torch.randn(1, 4, 3, 3, dtype=dtype),))
        torch.export.save(program, io.BytesIO())


@over("onnx", KINDS, [p for p in PAIRS if p not in KINDS])
def test_onnx_of_every_layer(layer, t):
    pytest.importorskip("onnxscript")
    module, x = fresh(layer, t)
    laws.assert_onnx_equals(module, x)


def networks():
    """Networks that hold most layers between them: what is converted and compiled by default."""
    c4, so2, d4 = GROUPS["C4"], GROUPS["SO2"], GROUPS["D4"]
    rgb, deep = 2 * c4.trivial, 2 * c4.regular
    yield (
        "regular",
        snn.Sequential(
            snn.Pad2d(rgb, 1),
            snn.DiscMask(rgb),
            snn.Conv2d(rgb, deep, 3),
            snn.BatchNorm(deep),
            snn.ReLU(deep),
            snn.MaxPool2d(deep, 3, 2, 1),
            snn.Residual(snn.Sequential(snn.Conv2d(deep, deep, 3, padding=1), snn.ELU(deep))),
            snn.FieldDropout(deep),
            snn.LayerNorm(deep),
            snn.BlurPool2d(deep),
            snn.GroupPool(deep),
            snn.GlobalAvgPool2d(),
            nn.Linear(2, 3),
        ),
    )
    fields = so2.type("2x0 + 2x1 + 1x2")
    spectral = 2 * so2.spectral_regular(1)
    yield (
        "irreps",
        snn.Sequential(
            snn.Conv2d(2 * so2.trivial, snn.Gate.gated_type(fields), 3, padding=1),
            snn.Gate(fields),
            snn.GroupNorm(fields, 1),
            snn.Conv2d(fields, fields, 3, stride=2, padding=1),
            snn.BatchNorm(fields),
            snn.NormAct(fields),
            snn.Upsample2d(fields, 2),
            snn.AvgPool2d(fields, 3, 1, 1),
            snn.Linear(fields, spectral),
            snn.FourierAct(spectral),
            snn.NormMaxPool2d(spectral, 3, 1, 1),
            snn.NormPool(spectral),
            snn.GlobalMaxPool2d(),
            nn.Linear(4, 3),
        ),
    )
    both = d4.type("1 regular + 1x1 + 1x0o")
    small = snn.Restrict(both, GROUPS["C2"])
    yield (
        "restricted",
        snn.Sequential(
            snn.Conv2d(2 * d4.trivial, both, 3),
            snn.InstanceNorm(both),
            small,
            snn.ToFourier(small.out_type),
            snn.Linear(snn.ToFourier(small.out_type).out_type, small.out_type.group.type("3x1 + 2x0")),
            snn.CReLU(small.out_type.group.type("3x1 + 2x0")),
        ),
    )


NETWORKS = dict(networks())


def network(name):
    """One network in eval with an input on which every stride is exact."""
    torch.manual_seed(0)
    return copy.deepcopy(NETWORKS[name]).eval(), torch.randn(2, 2, 9, 9)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks(name, compiler):
    model, x = network(name)
    laws.assert_equivariant(model, x, atol=1e-4)
    laws.assert_baked_equals(model, x)
    laws.assert_compiled_equals(model, x)
    laws.assert_export_equals_eager(model, x, dynamic_batch=True)


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("baked", [False, True], ids=["native", "baked"])
def test_networks_in_onnx(name, baked):
    pytest.importorskip("onnxscript")
    model, x = network(name)
    laws.assert_onnx_equals(snn.bake(model) if baked else model, x)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_train_when_compiled(name, compiler):
    model, x = network(name)
    model.train()
    step = torch.compile(model, backend="aot_eager", fullgraph=True)
    step(x).square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())


# ---- functional transforms, casts ----------------------------------------------------------------------------------


@over("vmap")
def test_vmap_over_stacked_parameters(layer, t):
    module, x = fresh(layer, t, torch.float64)
    other = copy.deepcopy(module)
    with torch.no_grad():
        for p in other.parameters():
            p.mul_(0.5)
    parameters, buffers = torch.func.stack_module_state([module, other])

    def call(p, b, x):
        return torch.func.functional_call(module, (p, b), (x,))

    found = (
        torch.func.vmap(call, in_dims=(0, 0, None))(parameters, buffers, x)
        if parameters or buffers
        else torch.func.vmap(lambda x: module(x))(torch.stack([x, x]))
    )
    for y, m in zip(found, (module, other), strict=True):
        assert relative_error(y, m(x)) < 1e-12


@over("jvp")
def test_forward_mode_derivatives(layer, t):
    module, x = fresh(layer, t, torch.float64)
    direction = torch.randn(x.shape, dtype=torch.float64)
    _, found = torch.func.jvp(module, (x,), (direction,))
    step = 1e-6
    with torch.no_grad():
        expected = (module(x + step * direction) - module(x - step * direction)) / (2 * step)
    assert relative_error(found, expected) < 1e-5


@over("autocast")
def test_autocast(layer, t):
    module, x = fresh(layer, t, training=layer != "FieldDropout")
    expected = copy.deepcopy(module)(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = module(x.requires_grad_())
        y.float().square().sum().backward()
    assert relative_error(y, expected) < 5e-2 and bool(torch.isfinite(x.grad).all())


@over("bfloat16")
def test_half_precision_weights(layer, t):
    module, x = fresh(layer, t)
    expected = module(x)
    assert relative_error(module.to(torch.bfloat16)(x.to(torch.bfloat16)), expected) < 5e-2


# ---- copies and files ----------------------------------------------------------------------------------------------


@over("copies")
def test_deepcopy_pickle_and_save(layer, t):
    for training in (True, False):
        module, x = fresh(layer, t, training=training)
        module(x)  # whatever a forward leaves behind must not hinder a copy
        buffer = io.BytesIO()
        torch.save(module, buffer)
        buffer.seek(0)
        for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(buffer, weights_only=False)):
            assert twin.training == training and twin.in_type == module.in_type and twin.out_type == module.out_type
            assert torch.equal(twin.eval()(x), copy.deepcopy(module).eval()(x))


@over("state")
def test_state_dicts(layer, t):
    module, x = fresh(layer, t, training=True)
    trained = module.state_dict().keys()
    assert trained == module.eval().state_dict().keys()
    torch.manual_seed(1)
    other = LAYERS[layer].build(TYPES[t])
    for mode in (True, False):
        other.train(mode).load_state_dict(module.state_dict(), strict=True)
    assert torch.equal(other(x), module(x))
    derived = {n for n, _ in module.named_buffers()} - set(trained)
    assert not derived & trained and set(trained) - {n for n, _ in module.named_parameters()} <= {
        n for n in trained if re.search(r"running_(mean|var)|num_batches_tracked", n)
    }


@over("size")
def test_state_dicts_hold_no_bases(layer, t):
    module, _ = fresh(layer, t)
    stored = sum(v.numel() for k, v in module.state_dict().items() if "running" not in k and "num_batches" not in k)
    assert stored <= 1.1 * sum(p.numel() for p in module.parameters())


@over("double")
def test_double_is_derived_again_and_not_widened(layer, t):
    module, x = fresh(layer, t)
    module(x)
    assert_lawful(module.double(), x.double(), atol=1e-12)
    narrow = module.float()
    assert_lawful(narrow, x)
    assert_lawful(narrow.to(torch.bfloat16).double(), x.double(), atol=1e-12)


@over("two dtypes")
def test_two_models_of_different_dtype_in_one_process(layer, t):
    first, x = fresh(layer, t)
    second, _ = fresh(layer, t)
    before = first(x)
    second.double()
    assert second(x.double()).dtype == torch.float64 and first(x).dtype == torch.float32
    assert torch.equal(first(x), before)
    third = LAYERS[layer].build(TYPES[t])
    assert third.eval()(x).dtype == torch.float32


@over("default dtype")
def test_the_default_dtype_is_respected(layer, t):
    torch.set_default_dtype(torch.float64)
    try:
        module = LAYERS[layer].build(TYPES[t]).eval()
        assert_lawful(module, LAYERS[layer].input(module.in_type), atol=1e-12)
    finally:
        torch.set_default_dtype(torch.float32)


@over("inference")
def test_inference_mode_then_training(layer, t):
    module, x = fresh(layer, t)
    with torch.inference_mode():
        expected = module(x)
        built = LAYERS[layer].build(TYPES[t])
    y = module(x.clone().requires_grad_())
    assert relative_error(y, expected) < 1e-6
    y.sum().backward()
    assert built is not None


# ---- the table of exceptions ---------------------------------------------------------------------------------------


def test_the_table_of_exceptions_is_the_one_in_the_docs():
    text = (ROOT / "docs" / "exceptions.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \| (.+?) \|$", text, flags=re.MULTILINE)
    assert {tuple(row[:3]): row[3] for row in rows} == EXCEPTIONS


def test_planted_faults_are_caught(compiler):
    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum().item() > 0 else -x

    class Closure(snn.Plain):
        def __init__(self):
            t = TYPES[REGULAR]
            super().__init__(nn.Identity(), t, t)
            self.f = lambda x: x

    class Persistent(snn.Plain):
        def __init__(self):
            t = TYPES[REGULAR]
            super().__init__(nn.Identity(), t, t)
            self.register_buffer("basis", torch.eye(3))

    with pytest.raises(Exception, match=r"(?i)data.dependent|graph break|item"):
        laws.assert_compiled_equals(Branching(), torch.randn(3, 3))
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(Closure())
    assert set(Persistent().state_dict()) - {"module.weight"} == {"basis"}
