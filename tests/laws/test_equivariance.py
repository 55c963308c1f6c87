"""The law of equivariance says yes to what is equivariant and no, by name and number, to what is not."""

from __future__ import annotations

import pytest
import torch
from tests.catalogue import GROUPS
from torch import nn

import steerable as st
from steerable import laws
from steerable.groups import O2, SO2, C, D


def double(module):
    return module.double().eval()


@pytest.mark.parametrize("group", [C(1), C(4), C(6), C(8), D(3), D(4), SO2(), O2()], ids=str)
def test_a_steerable_layer_passes(group):
    torch.manual_seed(0)
    hidden = 2 * group.irreps(2)[-1] + group.trivial
    conv = double(st.nn.Conv2d(2 * group.trivial, hidden, 3, padding=1))
    laws.assert_equivariant(conv)
    laws.assert_equivariant(conv, torch.randn(2, 2, 6, 6, dtype=torch.float64), training=True)


@pytest.mark.parametrize("group", [GROUPS["Q8"], GROUPS["S4"], GROUPS["SO2xC3"], GROUPS["C3xC3"]], ids=str)
def test_groups_without_a_plane(group):
    torch.manual_seed(0)
    reps = group.irreps(None if group.is_finite else 2)
    linear = double(st.nn.Linear(2 * reps[-1] + reps[1], reps[-1] + 2 * reps[1] + group.trivial))
    laws.assert_equivariant(linear)
    laws.assert_equivariant(linear, torch.randn(2, linear.in_type.size, 3, 3, dtype=torch.float64))


def faults():
    """Modules that break the symmetry, each in one way."""
    c8, d3 = C(8), D(3)
    plain = nn.Conv2d(3, 8, 3, padding=1)
    yield "plain convolution", st.nn.Plain(plain, 3 * c8.trivial, 1 * c8.regular)
    biased = nn.Conv2d(2, 2, 1)
    yield "bias on a vector", st.nn.Plain(biased, 1 * c8.irrep(1), 1 * c8.irrep(1))
    yield "pointwise on a vector", st.nn.Plain(nn.ReLU(), 2 * c8.irrep(1), 2 * c8.irrep(1))
    yield "wrong type", st.nn.Plain(nn.Identity(), 1 * c8.irrep(1), 1 * c8.irrep(2))
    yield "wrong order", st.nn.Plain(nn.Identity(), c8.irrep(1) + c8.trivial, c8.trivial + c8.irrep(1))
    yield "wrong sign under flips", st.nn.Plain(nn.Identity(), 1 * d3.trivial, 1 * d3.irrep("0o"))
    even = nn.AvgPool2d(2, 2)
    yield "stride on an odd side", st.nn.Plain(even, 1 * c8.trivial, 1 * c8.trivial)


@pytest.mark.parametrize(("name", "module"), list(faults()), ids=[n for n, _ in faults()])
def test_planted_faults_raise_with_a_table(name, module):
    torch.manual_seed(0)
    with pytest.raises(
        AssertionError, match=r"not equivariant under (C8|D3)(.|\n)*allowed 1e-10(.|\n)*deg(.|\n)*above"
    ):
        laws.assert_equivariant(double(module), torch.randn(2, module.in_type.size, 7, 7, dtype=torch.float64))


