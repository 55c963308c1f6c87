"""The plain twins of the network of lenses: equal in parameters, or in multiplications."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.models import count_macs


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("stem", ["pooled", "strided"])
@pytest.mark.parametrize(("group", "widths"), [("D4", (8, 12, 16, 16)), ("C8", (4, 6, 8, 8)), ("C4", (3, 5, 7, 9))])
def test_twins_match(group, widths, stem):
    ours = st.create_model("lens_cnn", group=group, widths=widths, stem=stem).eval()
    options = {"group": group, "widths": widths, "stem": stem}
    x = torch.zeros(1, 1, 64, 64)
    compute = st.create_model("lens_cnn_plain", match="compute", **options).eval()
    assert abs(count_macs(compute, x) - count_macs(ours, x)) < 0.03 * count_macs(ours, x)
    params = st.create_model("lens_cnn_plain", match="params", **options)
    assert abs(parameters(params) - parameters(ours)) < 0.03 * parameters(ours)
    assert count_macs(params.eval(), x) < 0.5 * count_macs(ours, x) < 0.5 * 1.1 * count_macs(compute, x)


def test_the_default_twins_are_those_of_the_default_network():
    x = torch.zeros(1, 1, 64, 64)
    ours = st.create_model("lens_cnn")
    assert abs(parameters(st.create_model("lens_cnn_plain")) - parameters(ours)) < 0.03 * parameters(ours)
    equal = st.create_model("lens_cnn_plain", match="compute")
    same = st.create_model("lens_cnn_plain", widths=(64, 96, 128, 128))  # as the plans of lensing say it
    assert count_macs(equal, x) == count_macs(same, x)
    with pytest.raises(ValueError, match="unknown match 'macs'; expected 'params' or 'compute'"):
        st.create_model("lens_cnn_plain", match="macs")
    with pytest.raises(ValueError, match="expected four numbers"):
        st.create_model("lens_cnn_plain", match="compute", widths=(3, 4))
