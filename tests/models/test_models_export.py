"""Every registered model goes into a program and into ONNX and comes back as it was, on real images."""

from __future__ import annotations

import pytest
import torch
from tests.run.pictures import pictures

import steerable as st
from steerable.data import Recipe
from steerable.models import example_side
from steerable.models.registry import _TABLE
from steerable.run.export.graph import Graph
from steerable.run.export.operators import onnx_operators, program_operators
from steerable.run.export.write import INPUT, to_onnx, trace

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

#: arguments that make a network small; the others are small enough
TINY = {
    "dieleman": {"width": 0.125},
    "dieleman_d4": {"width": 0.125},
    "dieleman_plain": {"width": 0.125},
    "mobilenet_v2": {"width": 0.25},
    "mobilenet_v2_plain": {"width": 0.25},
    "steerable_cnn": {"group": "C8", "fields": (2,) * 6},
    "lens_cnn": {"widths": (2, 3, 4, 4)},
    "lens_cnn_plain": {"widths": (4, 6, 8, 8)},
}
#: names that take long, though they are the first of their architecture; plain twins hold layers of torch alone
HEAVY = {"resnet26_p4m", "etn_projective", "mobilenet_v2", "cheb_lie_net", "dieleman_d4"}
#: name -> why the converter cannot take it; each must fail
NOT_ONNX: dict[str, str] = {}


def chosen():
    """Every name; of each architecture the first is tried by default and the others are slow."""
    seen = set()
    for name, entry in _TABLE.items():
        if entry.domain != "images":  # volumes: below
            continue
        slow = name in HEAVY or name.endswith("_plain") or (entry.module, entry.builder) in seen
        marks = [pytest.mark.slow] if slow else []
        seen.add((entry.module, entry.builder))
        yield pytest.param(name, id=name, marks=marks)


def network(name):
    """A network whose batch norms have seen images, and images."""
    torch.manual_seed(0)
    model = st.create_model(name, in_channels=1, num_classes=3, **TINY.get(name, {}))
    x = pictures(4, 1, example_side(name))
    with torch.no_grad():
        model.train()(x)
    return model.eval(), x


def difference(found, expected):
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", list(chosen()))
def test_program_and_onnx_are_eager(name):
    model, x = network(name)
    with torch.no_grad():
        expected, exact = model(x), None
        program = trace(Graph([model], Recipe(), False), x[:2], None)
        assert difference(program.module()(x)[1][:, 0], expected) < 1e-5
        program_operators(program)
        exact = model.double()(x.double())
        double = trace(Graph([model], Recipe(), False), x[:2].double(), None)
        assert difference(double.module()(x.double())[1][:, 0], exact) < 1e-10
    if name in NOT_ONNX:
        with pytest.raises(ValueError, match="converter"):
            to_onnx(program, (), [INPUT], ["probabilities", "logits"])
        return
    converted = to_onnx(program, (), [INPUT], ["probabilities", "logits"])
    onnx_operators(converted)
    session = onnxruntime.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
    answer, each = (torch.from_numpy(a) for a in session.run(None, {INPUT: x.numpy()}))
    assert difference(each[:, 0], expected) < 1e-5
    assert difference(answer, expected.softmax(1)) < 1e-5
    assert difference(answer, exact.softmax(1).float()) < 1e-5


@pytest.mark.parametrize("name", ["volume_cnn", "volume_cnn_plain", "volume_unet"])
def test_networks_of_volumes_export(name):
    """The program of a network of volumes is the network; `steerable export` itself is for images so far."""
    torch.manual_seed(0)
    model = st.create_model(name, num_classes=2, widths=(2, 3), kernel_size=3).eval()
    x = torch.randn(2, 1, 9, 9, 9)
    with torch.no_grad():
        program = torch.export.export(model, (x,)).module()
        assert difference(program(x), model(x)) < 1e-5
        assert difference(st.bake(model)(x), model(x)) < 1e-5
