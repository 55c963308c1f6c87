"""The shipped hypothesis strategies draw what they promise, and find planted faults."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as hs
from torch import nn

import steerable as st
from steerable.groups import C
from steerable.laws import strategies
from steerable.laws.setting import exact_elements


@given(hs.data())
def test_what_is_drawn(data):
    group = data.draw(strategies.groups(planar=False))
    g = data.draw(strategies.elements(group))
    assert g.shape == group.element_shape and bool(group.equal(group.compose(g, group.identity.to(g)), g))
    assert data.draw(strategies.representations(group)).group == group
    assert data.draw(strategies.types(group)).group == group


@given(strategies.fields())
def test_fields_are_fields(field):
    assert field.tensor.shape == (2, field.type.size, *field.domain.shape)
    assert torch.equal(field.transform(field.type.group.identity).tensor, field.tensor)


def turns_the_lattice(group):
    """Whether the law has something to test: C(3), C(5), C(7) move pixels onto pixels by the identity alone."""
    return group == C(1) or len(exact_elements(group, torch.zeros(1, 1, 3, 3))) > 1


@settings(max_examples=40)
@given(strategies.fields(), hs.data())
def test_any_convolution_between_any_types(field, data):
    torch.manual_seed(0)
    assume(turns_the_lattice(field.type.group))
    out = data.draw(strategies.types(field.type.group))
    conv = st.nn.Conv2d(field.type, out, 3, padding=1).double()
    st.laws.assert_equivariant(conv, field.tensor)


def test_a_planted_fault_is_found():
    @given(strategies.types())
    def relu_on_anything(t):
        assume(turns_the_lattice(t.group))
        st.laws.assert_equivariant(st.nn.Plain(nn.ReLU(), t, t).double())

    with pytest.raises(AssertionError, match="not equivariant"):
        relu_on_anything()


def test_hypothesis_loads_only_when_asked_for():
    code = (
        "import sys, steerable; steerable.laws.check; assert 'hypothesis' not in sys.modules; "
        "steerable.laws.strategies; assert 'hypothesis' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
