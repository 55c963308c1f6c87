"""What torch does with any module it must do with layers of points: compile, export, copy, save, cast."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable.domains.points import Points
from steerable.laws.equivariance import relative_error

T = st.SO3().type("2x0 + 1x1")
LAYERS = {
    "PointConv": lambda: snn.PointConv(T, T, 1.0, kernel_size=5),
    "PointConv mean": lambda: snn.PointConv(T, st.SO3().type("1x0 + 1x2"), 1.0, kernel_size=3, reduce="mean"),
    "ImplicitPointConv": lambda: snn.ImplicitPointConv(T, T, 1.0),
}


@pytest.fixture(params=LAYERS)
def case(request):
    torch.manual_seed(0)
    layer = LAYERS[request.param]().eval()
    points = Points(torch.rand(12, 3) * 1.5)
    return layer, torch.randn(12, T.size), points.neighbours(1.0)


def test_compile(case):
    layer, x, g = case
    torch.compiler.reset()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert relative_error(compiled(x, g), layer(x, g)) < 1e-5
    leaf = x.clone().requires_grad_()
    found = torch.autograd.grad(compiled(leaf, g).square().sum(), leaf)[0]
    assert relative_error(found, torch.autograd.grad(layer(leaf, g).square().sum(), leaf)[0]) < 1e-4
    torch.compiler.reset()


def test_export_of_any_number_of_pairs(case):
    layer, x, g = case
    program = torch.export.export(layer, (x, g)).module()
    assert relative_error(program(x, g), layer(x, g)) < 1e-5


def test_copies_and_files(case):
    layer, x, g = case
    y = layer(x, g)
    assert torch.equal(copy.deepcopy(layer)(x, g), y)
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x, g), y)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = copy.deepcopy(layer)
    for p in other.parameters():
        torch.nn.init.zeros_(p)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x, g), y)


def test_autocast(case):
    layer, x, g = case
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x, g)
    assert relative_error(y.float(), layer(x, g)) < 0.05


def test_state_holds_parameters_only(case):
    layer, _, _ = case
    assert set(layer.state_dict()) == {n for n, _ in layer.named_parameters()}
