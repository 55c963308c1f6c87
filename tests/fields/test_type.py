"""Field types: arithmetic, merging, strings, layout."""

from __future__ import annotations

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.catalogue import GROUPS, elements, representations

from steerable import FieldType
from steerable.groups import O2, SO2, SO3, C, D

C8 = C(8)
NAMED = sorted(set(GROUPS) - {"Q8", "S4", "A5", "S5"})


@st.composite
def types(draw, names=tuple(NAMED), most=4):
    """A field type of some group, its representations of every kind."""
    name = draw(st.sampled_from(names))
    reps = [r for r in representations(name) if r.size <= 20]
    terms = draw(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(reps)), max_size=most))
    return FieldType(GROUPS[name], terms)


@settings(max_examples=150)
@given(types())
def test_printing_and_parsing_are_inverse(t):
    assert t.group.type(str(t)) == t
    assert str(t.group.type(str(t))) == str(t)


@given(types(names=("C5", "D3", "SO2", "O2", "Q8")), types(names=("C5", "D3", "SO2", "O2", "Q8")))
def test_sums(s, t):
    if s.group != t.group:
        if s.size:
            with pytest.raises(ValueError, match="cannot add types"):
                s + t
        return
    total = s + t
    assert total.size == s.size + t.size and total.num_fields == s.num_fields + t.num_fields
    assert sum([s, t]) == total and s + FieldType(s.group, []) == s
    x = torch.randn(2, s.size, 3, dtype=torch.float64)
    y = torch.randn(2, t.size, 3, dtype=torch.float64)
    g = elements(s.group, 3)[-1]
    together = total.transform(torch.cat([x, y], 1), g)
    assert (together - torch.cat([s.transform(x, g), t.transform(y, g)], 1)).abs().max() < 1e-12 if total.size else True


@given(types(), st.integers(0, 3))
def test_multiples(t, n):
    assert (n * t).size == n * t.size and n * t == t * n
    assert n * t == sum([t] * n, FieldType(t.group, []))
    assert hash(2 * t) == hash(t + t)


@given(types())
def test_blocks_tile_the_channels_and_never_repeat(t):
    assert [b.start for b in t.blocks] == [0, *[b.stop for b in t.blocks]][: len(t.blocks)]
    assert all(b.stop - b.start == b.multiplicity * b.rep.size for b in t.blocks)
    assert all(a.rep != b.rep for a, b in zip(t.blocks, t.blocks[1:], strict=False))
    assert [r for b in t.blocks for r in [b.rep] * b.multiplicity] == list(t.fields)
    copy = pickle.loads(pickle.dumps(t))
    assert copy == t and hash(copy) == hash(t)


@given(types(names=("C5", "C8", "D3", "O2", "SO2xC3", "S4")), st.integers(0, 1000))
def test_matrix_and_transform_agree(t, seed):
    g = elements(t.group, 2, seed)[1]
    h = elements(t.group, 2, seed + 1)[1]
    x = torch.randn(2, t.size, 2, 3, dtype=torch.float64)
    m = t.matrix(g)
    assert m.shape == (t.size, t.size)
    expected = torch.einsum("ij,bjhw->bihw", m, x)
    assert torch.allclose(t.transform(x, g), expected, atol=1e-12)
    assert torch.allclose(t.matrix(t.group.compose(g, h)), m @ t.matrix(h), atol=1e-12)


def test_arithmetic_and_layout():
    t = 2 * C8.regular + 3 * C8.trivial + C8.trivial
    assert str(t) == "2 regular + 4 trivial" and repr(t) == "C8: 2 regular + 4 trivial"
    assert t.size == 20 and len(t) == 2 and t.num_fields == 6
    assert [(b.multiplicity, b.start, b.stop, b.shape) for b in t.blocks] == [(2, 0, 16, (2, 8)), (4, 16, 20, (4, 1))]
    assert C8.regular + C8.irrep(1) == C8.type("1 regular + 1x1") and not t.is_trivial and t.is_permutation
    assert (3 * C8.trivial).is_trivial and (3 * C8.trivial).uniform == C8.trivial and t.uniform is None
    assert 1 * C8.trivial == C8.type("1x0") and str(C8.type("2x0 + 1x1")) == "2x0 + 1x1"
    assert str(FieldType(C8, [])) == "0 channels" and C8.type("0 channels").size == 0 and C8.type("").size == 0
    # field-major: a regular field of C8 turns by a cyclic shift of its own 8 channels
    x = torch.arange(20.0, dtype=torch.float64)[None, :, None]
    assert t.transform(x, torch.tensor(1))[0, :9, 0].tolist() == [7, 0, 1, 2, 3, 4, 5, 6, 15]