class Hidden(nn.Module):
    """A linear map that commutes with a subgroup of a cyclic group, given as a table, and with nothing else."""

    def __init__(self, group, step):
        super().__init__()
        self.in_type = self.out_type = 1 * group.regular
        keep = torch.cos(torch.arange(float(step), dtype=torch.float64)).repeat(group.order // step)
        self.register_buffer("keep", keep)

    def forward(self, x):
        return x * self.keep


@pytest.mark.parametrize(("n", "step"), [(50, 2), (60, 2), (100, 4), (120, 5)])
def test_a_large_group_is_not_tested_on_a_subgroup_alone(n, step):
    module, x = Hidden(C(n), step), torch.randn(2, n, dtype=torch.float64)
    assert float(laws.equivariance_error(module, x, elements=[torch.tensor(step)])) < 1e-12
    with pytest.raises(AssertionError, match="not equivariant"):
        laws.assert_equivariant(module, x)


@pytest.mark.parametrize("group", [C(3), C(5), C(9)], ids=str)
def test_a_law_with_nothing_to_test_says_so(group):
    wrong = st.nn.Plain(double(nn.Conv2d(2, 2, 3)), 2 * group.trivial, 1 * group.irrep(1))
    with pytest.raises(ValueError, match="nothing is tested"):
        laws.assert_equivariant(wrong, torch.randn(2, 2, 9, 9, dtype=torch.float64))


def test_nan_is_no_pass():
    c4 = C(4)

    class Broken(nn.Module):
        def forward(self, x):
            return x * float("nan")

    with pytest.raises(AssertionError, match="nan"):
        laws.assert_equivariant(st.nn.Plain(Broken(), 2 * c4.trivial, 2 * c4.trivial))


def test_class_scores_and_plain_networks():
    c4 = C(4)
    body = st.nn.Conv2d(2 * c4.trivial, 3 * c4.trivial, 3, padding=1)
    net = double(nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5)))
    x = torch.randn(2, 2, 9, 9, dtype=torch.float64)
    assert laws.equivariance_error(net, x).max() < 1e-12  # types unknown: trivial channels of the group that is found
    plain = double(nn.Sequential(nn.Conv2d(2, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    assert len(laws.equivariance_error(plain, x, group=D(4))) == 8
    assert laws.equivariance_error(plain, x, group=C(4))[1:].min() > 0.01


def test_modes_and_running_statistics_are_left_alone():
    c4 = C(4)
    norm = (
        st.nn.BatchNorm(2 * c4.regular).double()
        if hasattr(st.nn, "BatchNorm")
        else st.nn.Plain(nn.BatchNorm2d(8), 8 * c4.trivial, 8 * c4.trivial).double()
    )
    norm.train()
    before = {k: v.clone() for k, v in norm.state_dict().items()}
    x = torch.randn(2, 8, 5, 5, dtype=torch.float64)
    laws.assert_equivariant(norm, x)
    laws.assert_equivariant(norm, x, training=True)
    assert norm.training and all(torch.equal(v, before[k]) for k, v in norm.state_dict().items())


def test_errors_teach():
    with pytest.raises(ValueError, match="no in_type and no input"):
        laws.assert_equivariant(nn.Identity())
    with pytest.raises(TypeError, match="returns tuple"):

        class Two(nn.Module):
            def forward(self, x):
                return x, x

        laws.equivariance_error(Two(), torch.zeros(1, 1, 3, 3))
    with pytest.raises(ValueError, match="returns 2 channels; expected 3"):
        laws.equivariance_error(nn.Identity(), torch.zeros(1, 2, 3, 3), 2 * C(4).trivial, 3 * C(4).trivial)
    with pytest.raises(ValueError, match=r"does not fit C4: 3 trivial"):
        laws.Field.of(torch.zeros(1, 2, 3, 3), 3 * C(4).trivial)


def test_float32_has_its_own_tolerance():
    torch.manual_seed(0)
    c8 = C(8)
    conv = st.nn.Conv2d(3 * c8.trivial, 2 * c8.regular, 5, padding=2)
    laws.assert_equivariant(conv)
    with pytest.raises(AssertionError, match="allowed 1e-12"):
        laws.assert_equivariant(conv, atol=1e-12)


def test_fields_transform():
    so2 = SO2()
    t = so2.type("1x0 + 1x1")
    f = laws.Field.of(torch.randn(2, 3, 5, 5, dtype=torch.float64), t)
    quarter = torch.tensor(torch.pi / 2, dtype=torch.float64)
    turned = f.transform(quarter)
    assert f.is_exact(quarter) and not f.is_exact(quarter / 2) and turned.type == t
    spun = torch.rot90(f.tensor, 1, (-2, -1))
    assert torch.allclose(turned.tensor, torch.stack([spun[:, 0], -spun[:, 2], spun[:, 1]], 1), atol=1e-14)
    flat = laws.Field.of(torch.randn(4, 3, dtype=torch.float64), t)
    assert flat.domain is None and flat.is_exact(quarter / 3)


def test_a_network_that_restricts_is_measured_under_the_subgroup():
    d4 = D(4)
    torch.manual_seed(0)
    fields = 2 * d4.regular
    net = double(st.nn.Sequential(st.nn.Conv2d(2 * d4.trivial, fields, 3, padding=1), st.nn.Restrict(fields, C(4))))
    x = torch.randn(2, 2, 7, 7, dtype=torch.float64)
    laws.assert_equivariant(net, x)
    assert len(laws.equivariance_error(net, x)) == 4 and laws.check(net, x).ok
    with pytest.raises(ValueError, match="no subgroup"):
        laws.equivariance_error(net, x, 2 * C(2).trivial)
