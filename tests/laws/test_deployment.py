"""Laws of deployment, batches, permutations and gauges, each with a fault that it catches."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import steerable as st
from steerable import laws
from steerable.groups import SO2, C

C4 = C(4)
X = torch.randn(3, 2, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def chain():
    torch.manual_seed(0)
    return st.nn.Sequential(
        st.nn.Conv2d(2 * C4.trivial, 2 * C4.regular, 3, padding=1),
        st.nn.Conv2d(2 * C4.regular, C4.regular + C4.irrep(1), 3),
    ).double()


class Wrong(st.nn.EquivariantModule):
    """A layer whose baked form, compiled form and batches are all wrong in the ways below."""

    def __init__(self, how):
        super().__init__(2 * C4.trivial, 2 * C4.trivial)
        self.how = how

    def forward(self, x):
        if self.how == "compile":
            return x + 1e-3 if torch.compiler.is_compiling() else x
        if self.how == "batch":
            return x - x.mean(0, keepdim=True)
        if self.how == "order":
            return x * torch.arange(1.0, len(x) + 1).view(-1, 1, 1, 1)
        return x

    def bake(self):
        return self if self.how == "bake itself" else nn.Tanh()


def test_baking():
    baked = laws.assert_baked_equals(chain(), X)
    assert not any(isinstance(m, st.nn.EquivariantModule) for m in baked.modules())
    with pytest.raises(AssertionError, match="the baked model differs"):
        laws.assert_baked_equals(Wrong("bake"), X)
    with pytest.raises(AssertionError, match="still holds equivariant layers"):
        laws.assert_baked_equals(Wrong("bake itself"), X)


def test_compiling_and_exporting():
    laws.assert_compiled_equals(chain(), X)
    laws.assert_export_equals_eager(chain(), X, dynamic_batch=True)
    with pytest.raises(AssertionError, match="the compiled model differs from eager by"):
        laws.assert_compiled_equals(Wrong("compile"), X)
    with pytest.raises(AssertionError, match="the exported model differs"):
        laws.assert_export_equals_eager(Wrong("compile"), X)


def test_onnx():
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    laws.assert_onnx_equals(chain().float(), X.float())
    with pytest.raises(AssertionError, match="the ONNX model differs"):
        laws.assert_onnx_equals(Wrong("compile"), X.float(), atol=1e-5)


def test_batches_and_permutations():
    laws.assert_batch_independent(chain(), X)
    laws.assert_permutation_equivariant(chain(), X)
    with pytest.raises(AssertionError, match="alone than in its batch"):
        laws.assert_batch_independent(Wrong("batch"), X)
    with pytest.raises(AssertionError, match="order along axis 0"):
        laws.assert_permutation_equivariant(Wrong("order"), X)


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_no_sample_stays_in_its_place(count):
    """A fault that singles out one sample, the first or the last."""
    x = X[:1].expand(count, -1, -1, -1) * torch.arange(1.0, count + 1).view(-1, 1, 1, 1)
    for special in (0, -1):
        with pytest.raises(AssertionError, match="order along axis 0"):
            laws.assert_permutation_equivariant(AddsOne(special), x)


class AddsOne(nn.Module):
    """Adds one sample to all."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, x):
        return x + 0.01 * x[self.number]


def test_gauges():
    so2 = SO2()
    t = so2.type("2x0 + 2x1 + 1x2")
    torch.manual_seed(0)
    x = torch.randn(2, t.size, 4, 4, dtype=torch.float64)
    laws.assert_gauge_equivariant(st.nn.Linear(t, t).double(), x)
    laws.assert_gauge_equivariant(st.nn.Conv2d(t, t, 1).double(), x)
    with pytest.raises(AssertionError, match="depends on the gauge"):  # neighbours need a transport
        laws.assert_gauge_equivariant(st.nn.Conv2d(t, t, 3, padding=1).double(), x)