def test_the_grammar_of_the_design():
    assert SO2().type("32x0 + 16x1 + 8x2").size == 32 + 32 + 16
    assert O2().type("4x0e + 2x0o + 1x2").size == 8 and O2().type("4x0") == O2().type("4x0e")
    assert C8.type("16 regular + 4 trivial") == 16 * C8.regular + 4 * C8.trivial
    assert SO2().type("2 regular(3) + 1x1").size == 16
    assert D(4).type("2 quotient(D1)") == 2 * D(4).quotient(D(1))
    assert C8.type("2 regular+3 trivial") == 2 * C8.regular + 3 * C8.trivial
    both = GROUPS["C3xC3"]
    assert both.type("2x(1,1)+ + 1x(0,1)") == 2 * both.irrep("(1,1)+") + both.irrep("(0,1)")
    assert both.type("2x(1,1)++1x(1,1)+") == 3 * both.irrep("(1,1)+")
    assert D(4).type("1 quotient(D1)+ 3 trivial") == D(4).quotient(D(1)) + 3 * D(4).trivial


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("16regular", "16regular"),
        ("x0", "x0"),
        ("2 vector", "vector"),
        ("3x9", "9"),
        ("2 regular + ", "cannot read"),
        ("-1 regular", "-1 regular"),
    ],
)
def test_bad_strings_name_the_term(text, word):
    with pytest.raises(ValueError, match=word):
        C8.type(text)


def test_bad_arithmetic():
    with pytest.raises(TypeError, match="adds to field types"):
        2 * C8.regular + 3
    with pytest.raises(TypeError, match="non-negative integer"):
        (2 * C8.regular) * -1
    with pytest.raises(ValueError, match="one group"):
        FieldType(C8, [(1, C(4).regular)])
    with pytest.raises(ValueError, match="not negative"):
        FieldType(C8, [(-1, C8.regular)])


def test_split_for_grouped_convolutions():
    t = 4 * C8.regular
    assert t.split(2) == 2 * C8.regular and t.split(4) == 1 * C8.regular and t.split(1) == t
    pair = C8.regular + 2 * C8.trivial
    assert (3 * pair).split(3) == pair
    with pytest.raises(ValueError, match="cannot share equally"):
        t.split(3)
    with pytest.raises(ValueError, match="does not repeat"):
        (2 * C8.regular + 2 * C8.trivial).split(2)


def test_restrict_and_fourier():
    t = 2 * C8.regular + C8.irrep(2)
    small = t.restrict(C(4))
    assert small.group == C(4) and small.size == t.size
    for r in range(4):
        assert (small.matrix(torch.tensor(r)) - t.matrix(torch.tensor(2 * r))).abs().max() < 1e-12
    assert t.fourier == C8.type("2x0 + 2x1 + 3x2 + 2x3 + 2x4") and t.fourier.size == t.size


def test_a_planted_channel_order_is_caught():
    t = 2 * C8.regular
    x = torch.randn(1, 16, 1, dtype=torch.float64)
    g = torch.tensor(3)
    component_major = x.unflatten(1, (8, 2)).transpose(1, 2).flatten(1, 2)
    assert (t.transform(component_major, g) - torch.einsum("ij,bjh->bih", t.matrix(g), x)).abs().max() > 0.1


def test_transform_refuses_other_channels():
    t = SO3().type("1x1")
    with pytest.raises(ValueError, match=r"x has shape \(5, 4\); expected \[B, 3, ...\]"):
        t.transform(torch.rand(5, 4), t.group.identity)
