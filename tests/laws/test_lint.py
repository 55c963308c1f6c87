"""Reading models: every fault is named with its place and its mend, and clean models have none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import steerable as st
from steerable import laws
from steerable.groups import SO2, C

C8 = C(8)
RGB, DEEP, VECTORS = 3 * C8.trivial, 2 * C8.regular, 2 * C8.irrep(1) + C8.regular


def conv(a, b):
    return st.nn.Conv2d(a, b, 3, padding=1)


class User(nn.Module):
    """A user's own module: two steerable layers with something between them."""

    def __init__(self, between, middle=VECTORS, end=None):
        super().__init__()
        self.first, self.second = conv(RGB, middle), conv(middle, end or 4 * C8.trivial)
        self.b = nn.Parameter(torch.zeros(middle.size, 1, 1))
        self.between = between if isinstance(between, nn.Module) else None
        self._function = None if isinstance(between, nn.Module) else between

    def forward(self, x):
        x = self.first(x)
        return self.second(self.between(x) if self.between is not None else self._function(self, x))


FAULTS = [
    ("relu module", User(nn.ReLU()), "between: pointwise function ReLU on 2x1"),
    ("relu function", User(lambda m, x: torch.relu(x)), "relu: pointwise function relu on 2x1"),
    ("tensor method", User(lambda m, x: x.sigmoid()), "pointwise function sigmoid"),
    ("bias", User(lambda m, x: x + m.b), "bias for each channel"),
    ("affine", User(lambda m, x: x * m.b, DEEP), "affine for each channel of C8: 2 regular"),
    ("batch norm", User(nn.BatchNorm2d(16), DEEP), "between: BatchNorm2d has statistics and an affine"),
    ("slopes", User(nn.PReLU(16), DEEP), "a slope for each channel"),
    ("dropout", User(nn.Dropout2d(), DEEP), "Dropout2d drops single channels"),
    ("plain conv", User(nn.Conv2d(16, 16, 1), DEEP), "plain Conv2d on C8: 2 regular"),
    ("max of vectors", User(nn.MaxPool2d(3, 1, 1)), "pointwise function MaxPool2d"),
    ("product", User(lambda m, x: x * x), "product, channel by channel"),
    ("flatten", nn.Sequential(conv(RGB, 4 * C8.trivial), nn.Flatten(), nn.Linear(4, 2)), "1: flattens positions"),
    (
        "after fields",
        nn.Sequential(conv(RGB, DEEP), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2)),
        "3: plain Linear on C8: 2 regular",
    ),
    (
        "types do not meet",
        nn.Sequential(conv(RGB, DEEP), conv(VECTORS + 4 * C8.trivial, RGB)),
        "is given C8: 2 regular",
    ),
    ("orientation of scalars", nn.Sequential(conv(RGB, RGB), nn.Conv2d(3, 3, 3)), "sees the orientation"),
    ("vouched for, wrongly", st.nn.Plain(nn.ReLU(), VECTORS, VECTORS), "module: pointwise function ReLU"),
    (
        "in a chain",
        st.nn.Sequential(conv(RGB, VECTORS), st.nn.Plain(nn.Tanh(), VECTORS, VECTORS)),
        "1.module: pointwise function Tanh",
    ),
]


@pytest.mark.parametrize(("name", "model", "words"), FAULTS, ids=[f[0] for f in FAULTS])
def test_faults_are_named(name, model, words):
    found = [str(f) for f in laws.lint(model)]
    assert any(words in f for f in found), found
    assert all(f.mend and f.path for f in laws.lint(model))


CLEAN = [
    ("relu on regular fields", User(nn.ReLU(), DEEP)),
    ("chain", st.nn.Sequential(conv(RGB, DEEP), conv(DEEP, 2 * C8.trivial))),
    (
        "head",
        nn.Sequential(
            conv(RGB, 4 * C8.trivial),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 2),
        ),
    ),
    ("residual", st.nn.Residual(conv(VECTORS, VECTORS))),
    ("branches", st.nn.Sequential(st.nn.Branches(conv(RGB, DEEP), conv(RGB, VECTORS)), conv(DEEP + VECTORS, RGB))),
    ("scaling by a number", User(lambda m, x: 0.5 * x + x)),
    ("average of vectors", User(nn.AvgPool2d(3, 1, 1))),
    ("one slope", User(nn.PReLU(), DEEP)),
    ("plain pixels 1x1", nn.Sequential(conv(RGB, RGB), nn.Conv2d(3, 5, 1))),
    ("concatenation", User(lambda m, x: torch.cat([x[:, :4], x[:, 4:]], 1))),
    ("no types at all", nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(), nn.Flatten())),
]


@pytest.mark.parametrize(("name", "model"), CLEAN, ids=[c[0] for c in CLEAN])
def test_clean_models_have_no_findings(name, model):
    assert [str(f) for f in laws.lint(model)] == []


def test_means_and_sums_end_space():
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = conv(RGB, 4 * C8.trivial), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.body(x).mean((-2, -1)))

    assert laws.lint(Head()) == []


def test_what_cannot_be_traced_is_read_part_by_part():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = nn.Sequential(conv(RGB, VECTORS), nn.ReLU())

        def forward(self, x):
            return self.part(x) if x.sum() > 0 else x

    assert [str(f).split(" on ")[0] for f in laws.lint(Branching())] == ["part.1: pointwise function ReLU"]


def test_sizes_are_read_when_an_input_is_given():
    model = st.nn.Sequential(st.nn.Conv2d(RGB, DEEP, 3, stride=2, padding=1))
    assert laws.lint(model) == []
    (found,) = laws.lint(model, torch.zeros(1, 3, 8, 8))
    assert "8 x 8" in str(found) and found.path == "0"
    assert laws.lint(model, torch.zeros(1, 3, 9, 9)) == []


def test_sums_of_different_types():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            so2 = SO2()
            self.a, self.b = (st.nn.Conv2d(2 * so2.trivial, 1 * so2.irrep(k), 3, padding=1) for k in (1, 2))

        def forward(self, x):
            return self.a(x) + self.b(x)

    (found,) = laws.lint(Sum())
    assert "different types SO2: 1x1 and SO2: 1x2" in str(found)
